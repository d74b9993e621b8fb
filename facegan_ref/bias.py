"""How often a trained generator shows what its data show: bias, measured attribute by attribute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegan_ref.attributes import train_classifier
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import CATEGORIES
from facegan_ref.features import OfflineFeatures
from facegan_ref.latents import faces_of
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import draw_latent

REAL = 4000  # at most so many real faces are judged


@dataclass(frozen=True)
class Share:
    """How often an attribute occurs, in [0, 1], as the same judge sees it on both sides.

    `error` is the standard error of `generated - data` from the numbers of faces alone.
    """

    name: str
    data: float
    generated: float
    error: float


def attribute_shares(
    generator: nn.Module, recipe: Recipe, faces: FaceArray, n: int = 4000, seed: int = 0
) -> list[Share]:
    """The share of each attribute among real and among `n` generated faces.

    Embedded faces are judged by the head that comes with the offline features, others by a
    classifier that learns their labels (four in five of them; docs/morphing.md says how long that
    takes). A judge errs; judging both sides by the same one leaves most of its errors out of the
    difference.

    Raises:
        ValueError: the faces are neither embedded ones nor labelled, or of another size.
    """
    if faces.image_size != recipe.image_size:
        raise ValueError(
            f"the faces are {faces.image_size} pixels wide, the generator's {recipe.image_size}"
        )
    rng = torch.Generator().manual_seed(seed)
    names, judge = _judge(faces, rng)
    chosen = torch.randperm(len(faces), generator=rng)[:REAL]
    z = draw_latent(recipe, n, rng)
    with torch.no_grad():
        real = torch.cat([judge(faces.batch(part)) for part in chosen.split(256)])
        fake = torch.cat([judge(faces_of(generator, part)) for part in z.split(256)])
    p, q = real.double().mean(0), fake.double().mean(0)
    error = (p * (1 - p) / len(real) + q * (1 - q) / len(fake)).sqrt()
    rows = zip(names, p.tolist(), q.tolist(), error.tolist(), strict=True)
    return [Share(*row) for row in rows]


def _judge(faces: FaceArray, rng: torch.Generator) -> tuple[list[str], Callable[[Tensor], Tensor]]:
    """Names of attributes, and what finds them `(N, A)` bool in images `(N, 3, S, S)`."""
    if faces.attributes is not None:
        classifier = train_classifier(faces, rng)
        return list(classifier.names), lambda images: classifier(images) > 0
    if faces.manifest.get("source") != "toyfaces":
        raise ValueError(
            "bias is measured over attributes, and these faces have none: prepare CelebA with its "
            "list_attr_celeba.txt beside it"
        )
    features = OfflineFeatures()
    names = [f"{name}: {value}" for name, values in CATEGORIES.items() for value in values]

    def judge(images: Tensor) -> Tensor:
        found = features.factors(features(images))
        hot = [F.one_hot(found[name], len(values)) for name, values in CATEGORIES.items()]
        return torch.cat(hot, dim=1).bool()

    return names, judge
