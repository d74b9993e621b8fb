"""Checks of lesson 10's attributes: task 10.4, attribute_direction."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson10.probe import directions, require_tensor
from facegan_ref.checks.scalar_loss import vector

Method = Callable[[Tensor, Tensor], Tensor]


DIRECTION_MISTAKES: tuple[tuple[str, Method], ...] = (
    ("the sign is flipped: the direction leads from False to True",
     lambda z, y: z[~y].mean(0) - z[y].mean(0)),
    ("this is the mean of the latents with the attribute alone: the mean of those without it has "
     "to be subtracted, or all that the latents have in common stays in it",
     lambda z, y: z[y].mean(0)),
    ("this is the mean of the latents without the attribute, turned around: both classes count",
     lambda z, y: -z[~y].mean(0)),
    ("the sum over each class is not divided by the number of its own examples, so that the more "
     "frequent class outweighs the other: take two means",
     lambda z, y: z[y].sum(0) - z[~y].sum(0)),
    ("the mean of z times the labels, 0 or 1, is the part of one class only",
     lambda z, y: (z * y[:, None].float()).mean(0)),
    ("labels used as numbers pick the rows 0 and 1: index with a bool tensor",
     lambda z, y: z[y.long()].mean(0) - z[(~y).long()].mean(0)),
    ("the sum of both means, not their difference", lambda z, y: z[y].mean(0) + z[~y].mean(0)),
    ("this is the mean of all latents", lambda z, y: z.mean(0)),
    ("a single pair of latents: take the means of all", lambda z, y: z[y][0] - z[~y][0]),
    ("absolute values lose the direction's signs",
     lambda z, y: (z[y].mean(0) - z[~y].mean(0)).abs()),
)  # fmt: skip


def _cosine(a: Tensor, b: Tensor) -> float:
    return float((a @ b) / (a.norm() * b.norm()).clamp(min=1e-12))


def _direction(method: Method, z: Tensor, labels: Tensor) -> Tensor:
    """`method(z, labels)`, checked to be a finite vector `(z_dim,)` that is not zero."""
    # Rows 0 and 1 are of one class: a mistake that picks just these is told from a pair of classes.
    order = torch.argsort(labels.int(), descending=True)
    z[:], labels[:] = z[order], labels[order]
    z_before, labels_before = z.clone(), labels.clone()
    came = method(z, labels)
    if not (torch.equal(z, z_before) and torch.equal(labels, labels_before)):
        fail("z and labels as they were", "other values in them", "an in-place operation")
    z_dim = z.shape[1]
    likely = ""
    if isinstance(came, Tensor) and tuple(came.shape) == (len(z),):
        likely = "the mean goes over the latents, dim=0, not over the numbers of each"
    elif isinstance(came, Tensor) and came.numel() == z_dim:
        likely = "a dimension too many (keepdim=True): flatten it"
    elif isinstance(came, Tensor) and came.ndim == 0:
        likely = "a mean without dim goes over everything: dim=0 goes over the latents"
    found = require_tensor(came, "one direction", (z_dim,), likely)
    if not bool(found.isfinite().all()):
        fail("finite numbers", vector(found), "a division by a norm or a number of rows that is 0")
    if float(found.norm()) == 0:
        fail("a direction", "zeros only", "the two means are the same: are both classes used?")
    return found


def _explain_direction(came: Tensor, z: Tensor, labels: Tensor) -> str | None:
    for name, method in DIRECTION_MISTAKES:
        wrong = method(z, labels)
        if wrong.norm() > 0 and _cosine(came, wrong) > 0.9999:
            return name
    return None


def _require_points_to(
    came: Tensor, truth: Tensor, z: Tensor, labels: Tensor, what: str, least: float = 0.95
) -> None:
    cosine = _cosine(came, truth)
    if cosine < least:
        fail(
            f"a cosine of at least {least} with the direction that decides the labels, {what}",
            number(cosine),
            _explain_direction(came, z, labels)
            or ("the sign is flipped: the direction leads from False to True"
                if cosine < -least
                else "compare the mean of the latents with the attribute with the mean of those "
                "without it"),
        )  # fmt: skip


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 10.4."""

    @lesson.check("10.4", points=0.5)
    def returns_a_unit_vector(attribute_direction, probe: Probe) -> None:
        """The direction is one vector (z_dim,) of length 1."""
        for z_dim, noise in ((probe.integer(6, 9), 0.2), (20, 6.0)):
            z = probe.randn(300, z_dim)
            labels = z[:, 0] + noise * probe.randn(300) > 0
            came = _direction(attribute_direction, z, labels)
            if abs(float(came.norm()) - 1) > 1e-3:
                rows = z[labels].mean(0) - z[~labels].mean(0)
                likely = "divide the direction by its norm"
                if abs(float(came.abs().sum()) - 1) < 1e-3:
                    likely = "it is divided by the sum of its absolute values: take .norm()"
                elif torch.allclose(came, rows / rows.norm() ** 2, rtol=1e-3):
                    likely = "it is divided by the square of its norm"
                fail("length 1", f"length {number(float(came.norm()))}", likely)

    @lesson.check("10.4", points=1)
    def leads_from_without_to_with(attribute_direction, probe: Probe) -> None:
        """Along the direction, latents go from those without the attribute to those with it."""
        z_dim = probe.integer(12, 20)
        (truth,) = directions(probe, 1, z_dim)
        z = probe.randn(3000, z_dim)
        labels = z @ truth > 0
        came = _direction(attribute_direction, z, labels)
        _require_points_to(came, truth, z, labels, "which half of the latents have")

    @lesson.check("10.4", points=0.5)
    def a_rare_attribute_counts_as_much(attribute_direction, probe: Probe) -> None:
        """It makes no difference whether few or most faces have the attribute."""
        for threshold, share in ((1.2, "one in nine has"), (-1.2, "eight in nine have")):
            truth, other = directions(probe, 2, 16)
            z = probe.randn(3000, 16) + other
            labels = z @ truth > threshold
            came = _direction(attribute_direction, z, labels)
            _require_points_to(came, truth, z, labels, f"which {share}")

    @lesson.check("10.4", points=1)
    def leaves_other_factors_alone(attribute_direction, probe: Probe) -> None:
        """What all the faces have in common, and factors that the labels do not ask for, are not
        in the direction."""
        mine, other, common = directions(probe, 3, 16)
        # Latents that somebody has chosen: their mean is not zero.
        z = probe.randn(4000, 16) + 2 * common
        for wanted, rest in ((mine, other), (other, mine)):
            labels = z @ wanted > 0.4
            came = _direction(attribute_direction, z, labels)
            for name, part in (("another factor", rest), ("what all latents share", common)):
                share = _cosine(came, part)
                if abs(share) > 0.2:
                    fail(
                        f"a cosine near 0 between the direction and {name}",
                        number(share),
                        _explain_direction(came, z, labels)
                        or "the labels' own class means differ along one direction only: is "
                        "anything else used?",
                    )
            _require_points_to(came, wanted, z, labels, "among latents whose mean is not zero")
