"""Latents, and the images that a generator makes of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facegan_ref.recipes import Recipe


def sample_latent(
    n: int,
    z_dim: int,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """`n` standard normal latents, `(n, z_dim)` float32.

    Drawn on the CPU and then moved, so that one seed gives the same latents on every device.

    Args:
        generator: source of randomness (a CPU generator); torch's global one when None.
        device: where the latents go; the CPU when None.
    """
    return torch.randn(n, z_dim, generator=generator).to(device or "cpu")


def draw_latent(
    recipe: Recipe,
    n: int,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """`n` latents `(n, z_dim)` from the recipe's prior, drawn as `sample_latent` draws them.

    The prior is the standard normal, or for `latent` "uniform" even over [-1, 1] (Radford et al.
    2015).
    """
    if recipe.latent == "uniform":
        return (2 * torch.rand(n, recipe.z_dim, generator=generator) - 1).to(device or "cpu")
    return sample_latent(n, recipe.z_dim, generator, device)


def sample(generator: nn.Module, z: Tensor) -> Tensor:
    """Images `(N, C, H, W)` for the latents `z` `(N, z_dim)`, in evaluation mode.

    In evaluation mode an image depends on its own latent alone, and batch normalisation's running
    statistics are not touched. The generator's mode is put back.
    """
    was_training = generator.training
    generator.eval()
    try:
        with torch.no_grad():
            return generator(z)
    finally:
        generator.train(was_training)
