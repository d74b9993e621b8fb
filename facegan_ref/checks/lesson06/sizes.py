"""Checks of lesson 6's formulas of sizes: tasks 6.1 and 6.2."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral

from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.sizes import conv_out, conv_transpose_out

Formula = Callable[[int, int, int, int], float]
# n, kernel, stride, padding
DOWN_EVENLY = (
    (64, 4, 2, 1),
    (32, 4, 2, 1),
    (8, 4, 2, 1),
    (4, 4, 1, 0),
    (5, 3, 1, 1),
    (12, 1, 1, 0),
)
DOWN_WITH_A_REST = ((8, 3, 2, 1), (7, 4, 2, 1), (28, 5, 3, 0), (32, 3, 2, 1), (10, 2, 3, 1))
UP_IN_DCGAN = ((1, 4, 1, 0), (4, 4, 2, 1), (8, 4, 2, 1), (32, 4, 2, 1))
UP = ((4, 3, 2, 1), (5, 5, 1, 2), (7, 2, 2, 0), (3, 5, 3, 1), (6, 3, 1, 0), (4, 6, 2, 2))

DOWN_MISTAKES: tuple[tuple[str, Formula], ...] = (
    (
        "the + 1 is missing: the kernel's first place counts too",
        lambda n, k, s, p: (n + 2 * p - k) // s,
    ),
    ("padding is added at both edges: twice", lambda n, k, s, p: (n + p - k) // s + 1),
    (
        "padding makes the image larger: its sign is the other way",
        lambda n, k, s, p: (n - 2 * p - k) // s + 1,
    ),
    ("padding is left out", lambda n, k, s, p: (n - k) // s + 1),
    ("the kernel's width is not subtracted", lambda n, k, s, p: (n + 2 * p) // s + 1),
    ("the kernel's width is not subtracted", lambda n, k, s, p: (n + 2 * p) // s),
    ("the + 1 belongs outside of the division", lambda n, k, s, p: (n + 2 * p - k + 1) // s),
    (
        "the image is taken as cut in stride: kernel and padding count too",
        lambda n, k, s, p: n // s,
    ),
    (
        "this is the formula of the transposed convolution",
        lambda n, k, s, p: (n - 1) * s + k - 2 * p,
    ),
    (
        "the place at the edge, where the kernel sticks out, is left out: round down, not up",
        lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1,
    ),
    (
        "round down: a rest that is shorter than a stride is lost",
        lambda n, k, s, p: round((n + 2 * p - k) / s) + 1,
    ),
    (
        "round down: divide with //, since / leaves a fraction",
        lambda n, k, s, p: (n + 2 * p - k) / s + 1,
    ),
)
UP_MISTAKES: tuple[tuple[str, Formula], ...] = (
    ("n stamps have only n - 1 strides between them", lambda n, k, s, p: n * s + k - 2 * p),
    ("padding is cut off at both edges: twice", lambda n, k, s, p: (n - 1) * s + k - p),
    (
        "padding makes the result of a transposed convolution smaller: it is cut off",
        lambda n, k, s, p: (n - 1) * s + k + 2 * p,
    ),
    ("padding is left out: it is cut off at both edges", lambda n, k, s, p: (n - 1) * s + k),
    ("the width of the last stamp, the kernel, is missing", lambda n, k, s, p: (n - 1) * s - 2 * p),
    (
        "the width of the last stamp, the kernel, is missing",
        lambda n, k, s, p: (n - 1) * s - 2 * p + 1,
    ),
    (
        "n times the stride holds for kernel 4, stride 2, padding 1 only",
        lambda n, k, s, p: n * s,
    ),
    ("twice the side holds for kernel 4, stride 2, padding 1 only", lambda n, k, s, p: 2 * n),
    (
        "an output_padding of stride - 1 is added; here there is none",
        lambda n, k, s, p: (n - 1) * s + k - 2 * p + s - 1,
    ),
    (
        "an output_padding of 1 is added; here there is none",
        lambda n, k, s, p: (n - 1) * s + k - 2 * p + 1,
    ),
    (
        "the last stamp adds the whole kernel, not kernel - 1",
        lambda n, k, s, p: (n - 1) * s + k - 1 - 2 * p,
    ),
    ("this is the formula of the convolution itself", lambda n, k, s, p: (n + 2 * p - k) // s + 1),
)


def _require_sizes(
    formula: Formula,
    right: Formula,
    mistakes: Sequence[tuple[str, Formula]],
    settings: Sequence[tuple[int, ...]],
    where: str,
) -> None:
    """`formula` gives torch's sizes, as whole numbers; else say which formula it seems to be."""
    came = [formula(*setting) for setting in settings]
    for setting, value in zip(settings, came, strict=True):
        expected = right(*setting)
        call = "n = {}, kernel = {}, stride = {}, padding = {}".format(*setting)
        if value is None:
            fail(f"{expected} for {call}", "None", "the return is missing")
        try:
            same = bool(value == expected)
        except (RuntimeError, ValueError):  # several numbers
            same = False
        if not same:
            fail(
                f"{expected} for {call}",
                _text(value),
                _recognise(formula, mistakes, settings, came),
            )
        if isinstance(value, bool) or not isinstance(value, Integral):
            fail(
                f"a whole number, {expected}, for {call}",
                f"{_text(value)}, a {type(value).__name__}",
                f"a side is counted in pixels: {where}",
            )


