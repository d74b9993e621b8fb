"""Attribute directions: from labelled pictures through a classifier to directions in the latents.

Generated faces have no labels. A small classifier learns the attributes on labelled pictures,
judges faces of known latents, and `attribute_direction` finds where in the latents they change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from facegan_ref.attributes import LEAST, AttributeClassifier, require_known
from facegan_ref.latents import faces_of, move
from facegan_ref.morph import attribute_direction
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import draw_latent

FORMAT = "facegan-directions-1"


@dataclass(frozen=True)
class Direction:
    """Where in the latents an attribute grows, and what is known about that.

    `vector` has unit length; `accuracy` and `baseline` are the classifier's and the majority's on
    held-out pictures; `share` is how many of the generated faces have the attribute; `effects`
    has, for each attribute, its share after moving all faces back and forth by the `reach`.
    """

    vector: list[float]
    accuracy: float
    baseline: float
    share: float
    effects: dict[str, tuple[float, float]]

    def tensor(self) -> Tensor:
        """The vector as float32 `(z_dim,)`."""
        return torch.tensor(self.vector)


@dataclass(frozen=True)
class Directions:
    """The directions found for one generator, by attribute; `skipped` says why some are missing."""

    generator: str
    reach: float
    found: dict[str, Direction]
    skipped: dict[str, str]

    def __getitem__(self, name: str) -> Direction:
        """The direction of an attribute; ValueError that lists what there is."""
        if name not in self.found:
            why = f" ({self.skipped[name]})" if name in self.skipped else ""
            raise ValueError(f"no direction {name!r}{why}; there are: {', '.join(self.found)}")
        return self.found[name]

    def table(self) -> str:
        """A line an attribute: the classifier's worth, and what moving the faces does."""
        lines = [
            f"{'attribute':22} {'classifier':>10} {'majority':>8} {'have it':>8} "
            f"{f'at -{self.reach:g}':>7} {f'at +{self.reach:g}':>7}  changes most besides"
        ]
        for name, found in self.found.items():
            back, forth = found.effects[name]
            gains = {other: b - a for other, (a, b) in found.effects.items() if other != name}
            most = sorted(gains, key=lambda other: -abs(gains[other]))[:3]
            besides = ", ".join(f"{other} {100 * gains[other]:+.0f}" for other in most)
            lines.append(
                f"{name:22} {found.accuracy:>10.1%} {found.baseline:>8.1%} {found.share:>8.1%} "
                f"{back:>7.0%} {forth:>7.0%}  {besides}"
            )
        return "\n".join(
            lines + [f"{name:22} left out: {why}" for name, why in self.skipped.items()]
        )

    def save(self, path: str | Path) -> None:
        """Write them as JSON."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path, generator: nn.Module) -> Directions:
        """What `save` wrote, if it was found for this very generator.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged or foreign, or belongs to another generator.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such file. Make it with `facegan directions RUN --out {path}`"
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError(f'its format is not "{FORMAT}"')
            found = {name: Direction(**values) for name, values in content.pop("found").items()}
            directions = cls(found=found, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}: not a complete file of directions ({error}). Make it again with "
                f"`facegan directions RUN --out {path}`"
            ) from error
        if directions.generator != generator_hash(generator):
            raise ValueError(
                f"{path}: these directions belong to another generator, or to this one at another "
                f"step of its training. Make new ones with `facegan directions RUN --out {path}`"
            )
        return directions


def generator_hash(generator: nn.Module) -> str:
    """SHA-256 of a network's names, shapes and numbers: equal for the same generator only."""
    digest = hashlib.sha256()
    for name, value in sorted(generator.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def without(direction: Tensor, others: Tensor) -> Tensor:
    """The direction `(z_dim,)` with its parts along `others` `(K, z_dim)` taken out, unit length.

    Moving along it leaves what the others measure alone, to first order (Shen et al. 2020,
    section 3.2).

    Raises:
        ValueError: the direction lies in the others' span.
    """
    basis = torch.linalg.qr(others.T).Q
    rest = direction - basis @ (basis.T @ direction)
    if rest.norm() < 1e-4 * direction.norm():
        raise ValueError("nothing is left of the direction without the others; hold fewer of them")
    return rest / rest.norm()


@torch.no_grad()
def find_directions(
    generator: nn.Module,
    recipe: Recipe,
    classifier: AttributeClassifier,
    rng: torch.Generator,
    names: Sequence[str] | None = None,
    faces: int = 4000,
    reach: float = 3.0,
) -> Directions:
    """A direction for each attribute, by what the classifier sees in generated faces.

    Args:
        generator: of the recipe, on the CPU.
        recipe: knows the latents' prior.
        classifier: judges the faces; it also measures what a move changes, on 200 fresh faces.
        rng: source of the latents.
        names: the attributes wanted; all that are possible when None.
        faces: how many to judge.
        reach: how far the measured moves go either way, in standard deviations of the prior.

    Raises:
        ValueError: a wanted attribute is unknown, one that the classifier has not learnt, or one
            with fewer than 25 generated faces of either kind. What was not asked for by name is
            noted in `skipped`.
    """
    wanted = list(names) if names is not None else list(classifier.names)
    require_known(wanted, classifier.names)

    def has_attributes(z: Tensor) -> Tensor:
        parts = [classifier(faces_of(generator, part)) > 0 for part in z.split(256)]
        return torch.cat(parts)

    z = draw_latent(recipe, faces, rng)
    fresh = draw_latent(recipe, 200, rng)
    labels = has_attributes(z)
    found, skipped = {}, {}
    for name in wanted:
        column = classifier.names.index(name)
        count = int(labels[:, column].sum())
        accuracy, baseline = float(classifier.accuracy[column]), float(classifier.baseline[column])
        if accuracy <= baseline:
            skipped[name] = (
                f"the classifier gets {accuracy:.1%} of unseen pictures right, always giving the "
                f"more frequent answer {baseline:.1%}; more pictures may help"
            )
        elif min(count, faces - count) < LEAST:
            skipped[name] = (
                f"{count} of {faces} generated faces have it and {faces - count} do not, expected "
                f"at least {LEAST} of each; judging more faces may help"
            )
        if name in skipped:
            if names is not None:
                raise ValueError(f"attribute {name!r}: {skipped[name]}")
            continue
        vector = attribute_direction(z, labels[:, column])
        shares = [
            has_attributes(move(recipe, fresh, vector, torch.tensor([amount]))).float().mean(0)
            for amount in (-reach, reach)
        ]
        found[name] = Direction(
            vector=vector.tolist(),
            accuracy=accuracy,
            baseline=baseline,
            share=count / faces,
            effects={
                other: (float(back), float(forth))
                for other, back, forth in zip(classifier.names, *shares, strict=True)
            },
        )
    return Directions(generator_hash(generator), reach, found, skipped)
