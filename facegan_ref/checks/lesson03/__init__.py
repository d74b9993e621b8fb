"""Checks of lesson 3: the losses, from logits."""

from __future__ import annotations

import math
from functools import partial

import torch

from facegan_ref import losses
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.loss_mistakes import (
    D_MISTAKES,
    MINIMAX_MISTAKES,
    NON_SATURATING_MISTAKES,
)
from facegan_ref.checks.scalar_loss import (
    CUT_OFF,
    Formula,
    evaluate,
    recognise,
    require_gradient,
    require_value,
    vector,
)

lesson = Lesson(
    "03",
    "losses",
    "Losses",
    builds="what the two players minimise, from logits, and why the first formula fails",
    minutes=45,
)

lesson.task(
    "3.1",
    "discriminator_loss",
    names=("discriminator_loss",),
    points=5,
    hints=(
        "The discriminator solves a classification problem with two classes. Which loss does "
        "every binary classifier minimise, and which label belongs to which batch?",
        "Binary cross-entropy with label 1 for the real logits and label 0 for the fake logits, "
        "each averaged over its own batch; then the SUM of the two averages. The cross-entropy "
        "must start from logits, not from probabilities.",
        "real_loss = cross-entropy-with-logits(real_logits, ones of the same shape)\n"
        "fake_loss = cross-entropy-with-logits(fake_logits, zeros of the same shape)\n"
        "return real_loss + fake_loss",
        "discriminator_loss(torch.zeros(4), torch.zeros(4)) must be 2 ln 2 = 1.3863, and\n"
        "discriminator_loss(torch.tensor([-200.]), torch.tensor([-200.])) must be 200, not inf, "
        "not nan, not 100.",
    ),
)
lesson.task(
    "3.2",
    "generator_loss_minimax",
    names=("generator_loss_minimax",),
    points=5,
    hints=(
        "The discriminator wants log(1 - D(G(z))) to be large. What does its opponent want, and "
        "which sign does the logarithm of a probability have?",
        "The minimax generator minimises mean(log(1 - D(G(z)))): the fake half of D's value, with "
        "its own sign, so that the number is never above 0. And 1 - sigmoid(l) = sigmoid(-l).",
        "log_of_one_minus_d = logsigmoid(-fake_logits)\nreturn the mean of log_of_one_minus_d",
        "generator_loss_minimax(torch.zeros(4)) must be -ln 2 = -0.6931, and\n"
        "generator_loss_minimax(torch.tensor([200.])) must be -200, not -inf.",
    ),
)
lesson.task(
    "3.3",
    "generator_loss",
    names=("generator_loss",),
    points=5,
    hints=(
        "When the discriminator is sure that an image is fake, which of the two losses still has "
        "a slope: log(1 - D) or -log D?",
        "The non-saturating loss is -mean(log D(G(z))): cross-entropy of the fake logits with the "
        "label 1, because the generator wants its images to be taken for real.",
        "return cross-entropy-with-logits(fake_logits, ones of the same shape)",
        "l = torch.tensor([-200.], requires_grad=True); generator_loss(l).backward()\n"
        "The loss must be 200 and l.grad must be -1: the worse the image, the stronger the pull.",
    ),
)

EXTREMES = (-200.0, -10.0, 10.0, 200.0)
SHAPES = ((1,), (5,), (5, 1), (1, 1), (5, 1, 1, 1), (1, 1, 1, 1))


def _compare(loss, reference, logits, what, likely) -> None:
    """Fail unless value and gradients of `loss` agree with the reference's."""
    expected, expected_grads = evaluate(reference, *logits)
    came, came_grads = evaluate(loss, *logits)
    require_value(expected, came, what, likely)
    for expected_grad, came_grad in zip(expected_grads, came_grads, strict=True):
        require_gradient(expected_grad, came_grad, what, likely)


def _name_d(loss: Formula, when_right: str | None = None) -> str | None:
    """The mistake of `loss`, or `when_right` if it is right on ordinary logits."""
    right = ((when_right, losses.discriminator_loss),) if when_right else ()
    return recognise(loss, 2, D_MISTAKES + right)


