"""What lesson 13 plans with: a recipe of one's own that keeps to a budget."""

from __future__ import annotations

import torch

from facegan_ref.architectures import build_networks
from facegan_ref.recipes import Recipe


def count_parameters(recipe: Recipe) -> int:
    """How many numbers a recipe's two networks learn; they are built without memory for them.

    Raises:
        ValueError: no networks can be built of the recipe.
    """
    with torch.device("meta"):
        networks = build_networks(recipe.override(init="torch"))  # values are not looked at
    return sum(p.numel() for network in networks for p in network.parameters())


def own_recipe(images: int, image_size: int, max_steps: int, max_parameters: int) -> Recipe:
    """A recipe for `images` pictures of `image_size` pixels, within the given budget.

    Args:
        images: at least 64.
        image_size: 16, 32 or 64.
        max_steps: at least `images // 16`; the recipe takes at least half of them.
        max_parameters: of both networks, from 200,000 to 10 million; it takes at least a quarter.
    """
    batch_size = 32
    rate = 1e-3 if max_steps < 2000 else 2e-4  # a short training takes larger steps
    recipe = Recipe(
        name="mine",
        source="lesson 13: the course's recipe, within a budget",
        image_size=image_size,
        z_dim=64,
        batch_size=batch_size,
        epochs=max_steps // (images // batch_size),
        smoothing=0.1,
        sigma0=0.1,
        lr_g=rate,
        lr_d=rate,
        ema_decay=0.99,
    )
    width = 512
    while count_parameters(recipe.override(ngf=width, ndf=width)) > max_parameters:
        width = 3 * width // 4
    return recipe.override(ngf=width, ndf=width)
