"""Checks of task 12.2: the relativistic losses of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from facegan_ref import losses
from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson12.mistakes import ALL_PAIRS, D_MISTAKES, G_MISTAKES
from facegan_ref.checks.scalar_loss import (
    CUT_OFF,
    close,
    evaluate,
    recognise,
    require_gradient,
    require_value,
    vector,
)

DETACHED = (
    "one of the two arguments is detached or not used: both are part of the comparison, and G's "
    "step decides by its optimizer who learns"
)


def _name(loss: Callable, mistakes: tuple, right: Callable, when_right: str | None) -> str | None:
    first = ((when_right, right),) if when_right else ()
    return recognise(loss, 2, first + mistakes)


PLAYERS = {
    "D": (losses.relativistic_discriminator_loss, D_MISTAKES),
    "G": (losses.relativistic_generator_loss, G_MISTAKES),
}


def _compare(
    player: str, loss: Callable, logits: tuple[Tensor, Tensor], what: str, when_right: str | None
) -> None:
    right, mistakes = PLAYERS[player]
    likely = partial(_name, loss, mistakes, right, when_right)
    expected, expected_grads = evaluate(right, *logits)
    came, came_grads = evaluate(loss, *logits)
    what = f"{player}'s loss of {what}"
    require_value(expected, came, what, likely)
    for which, a, b in zip(("real", "fake"), expected_grads, came_grads, strict=True):
        require_gradient(a, b, f"{what}, with respect to the {which} logits", likely)


def _random(player: str, loss: Callable, probe: Probe) -> None:
    for scale in (1.0, 3.0):
        n = probe.integer(4, 9)
        logits = (scale * probe.randn(n) + 0.5, scale * probe.randn(n) - 0.5)
        what = f"real logits {vector(logits[0])} and fake logits {vector(logits[1])}"
        _compare(player, loss, logits, what, DETACHED)


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 12.2."""

    @lesson.check("12.2", points=1)
    def discriminator_compares_pairs(d_loss, g_loss, probe: Probe) -> None:
        """D's loss is the cross-entropy of "this real image is more real than its partner"."""
        _random("D", d_loss, probe)

    @lesson.check("12.2", points=0.5)
    def generator_swaps_the_roles(d_loss, g_loss, probe: Probe) -> None:
        """G's loss is the cross-entropy of "this fake image is more real than its partner"."""
        _random("G", g_loss, probe)

    @lesson.check("12.2", points=0.5)
    def ln_2_at_chance(d_loss, g_loss, probe: Probe) -> None:
        """Only differences count: ln 2 wherever both logits agree, and no change by a shift."""
        for player, loss in (("D", d_loss), ("G", g_loss)):
            right, mistakes = PLAYERS[player]
            likely = partial(_name, loss, mistakes, right, DETACHED)
            for level in (0.0, 3.0, -20.0):
                same = torch.full((probe.integer(2, 6),), level)
                came, _ = evaluate(loss, same, same)
                what = f"{player}'s loss where all logits are {level:g} (ln 2)"
                require_value(math.log(2), came, what, likely)
            real, fake = probe.randn(5), probe.randn(5)
            before, _ = evaluate(loss, real, fake)
            after, _ = evaluate(loss, real + 7, fake + 7)
            if not close(after, before, 1e-3, 1e-4):
                fail(
                    f"{player}'s loss unchanged when 7 is added to all logits, {before:.4g}",
                    f"{after:.4g}",
                    likely(),
                )

    @lesson.check("12.2", points=0.5)
    def exact_at_extreme_logits(d_loss, g_loss, probe: Probe) -> None:
        """Value and gradient stay exact when D is very sure: at differences of ±20 and ±400."""
        for player, loss in (("D", d_loss), ("G", g_loss)):
            for real, fake in ((10.0, -10.0), (-10.0, 10.0), (200.0, -200.0), (-200.0, 200.0)):
                logits = (torch.tensor([real]), torch.tensor([fake]))
                what = f"a real logit of {real:g} and a fake logit of {fake:g}"
                _compare(player, loss, logits, what, CUT_OFF)

    @lesson.check("12.2", points=0.5)
    def pairs_row_by_row(d_loss, g_loss, probe: Probe) -> None:
        """Row i meets row i, in logits of shape (N,), (N, 1) and (N, 1, 1, 1), also for N = 1."""
        for player, loss in (("D", d_loss), ("G", g_loss)):
            for shape in ((1,), (6,), (6, 1), (1, 1), (5, 1, 1, 1)):
                logits = (2 * probe.randn(*shape), 2 * probe.randn(*shape))
                _compare(player, loss, logits, f"logits of shape {shape}", ALL_PAIRS)
            real = torch.tensor([5.0, -5.0, 0.0])
            order = torch.tensor([1, 2, 0])
            _compare(
                player, loss, (real, real[order]), "the same logits in another order", ALL_PAIRS
            )
