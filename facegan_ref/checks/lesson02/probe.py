"""What the checks of lesson 2 share: drawn distributions, careful calls, naming a mistake."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from facegan_ref.checks.engine import Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.scalar_loss import vector as first_numbers

Formula = Callable[..., Tensor]
Mistakes = Sequence[tuple[str, Formula]]

CHANGED = (
    "a function whose name ends in _, or an assignment like p[p == 0] = eps, overwrites its "
    "argument: work on a new tensor"
)
CUT_OFF = (
    "right to a few digits only: an eps or a clamp changes the result, or it is computed in "
    "float32 although the inputs are float64"
)
TOLERANCE = {torch.float32: (1e-5, 3e-6), torch.float64: (1e-9, 1e-11)}  # relative, absolute
DTYPES = (torch.float32, torch.float64)


def drawn(probe: Probe, k: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Probabilities `(k,)` of k kinds, none of them very small."""
    weights = 0.1 + torch.rand(k, generator=probe.rng, dtype=torch.float64)
    return (weights / weights.sum()).to(dtype)


def drawn_scores(probe: Probe, k: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Scores `(k,)` between 0.05 and 0.95."""
    return (0.05 + 0.9 * torch.rand(k, generator=probe.rng, dtype=torch.float64)).to(dtype)


def with_zeros(p: Tensor, *places: int) -> Tensor:
    """The distribution without the kinds at `places`."""
    rest = p.clone()
    rest[list(places)] = 0
    return rest / rest.sum()


def close(came: Tensor, expected: Tensor) -> bool:
    """Equal within the rounding of the expected tensor's dtype; -inf equals -inf."""
    rel, abs_ = TOLERANCE[expected.dtype]
    return torch.allclose(came.detach().to(expected.dtype), expected, rtol=rel, atol=abs_)


def ask(function: Formula, *inputs: Tensor) -> object:
    """What the student's function returns for copies of `inputs`; fails if it changes them."""
    copies = [x.clone() for x in inputs]
    result = function(*copies)
    for copy, given in zip(copies, inputs, strict=True):
        if not torch.equal(copy, given):
            fail(
                "arguments that are the same after the call as before",
                f"{vector(given)} became {vector(copy)}",
                CHANGED,
            )
    return result


def require_tensor(result: object, what: str) -> Tensor:
    """The result if it is a tensor of real numbers; otherwise the check fails."""
    if result is None:
        fail(what, "None", "the return is missing")
    if isinstance(result, tuple):
        fail(what, f"a tuple of {len(result)}", "return one thing, not its parts")
    if not isinstance(result, Tensor):
        fail(
            what,
            f"a {type(result).__name__}",
            "`.item()`, float(), a list or numpy leaves torch: return the tensor itself",
        )
    if not result.is_floating_point():
        likely = "a comparison is no probability" if result.dtype == torch.bool else None
        fail(what, f"a tensor of {result.dtype}", likely)
    return result


def scalar(result: object, k: int) -> Tensor:
    """The result as a tensor of one number; otherwise the check fails."""
    one = f"one number, a scalar tensor, for distributions with K = {k}"
    result = require_tensor(result, one)
    if result.numel() != 1:
        fail(
            one,
            f"a tensor of shape {tuple(result.shape)}",
            "the sum over the kinds is missing",
        )
    return result.reshape(())


def scores(result: object, k: int) -> Tensor:
    """The result as a tensor of k scores; otherwise the check fails."""
    wanted = f"a tensor of shape ({k},), one score for each kind"
    result = require_tensor(result, wanted)
    if result.shape != (k,):
        likely = "do not sum over the kinds: D answers for each of them"
        if result.numel() == k:
            likely = "one dimension too many: flatten() removes it"
        fail(wanted, f"a tensor of shape {tuple(result.shape)}", likely)
    return result.detach()


def require(came: Tensor, expected: Tensor, what: str, likely: Callable[[], str | None]) -> None:
    """Fail unless the numbers agree; `what` says for which input."""
    if not close(came, expected):
        texts = digits(expected), digits(came)
        if texts[0] == texts[1]:
            pair = (x.flatten().tolist() for x in (expected, came.detach()))
            texts = tuple(", ".join(f"{v:.12g}" for v in values) for values in pair)
        # `likely` runs the answer again: only when something is wrong.
        fail(f"{texts[0]} for {what}", texts[1], likely())


def digits(x: Tensor) -> str:
    """A number or a short tensor as people read it."""
    return number(float(x)) if x.dim() == 0 else vector(x)


def vector(x: Tensor) -> str:
    """A short tensor as people read it."""
    return first_numbers(x, most=6)


def recognise(function: Formula, arguments: int, mistakes: Mistakes) -> str | None:
    """The known wrong formula that `function` agrees with on a fixed case, or None.

    One that is right to a few digits is named as imprecise. The case has no zeros.
    """
    p = torch.tensor([0.40, 0.30, 0.15, 0.10, 0.05], dtype=torch.float64)
    q = torch.tensor([0.05, 0.35, 0.10, 0.30, 0.20], dtype=torch.float64)
    d = torch.tensor([0.80, 0.45, 0.70, 0.15, 0.35], dtype=torch.float64)
    case = (d, p, q)[-arguments:]
    try:
        came = function(*[x.clone() for x in case])
        came = torch.as_tensor(came, dtype=torch.float64).detach().flatten()
    except Exception as error:
        return explain_exception(error)[1]
    for name, formula in mistakes:
        expected = formula(*case).to(torch.float64).flatten()
        if came.shape == expected.shape and torch.allclose(came, expected, rtol=1e-5, atol=1e-6):
            return name
    return None


def likely_mistake(
    function: Formula, right: Formula, arguments: int, mistakes: Mistakes
) -> str | None:
    """The mistake by name; where ordinary cases are right, the answer is imprecise."""
    return recognise(function, arguments, (*mistakes, (CUT_OFF, right)))
