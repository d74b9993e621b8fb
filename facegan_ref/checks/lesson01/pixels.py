"""Checks of lesson 1's two scalings between bytes and [-1, 1]: tasks 1.1 and 1.2."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.lesson01.mistakes import (
    FROM_MISTAKES,
    GUESSES,
    OWN_RANGE,
    TO_MISTAKES,
    WRAPS,
    Named,
    Scaling,
    scaled,
)

# Patterns of exceptions that mean something else here than in the other lessons.
_RAISED = (
    (
        r"has no attribute '(astype|clip_by_value|copy|round_)'",
        "that is numpy's: a tensor has .to(torch.float32), .float(), .clamp(), .clone()",
    ),
    (
        r"can't be cast to the desired output type (Byte|unsigned char|Long)",
        "the result is written into the bytes of the input, which hold no fractions: make floats "
        "first, in a new tensor",
    ),
    (
        r"mean\(\): could not infer|std and var only support",
        "a mean or standard deviation of the image has no place here: the numbers are fixed",
    ),
    (
        r"too many indices|Dimension out of range|not enough values to unpack|number of dimensions",
        "the input may have any shape: one formula for all its numbers, no loop over channels",
    ),
)


def _call(function: Scaling, x: Tensor) -> Tensor:
    """The result for `x`, which must be a tensor of its shape."""
    what = f"a tensor of shape {tuple(x.shape)} for an input of that shape"
    try:
        came = function(x)
    except NotImplementedError:
        raise
    except Exception as error:
        for pattern, likely in _RAISED:
            if re.search(pattern, str(error)):
                fail(what, explain_exception(error)[0], likely)
        raise
    if came is None:
        fail(what, "None", "the return is missing")
    if not isinstance(came, Tensor):
        numpys = type(came).__module__ == "numpy"
        likely = "no numpy is needed: stay with tensors from beginning to end" if numpys else None
        fail(what, f"a {type(came).__name__}", likely or "return the tensor itself")
    if came.shape != x.shape:
        likely = "elements are picked, added or averaged: scale each of them, and keep all"
        if came.numel() == x.numel():
            likely = "the axes were moved or joined: scale each number where it stands"
        fail(what, f"shape {tuple(came.shape)}", likely)
    return came


def _recognise(x: Tensor, came: Tensor, mistakes: Named, within: float) -> str | None:
    """The known wrong formula that gives `came` for `x`, or None."""
    for name, formula in mistakes:
        try:
            wrong = formula(x).double()
        except (RuntimeError, IndexError):  # a formula for images, and this is none
            continue
        if torch.allclose(came.double(), wrong, rtol=0, atol=within, equal_nan=True):
            return name
    return None


def _worst(came: Tensor, expected: Tensor) -> int:
    """Where two tensors differ most; nan differs more than anything."""
    return int((came.double() - expected.double()).abs().nan_to_num(nan=1e9).argmax())


def _all_levels(probe: Probe, shape: tuple[int, ...] = (3, 16, 16)) -> Tensor:
    """Three channels, each with all 256 bytes in an order of its own."""
    channels = [torch.randperm(256, generator=probe.rng) for _ in range(shape[0])]
    return torch.stack(channels).view(shape).to(torch.uint8)


# --------------------------------------------------------------------------- 1.1 to_tanh_range


def _require_scaled(
    x: Tensor, came: Tensor, otherwise: str | None = None, mistakes: Named = TO_MISTAKES
) -> None:
    """Fail unless `came` is what becomes of `x`."""
    if came.is_complex() or not came.is_floating_point():
        fail(
            "a float tensor",
            f"a tensor of {came.dtype}",
            "-0.6 is no whole number: convert to float32, and not back",
        )
    expected = scaled(x)
    if torch.allclose(came.double(), expected, rtol=0, atol=2e-5):
        return
    worst = _worst(came, expected)
    likely = _recognise(x, came, mistakes, 1e-4)
    if likely is None and bool(came.isnan().any()):
        likely = OWN_RANGE + ". Where all pixels are equal this even divides by 0"
    fail(
        f"{number(float(expected.flatten()[worst]))} for a value of "
        f"{number(float(x.flatten()[worst]))} in an input of shape {tuple(x.shape)}, "
        f"{x.dtype}, with values from {number(float(x.min()))} to {number(float(x.max()))}",
        number(float(came.flatten()[worst])),
        likely or otherwise,
    )


def every_byte_in_its_place(to_tanh_range, probe: Probe) -> None:
    """Bytes go onto a straight line: 0 becomes -1, 255 becomes 1, in equal steps between."""
    x = _all_levels(probe)
    _require_scaled(
        x,
        _call(to_tanh_range, x.clone()),
        "the formula is another one than x / 127.5 - 1, with x as floats",
    )


def float32_for_any_input(to_tanh_range, probe: Probe) -> None:
    """The result is float32 with the input's shape: from bytes, from floats, of any shape."""
    for dtype in (torch.uint8, torch.float32, torch.float64, torch.int64):
        for shape in ((3, probe.integer(5, 9), 7), (2, 3, 4, 4), (probe.integer(2, 6),), ()):
            x = 255 * torch.rand(shape, generator=probe.rng, dtype=torch.float64)
            x = (x if dtype.is_floating_point else x.round()).to(dtype)
            came = _call(to_tanh_range, x.clone())
            if came.is_floating_point() and came.dtype != torch.float32:
                fail(
                    f"torch.float32 for an input of {dtype}",
                    str(came.dtype),
                    "torch calculates on in the dtype that it finds: convert with "
                    "x.to(torch.float32) or x.float(), whatever came in"
                    if dtype == torch.float64
                    else "the conversion goes to another dtype than torch.float32",
                )
            _require_scaled(
                x,
                came,
                "the input's dtype decides over the formula: floats hold 0…255 too, perhaps with "
                "fractions, and the same formula is right for all",
            )


