"""Measures a generator against real images; every number comes with the protocol that made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from facegan_ref import __version__
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import CATEGORIES
from facegan_ref.features import Features, OfflineFeatures
from facegan_ref.metrics import (
    feature_statistics,
    frechet_distance,
    kid,
    mode_coverage,
    nearest_neighbours,
    precision_recall,
)
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import draw_latent, sample

BATCH = 250
KID_SUBSETS, KID_SUBSET_SIZE = 20, 1000
NEIGHBOUR = 3  # k of precision and recall, as in Kynkäänniemi et al. 2019
HELD_OUT, HELD_OUT_SHARE = 2000, 5  # at most so many real images, at most one in five
NEAR = 0.05  # the nearest 5 % of held-out images set what counts as near
MODE_FACTORS = ("skin", "hair_colour", "hair_style", "glasses")
MIN_IMAGES = 16


@dataclass(frozen=True)
class Report:
    """What `evaluate` found. Distances and neighbours are in the units of the features.

    Attributes:
        protocol: what was compared, and how: belongs beside every number.
        frechet: Fréchet distance; too large for few images (`docs/measuring.md`).
        kid, kid_spread: mean and standard deviation of the kernel distance over subsets.
        precision, recall: shares of the generated and of the real images, in [0, 1].
        fake_to_train: median distance of a generated image to its nearest training image.
        held_out_to_train: the same of real images that were held out of the search.
        copied: share of generated images nearer to a training image than 95 % of the held-out
            ones are: about 0.05 or less, unless the generator repeats training images.
        modes: share of the drawn faces' combinations of factors that were generated, and
            `modes_of_real` that as many real images show; None for other data or features.
    """

    protocol: str
    frechet: float
    kid: float
    kid_spread: float
    precision: float
    recall: float
    fake_to_train: float
    held_out_to_train: float
    copied: float
    modes: float | None = None
    modes_of_real: float | None = None

    def to_dict(self) -> dict:
        """All fields as plain JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [
            ("Fréchet distance", f"{self.frechet:.4g}"),
            ("KID × 1000", f"{1000 * self.kid:,.1f} ± {1000 * self.kid_spread:,.1f}"),
            ("precision", f"{self.precision:.3f}"),
            ("recall", f"{self.recall:.3f}"),
            (
                "nearest training image",
                f"at {self.fake_to_train:.4g} (median); "
                f"of real images held out at {self.held_out_to_train:.4g}",
            ),
            ("copies", f"{self.copied:.1%} nearer than the nearest {NEAR:.0%} of held-out images"),
        ]
        if self.modes is not None:
            rows.append(("modes covered", f"{self.modes:.1%}; by real {self.modes_of_real:.1%}"))
        lines = [f"{name:24}{value}" for name, value in rows]
        return "\n".join([*lines, f"Protocol: {self.protocol}"])


def collect(features: Features, batches: Iterable[Tensor]) -> Tensor:
    """Features `(N, dim)` float32 on the CPU of images that come in batches `(B, 3, S, S)`."""
    return torch.cat([features(batch).cpu() for batch in batches])


def real_batches(
    faces: FaceArray, indices: Tensor, device: torch.device | str, batch_size: int
) -> Iterator[Tensor]:
    """The images `indices` `(N,)` in batches `(B, 3, S, S)` on `device`."""
    return (faces.batch(part, device) for part in indices.split(batch_size))


