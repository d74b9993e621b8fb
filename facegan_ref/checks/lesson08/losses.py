"""Checks of task 8.1: one-sided label smoothing and the discriminator's loss with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from facegan_ref import losses
from facegan_ref.checks.engine import Lesson, Probe, fail, number, require_type
from facegan_ref.checks.lesson08.mistakes import CLASSES, OUTSIDE, mistakes
from facegan_ref.checks.loss_mistakes import D_MISTAKES
from facegan_ref.checks.scalar_loss import (
    CUT_OFF,
    close,
    evaluate,
    recognise,
    require_gradient,
    require_value,
    vector,
)

SMOOTHINGS = (0.1, 0.25)


def _name(loss: Callable, when_right: str | None = None) -> str | None:
    """The mistake of `loss`, or `when_right` if it is right on ordinary logits."""
    s = SMOOTHINGS[1]  # not 0.1, with which a label fixed at 0.9 would be right
    first = ((when_right, partial(losses.discriminator_loss, smoothing=s)),) if when_right else ()
    return recognise(partial(loss, smoothing=s), 2, first + mistakes(s))


def _name_without(loss: Callable, given: bool) -> str | None:
    """The mistake of `loss` without smoothing, given as 0 or not given."""
    right = (("right", losses.discriminator_loss),)
    if not given and recognise(partial(loss, smoothing=0.0), 2, right) == "right":
        return (
            "the default of smoothing is not 0.0: without the argument the steps of lesson 4 get "
            "the loss of lesson 3"
        )
    return recognise(partial(loss, smoothing=0.0) if given else loss, 2, D_MISTAKES)


def _compare(loss: Callable, s: float, logits: tuple[Tensor, Tensor], what: str, likely) -> None:
    expected, expected_grads = evaluate(partial(losses.discriminator_loss, smoothing=s), *logits)
    came, came_grads = evaluate(partial(loss, smoothing=s), *logits)
    what += f" with smoothing {s:g}"
    require_value(expected, came, what, likely)
    for expected_grad, came_grad in zip(expected_grads, came_grads, strict=True):
        require_gradient(expected_grad, came_grad, what, likely)


def _labels(smooth_real_labels: Callable, logits: Tensor, smoothing: float) -> Tensor:
    """What the student's function returns, which must be a tensor of labels like `logits`."""
    kept = logits.clone()
    labels = smooth_real_labels(logits, smoothing)
    shape = tuple(logits.shape)
    what = f"a {str(logits.dtype).removeprefix('torch.')} tensor of labels of shape {shape}"
    likely = "make the labels with torch.full_like(logits, ...)"
    labels = require_type(labels, Tensor, what, likely)
    if not torch.equal(kept, logits):
        fail(
            "the logits as they were",
            "other logits",
            "a function whose name ends in _ overwrites its argument: make a new tensor",
        )
    if labels is logits:
        fail(what, "the logits themselves", "the labels do not depend on what D said")
    if labels.shape != logits.shape:
        fail(
            what,
            f"shape {tuple(labels.shape)}",
            "the labels have a shape of their own: make them with torch.full_like(logits, ...), so "
            "that they fit whatever the batch",
        )
    if labels.dtype != logits.dtype:
        fail(
            what,
            f"labels of {labels.dtype}",
            "1 - smoothing is no whole number and the labels' dtype is that of the logits: use "
            "torch.full_like(logits, ...)",
        )
    return labels


def ignores_the_device(call: Callable[[], Tensor]) -> bool:
    """Whether `call` makes a tensor on the default device where that of its argument is asked.

    The default device is one without numbers for the time, as on a machine with a GPU there are two
    devices. Code that wants to see such numbers can't run there, and is not judged.
    """
    try:
        with torch.device("meta"):
            return call().device.type == "meta"
    except RuntimeError as error:
        return "on device meta" in str(error)
    except Exception:
        return False


