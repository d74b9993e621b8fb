"""Differentiable augmentation: D judges transformed images, real and generated alike.

With few images D learns them by heart. Transforming what D sees, and letting the gradient flow
through the transformation to G, makes memorising harder without teaching G the transformations.
Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training".
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.recipes import parse_policy

TRANSLATION = 1 / 8  # of the side, at most
CUTOUT = 1 / 2  # side of the square that is cut out


def change_colour(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Brightness by up to ±0.5, saturation and contrast by factors, each its own an image."""
    brightness, saturation, contrast = torch.rand(
        3, len(images), 1, 1, 1, device=images.device, generator=generator
    )
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    return level + (images - level) * (contrast + 0.5)


def translate(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Shift by up to an eighth of the side each way; what comes in from outside is 0."""
    n, _, height, width = images.shape
    place = torch.rand(2, n, 1, device=images.device, generator=generator)
    reach_down, reach_right = int(height * TRANSLATION), int(width * TRANSLATION)
    down = (place[0] * (2 * reach_down + 1)).long() - reach_down
    right = (place[1] * (2 * reach_right + 1)).long() - reach_right
    rows = torch.arange(height, device=images.device) - down
    columns = torch.arange(width, device=images.device) - right
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None
    ]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    index = (rows[:, :, None] * width + columns[:, None]).flatten(1)
    moved = images.flatten(2).gather(2, index[:, None].expand(-1, images.shape[1], -1))
    return moved.view_as(images) * inside[:, None]


def cut_out(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Set a square of half the side to 0, at a random place that may reach over the edge."""
    n, _, height, width = images.shape
    place = torch.rand(2, n, 1, device=images.device, generator=generator)
    rows = torch.arange(height, device=images.device) - (place[0] * (height + 1)).long()
    columns = torch.arange(width, device=images.device) - (place[1] * (width + 1)).long()
    half_height, half_width = height * CUTOUT / 2, width * CUTOUT / 2
    hole = (
        ((rows >= -half_height) & (rows < half_height))[:, :, None]
        & ((columns >= -half_width) & (columns < half_width))[:, None]
    )  # fmt: skip
    return images * ~hole[:, None]


TRANSFORMATIONS: dict[str, Callable[[Tensor, torch.Generator | None], Tensor]] = {
    "color": change_colour,
    "translation": translate,
    "cutout": cut_out,
}


def diff_augment(images: Tensor, policy: str, generator: torch.Generator | None = None) -> Tensor:
    """Images `(N, C, H, W)` in [-1, 1] after the transformations of `policy`, each image its own.

    Args:
        policy: names from `TRANSFORMATIONS` with commas, in the order in which they are applied.
        generator: source of randomness on the images' device; torch's global one when None.

    Raises:
        ValueError: `policy` names something unknown.
    """
    for name in parse_policy(policy):
        images = TRANSFORMATIONS[name](images, generator)
    return images


class AugmentedDiscriminator(nn.Module):
    """A discriminator that sees everything augmented, each batch anew.

    In its place in `discriminator_step` and `generator_step`, real and generated images are
    augmented alike, in both steps, and G's gradient passes through; no call can be forgotten.

    Args:
        discriminator: images to logits; its parameters are this module's.
        policy: as in `diff_augment`; may be changed between calls.
        rng: source of randomness on the images' device; torch's global one when None.

    Source: Zhao et al. 2020, equations 4 and 5.
    """

    def __init__(self, discriminator: nn.Module, policy: str, rng: torch.Generator | None = None):
        super().__init__()
        self.discriminator = discriminator
        self.policy = policy
        self.rng = rng

    def forward(self, images: Tensor) -> Tensor:
        return self.discriminator(diff_augment(images, self.policy, self.rng))