def _text(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:60] + " …"


def _recognise(
    formula: Formula,
    mistakes: Sequence[tuple[str, Formula]],
    settings: Sequence[tuple[int, ...]],
    came: Sequence[object],
) -> str | None:
    def agrees(other: Formula) -> bool:
        try:
            return all(
                value == other(*setting) for value, setting in zip(came, settings, strict=True)
            )
        except (RuntimeError, ValueError, TypeError):
            return False

    return next((name for name, other in mistakes if agrees(other)), None)


def _random(probe: Probe, count: int, fits: Callable[[int, int, int, int], bool]):
    """Some settings n, kernel, stride, padding that `fits` takes."""
    found: list[tuple[int, int, int, int]] = []
    while len(found) < count:
        kernel = probe.integer(1, 7)
        setting = (
            probe.integer(4, 70), kernel, probe.integer(1, 4), probe.integer(0, kernel // 2),
        )  # fmt: skip
        if fits(*setting):
            found.append(setting)
    return found


def counts_the_places_of_the_kernel(given, probe: Probe) -> None:
    """The side after a convolution, where the strides fit exactly."""
    more = _random(probe, 12, lambda n, k, s, p: n + 2 * p >= k and (n + 2 * p - k) % s == 0)
    settings = [*DOWN_EVENLY, *more]
    _require_sizes(given, conv_out, DOWN_MISTAKES, settings, "divide with //, not with /")


def rounds_down(given, probe: Probe) -> None:
    """The side after a convolution, a whole number also where the strides leave a rest."""
    more = _random(probe, 12, lambda n, k, s, p: n + 2 * p >= k and (n + 2 * p - k) % s != 0)
    settings = [*DOWN_WITH_A_REST, *more]
    _require_sizes(given, conv_out, DOWN_MISTAKES, settings, "divide with //, not with /")


def grows_as_in_dcgan(given, probe: Probe) -> None:
    """Kernel 4, stride 1, padding 0 makes 4 of 1; kernel 4, stride 2, padding 1 doubles."""
    more = [(probe.integer(2, 64), 4, 2, 1) for _ in range(4)]
    settings = [*UP_IN_DCGAN, *more]
    _require_sizes(
        given, conv_transpose_out, UP_MISTAKES, settings,
        "nothing here needs a division",
    )  # fmt: skip


def grows_with_any_kernel(given, probe: Probe) -> None:
    """The side after a transposed convolution of any kernel, stride and padding."""
    more = _random(probe, 12, lambda n, k, s, p: conv_transpose_out(n, k, s, p) > 0)
    settings = [*UP, *more]
    _require_sizes(
        given, conv_transpose_out, UP_MISTAKES, settings,
        "nothing here needs a division",
    )  # fmt: skip


def add_to(lesson: Lesson) -> None:
    """Add these checks to the lesson's tasks."""
    for check in (counts_the_places_of_the_kernel, rounds_down):
        lesson.check("6.1", points=0.5)(check)
    for check in (grows_as_in_dcgan, grows_with_any_kernel):
        lesson.check("6.2", points=0.5)(check)
