"""Checks of task 8.1: one-sided label smoothing and the discriminator's loss with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from facegan_ref import losses
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.loss_mistakes import D_MISTAKES
from facegan_ref.checks.scalar_loss import (
    CUT_OFF,
    Formula,
    close,
    evaluate,
    recognise,
    require_gradient,
    require_value,
    vector,
)

SMOOTHINGS = (0.1, 0.25)
TWO_SIDED = (
    "both labels are smoothed (two-sided): only real labels are, a fake label stays 0. A smoothed "
    "fake label raises D's lowest loss (to 0.6502 with 0.9 and 0.1) and gives D a reason to leave "
    "bad fakes where they are"
)
NOT_USED = (
    "the smoothing is defined and never used: this is the loss of lesson 3. Make the real labels "
    "with smooth_real_labels(real_logits, smoothing)"
)
OUTSIDE = "labels outside [0, 1] are no probabilities: the label is 1 - smoothing"
CLASSES = (
    "this is label smoothing for classifiers, half to each of the two classes: here the real label "
    "is exactly 1 - smoothing"
)


def _bce(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def mistakes(s: float) -> tuple[tuple[str, Formula], ...]:
    """Wrong formulas for the loss with the smoothing `s`, each with what it is."""
    smoothed = (
        (NOT_USED, lambda r, f: _bce(r, 1) + _bce(f, 0)),
        (TWO_SIDED, lambda r, f: _bce(r, 1 - s) + _bce(f, s)),
        (
            "the fake labels are smoothed and the real ones are not: it is the other way round",
            lambda r, f: _bce(r, 1) + _bce(f, s),
        ),
        (
            "the real label is `smoothing` itself: it is 1 - smoothing",
            lambda r, f: _bce(r, s) + _bce(f, 0),
        ),
        (
            "the smoothed real labels are used for the fake images too: a fake label is 0",
            lambda r, f: _bce(r, 1 - s) + _bce(f, 1 - s),
        ),
        (
            "the real label is fixed at 0.9: it is 1 - smoothing, whatever the smoothing",
            lambda r, f: _bce(r, 0.9) + _bce(f, 0),
        ),
        (
            "the real half of the loss is multiplied by 1 - smoothing: that gives real images less "
            "weight. Smooth the label, which moves the minimum",
            lambda r, f: (1 - s) * _bce(r, 1) + _bce(f, 0),
        ),
        (
            "the whole loss is multiplied by 1 - smoothing: smooth the real labels instead",
            lambda r, f: (1 - s) * (_bce(r, 1) + _bce(f, 0)),
        ),
        (
            "the logits are multiplied by 1 - smoothing: smooth the label, not the logit",
            lambda r, f: _bce((1 - s) * r, 1) + _bce(f, 0),
        ),
        (OUTSIDE, lambda r, f: _bce(r, 1 + s) + _bce(f, 0)),
        (
            "a fake label below 0: a fake label is exactly 0",
            lambda r, f: _bce(r, 1 - s) + _bce(f, -s),
        ),
        (CLASSES, lambda r, f: _bce(r, 1 - s / 2) + _bce(f, s / 2)),
        (CLASSES, lambda r, f: _bce(r, 1 - s / 2) + _bce(f, 0)),
        (
            "this is half the loss: take the sum of the two halves, not their mean",
            lambda r, f: (_bce(r, 1 - s) + _bce(f, 0)) / 2,
        ),
        (
            "the losses are summed over the batch: take the mean of each half",
            lambda r, f: len(r) * _bce(r, 1 - s) + len(f) * _bce(f, 0),
        ),
        (
            "the labels are swapped: real is 1 - smoothing, fake is 0",
            lambda r, f: _bce(r, 0) + _bce(f, 1 - s),
        ),
        ("the half of the fake batch is missing", lambda r, f: _bce(r, 1 - s)),
        (
            "real_logits are used in both halves",
            lambda r, f: _bce(r, 1 - s) + _bce(r, 0),
        ),
        ("the two arguments are swapped", lambda r, f: _bce(f, 1 - s) + _bce(r, 0)),
        (
            "the sigmoid is applied twice: a with-logits loss applies it itself",
            lambda r, f: _bce(r.sigmoid(), 1 - s) + _bce(f.sigmoid(), 0),
        ),
        (
            "the smoothing pulls on the logit with -log(1 - D) at full weight: the label has two "
            "parts, (1 - smoothing) of -log D and smoothing of -log(1 - D)",
            lambda r, f: _bce(r, 1) + s * _bce(r, 0) + _bce(f, 0),
        ),
        (
            "only the part -(1 - smoothing) log D is left: a label of 0.9 also asks for "
            "0.1 times -log(1 - D)",
            lambda r, f: (1 - s) * F.softplus(-r).mean() + F.softplus(f).mean(),
        ),
    )
    return smoothed + tuple((name, f) for name, f in D_MISTAKES if "smoothed" not in name)


def _name(loss: Callable, when_right: str | None = None) -> str | None:
    """The mistake of `loss`, or `when_right` if it is right on ordinary logits."""
    s = SMOOTHINGS[1]  # not 0.1, with which a label fixed at 0.9 would be right
    first = ((when_right, partial(losses.discriminator_loss, smoothing=s)),) if when_right else ()
    return recognise(partial(loss, smoothing=s), 2, first + mistakes(s))


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
    if not isinstance(labels, Tensor):
        likely = "make the labels with torch.full_like(logits, ...)"
        fail(
            what,
            "None" if labels is None else f"a {type(labels).__name__}",
            "the return is missing" if labels is None else likely,
        )
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
            named = (
                (
                    "the default of smoothing is 0.1: it is 0.0, so that the steps of lesson 4 "
                    "work as before",
                    partial(losses.discriminator_loss, smoothing=0.1),
                ),
                *D_MISTAKES,
            )
            likely = partial(recognise, lambda r, f, given=given: loss(r, f, *given), 2, named)
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
