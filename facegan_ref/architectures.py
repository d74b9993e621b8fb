"""The networks that a recipe names: the course's own pairs, and how the recipes vary them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.models import (
    Discriminator,
    Generator,
    MLPDiscriminator,
    MLPGenerator,
    init_weights,
)
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import draw_latent
from facegan_ref.stabilise import add_spectral_norm, renew_statistics

STATISTICS = (16, 64)  # batches and latents in each, from which an average gets its statistics
KERAS_NORM = {"eps": 1e-3, "momentum": 0.01}  # batch normalisation's defaults in Keras


class TanhRange(nn.Module):
    """A generator whose images in [0, 1] come out in [-1, 1]."""

    def __init__(self, generator: nn.Module):
        super().__init__()
        self.generator = generator
        self.train(generator.training)

    def forward(self, z: Tensor) -> Tensor:
        return 2 * self.generator(z) - 1


def build_networks(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    """The recipe's generator and discriminator, initialised from torch's global RNG.

    The generator's images lie in [-1, 1], or in [0, 1] where the recipe's `output` is "sigmoid";
    `show_in_tanh_range` turns them into what pictures are made of.
    """
    generator, discriminator = BUILDERS[recipe.model](recipe)
    if recipe.activation == "leaky_relu":
        _replace(generator, nn.ReLU, lambda: nn.LeakyReLU(0.2, inplace=True))
    if recipe.output == "sigmoid":
        _replace(generator, nn.Tanh, nn.Sigmoid)
    if recipe.dropout:
        if recipe.model == "mlp":  # Goodfellow et al. 2014 have it in the generator's noise too
            _drop_out(generator, recipe.dropout)
        _drop_out(discriminator, recipe.dropout)
    INITS[recipe.init](generator, discriminator)
    if recipe.spectral_norm:
        add_spectral_norm(discriminator)
    return generator, discriminator


def averaged_generator(
    recipe: Recipe, weights: dict[str, Tensor], device: torch.device | str = "cpu"
) -> nn.Module:
    """The recipe's generator with averaged `weights`, and statistics that are its own.

    Batch normalisation's running statistics among `weights` are those of the generator that was
    trained (see `renew_statistics`); always the same latents take their place.
    """
    with torch.random.fork_rng(devices=[]):
        generator, _ = build_networks(recipe)
    generator.load_state_dict(weights)
    generator.to(device=device, memory_format=torch.channels_last)
    batches, n = STATISTICS
    rng = torch.Generator().manual_seed(0)
    renew_statistics(generator, (draw_latent(recipe, n, rng, device) for _ in range(batches)))
    return generator.eval().requires_grad_(False)


def show_in_tanh_range(generator: nn.Module, recipe: Recipe) -> nn.Module:
    """The recipe's generator as one whose images are in [-1, 1]."""
    return TanhRange(generator) if recipe.output == "sigmoid" else generator


def _mlp(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    shape = (3, recipe.image_size, recipe.image_size)
    generator = MLPGenerator(recipe.z_dim, recipe.ngf, shape)
    return generator, MLPDiscriminator(shape, recipe.ndf)


def _dcgan(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    generator = Generator(recipe.z_dim, recipe.ngf, 3, recipe.image_size)
    return generator, Discriminator(3, recipe.ndf, recipe.image_size)


def _small(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    """The Keras pair of recipe `small-32`: from 8×8 up by two doublings, kernels of 3."""
    if recipe.image_size != 32:
        raise ValueError(
            f"model small makes images of 32 pixels, image_size is {recipe.image_size}"
        )
    g = recipe.ngf
    widths = (4 * g, 8 * g, 4 * g, 2 * g, 2 * g, g)
    layers: list[nn.Module] = [
        nn.Linear(recipe.z_dim, 64 * widths[0]),
        nn.Unflatten(1, (widths[0], 8, 8)),
        nn.BatchNorm2d(widths[0], **KERAS_NORM),
        nn.LeakyReLU(0.2, inplace=True),
    ]
    for i, stride in enumerate((1, 1, 2, 2, 1)):
        layers += [
            nn.ConvTranspose2d(widths[i], widths[i + 1], 3, stride, 1, output_padding=stride - 1),
            nn.BatchNorm2d(widths[i + 1], **KERAS_NORM),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    generator = nn.Sequential(*layers, nn.ConvTranspose2d(g, 3, 3, 1, 1), nn.Tanh())
    d = recipe.ndf
    layers = []
    for narrow, wide in ((3, d), (d, 2 * d), (2 * d, 2 * d), (2 * d, d)):
        layers += [nn.Conv2d(narrow, wide, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    discriminator = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * d, 1), nn.Flatten(0))
    return generator, discriminator


BUILDERS: dict[str, Callable[[Recipe], tuple[nn.Module, nn.Module]]] = {
    "mlp": _mlp,
    "dcgan": _dcgan,
    "small": _small,
}


def _init_dcgan(generator: nn.Module, discriminator: nn.Module) -> None:
    generator.apply(init_weights)
    discriminator.apply(init_weights)


@torch.no_grad()
def _init_keras(generator: nn.Module, discriminator: nn.Module) -> None:
    """Glorot-uniform (Keras' default) in G, He-uniform in D, biases 0."""
    for network, init in (
        (generator, nn.init.xavier_uniform_),
        (discriminator, lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu")),
    ):
        for module in network.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                init(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


INITS: dict[str, Callable[[nn.Module, nn.Module], None]] = {
    "dcgan": _init_dcgan,
    "he-uniform": _init_keras,
    "torch": lambda generator, discriminator: None,
}


def _replace(network: nn.Module, kind: type[nn.Module], new: Callable[[], nn.Module]) -> None:
    """Put `new()` in the place of each module of `kind`."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if type(child) is kind:
                setattr(parent, name, new())


def _drop_out(network: nn.Module, p: float) -> None:
    """Follow each hidden activation by dropout."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, (nn.ReLU, nn.LeakyReLU)):
                setattr(parent, name, nn.Sequential(child, nn.Dropout(p)))