def kid_over_subsets(real: Tensor, fake: Tensor, rng: torch.Generator) -> tuple[float, float, int]:
    """Mean and standard deviation of `kid` over random subsets, and the subsets' size.

    Subsets hold 1000 images (Bińkowski et al. 2018), or half of what there are.
    """
    size = min(KID_SUBSET_SIZE, len(real) // 2, len(fake) // 2)

    def subset(x: Tensor) -> Tensor:
        return x[torch.randperm(len(x), generator=rng)[:size]]

    values = torch.tensor([kid(subset(real), subset(fake)) for _ in range(KID_SUBSETS)])
    return values.mean().item(), values.std().item(), size


def evaluate(
    generator: nn.Module,
    recipe: Recipe,
    faces: FaceArray,
    n: int = 5000,
    seed: int = 0,
    features: Features | None = None,
    device: torch.device | str = "cpu",
    batch_size: int = BATCH,
    train_images: int = 20_000,
) -> Report:
    """Measure `n` images of a generator against as many of the faces it was trained on.

    Args:
        generator: gives images `(N, 3, S, S)` in [-1, 1]; its mode is put back.
        recipe: tells its latents.
        faces: the real images; all are used where there are fewer than `n`.
        seed: draws the latents and chooses the images.
        features: the extractor; the offline one when None.
        train_images: among so many of `faces` the nearest training images are sought.

    Raises:
        ValueError: too few images, or generator and faces differ in size.
    """
    _require_enough("n", n)
    _require_enough("the number of real images", len(faces))
    features = (features or OfflineFeatures()).to(device)
    rng = torch.Generator().manual_seed(seed)
    z = draw_latent(recipe, n, rng)
    order = torch.randperm(len(faces), generator=rng)[: max(n, train_images)]
    generator = generator.to(device)
    made = (sample(generator, part.to(device)) for part in z.split(batch_size))
    fake = collect(features, _of_size(made, faces.image_size))
    searched = collect(features, real_batches(faces, order, device, batch_size))
    real = searched[:n]

    mean, spread, size = kid_over_subsets(real, fake, rng)
    precision, recall = precision_recall(real, fake, NEIGHBOUR)
    held_out = min(HELD_OUT, len(searched) // HELD_OUT_SHARE)
    rest = searched[held_out:]
    nearest_fake, _ = nearest_neighbours(fake, rest)
    nearest_real, _ = nearest_neighbours(searched[:held_out], rest)
    near = nearest_real.quantile(NEAR)
    modes = {}
    if faces.manifest.get("source") == "toyfaces" and isinstance(features, OfflineFeatures):
        modes = {
            "modes": factor_coverage(features.factors(fake)),
            "modes_of_real": factor_coverage(features.factors(real)),
        }
    protocol = (
        f"{n:,} generated images (recipe {recipe.name}, {recipe.latent} z of {recipe.z_dim}, seed "
        f"{seed}) against {len(real):,} real ones ({describe_faces(faces)}); features "
        f"{features.describe()}; KID over {KID_SUBSETS} subsets of {size:,}, unbiased, kernel "
        f"(x·y/{features.dim} + 1)³; precision and recall with k = {NEIGHBOUR}; nearest of "
        f"{len(rest):,} training images, {held_out:,} held out; {_versions()}"
    )
    return Report(
        protocol=protocol,
        frechet=frechet_distance(*feature_statistics([real]), *feature_statistics([fake])),
        kid=mean,
        kid_spread=spread,
        precision=precision,
        recall=recall,
        fake_to_train=nearest_fake.median().item(),
        held_out_to_train=nearest_real.median().item(),
        copied=(nearest_fake < near).double().mean().item(),
        **modes,
    )


def factor_coverage(factors: dict[str, Tensor]) -> float:
    """The share of the combinations of `MODE_FACTORS` that occur among faces' labels `(N,)`."""
    label, modes = torch.zeros_like(factors[MODE_FACTORS[0]]), 1
    for name in MODE_FACTORS:
        label = label * len(CATEGORIES[name]) + factors[name]
        modes *= len(CATEGORIES[name])
    return mode_coverage(label, modes)


class QualityMeasure:
    """One number for the quality of generated images, lower is better: KID × 1000 against `faces`.

    Cheap enough for each epoch, and the same for the same images: the best checkpoint is kept by
    it. A difference below about a tenth of its value is no difference (`docs/measuring.md`).

    Args:
        faces: the real images.
        n: how many of them are compared with; all where there are fewer.
        seed: chooses them.
        features: the extractor; the offline one when None.

    Raises:
        ValueError: too few images.
    """

    def __init__(
        self,
        faces: FaceArray,
        n: int = 1000,
        seed: int = 0,
        features: Features | None = None,
        device: torch.device | str = "cpu",
    ):
        _require_enough("n", n)
        _require_enough("the number of real images", len(faces))
        self.device = torch.device(device)
        self.features = (features or OfflineFeatures()).to(self.device)
        self.image_size = faces.image_size
        rng = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(faces), generator=rng)[:n]
        self.real = collect(self.features, real_batches(faces, chosen, self.device, BATCH))
        self.protocol = (
            f"KID × 1000, unbiased, kernel (x·y/{self.features.dim} + 1)³, against "
            f"{len(self.real):,} real images ({describe_faces(faces)}, chosen by seed {seed}); "
            f"features {self.features.describe()}; {_versions()}"
        )

    def __call__(self, fake: Tensor) -> float:
        """KID × 1000 of images `(M, 3, S, S)` in [-1, 1]; ValueError for fewer than 16."""
        _require_enough("the number of generated images", len(fake))
        parts = (part.to(self.device) for part in fake.split(BATCH))
        return 1000 * kid(self.real, collect(self.features, _of_size(parts, self.image_size)))


def _require_enough(what: str, n: int) -> None:
    if n < MIN_IMAGES:
        raise ValueError(f"{what} is {n}; expected at least {MIN_IMAGES} to compare distributions")


def _of_size(batches: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """The batches as they are; ValueError for images of another size than the real ones."""
    for batch in batches:
        if batch.shape[-1] != size:
            raise ValueError(
                f"the generated images are {batch.shape[-1]} pixels wide, the real ones {size}: "
                f"prepare the real ones at {batch.shape[-1]} pixels"
            )
        yield batch


def describe_faces(faces: FaceArray) -> str:
    """The faces for a protocol: source, crop, size, count, fingerprint."""
    known = [
        str(faces.manifest[key]) for key in ("source", "crop", "resize") if key in faces.manifest
    ]
    size = faces.image_size
    return ", ".join([*known, f"{size}×{size}", f"{len(faces):,} in all", faces.fingerprint])


def _versions() -> str:
    return f"facegan_ref {__version__}, torch {torch.__version__}"
