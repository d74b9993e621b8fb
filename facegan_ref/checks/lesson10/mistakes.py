"""Wrong ways from latent to latent, each with what it is: checks recognise them by value."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref import morph as reference

Path = Callable[[Tensor, Tensor, "float | Tensor"], Tensor]
Named = tuple[tuple[str, Path], ...]


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def angle(a: Tensor, b: Tensor) -> Tensor:
    """The angles between rows `(N, 1)`, in radians, exact for small ones too."""
    a, b = unit(a.double()), unit(b.double())
    chord, sum_ = (a - b).norm(dim=-1, keepdim=True), (a + b).norm(dim=-1, keepdim=True)
    return (2 * torch.atan2(chord, sum_)).to(torch.float32)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return (unit(a) * unit(b)).sum(-1, keepdim=True)


def _weighted(
    a: Tensor, b: Tensor, t: float | Tensor, angle: Tensor, f: Callable = torch.sin
) -> Tensor:
    return (f((1 - t) * angle) * a + f(t * angle) * b) / torch.sin(angle)


def _with_one_angle(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """slerp that takes the whole batch for one long vector."""
    cosine = (a * b).sum() / (a.norm() * b.norm())
    return _weighted(a, b, t, cosine.clamp(-1, 1).acos())


LERP_MISTAKES: Named = (
    ("the weights are swapped: t = 0 must give a", lambda a, b, t: t * a + (1 - t) * b),
    ("the weight 1 - t of a is missing", lambda a, b, t: a + t * b),
    ("the way from a to b is b - a, not a - b", lambda a, b, t: a + t * (a - b)),
    ("a, where the way starts, is missing", lambda a, b, t: t * (b - a)),
    ("t is not used", lambda a, b, t: (a + b) / 2 + 0 * t),
    ("both weights are t", lambda a, b, t: t * a + t * b),
    (
        "the result is scaled to the norm of the ends: lerp is the plain straight line",
        lambda a, b, t: unit((1 - t) * a + t * b) * reference.lerp(
            a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), t
        ),
    ),
    (
        "t is eased (3t² - 2t³): the straight line is to be walked evenly",
        lambda a, b, t: a + t * t * (3 - 2 * t) * (b - a),
    ),
    ("this is the arc of slerp", reference.slerp),
)  # fmt: skip
BATCH_MISTAKES: Named = (
    (
        "one angle is taken for the whole batch: sums and norms need dim=-1 (and keepdim=True)",
        _with_one_angle,
    ),
)
SLERP_MISTAKES: Named = (
    ("this is lerp, the straight line, which leaves the sphere", reference.lerp),
    (
        "this is lerp scaled back to the sphere: its norm is right, but it turns faster in the "
        "middle. The weights are sines of parts of the angle",
        lambda a, b, t: unit(reference.lerp(unit(a), unit(b), t))
        * reference.lerp(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), t),
    ),
    *BATCH_MISTAKES,
    (
        "the result lies on the unit sphere: give it the norm of the ends back",
        lambda a, b, t: unit(reference.slerp(a, b, t)),
    ),
    (
        "the division by sin(angle) is missing",
        lambda a, b, t: _weighted(a, b, t, angle(a, b)) * torch.sin(angle(a, b)),
    ),
    ("the ends are swapped: t = 0 must give a", lambda a, b, t: reference.slerp(b, a, t)),
    (
        "the cosine itself is taken as the angle: arccos is missing",
        lambda a, b, t: _weighted(a, b, t, _cosine(a, b)),
    ),
    (
        "the angle is that of a and b without division by their norms",
        lambda a, b, t: _weighted(a, b, t, (a * b).sum(-1, keepdim=True).clamp(-1, 1).acos()),
    ),
    (
        "the angle is in degrees: torch.sin takes radians",
        lambda a, b, t: _weighted(a, b, t, torch.rad2deg(angle(a, b))),
    ),
    (
        "cosines are taken where the weights are sines",
        lambda a, b, t: _weighted(a, b, t, angle(a, b), torch.cos),
    ),
    (
        "half the angle is used: atan2 of chord and sum gives the half",
        lambda a, b, t: _weighted(a, b, t, angle(a, b) / 2),
    ),
    (
        "cosine and sine of t·90° fit only where a and b are perpendicular",
        lambda a, b, t: torch.cos(torch.as_tensor(t * math.pi / 2)) * a
        + torch.sin(torch.as_tensor(t * math.pi / 2)) * b,
    ),
    (
        "the norm of a is kept all the way to b",
        lambda a, b, t: unit(reference.slerp(a, b, t)) * a.norm(dim=-1, keepdim=True),
    ),
    (
        "the weights √(1 - t) and √t fit only perpendicular ends, and turn unevenly between them",
        lambda a, b, t: torch.as_tensor(1.0 - t).sqrt() * a + torch.as_tensor(t).sqrt() * b,
    ),
)  # fmt: skip


# What lies between latents of different norms: there are several customs, and all are right.
CUSTOMS: Named = (
    ("directions by the formula, norms evenly", reference.slerp),
    ("the formula on a and b as they are", lambda a, b, t: _weighted(a, b, t, angle(a, b))),
    (
        "directions by the formula, norms in proportion",
        lambda a, b, t: (
            unit(reference.slerp(a, b, t))
            * a.norm(dim=-1, keepdim=True) ** (1 - t)
            * b.norm(dim=-1, keepdim=True) ** t
        ),
    ),
)


def recognise(mistakes: Named, a: Tensor, b: Tensor, t: float | Tensor, came: Tensor) -> str | None:
    """Which of the named ways gives `came`."""
    scale = float(a.norm(dim=-1).max())
    for name, wrong in mistakes:
        there = wrong(a, b, t)
        if there.shape == came.shape and torch.allclose(
            there, came, rtol=1e-3, atol=1e-4 * scale, equal_nan=True
        ):
            return name
    return None