@lesson.check("3.1", points=0.5)
def returns_one_number(discriminator_loss, probe: Probe) -> None:
    """The loss is one number for the whole batch, and gradients flow through it."""
    n = probe.integer(3, 9)
    evaluate(discriminator_loss, probe.randn(n), probe.randn(n))


@lesson.check("3.1", points=0.5)
def value_at_chance(discriminator_loss, probe: Probe) -> None:
    """A discriminator that says ½ to everything (all logits 0) has the loss 2 ln 2."""
    n = probe.integer(3, 9)
    came, _ = evaluate(discriminator_loss, torch.zeros(n), torch.zeros(n))
    require_value(
        2 * math.log(2),
        came,
        f"{n} real and {n} fake logits of 0",
        partial(_name_d, discriminator_loss),
    )


@lesson.check("3.1", points=0.5)
def rewards_right_answers(discriminator_loss, probe: Probe) -> None:
    """The loss is lower when D is right (real above 0, fake below 0) than when it is wrong."""
    high = 2 + probe.randn(6).abs()
    right, _ = evaluate(discriminator_loss, high, -high)
    wrong, _ = evaluate(discriminator_loss, -high, high)
    if not right < wrong:
        fail(
            "a lower loss for a right discriminator than for a wrong one",
            f"{number(right)} when it is right and {number(wrong)} when it is wrong",
            _name_d(discriminator_loss) or "labels or sign are swapped: real is 1, fake is 0",
        )


@lesson.check("3.1", points=0.5)
def uses_both_batches(discriminator_loss, probe: Probe) -> None:
    """The loss depends on the real logits and on the fake ones."""
    n = probe.integer(4, 8)
    _, (real_grad, fake_grad) = evaluate(discriminator_loss, probe.randn(n), probe.randn(n))
    for name, grad in (("real_logits", real_grad), ("fake_logits", fake_grad)):
        if not grad.abs().min() > 0:  # also for NaN
            fail(
                f"a gradient for each of {name}",
                vector(grad),
                _name_d(discriminator_loss)
                or f"{name} or a part of them are not used, or are detached",
            )


@lesson.check("3.1", points=1)
def matches_the_formula(discriminator_loss, probe: Probe) -> None:
    """The loss is -mean(log D(x)) - mean(log(1 - D(G(z)))), in value and gradient."""
    name = partial(_name_d, discriminator_loss)
    for scale in (1.0, 3.0):
        n = probe.integer(4, 9)
        logits = (scale * probe.randn(n) + 0.5, scale * probe.randn(n) - 0.5)
        what = f"real logits {vector(logits[0])} and fake logits {vector(logits[1])}"
        _compare(discriminator_loss, losses.discriminator_loss, logits, what, name)


@lesson.check("3.1", points=0.5)
def any_batch_shape(discriminator_loss, probe: Probe) -> None:
    """Logits of shape (N,), (N, 1) or (N, 1, 1, 1) give the same loss, also for a batch of one."""
    for shape in SHAPES:
        logits = (probe.randn(*shape), probe.randn(*shape))
        what = f"logits of shape {shape}"
        name = partial(_name_d, discriminator_loss)
        _compare(discriminator_loss, losses.discriminator_loss, logits, what, name)


@lesson.check("3.1", points=0.5)
def exact_at_extreme_logits(discriminator_loss, probe: Probe) -> None:
    """Value and gradient stay exact when D is very sure: at logits of ±10 and ±200."""
    for real in EXTREMES:
        for fake in EXTREMES:
            logits = (torch.tensor([real]), torch.tensor([fake]))
            what = f"a real logit of {real:g} and a fake logit of {fake:g}"
            name = partial(_name_d, discriminator_loss, when_right=CUT_OFF)
            _compare(discriminator_loss, losses.discriminator_loss, logits, what, name)


