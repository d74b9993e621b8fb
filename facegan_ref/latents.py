"""Latents to look at: faces by their seeds, truncation, two-way grids, moves along a direction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facegan_ref.morph import Interpolation, lerp, slerp
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import draw_latent, sample

INTERPOLATIONS: dict[str, Interpolation] = {"slerp": slerp, "lerp": lerp}


def interpolation(recipe: Recipe, mode: str | None = None) -> Interpolation:
    """The way from latent to latent called `mode`; the one that suits the prior when None.

    Normal latents lie near a sphere, which `slerp` follows; uniform ones fill a cube, which only
    the straight line of `lerp` is sure not to leave.

    Raises:
        ValueError: an unknown mode, or "slerp" for a uniform prior.
    """
    mode = mode or ("lerp" if recipe.latent == "uniform" else "slerp")
    if mode not in INTERPOLATIONS:
        raise ValueError(f"mode is {mode!r}, expected {' or '.join(INTERPOLATIONS)}")
    if mode == "slerp" and recipe.latent == "uniform":
        raise ValueError(
            "slerp leaves the cube of a uniform prior, where the generator was not trained; use "
            "lerp for this run"
        )
    return INTERPOLATIONS[mode]


def latents_of_seeds(recipe: Recipe, seeds: Sequence[int], truncation: float = 1.0) -> Tensor:
    """One latent of the recipe's prior for each seed, `(len(seeds), z_dim)`.

    A seed names a face: it is the same alone and in any company, unlike the later rows of one draw.
    `truncation` is as in `truncate`.
    """
    rows = [draw_latent(recipe, 1, torch.Generator().manual_seed(seed)) for seed in seeds]
    return truncate(torch.cat(rows), truncation)


def truncate(z: Tensor, factor: float) -> Tensor:
    """Latents drawn towards the prior's mean, zero: 1 leaves them, 0 makes all of them the mean.

    Faces become more ordinary and more alike. Raises ValueError for a factor outside [0, 1].

    Source: the truncation trick as in Karras et al. 2019, section B, on z in place of w.
    """
    if not 0 <= factor <= 1:
        raise ValueError(f"truncation is {factor}, expected from 0 (the mean face) to 1 (none)")
    return factor * z


def sample_truncated_latent(
    n: int, z_dim: int, threshold: float, generator: torch.Generator | None = None
) -> Tensor:
    """`n` latents `(n, z_dim)` from the normal prior without its values beyond ±`threshold`.

    As if each value outside were drawn again until it lies inside, but by the inverse of the
    distribution function, so that small thresholds take no longer.

    Raises:
        ValueError: `threshold` is not above 0.

    Source: Brock et al. 2018, section 3.1.
    """
    if not threshold > 0:
        raise ValueError(f"threshold is {threshold}, expected more than 0")
    share = torch.erf(torch.tensor(threshold, dtype=torch.float64) / 2**0.5)
    even = 2 * torch.rand(n, z_dim, generator=generator, dtype=torch.float64) - 1
    z = 2**0.5 * torch.erfinv(even * share)
    return z.clamp(-threshold, threshold).float()


def latent_grid(corners: Tensor, rows: int, columns: int, path: Interpolation = slerp) -> Tensor:
    """Latents between four corners, row by row: `(rows * columns, z_dim)`.

    Down the left side from corner 0 to corner 2 and down the right side from 1 to 3, then across
    between the two sides: bilinear with `lerp`.

    Args:
        corners: `(4, z_dim)`: top left, top right, bottom left, bottom right.
        rows, columns: at least 2 each (ValueError otherwise).
        path: as for `morph`.
    """
    if len(corners) != 4 or rows < 2 or columns < 2:
        raise ValueError(
            f"{len(corners)} corners for {rows} rows and {columns} columns; expected 4 corners and "
            "at least 2 rows and 2 columns"
        )
    top_left, top_right, bottom_left, bottom_right = corners
    down = torch.linspace(0, 1, rows, device=corners.device)[:, None]
    across = torch.linspace(0, 1, columns, device=corners.device)[:, None]
    sides = zip(path(top_left, bottom_left, down), path(top_right, bottom_right, down), strict=True)
    return torch.cat([path(left, right, across) for left, right in sides])


def move(recipe: Recipe, z: Tensor, direction: Tensor, amounts: Tensor) -> Tensor:
    """Latents `(N * K, z_dim)`: each of `z` `(N, z_dim)` moved by each of `amounts` `(K,)`.

    `direction` `(z_dim,)` has unit length and one unit is one standard deviation of a normal
    prior. For a uniform prior, the result is held in the prior's cube.
    """
    moved = (z[:, None] + amounts[:, None] * direction).flatten(0, 1)
    return moved.clamp(-1, 1) if recipe.latent == "uniform" else moved


def faces_of(generator: nn.Module, z: Tensor) -> Tensor:
    """The faces `(N, 3, S, S)` of any number of latents, 256 at a time in evaluation mode."""
    return torch.cat([sample(generator, part) for part in z.split(256)])