def _explain_labels(labels: Tensor, again: Tensor, logits: Tensor, s: float) -> str | None:
    if not torch.equal(labels, again):
        return "the labels are random: here each is exactly 1 - smoothing"
    if float(labels.max() - labels.min()) > 1e-6:
        if torch.allclose(labels, (1 - s) * logits):
            return "the logits are multiplied: the label does not depend on what D said"
        return "the labels differ from image to image: each is exactly 1 - smoothing"
    value = float(labels.flatten()[0])
    if abs(value - 0.9) < 1e-6:
        return "the label is fixed at 0.9: use the argument smoothing"
    for wrong, name in (
        (1.0, "smoothing is not used: this is the label of lesson 3"),
        (s, "this is `smoothing` itself: the label is 1 - smoothing"),
        (1 + s, OUTSIDE),
        (1 - s / 2, CLASSES),
        (0.0, "this is the label of fake images; those of real ones are smoothed"),
        (-s, OUTSIDE),
    ):
        if abs(value - wrong) < 1e-6:
            return name
    return OUTSIDE if not 0 <= value <= 1 else None


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 8.1."""

    @lesson.check("8.1", points=0.5)
    def labels_are_one_minus_smoothing(smooth_real_labels, loss, probe: Probe) -> None:
        """Each real label is exactly 1 - smoothing."""
        for s in (0.25, 0.1, 0.0):
            logits = probe.randn(probe.integer(4, 9))
            labels = _labels(smooth_real_labels, logits, s).detach()
            if not torch.allclose(labels, torch.full_like(labels, 1 - s), atol=1e-6):
                again = smooth_real_labels(logits, s).detach()
                fail(
                    f"labels of {1 - s:g} for smoothing {s:g}",
                    vector(labels),
                    _explain_labels(labels, again, logits, s),
                )

    @lesson.check("8.1", points=0.5)
    def labels_fit_the_logits(smooth_real_labels, loss, probe: Probe) -> None:
        """The labels have the shape, dtype and device of the logits, whatever the batch."""
        for shape in ((1,), (5,), (5, 1), (1, 1), (3, 1, 1, 1)):
            _labels(smooth_real_labels, probe.randn(*shape), 0.1)
        _labels(smooth_real_labels, probe.randn(4, dtype=torch.float64), 0.1)
        logits = probe.randn(4)
        if ignores_the_device(lambda: smooth_real_labels(logits, 0.1)):
            fail(
                "labels on the device of the logits",
                "labels on the default device, wherever the logits are",
                "on a GPU this stops with an error: use torch.full_like(logits, ...), or pass "
                "device=logits.device",
            )

    @lesson.check("8.1", points=0.5)
    def without_smoothing_as_before(smooth_real_labels, loss, probe: Probe) -> None:
        """With smoothing 0, and without the argument, the loss is that of lesson 3."""
        for given in ((), (0.0,)):
            logits = (probe.randn(5) + 0.5, probe.randn(7) - 0.5)
            expected, gradients = evaluate(losses.discriminator_loss, *logits)
            came, came_gradients = evaluate(lambda r, f, given=given: loss(r, f, *given), *logits)
            what = f"smoothing {given[0]:g}" if given else "no smoothing given"
            likely = partial(_name_without, loss, bool(given))
            require_value(expected, came, what, likely)
            for gradient, came_gradient in zip(gradients, came_gradients, strict=True):
                require_gradient(gradient, came_gradient, what, likely)

    @lesson.check("8.1", points=1)
    def smooths_the_real_labels(smooth_real_labels, loss, probe: Probe) -> None:
        """The real half is the cross-entropy with the label 1 - smoothing, the sum as before."""
        for s in reversed(SMOOTHINGS):
            for scale in (1.0, 3.0):
                n = probe.integer(4, 9)
                logits = (scale * probe.randn(n) + 0.5, scale * probe.randn(n) - 0.5)
                what = f"real logits {vector(logits[0])} and fake logits {vector(logits[1])}"
                _compare(loss, s, logits, what, partial(_name, loss))
        logits = (probe.randn(6), probe.randn(4))
        shapes = (logits[0].view(6, 1), logits[1].view(4, 1))
        _compare(loss, 0.1, shapes, "logits of shape (6, 1) and (4, 1)", partial(_name, loss))

    @lesson.check("8.1", points=0.5)
    def fake_labels_stay_zero(smooth_real_labels, loss, probe: Probe) -> None:
        """The smoothing is one-sided: it changes nothing for fake images."""
        s = SMOOTHINGS[1]
        real, fake = probe.randn(6), probe.randn(6)
        _, (_, expected) = evaluate(losses.discriminator_loss, real, fake)
        _, (_, came) = evaluate(partial(loss, smoothing=s), real, fake)
        if not torch.allclose(came, expected, rtol=1e-3, atol=1e-6):
            fail(
                f"for fake logits {vector(fake)} the gradient {vector(expected)}, with smoothing "
                f"{s:g} as without",
                vector(came),
                _name(loss),
            )

    @lesson.check("8.1", points=0.5)
    def best_score_at_chance_is_lower(smooth_real_labels, loss, probe: Probe) -> None:
        """Where real and fake are alike, D does best with the score 0.45 (smoothing 0.1)."""
        for s, floor in ((0.1, 1.3763), (0.3, None)):
            scores = torch.linspace(0.2, 0.7, 101)
            values = []
            for logit in torch.logit(scores):
                batch = logit.repeat(3)
                values.append(evaluate(partial(loss, smoothing=s), batch, batch)[0])
            if not all(map(math.isfinite, values)):
                fail("finite losses for scores from 0.2 to 0.7", "nan or inf", CUT_OFF)
            lowest = min(range(len(values)), key=values.__getitem__)
            best = float(scores[lowest])
            if abs(best - (1 - s) / 2) > 0.0101:
                fail(
                    f"the lowest loss at the score (1 - smoothing) / 2 = {(1 - s) / 2:g}",
                    f"the lowest loss at the score {best:.3g}",
                    _name(loss),
                )
            if floor and not close(values[lowest], floor, 1e-3):
                fail(
                    f"a lowest loss of {floor} (smoothing 0.1, real and fake alike)",
                    number(values[lowest]),
                    _name(loss),
                )

    @lesson.check("8.1", points=0.5)
    def exact_at_extreme_logits(smooth_real_labels, loss, probe: Probe) -> None:
        """Value and gradient stay exact when D is very sure: at logits of ±10 and ±200."""
        for real in (-200.0, -10.0, 10.0, 200.0):
            for fake in (-200.0, 10.0, 200.0):
                logits = (torch.tensor([real]), torch.tensor([fake]))
                what = f"a real logit of {real:g} and a fake logit of {fake:g}"
                _compare(loss, 0.1, logits, what, partial(_name, loss, when_right=CUT_OFF))