def _generator_checks(
    task: str, reference: Formula, mistakes: tuple[tuple[str, Formula], ...], extreme_points: float
) -> None:
    """Add the checks that both generator losses share."""
    formula = {"3.2": "mean(log(1 - D(G(z))))", "3.3": "-mean(log D(G(z)))"}[task]
    at_chance = {"3.2": -math.log(2), "3.3": math.log(2)}[task]
    name_of_chance = {"3.2": "-ln 2", "3.3": "ln 2"}[task]

    def name(loss: Formula, when_right: str | None = None) -> str | None:
        right = ((when_right, reference),) if when_right else ()
        return recognise(loss, 1, mistakes + right)

    def returns_one_number(loss, probe: Probe) -> None:
        evaluate(loss, probe.randn(probe.integer(3, 9)))

    def value_at_chance(loss, probe: Probe) -> None:
        n = probe.integer(3, 9)
        came, _ = evaluate(loss, torch.zeros(n))
        require_value(at_chance, came, f"{n} fake logits of 0", partial(name, loss))

    def falls_when_d_is_fooled(loss, probe: Probe) -> None:
        high = 2 + probe.randn(6).abs()
        fooled, _ = evaluate(loss, high)
        caught, _ = evaluate(loss, -high)
        if not fooled < caught:
            fail(
                "a lower loss when D takes the fakes for real (logits above 0)",
                f"{number(fooled)} when D is fooled and {number(caught)} when it is not",
                recognise(loss, 1, mistakes)
                or "label or sign is wrong: G minimises this, and wants D to say real",
            )

    def matches_the_formula(loss, probe: Probe) -> None:
        for scale in (1.0, 3.0):
            logits = scale * probe.randn(probe.integer(4, 9)) + 0.3
            what = f"fake logits {vector(logits)}"
            _compare(loss, reference, (logits,), what, partial(name, loss))

    def any_batch_shape(loss, probe: Probe) -> None:
        for shape in SHAPES:
            what = f"logits of shape {shape}"
            _compare(loss, reference, (probe.randn(*shape),), what, partial(name, loss))

    def exact_at_extreme_logits(loss, probe: Probe) -> None:
        for logit in EXTREMES:
            what = f"a fake logit of {logit:g}"
            likely = partial(name, loss, when_right=CUT_OFF)
            _compare(loss, reference, (torch.tensor([logit]),), what, likely)

    for check, points, requirement in (
        (returns_one_number, 0.5,
         "The loss is one number for the whole batch, and gradients flow through it."),
        (value_at_chance, 0.5,
         f"A discriminator that says ½ to all fakes (logits 0) gives the loss {name_of_chance}."),
        (falls_when_d_is_fooled, 0.5, "The generator's loss falls when D takes fakes for real."),
        (matches_the_formula, 1, f"The loss is {formula}, in value and gradient."),
        (any_batch_shape, 0.5,
         "Logits of shape (N,), (N, 1) or (N, 1, 1, 1) are taken, also a batch of one."),
        (exact_at_extreme_logits, extreme_points,
         "Value and gradient stay exact when D is very sure: at logits of ±10 and ±200."),
    ):  # fmt: skip
        check.__doc__ = requirement
        lesson.check(task, points=points)(check)


_generator_checks("3.2", losses.generator_loss_minimax, MINIMAX_MISTAKES, extreme_points=1)
_generator_checks("3.3", losses.generator_loss, NON_SATURATING_MISTAKES, extreme_points=0.5)


@lesson.check("3.3", points=0.5)
def gradient_survives_a_sure_discriminator(generator_loss, probe: Probe) -> None:
    """Where D is sure that an image is fake (logit -10), the pull on G is at its strongest."""
    n = probe.integer(2, 6)
    _, (grad,) = evaluate(generator_loss, torch.full((n,), -10.0))
    if not torch.allclose(grad, torch.full((n,), -1.0 / n), rtol=1e-2):
        fail(
            f"a gradient of -1/{n} for each of {n} fake logits of -10",
            vector(grad),
            recognise(generator_loss, 1, NON_SATURATING_MISTAKES)
            or "the loss saturates: its slope vanishes exactly where the generator must learn",
        )
