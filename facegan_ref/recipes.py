"""Named configurations of a training: which networks, on what images, for how long.

Five are existing projects, kept as they are described, with what is known to be wrong with the
originals beside them; where a fault is no choice but a slip (a loss that becomes NaN), the recipe
does what the project meant.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace

# Torch-free, so that the command line can list recipes at once: the names of the losses and of the
# augmentations stand here and are tested against `losses.OBJECTIVES` and `augment.TRANSFORMATIONS`.
LABELLED_LOSSES = ("non-saturating", "minimax")
AUGMENTATIONS = ("color", "translation", "cutout")
CHOICES = {
    "model": ("dcgan", "mlp", "small"),
    "activation": ("relu", "leaky_relu"),
    "output": ("tanh", "sigmoid"),
    "init": ("dcgan", "torch", "he-uniform"),
    "latent": ("normal", "uniform"),
    "loss": (*LABELLED_LOSSES, "least-squares", "hinge", "wasserstein", "relativistic"),
    "precision": ("fp32", "bf16"),
}
POSITIVE = (
    "image_size", "z_dim", "ngf", "ndf", "batch_size", "epochs", "lr_g", "lr_d", "d_steps",
)  # fmt: skip
FRACTIONS = ("beta1", "beta2", "dropout", "smoothing", "ema_decay")
NOT_NEGATIVE = ("sigma0", "r1_gamma", "gradient_penalty", "preview_every")


def parse_policy(policy: str) -> list[str]:
    """The augmentations that `policy` names, such as "color,translation"; none for "".

    Raises:
        ValueError: a name is not known.
    """
    names = [name.strip() for name in policy.split(",") if name.strip()]
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise ValueError(
            f"augmentation {', '.join(map(repr, unknown))} is not known; "
            f"there are {', '.join(AUGMENTATIONS)}, separated by commas"
        )
    return names


@dataclass(frozen=True)
class Recipe:
    """One training, complete: two runs of a recipe with one seed on one machine are the same.

    Sizes are in pixels, rates per step, `epochs` in passes over the images.
    """

    name: str
    source: str
    faults: tuple[str, ...] = ()
    # the networks
    model: str = "dcgan"  # or "mlp", or "small": the Keras pair of recipe small-32
    activation: str = "relu"  # of a DCGAN's or MLP's generator; or "leaky_relu"
    output: str = "tanh"  # images in [-1, 1]; or "sigmoid": in [0, 1], and the data with them
    init: str = "dcgan"  # N(0, 0.02²) in convolutions; or "torch", or "he-uniform" as in Keras
    dropout: float = 0.0  # after D's activations, and an MLP generator's
    spectral_norm: bool = False  # in D
    image_size: int = 64
    z_dim: int = 100
    latent: str = "normal"  # or "uniform" over [-1, 1]
    ngf: int = 64  # G's width: maps before a DCGAN's last layer, units of an MLP's hidden layers
    ndf: int = 64  # D's
    # the game
    loss: str = "non-saturating"  # any of CHOICES["loss"]
    smoothing: float = 0.0  # real images have the label 1 - smoothing
    sigma0: float = 0.0  # instance noise at the start; it falls to 0 at the end
    augment: str = ""  # names from AUGMENTATIONS with commas: what D sees is changed
    r1_gamma: float = 0.0  # gamma / 2 times the squared gradient at real images
    gradient_penalty: float = 0.0  # times the squared distance of D's slope from 1
    d_steps: int = 1  # D's updates a batch, each with latents of its own
    fresh_latents: bool = False  # G's step judges a new batch, not the one that D has just seen
    # the optimizers
    batch_size: int = 128
    epochs: int = 10
    lr_g: float = 2e-4
    lr_d: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    ema_decay: float = 0.0  # samples come from an average of G's weights; 0: from G itself
    # how it runs
    precision: str = "fp32"  # or "bf16": convolutions in bfloat16, weights and losses in float32
    preview_every: int = 0  # steps between preview grids, besides the one at each epoch's end

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{field.name} is {value}, expected a finite number")
        if self.image_size < 8:
            raise ValueError(f"image_size is {self.image_size}, expected at least 8 pixels")
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
        for name in FRACTIONS:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected from 0 to below 1")
        for name in NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}, expected {' or '.join(allowed)}"
                )
        if self.smoothing and self.loss not in LABELLED_LOSSES:
            raise ValueError(
                f"smoothing is {self.smoothing}, but loss {self.loss} has no labels to smooth; "
                f"use {' or '.join(LABELLED_LOSSES)}, or smoothing 0"
            )
        parse_policy(self.augment)

    def override(self, **changes: object) -> Recipe:
        """This recipe with some fields changed; ValueError for a field or value it can't have."""
        known = {field.name for field in fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"no recipe field {', '.join(unknown)}; there are {sorted(known)}")
        return replace(self, **changes)

    def to_dict(self) -> dict:
        """All fields as plain JSON values; `Recipe.from_dict` makes it a recipe again."""
        return {**asdict(self), "faults": list(self.faults)}

    @classmethod
    def from_dict(cls, values: dict) -> Recipe:
        """The recipe that `to_dict` wrote; ValueError when fields are unknown or missing."""
        try:
            return cls(**{**values, "faults": tuple(values.get("faults", ()))})
        except TypeError as error:
            raise ValueError(f"not a recipe of this version: {error}") from error


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="quick",
            source="ours: the demonstration on the embedded faces, two minutes on two CPU cores",
            image_size=32,
            z_dim=64,
            ngf=32,
            ndf=32,
            batch_size=64,
            epochs=6,
        ),
        Recipe(
            name="mlp-goodfellow",
            source="Goodfellow et al. 2014 with the sizes of project 000's first stage, 48 pixels",
            faults=(
                "000: the loss is NaN: log(D + eps) outside of its logarithm becomes 0 * log 0",
                "000: real images are ImageNet-normalised, generated ones lie in [0, 1]",
            ),
            model="mlp",
            output="sigmoid",
            init="torch",
            dropout=0.5,
            image_size=48,
            ngf=500,
            ndf=240,
            fresh_latents=True,
            batch_size=64,
            epochs=50,
        ),
        Recipe(
            name="dcgan-paper",
            source="Radford et al. 2015, section 4: uniform latents, 1024 maps at 4×4",
            latent="uniform",
            ngf=128,
            ndf=128,
            fresh_latents=True,
            batch_size=128,
            epochs=25,
        ),
        Recipe(
            name="morphing-app",
            source="existing project 000: face generation and morphing with a Flask page",
            faults=(
                "clamps noisy images to [0, 1] and noises them in D's step only: D is right on all "
                "it sees while the logged G loss is 0.0001",
                "keeps the checkpoint with the lowest G loss as the best",
                "the final notebook computes instance noise and does not use it",
                "smooths G's target too",
                "the checkpoint lacks the latents of the preview grid",
                "a learning rate that is edited before a resume has no effect",
                "the page shares file names between visitors, stretches each frame's contrast and "
                "morphs in a straight line",
            ),
            activation="leaky_relu",
            ngf=128,
            smoothing=0.1,
            sigma0=0.1,  # the project gives no number
            batch_size=64,
            epochs=35,
            lr_g=5e-4,
        ),
        Recipe(
            name="nanodegree",
            source="existing project 001: a nanodegree's project on 32,600 CelebA images",
            faults=(
                'says that detaching avoids "updating G twice"',
                "says that D's summed loss is balanced near 0.5; at chance it is 1.386",
                'calls Normalize(0.5) "ImageNet statistics"',
            ),
            z_dim=128,
            smoothing=0.1,
            fresh_latents=True,
            batch_size=64,
            epochs=20,
        ),
        Recipe(
            name="laptop-mps",
            source="existing project 002: FaceGAN on an Apple M1 Max, standard DCGAN at 64 pixels",
            faults=(
                "logs D(G(z)) before and after the generator's step as one quotient",
                "draws its preview samples in train mode",
                "keeps no checkpoint",
            ),
            preview_every=500,
        ),
        Recipe(
            name="unit-range",
            source="existing project 003: a notebook on a T4, images in [0, 1]",
            faults=(
                "saves checkpoints that nothing reads",
                "reads D 0.3 and G 3 to 5 as healthy and free of mode collapse, and measures no "
                "diversity",
                "leaves the weights as torch initialises them",
            ),
            output="sigmoid",
            init="torch",
            epochs=15,
        ),
        Recipe(
            name="small-32",
            source="existing project 004: Keras, 32 pixels, D without batch normalisation",
            faults=(
                "says that images lie in [-1, 1] and computes x / 255",
                "logs means over the whole run: D seems 97 % right while G fools it 97 % of the "
                "time",
                "claims label smoothing and has none",
            ),
            model="small",
            init="he-uniform",
            dropout=0.2,
            image_size=32,
            d_steps=2,
            fresh_latents=True,
            epochs=9,
            lr_d=1e-4,
        ),
        Recipe(
            name="course",
            source="ours: what the lessons build up to",
            z_dim=128,
            smoothing=0.1,
            sigma0=0.1,
            batch_size=64,
            epochs=30,
            ema_decay=0.999,
        ),
    )
}


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`; ValueError that lists the names there are."""
    try:
        return RECIPES[name]
    except KeyError:
        raise ValueError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}") from None
