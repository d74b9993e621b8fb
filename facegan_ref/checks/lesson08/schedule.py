"""Checks of task 8.2: the schedule of the instance noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from numbers import Real

from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail

NEVER_ZERO = (
    "an exponential decay comes close to 0 and never reaches it: the noise falls in a straight line"
)
AT_SIGMA0 = (
    "sigma stays at sigma0 from step to step: `//` divides without a remainder (use `/`), or "
    "epochs are counted instead of steps"
)
SHAPES: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("it rises from 0 to sigma0: at step 0 the noise is at its strongest", lambda t: t),
    ("this is half a cosine: the noise falls in a straight line", lambda t: (
        0.5 + 0.5 * math.cos(math.pi * t)
    )),
    ("this is a quarter of a cosine: the noise falls in a straight line", lambda t: (
        math.cos(math.pi * t / 2)
    )),
    ("the share 1 - step / total_steps is squared: the noise falls in a straight line", lambda t: (
        (1 - t) ** 2
    )),
    ("a square root of the share: it is sigma that falls in a straight line, not its square",
     lambda t: math.sqrt(1 - t)),
    ("only half of the way down: at total_steps nothing is left", lambda t: 1 - t / 2),
    ("twice as fast: the noise is gone halfway", lambda t: max(0.0, 1 - 2 * t)),
)  # fmt: skip


def _precise(value: float) -> str:
    return f"{value:.6g}"


def sigma_of(noise_sigma: Callable, step: int, total_steps: int, sigma0: float) -> float:
    """The student's sigma as a float; fails unless it is a plain number."""
    came = noise_sigma(step, total_steps, sigma0)
    what = f"a plain number for noise_sigma({step}, {total_steps}, {sigma0:g})"
    if came is None:
        fail(what, "None", "the return is missing")
    if isinstance(came, Tensor):
        fail(what, f"a tensor, {came}", "no tensor is needed here: return a float")
    if isinstance(came, (tuple, list)):
        fail(what, f"a {type(came).__name__} of {len(came)}", "return one number, for this step")
    if isinstance(came, bool) or not isinstance(came, (int, float)):
        likely = "return float(...)" if isinstance(came, Real) else None
        fail(what, f"a {type(came).__name__}", likely)
    return float(came)


def _name_schedule(noise_sigma: Callable) -> str | None:
    """The mistake of a schedule, or None if it is not known."""
    total, sigma0 = 40, 0.2
    steps = range(total)
    came = [float(noise_sigma(step, total, sigma0)) for step in steps]

    def is_like(values) -> bool:
        return all(
            math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
            for a, b in zip(came, values, strict=True)
        )

    for name, shape in SHAPES:
        if is_like(sigma0 * shape(step / total) for step in steps):
            return name
    if is_like(1 - step / total for step in steps):
        return "sigma0 is not used: this is the share that is left"
    if is_like(max(0.0, sigma0 - step / total) for step in steps) or is_like(
        sigma0 - step / total for step in steps
    ):
        return "the share step / total_steps is taken from sigma0: it is a share OF sigma0"
    for end in (total - 1, total + 1):
        if is_like(sigma0 * max(0.0, 1 - step / end) for step in steps):
            return f"the line ends at total_steps {'-' if end < total else '+'} 1: off by one"
    if is_like(sigma0 * (1 - (step + 1) / total) for step in steps):
        return "it is one step ahead: off by one, sigma0 belongs to step 0"
    again = [float(noise_sigma(step, total, sigma0)) for step in steps]
    if again != came:
        return "the same step gives another sigma the second time: nothing may be counted inside"
    flat = sum(a == b for a, b in pairwise(came))
    if flat > total // 2:
        return AT_SIGMA0
    ratios = [b / a for a, b in pairwise(came) if a > 0]
    if len(ratios) == total - 1 and max(ratios) - min(ratios) < 1e-6 and ratios[0] < 1:
        return NEVER_ZERO
    return None


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 8.2."""

    @lesson.check("8.2", points=0.5)
    def gives_a_plain_number(noise_sigma, probe: Probe) -> None:
        """The strength of the noise is one plain number, sigma0 at step 0."""
        for sigma0 in (0.1, 0.25):
            total = probe.integer(20, 90)
            came = sigma_of(noise_sigma, 0, total, sigma0)
            sigma_of(noise_sigma, total, total, sigma0)
            if not math.isclose(came, sigma0, rel_tol=1e-6):
                fail(
                    f"{sigma0:g} for noise_sigma(0, {total}, {sigma0:g})",
                    _precise(came),
                    _name_schedule(noise_sigma),
                )

    @lesson.check("8.2", points=0.5)
    def falls_in_a_straight_line(noise_sigma, probe: Probe) -> None:
        """From step 0 to total_steps the noise falls in a straight line."""
        total, sigma0 = 4 * probe.integer(10, 30), 0.1 * probe.integer(1, 5)
        for step in (total // 4, total // 2, 3 * total // 4, 1, total - 1):
            came = sigma_of(noise_sigma, step, total, sigma0)
            expected = sigma0 * (1 - step / total)
            if not math.isclose(came, expected, rel_tol=1e-6):
                fail(
                    f"{_precise(expected)} for noise_sigma({step}, {total}, {sigma0:g})",
                    _precise(came),
                    _name_schedule(noise_sigma),
                )

    @lesson.check("8.2", points=0.5)
    def exactly_zero_from_the_end_on(noise_sigma, probe: Probe) -> None:
        """At total_steps and at every later step the noise is exactly 0, never below."""
        for total in (1, 3, 7, 10, 49, 100, 1000, probe.integer(11, 99)):
            for sigma0 in (0.1, 0.3, 0.7, 0.45):
                for step in (total, total + 1, 2 * total, 10 * total + 3):
                    came = sigma_of(noise_sigma, step, total, sigma0)
                    if came != 0:
                        if came < 0:
                            likely = "the line goes on below 0: keep it from falling with max(0, …)"
                        elif came < 1e-9:
                            likely = (
                                "rounding leaves a rest: compute the share 1 - step / total_steps "
                                "first, which is exactly 0 at the end, and multiply it by sigma0"
                            )
                        elif step > total and sigma_of(noise_sigma, total, total, sigma0) == 0:
                            likely = "the noise comes back after total_steps: it stays 0"
                        else:
                            likely = _name_schedule(noise_sigma)
                        fail(
                            f"exactly 0 for noise_sigma({step}, {total}, {sigma0:g})",
                            f"{came:.3g}",
                            likely,
                        )

    @lesson.check("8.2", points=0.5)
    def for_any_number_of_steps(noise_sigma, probe: Probe) -> None:
        """The schedule depends on the share of steps done, be they 2 or a million."""
        for total in (2, 5, probe.integer(7, 19), 200_000):
            for sigma0 in (0.2, 0.0, 1.5):
                for step in (0, 1, total // 2, total - 1):
                    came = sigma_of(noise_sigma, step, total, sigma0)
                    expected = sigma0 * (1 - step / total)
                    if not math.isclose(came, expected, rel_tol=1e-6, abs_tol=1e-12):
                        fail(
                            f"{_precise(expected)} for noise_sigma({step}, {total}, {sigma0:g})",
                            _precise(came),
                            _name_schedule(noise_sigma)
                            or "a length or a strength is fixed inside: use total_steps and sigma0",
                        )
