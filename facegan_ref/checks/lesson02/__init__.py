"""Checks of lesson 2: the game on paper."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from facegan_ref import game
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson02 import divergence
from facegan_ref.checks.lesson02.mistakes import D_MISTAKES, V_MISTAKES
from facegan_ref.checks.lesson02.probe import (
    CUT_OFF,
    DTYPES,
    ask,
    close,
    drawn,
    drawn_scores,
    likely_mistake,
    recognise,
    require,
    scalar,
    scores,
    vector,
    with_zeros,
)

lesson = Lesson(
    "02",
    "the_game_on_paper",
    "The game on paper",
    builds="the value of the game, the best discriminator, and what is left for the generator",
    minutes=60,
)

lesson.task(
    "2.1",
    "value_function",
    names=("value_function",),
    points=4,
    hints=(
        "An average over many faces is a sum over the kinds, each weighted by how often it "
        "comes. How often does the kind k come among the real faces, and how often among the "
        "fakes? And what is 0 · (-inf) for a computer?",
        "V is the sum over all kinds of p_data · log d, plus the sum over all values of "
        "p_g · log(1 - d): sums, no means, for the probabilities are the weights. Where a "
        "probability is 0 its term is 0, whatever the logarithm says; torch.xlogy(p, d) is "
        "p · log d with just this rule.",
        "data_side = sum over k of xlogy(p_data[k], d[k])\n"
        "generator_side = sum over k of xlogy(p_g[k], 1 - d[k])\n"
        "return data_side + generator_side",
        "d = torch.tensor([1.0, 0.5, 0.0]); p_data = torch.tensor([0.5, 0.5, 0.0]);\n"
        "p_g = torch.tensor([0.0, 0.5, 0.5]); value_function(d, p_data, p_g) must be\n"
        "0.5 · ln 0.5 + 0.5 · ln 0.5 = -0.6931, not nan; and with\n"
        "d = torch.tensor([0.0, 0.5, 0.0]) it must be -inf.",
    ),
)
lesson.task(
    "2.2",
    "optimal_discriminator",
    names=("optimal_discriminator",),
    points=3,
    hints=(
        "Each kind k has its own d, and the others do not see it. So look at one kind: which "
        "number d makes p · log d + q · log(1 - d) largest? What is the slope of a curve at its "
        "highest point?",
        "The slope is p / d - q / (1 - d). It is 0 where p · (1 - d) = q · d. Solve this for d. "
        "Where p and q are both 0 your fraction is 0 / 0: put ½ there, torch.where can choose.",
        "total = p_data + p_g, elementwise\n"
        "return p_data / total where total is above 0, and ½ elsewhere",
        "for p_data = [0.3, 0.7, 0, 0] and p_g = [0.1, 0, 0.9, 0], as tensors, the result\n"
        "must be [0.75, 1, 0, 0.5]: three of four faces of the first kind are real, the\n"
        "second kind is always real, the third never, and nobody ever sees the fourth.",
    ),
)
lesson.task(
    "2.3",
    "js_divergence",
    names=("js_divergence",),
    points=3,
    hints=(
        "Which distribution lies in the middle between p and q? How far is each of them from it, "
        "and what is the mean of two numbers?",
        "With m = (p + q) / 2, the result is ½ KL(p ‖ m) + ½ KL(q ‖ m), and KL(a ‖ m) is the sum "
        "of a · log(a / m), or of a · log a - a · log m. Values with a = 0 count nothing: "
        "torch.xlogy again.",
        "m = (p + q) / 2\n"
        "kl_p = sum of xlogy(p, p) - xlogy(p, m);  kl_q likewise\n"
        "return half of kl_p + kl_q",
        "js_divergence(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) must be ln 2 = 0.6931,\n"
        "not nan, not 1, not 0.8326; js_divergence(p, p) must be 0.",
    ),
)


_name_value = partial(likely_mistake, right=game.value_function, arguments=3, mistakes=V_MISTAKES)
_name_best = partial(
    likely_mistake, right=game.optimal_discriminator, arguments=2, mistakes=D_MISTAKES
)


# 2.1 value_function


@lesson.check("2.1", points=0.5)
def returns_one_number(value_function, probe: Probe) -> None:
    """V is one number, also for a single kind, and its gradients flow to d and to p_g."""
    for k in (probe.integer(3, 7), 1):
        p, q, d = drawn(probe, k), drawn(probe, k), drawn_scores(probe, k)
        scalar(ask(value_function, d, p, q), k)
        d.requires_grad_(), q.requires_grad_()
        value = scalar(value_function(d, p, q), k)
        cut = "`.detach()`, torch.no_grad(), math.log or float() cuts the graph: use torch.log"
        if not value.requires_grad:
            fail("a value through which gradients flow", "a tensor without a graph", cut)
        grads = torch.autograd.grad(value, (d, q), allow_unused=True)
        right = close(value, game.value_function(d, p, q).detach())
        slopes = (p / d - q / (1 - d), torch.log(1 - d))
        for name, grad, expected in zip(("d", "p_g"), grads, slopes, strict=True):
            if grad is None or (right and not close(grad, expected.detach())):
                wrong = recognise(value_function, 3, V_MISTAKES)
                fail(
                    f"the gradient {vector(expected)} for {name}",
                    "none" if grad is None else vector(grad),
                    wrong or cut,
                )


@lesson.check("2.1", points=0.5)
def value_of_no_idea(value_function, probe: Probe) -> None:
    """A discriminator that says ½ to everything has the value -2 ln 2, whatever G does."""
    for k in (probe.integer(3, 9), 2, 1):
        p, q = drawn(probe, k), drawn(probe, k)
        came = scalar(ask(value_function, torch.full_like(p, 0.5), p, q), k)
        expected = p.new_tensor(-2 * math.log(2))
        what = f"the score ½ for each kind (K = {k})"
        require(came, expected, what, partial(_name_value, value_function))


@lesson.check("2.1", points=1)
def matches_the_formula(value_function, probe: Probe) -> None:
    """V is the sum over the kinds of p_data · log d + p_g · log(1 - d)."""
    for dtype in DTYPES:
        k = probe.integer(3, 7)
        p, q, d = (make(probe, k, dtype) for make in (drawn, drawn, drawn_scores))
        came = scalar(ask(value_function, d, p, q), k)
        what = f"d {vector(d)}, p_data {vector(p)}, p_g {vector(q)}"
        likely = partial(_name_value, value_function)
        require(came, game.value_function(d, p, q), what, likely)


@lesson.check("2.1", points=0.5)
def nothing_where_nobody_goes(value_function, probe: Probe) -> None:
    """A kind that a player never makes adds 0 to its sum, also where the logarithm is -inf."""
    for dtype in DTYPES:
        k = probe.integer(4, 7)
        p, q = with_zeros(drawn(probe, k, dtype), 0, 2), with_zeros(drawn(probe, k, dtype), 1, 2)
        for first in ((0.0, 1.0, 0.0), (0.3, 0.6, 0.5), (0.0, 1.0, 1.0)):
            d = drawn_scores(probe, k, dtype)
            d[:3] = torch.tensor(first)
            came = scalar(ask(value_function, d, p, q), k)
            what = f"d {vector(d)}, p_data {vector(p)}, p_g {vector(q)}"
            require(came, game.value_function(d, p, q), what, partial(_of_zeros, came))


def _of_zeros(came: Tensor) -> str:
    if came.isnan():
        return (
            "0 · log 0: the logarithm is -inf, and 0 · (-inf) is nan for a computer; leave out "
            "the kinds with probability 0, or use torch.xlogy"
        )
    if came == 0:
        return "a nan is replaced in the whole sum: only the terms with probability 0 are 0"
    if not came.isfinite():
        return "-inf counts although the probability is 0 there: such a kind adds 0"
    return "kinds that one player never makes still count for the other one: mask each side alone"


@lesson.check("2.1", points=0.5)
def exact_where_d_is_sure(value_function, probe: Probe) -> None:
    """V stays exact when D is very sure: -inf where it says 0 to what is real, no eps."""
    for dtype, tiny in zip(DTYPES, (2.0**-20, 2.0**-40), strict=True):
        k = probe.integer(2, 5)
        p, q = drawn(probe, k, dtype), drawn(probe, k, dtype)
        for sure in (tiny, 1 - tiny, 0.0, 1.0):
            d = drawn_scores(probe, k, dtype)
            d[0] = sure
            came = scalar(ask(value_function, d, p, q), k)
            expected = game.value_function(d, p, q)
            what = f"d {vector(d)} (its first score {sure!r}), p_data {vector(p)}, p_g {vector(q)}"
            require(came, expected, what, partial(_of_sure, value_function, came, expected))


def _of_sure(value_function, came: Tensor, expected: Tensor) -> str | None:
    if expected.isinf() and came.isnan():
        return "-inf was replaced or multiplied by 0: only terms with probability 0 are 0"
    if expected.isinf() and came < -1e30:
        return "nan_to_num also turns -inf into a huge finite number: leave out what has p = 0"
    likely = _name_value(value_function)
    if likely != CUT_OFF:
        return likely
    if expected.isinf() and came > -10:
        return (
            "a term is left out where d is 0 or 1: leave it out where the probability is 0, and "
            "nowhere else; or an eps or a clamp cuts the logarithm off"
        )
    return (
        "right to a few digits only: an eps, a clamp or BCELoss (which stops at -100) cuts the "
        "logarithm off, or it is computed in float32 although the inputs are float64"
    )


# 2.2 optimal_discriminator


@lesson.check("2.2", points=0.5)
def one_score_for_each_kind(optimal_discriminator, probe: Probe) -> None:
    """D answers with one score from 0 to 1 for each kind, also when there is a single one."""
    for dtype in DTYPES:
        for k in (probe.integer(3, 7), 1):
            p, q = drawn(probe, k, dtype), drawn(probe, k, dtype)
            came = scores(ask(optimal_discriminator, p, q), k)
            outside = (came < 0) | (came > 1) | came.isnan()
            if outside.any():
                likely = _name_best(optimal_discriminator)
                fail("scores between 0 and 1", vector(came), likely)
            if came.dtype != dtype:
                likely = "torch.tensor(a list) is float32: give it dtype=p_data.dtype"
                fail(f"scores of the inputs' dtype, {dtype}", f"{came.dtype}", likely)


@lesson.check("2.2", points=0.5)
def half_at_equality(optimal_discriminator, probe: Probe) -> None:
    """Where the generator is as likely as the data, the best score is ½."""
    k = probe.integer(3, 7)
    p = drawn(probe, k)
    q = p.clone()
    q[0], q[1] = p[1], p[0]  # equal from the third kind on
    for other in (p, q):
        came = scores(ask(optimal_discriminator, p, other), k)[2:]
        what = f"kinds of equal probability {vector(p[2:])}"
        require(came, torch.full_like(came, 0.5), what, partial(_name_best, optimal_discriminator))


@lesson.check("2.2", points=0.5)
def no_other_d_is_better(optimal_discriminator, probe: Probe) -> None:
    """No discriminator has a larger V: not one that differs a little, and not at rare kinds."""
    for rare in (0.1, 1e-4, 1e-9):
        k = probe.integer(3, 7)
        p, q = drawn(probe, k), drawn(probe, k)
        p[0], q[1] = rare * p[0], rare * q[1]
        p[2], q[2] = rare * p[2], rare * q[2]
        p, q = p / p.sum(), q / q.sum()
        came = scores(ask(optimal_discriminator, p, q), k)
        best = game.optimal_discriminator(p, q)
        if not close(came, best):
            worst = int(((came - best).abs() / best).argmax())
            lost = game.value_function(best, p, q) - game.value_function(came, p, q)
            fail(
                f"the score {best[worst]:.9g} where p_data is {p[worst]:.4g} and p_g is "
                f"{q[worst]:.4g}, for no other has a larger V",
                f"{came[worst]:.9g}, and V is smaller by {number(float(lost))}",
                _name_best(optimal_discriminator) or _of_search(came, best),
            )


def _of_search(came: Tensor, best: Tensor) -> str | None:
    if torch.allclose(came, best, atol=0.02):
        return "a search finds the best score only roughly: solve p / d = q / (1 - d) for d"
    return None


@lesson.check("2.2", points=0.5)
def where_one_never_goes(optimal_discriminator, probe: Probe) -> None:
    """The score is 1 where only the data go, 0 where only G goes, and ½ where neither does."""
    for dtype in DTYPES:
        k = probe.integer(4, 7)
        p, q = with_zeros(drawn(probe, k, dtype), 1, 2), with_zeros(drawn(probe, k, dtype), 0, 2)
        came = scores(ask(optimal_discriminator, p, q), k)[:3]
        expected = torch.tensor([1.0, 0.0, 0.5], dtype=dtype)
        what = f"p_data {vector(p[:3])} and p_g {vector(q[:3])}"
        require(came, expected, what, partial(_of_nobody, optimal_discriminator, came))


def _of_nobody(optimal_discriminator, came: Tensor) -> str | None:
    likely = _name_best(optimal_discriminator)
    if likely != CUT_OFF:
        return likely
    if came.isnan().any():
        return "0 / 0 is nan: choose ½ there, for example with torch.where"
    if came[1] == 0.5 or came[0] == 0.5:
        return "½ where only one of them goes: D can be sure there; ½ is for both being 0"
    if came[2] != 0.5 and came[:2].tolist() == [1, 0]:
        return "the kind that nobody makes has another score than ½"
    return CUT_OFF


# 2.3 js_divergence

divergence.add_to(lesson)
