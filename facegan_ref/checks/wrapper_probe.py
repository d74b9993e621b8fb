"""What a discriminator sees that is wrapped in another module (lessons 8 and 12)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import fail
from facegan_ref.checks.network_probe import build

SHAPE = (3, 16, 16)
Z_DIM = 4


class SeeingDiscriminator(nn.Module):
    """Images to logits, `(N,)` or with `column` `(N, 1)`; keeps the batches that it was given."""

    def __init__(self, rng: torch.Generator, column: bool = False):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(768, 6), nn.Tanh(), nn.Linear(6, 1))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=rng))
        self.column = column
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        logits = self.body(images)
        return logits if self.column else logits.squeeze(1)


class SeenGenerator(nn.Module):
    """Latents `(N, 4)` to images; keeps the batches that it made."""

    def __init__(self, rng: torch.Generator):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(Z_DIM, 768), nn.Tanh(), nn.Unflatten(1, SHAPE))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=rng))
        self.made: list[Tensor] = []

    def forward(self, z: Tensor) -> Tensor:
        self.made.append(self.body(z))
        return self.made[-1]


def wrap(factory: Callable, discriminator: nn.Module, *more: object, plain: str) -> nn.Module:
    """The module around `discriminator`, which itself must go on seeing `plain` images."""
    module = build(factory, discriminator, *more)
    if module is discriminator:
        fail(
            "a new module around the discriminator",
            "the discriminator itself",
            f"the given D is returned or patched: it must still see {plain} images when it is "
            "called by itself",
        )
    return module


def seen_once(
    module: nn.Module,
    discriminator: SeeingDiscriminator,
    images: Tensor,
    *,
    changed: str,
    misshapen: str,
) -> Tensor:
    """What D saw of `images` through `module`, without its graph.

    Args:
        changed: what the images are called that D should see, such as "noisy".
        misshapen: the likely mistake where they have another shape.
    """
    discriminator.seen.clear()
    out = module(images)
    if not isinstance(out, Tensor):
        fail(
            "D's logits",
            "None" if out is None else f"a {type(out).__name__}",
            "forward must return self.discriminator(...)",
        )
    if len(discriminator.seen) != 1:
        fail(
            "D to be run once on the batch",
            f"{len(discriminator.seen)} runs",
            f"forward calls the discriminator once, with the {changed} images",
        )
    seen = discriminator.seen[0]
    if seen.shape != images.shape:
        fail(
            f"D to see images of shape {tuple(images.shape)}",
            f"shape {tuple(seen.shape)}",
            misshapen,
        )
    return seen.detach()
