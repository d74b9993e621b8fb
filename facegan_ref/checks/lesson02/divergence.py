"""Checks of task 2.3: the Jensen-Shannon divergence."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from facegan_ref import game
from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson02.mistakes import JS_MISTAKES
from facegan_ref.checks.lesson02.probe import (
    CUT_OFF,
    DTYPES,
    ask,
    close,
    digits,
    drawn,
    likely_mistake,
    require,
    scalar,
    vector,
    with_zeros,
)

_name_js = partial(likely_mistake, right=game.js_divergence, arguments=2, mistakes=JS_MISTAKES)


def _of_zeros(js_divergence, came: Tensor, expected: Tensor) -> str | None:
    likely = _name_js(js_divergence)
    if likely == CUT_OFF and came.isnan():
        return (
            "0 · log 0 or log(0 / 0): leave out the kinds with probability 0, or use torch.xlogy "
            "for each logarithm by itself"
        )
    if likely == CUT_OFF and came < expected - 1e-3:
        return "kinds that only one of the two makes are left out: they count for that one"
    return likely


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 2.3."""

    @lesson.check("2.3", points=0.5)
    def zero_for_equal(js_divergence, probe: Probe) -> None:
        """The divergence is one number, and 0 for equal distributions, also over a single kind."""
        for dtype in DTYPES:
            for k in (probe.integer(3, 7), 1):
                p = drawn(probe, k, dtype)
                came = scalar(ask(js_divergence, p, p), k)
                likely = partial(_name_js, js_divergence)
                require(came, p.new_tensor(0.0), f"p = q = {vector(p)}", likely)

    @lesson.check("2.3", points=0.5)
    def ln_2_without_overlap(js_divergence, probe: Probe) -> None:
        """Distributions that share no kind have the divergence ln 2; 0 · log 0 counts nothing."""
        for dtype in DTYPES:
            k = probe.integer(4, 7)
            both = drawn(probe, k, dtype)
            p, q = with_zeros(both, 0, 2), with_zeros(both, *(i for i in range(k) if i != 0))
            came = scalar(ask(js_divergence, p, q), k)
            expected = p.new_tensor(math.log(2))
            what = f"p {vector(p)} and q {vector(q)}"
            require(came, expected, what, partial(_of_zeros, js_divergence, came, expected))

    @lesson.check("2.3", points=0.5)
    def symmetric_and_bounded(js_divergence, probe: Probe) -> None:
        """JSD(p, q) = JSD(q, p), and it lies between 0 and ln 2."""
        for _ in range(4):
            k = probe.integer(3, 7)
            p, q = drawn(probe, k), drawn(probe, k)
            p[0], q[1] = 1e-6, 1e-6  # far apart, yet each makes every kind
            p, q = p / p.sum(), q / q.sum()
            there, back = (scalar(ask(js_divergence, *pair), k) for pair in ((p, q), (q, p)))
            likely = partial(_name_js, js_divergence)
            if not close(back, there.detach()):
                fail(
                    "the same for (p, q) and (q, p)",
                    f"{digits(there)} and {digits(back)}",
                    likely(),
                )
            if not -1e-9 <= float(there) <= math.log(2) + 1e-9:
                fail("a number from 0 to ln 2 = 0.6931", digits(there), likely())

    @lesson.check("2.3", points=0.5)
    def half_of_each_kl(js_divergence, probe: Probe) -> None:
        """JSD is ½ KL(p ‖ m) + ½ KL(q ‖ m) with the mixture m = (p + q) / 2."""
        for dtype in DTYPES:
            for zeros in ((), (0,), (0, 1)):
                k = probe.integer(4, 7)
                p, q = with_zeros(drawn(probe, k, dtype), *zeros), drawn(probe, k, dtype)
                q = with_zeros(q, *zeros[1:])  # where both are 0, and where only p is
                came = scalar(ask(js_divergence, p, q), k)
                what = f"p {vector(p)} and q {vector(q)}"
                expected = game.js_divergence(p, q)
                require(came, expected, what, partial(_of_zeros, js_divergence, came, expected))
