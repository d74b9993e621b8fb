"""A ring of Gaussians in the plane: the smallest data set on which a GAN shows its failures.

Eight narrow Gaussians on a circle, as in Metz et al. 2017, "Unrolled Generative Adversarial
Networks" (section 3.1), scaled to lie inside [-1, 1]. A collapsed generator visits few of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

RADIUS = 0.8
STD = 0.025


class ModeCount(NamedTuple):
    """How much of the ring a sample covers: see `count_modes`."""

    modes: int
    """How many Gaussians hold at least their least share of good points."""
    good: float
    """The share of all points that are good, in [0, 1]."""
    points_per_mode: torch.Tensor
    """Good points nearest to each centre, (modes,) int64."""


def ring_centres(modes: int = 8, radius: float = RADIUS) -> torch.Tensor:
    """The Gaussians' centres, (modes, 2) float32, counter-clockwise from (radius, 0)."""
    if isinstance(modes, bool) or not isinstance(modes, int) or modes < 1:
        raise ValueError(f"modes is {modes!r}; expected a whole number from 1")
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return (radius * torch.stack((angles.cos(), angles.sin()), dim=1)).float()


def ring(
    n: int,
    modes: int = 8,
    radius: float = RADIUS,
    std: float = STD,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Draw n points from the ring: (n, 2) float32 in [-1, 1].

    Each point picks one of the `modes` Gaussians at random, all alike; `std` is the standard
    deviation along each axis. Random numbers come from `generator` (on the CPU), or from torch's
    own where it is None. Raises ValueError where 6 standard deviations would leave [-1, 1].
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ValueError(f"n is {n!r}; expected a whole number that is not negative")
    if not (radius >= 0 and std >= 0 and radius + 6 * std <= 1):
        raise ValueError(
            f"radius {radius!r} and std {std!r} must not be negative, and radius + 6 * std must "
            "be at most 1: points have to lie inside [-1, 1]"
        )
    centres = ring_centres(modes, radius)
    choice = torch.randint(modes, (n,), generator=generator)
    points = centres[choice] + std * torch.randn(n, 2, generator=generator)
    # Beyond 6 standard deviations: once in 10^9 numbers, but then a promise would be broken.
    return points.clamp_(-1, 1)


def count_modes(
    points: torch.Tensor,
    modes: int = 8,
    radius: float = RADIUS,
    std: float = STD,
    within: float = 4.0,
    least_share: float = 0.25,
) -> ModeCount:
    """Count the Gaussians that a sample (N, 2) covers.

    A point is good when it lies within `within` standard deviations of the nearest centre. A
    Gaussian is covered when it holds at least `least_share` of its fair share of the sample:
    `least_share * N / modes` good points, and never fewer than one. Because N counts all points,
    a cloud that touches every centre by chance covers none. Points that are not finite are not
    good. True samples score all modes and 0.9997 good (4 deviations in the plane: 1 - exp(-8)).

    Raises ValueError for another shape.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points have shape {tuple(points.shape)}; expected (N, 2)")
    if not within > 0 or not 0 <= least_share <= 1:
        raise ValueError(
            f"within is {within!r} and least_share {least_share!r}; expected above 0, and 0 to 1"
        )
    points = points.detach().float().cpu()
    gaps = points[:, None, :] - ring_centres(modes, radius)
    distance, nearest = gaps.square().sum(dim=2).sqrt().min(dim=1)
    held = torch.bincount(nearest[distance <= within * std], minlength=modes)
    needed = max(1.0, least_share * len(points) / modes)
    good = float(held.sum()) / max(1, len(points))
    return ModeCount(int((held >= needed).sum()), good, held)