def one_scale_for_all_images(to_tanh_range, probe: Probe) -> None:
    """The scale is fixed: what becomes of a pixel does not depend on the other pixels."""
    dark = 20 + probe.integer(0, 9) + torch.randint(0, 60, (2, 3, 6, 6), generator=probe.rng)
    night = torch.randint(0, 2, (1, 3, 6, 6), generator=probe.rng)
    night[0, 0, 0, :2] = torch.tensor([0, 1])
    flat = torch.full((1, 3, 6, 6), probe.integer(1, 254))
    for x in (dark, night, flat, torch.zeros(1, 3, 6, 6)):
        x = x.to(torch.uint8)
        _require_scaled(
            x,
            _call(to_tanh_range, x.clone()),
            "a minimum, maximum or mean of this image is in the formula: use fixed numbers",
            GUESSES if int(x.max()) == 1 else TO_MISTAKES,
        )


def leaves_the_input_alone(to_tanh_range, probe: Probe) -> None:
    """The input still holds what it held before the call."""
    for dtype in (torch.uint8, torch.float32):
        x = torch.randint(0, 256, (2, 3, 5, 5), generator=probe.rng).to(dtype)
        given = x.clone()
        _call(to_tanh_range, given)
        if not torch.equal(given, x):
            fail(
                f"the input as it was, {dtype}",
                f"an input that now holds values from {number(float(given.min()))} to "
                f"{number(float(given.max()))}",
                "x /= …, x -= … and functions whose name ends in _ write into their tensor, and "
                "x.float() makes no copy of what is float32 already: write x / 127.5, or copy "
                "first",
            )


# ------------------------------------------------------------------------- 1.2 from_tanh_range


def _exact(x: Tensor) -> Tensor:
    """The level between 0 and 255 that belongs to a value, not yet rounded."""
    return ((x.double() + 1) * 127.5).clamp(0, 255)


def _require_bytes(x: Tensor, came: Tensor, otherwise: str) -> None:
    """Fail unless `came` holds the byte nearest to each value of `x`."""
    if came.dtype != torch.uint8:
        fail(
            "a tensor of torch.uint8",
            f"a tensor of {came.dtype}",
            "the conversion .to(torch.uint8) is missing or goes to another dtype",
        )
    exact = _exact(x)
    # Half a level is as near to the one as to the other.
    if float((came.double() - exact).abs().max()) <= 0.5 + 1e-3:
        return
    worst = _worst(came, exact)
    value, level = float(x.flatten()[worst]), float(exact.flatten()[worst])
    likely = _recognise(x, came, FROM_MISTAKES, 0.01)
    apart = abs(int(came.flatten()[worst]) - (value + 1) * 127.5 % 256)
    if abs(value) > 1 and min(apart, 256 - apart) <= 1.01:
        likely = WRAPS
    inside = (exact > 0.5) & (exact < 254.5)
    if likely is None and bool(((came.double() - exact)[inside].abs() <= 0.5 + 1e-3).all()):
        # Only black and white are wrong.
        beyond = bool((x.abs() > 1).any())
        likely = None if beyond else "both ends are bytes too: -1 is 0, and 1 is 255"
    fail(
        f"the byte {round(level)} for {value:.5f} (level {level:.4f}) in an input with values from "
        f"{number(float(x.min()))} to {number(float(x.max()))}",
        f"the byte {int(came.flatten()[worst])}",
        likely or otherwise,
    )


def nearest_byte_for_each_value(from_tanh_range, probe: Probe) -> None:
    """Each value becomes the nearest byte, on a fixed scale: all 256 levels come back."""
    pale = 0.2 * torch.rand(2, 3, 5, 5, generator=probe.rng) - 0.1 * probe.integer(1, 4)
    wide = 1.98 * torch.rand(3, probe.integer(9, 15), 11, generator=probe.rng) - 0.99
    otherwise = "the formula is another one than (x + 1) * 127.5, rounded to the nearest byte"
    bright = 0.1 + 0.8 * torch.rand(1, 3, 6, 6, generator=probe.rng)
    for x in (wide, pale, bright, scaled(_all_levels(probe)).float()):
        _require_bytes(x, _call(from_tanh_range, x.clone()), otherwise)


def clips_what_lies_outside(from_tanh_range, probe: Probe) -> None:
    """Below -1 is black and above 1 is white; this is done in a copy, the input stays as it was."""
    far = [1.01, -1.01, 1.2, -1.2, 1.5, -1.5, 2.0, -2.0, 10.0, -10.0, 300.0]
    order = torch.randperm(len(far), generator=probe.rng)
    outside = torch.tensor(far)[order]
    # Then noise far beyond the range, as an image.
    for x in (outside, 3 * probe.randn(2, 3, 6, 6)):
        given = x.clone()
        _require_bytes(x, _call(from_tanh_range, given), WRAPS)
        if not torch.equal(given, x):
            fail(
                "the input as it was",
                f"an input that now holds values from {number(float(given.min()))} to "
                f"{number(float(given.max()))}",
                "x += …, x *= … and functions whose name ends in _ (clamp_, add_, mul_) write into "
                "the input: use those without it",
            )


def add_to(lesson: Lesson) -> None:
    """Add the checks of tasks 1.1 and 1.2 to the lesson."""
    for check in (
        every_byte_in_its_place,
        float32_for_any_input,
        one_scale_for_all_images,
        leaves_the_input_alone,
    ):
        lesson.check("1.1", points=0.5)(check)
    for check in (nearest_byte_for_each_value, clips_what_lies_outside):
        lesson.check("1.2", points=0.5)(check)
