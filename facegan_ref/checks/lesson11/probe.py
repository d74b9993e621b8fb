"""What the checks of lesson 11 share: careful calls, numbers as they should be, known mistakes."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from facegan_ref.checks.engine import Probe, fail, number
from facegan_ref.checks.explain import explain_exception

Formula = Callable[..., object]
Mistakes = Sequence[tuple[str, Formula]]
CHANGED = (
    "a function whose name ends in _, or an assignment into an argument, overwrites the features "
    "that are measured: work on a new tensor"
)
COMPLEX = (
    "eigenvalues and roots of a matrix that is not symmetric come as complex numbers: take their "
    ".real first"
)
MIXED = "some of the tensors are float32 and others float64: .double() on all of them, first"
NEW_EACH_TIME = (
    "the result changes from call to call: something random is in it, such as a subset. All of "
    "the rows count"
)


def normal(probe: Probe, n: int, dim: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal features `(n, dim)`, float64."""
    return mean + std * probe.randn(n, dim, dtype=torch.float64)


def covariance(probe: Probe, dim: int, rank: int | None = None) -> Tensor:
    """A covariance `(dim, dim)`, float64, of the given rank, by default a full one."""
    rows = normal(probe, rank or 3 * dim, dim)
    return rows.T @ rows / len(rows)


def ask(function: Formula, *inputs: object) -> object:
    """What the student's function returns for copies of `inputs`; fails if it changes them."""
    copies = [x.clone() if isinstance(x, Tensor) else x for x in inputs]
    try:
        result = function(*copies)
    except RuntimeError as error:
        if re.search(r"same dtype|scalar type", str(error)):
            fail("no exception", explain_exception(error)[0], MIXED)
        raise
    for copy, given in zip(copies, inputs, strict=True):
        if isinstance(given, Tensor) and not torch.equal(copy, given):
            fail("arguments that are the same after the call as before", "other values", CHANGED)
    return result


def real_number(came: object, what: str, likely: str | None = None) -> float:
    """`came` as a float, if it is one real number: a float or a tensor of one; may be nan."""
    if came is None:
        fail(what, "None", "the return is missing")
    if isinstance(came, (tuple, list, dict, str, bool)):
        kind = type(came).__name__
        fail(what, f"a {kind}", "return the one number" if kind in ("tuple", "list") else None)
    if isinstance(came, Tensor):
        if came.numel() != 1:
            fail(
                what,
                f"a tensor of shape {tuple(came.shape)}",
                likely or "a sum or a mean is missing, or it goes over one dimension only",
            )
        came = came.detach().reshape(()).item()
    if isinstance(came, complex):
        fail(what, "a complex number", COMPLEX)
    if not isinstance(came, numbers.Real):
        fail(what, f"a {type(came).__name__}", "a float, or a tensor of one number")
    return float(came)


def close(came: float, expected: float, rel: float, abs_: float) -> bool:
    """Equal within `rel` of the expected number, and `abs_`; nan equals nothing."""
    return math.isfinite(came) and abs(came - expected) <= abs_ + rel * abs(expected)


def named(came: float, mistakes: Mistakes, *case: object, rel: float = 1e-5) -> str | None:
    """The known wrong formula that gives `came` for this case, or None."""
    for name, formula in mistakes:
        wrong = formula(*case)
        wrong = float(wrong.real if isinstance(wrong, Tensor) else wrong)
        if close(came, wrong, rel, 1e-8):
            return name
    return None


def by_asking(function: Formula, mistakes: Mistakes, case: Sequence[object]) -> str | None:
    """The known wrong formula that the student's function agrees with on `case`, or None."""
    try:
        came, again = (real_number(function(*case), "") for _ in range(2))
    except Exception as error:
        return explain_exception(error)[1]
    if math.isfinite(came) and came != again:
        return NEW_EACH_TIME
    return named(came, mistakes, *case)


def require(
    came: float,
    expected: float,
    what: str,
    likely: Callable[[], str | None],
    rel: float = 1e-5,
    abs_: float = 1e-6,
) -> None:
    """Fail unless `came` is `expected`; `what` says for which input."""
    if not close(came, expected, rel, abs_):
        shown = number(expected), number(came)
        if shown[0] == shown[1]:
            shown = f"{expected:.12g}", f"{came:.12g}"
        fail(f"{shown[0]} for {what}", shown[1], likely())


def rows(x: Tensor) -> str:
    """A small matrix as people read it."""
    return str([[round(v, 3) + 0.0 for v in row] for row in x.tolist()]).replace(".0,", ",")
