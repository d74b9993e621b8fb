"""Named configurations of a training: which networks, on what images, for how long."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace


CHOICES = {
    "model": ("dcgan", "mlp"),
    "latent": ("normal", "uniform"),
    "precision": ("fp32", "bf16"),
}


@dataclass(frozen=True)
class Recipe:
    """One training, complete: two runs of a recipe with one seed on one machine are the same.

    Sizes are in pixels, rates per step, `epochs` in passes over the images.
    """

    name: str
    source: str
    faults: tuple[str, ...] = ()
    model: str = "dcgan"  # or "mlp"
    image_size: int = 64
    z_dim: int = 100
    latent: str = "normal"  # or "uniform" over [-1, 1]
    ngf: int = 64  # an MLP's generator has hidden layers of 8 * ngf
    ndf: int = 64
    batch_size: int = 128
    epochs: int = 10
    lr_g: float = 2e-4
    lr_d: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    precision: str = "fp32"  # or "bf16": convolutions in bfloat16, weights and losses in float32

    def __post_init__(self) -> None:
        for name in ("image_size", "z_dim", "ngf", "ndf", "batch_size", "epochs", "lr_g", "lr_d"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected from 0 to below 1")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}, expected {' or '.join(allowed)}"
                )

    def override(self, **changes: object) -> Recipe:
        """This recipe with some fields changed; ValueError for a field or value it can't have."""
        known = {field.name for field in fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"no recipe field {', '.join(unknown)}; there are {sorted(known)}")
        return replace(self, **changes)

    def to_dict(self) -> dict:
        """All fields as plain JSON values; `Recipe(**d)` makes it a recipe again."""
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
            name="laptop-mps",
            source="seed 002: FaceGAN on an Apple M1 Max, standard DCGAN at 64 pixels",
            faults=(
                "logs D(G(z)) before and after the generator's step as one quotient",
                "draws its preview samples in train mode",
                "keeps no checkpoint",
            ),
            batch_size=128,
            epochs=10,
        ),
    )
}


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`; ValueError that lists the names there are."""
    try:
        return RECIPES[name]
    except KeyError:
        raise ValueError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}") from None
