"""What checks of losses share: call one safely, read value and gradients, name the mistake."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from facegan_ref.checks.engine import fail, number
from facegan_ref.checks.explain import explain_exception

CUT_OFF = (
    "a logarithm of a probability that rounds to 0 or 1, an exp that overflows, or an eps or clamp "
    "that hides them: stay with the logits and use binary_cross_entropy_with_logits, logsigmoid or "
    "softplus"
)
Formula = Callable[..., Tensor]
Explain = Callable[[], "str | None"]  # asked only when a check fails


def evaluate(loss: Callable[..., Tensor], *logits: Tensor) -> tuple[float, list[Tensor]]:
    """Value of `loss(*logits)` and its gradient for each argument (zeros where it has none).

    Fails the check when the loss is not one finite-or-not number with a graph behind it.
    """
    leaves = [x.detach().clone().requires_grad_(True) for x in logits]
    value = loss(*leaves)
    shapes = " and ".join(str(tuple(x.shape)) for x in leaves)
    one = f"one number, a scalar tensor, for logits of shape {shapes}"
    if value is None:
        fail(one, "None", "the return is missing")
    if isinstance(value, (tuple, list, dict)):
        fail(one, f"a {type(value).__name__} of {len(value)}", "return one loss, not its parts")
    if not isinstance(value, Tensor):
        fail(
            one,
            f"a {type(value).__name__}",
            "`.item()`, float() or numpy cuts the graph: return the tensor itself",
        )
    if value.numel() != 1:
        fail(
            one,
            f"a tensor of shape {tuple(value.shape)}",
            "the mean over the batch is missing, or shapes were broadcast against each other",
        )
    if not value.requires_grad:
        fail(
            "a loss through which gradients flow",
            "a tensor without a graph",
            "`.detach()`, `.data`, torch.no_grad() or torch.tensor(...) cuts the graph",
        )
    grads = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    filled = [
        torch.zeros_like(leaf) if grad is None else grad
        for leaf, grad in zip(leaves, grads, strict=True)
    ]
    return float(value.detach()), filled


def close(a: float, b: float, rel: float = 1e-4, abs_: float = 1e-5) -> bool:
    """Equal within float32's rounding over a few operations; NaN equals nothing."""
    return math.isfinite(a) and abs(a - b) <= abs_ + rel * abs(b)


def recognise(
    loss: Callable[..., Tensor], arguments: int, mistakes: Sequence[tuple[str, Formula]]
) -> str | None:
    """The known wrong formula that `loss` agrees with on random logits, or None.

    A loss that is nan, raises or changes from call to call on these logits is named by that.
    """
    rng = torch.Generator().manual_seed(12)
    logits = [1.5 * torch.randn(7, generator=rng) + 0.4 for _ in range(arguments)]
    try:
        values = [loss(*[x.clone().requires_grad_(True) for x in logits]) for _ in range(2)]
        value, again = (float(v.detach() if isinstance(v, Tensor) else v) for v in values)
    except Exception as error:
        return explain_exception(error)[1]
    if math.isnan(value):
        return "the logarithm of a negative number: the sigmoid is missing"
    if value != again:
        return "the loss changes from call to call: random labels or noise have no place here"
    return next((name for name, formula in mistakes if close(value, float(formula(*logits)))), None)


def require_value(expected: float, came: float, what: str, likely: Explain) -> None:
    """Fail unless `came` is `expected`; `what` says of which input, `likely` names the mistake."""
    if not close(came, expected):
        fail(f"{number(expected)} for {what}", number(came), likely())


def require_gradient(expected: Tensor, came: Tensor, what: str, likely: Explain) -> None:
    """Fail unless the gradients agree element by element."""
    if not torch.allclose(came, expected, rtol=1e-3, atol=1e-6):
        fail(
            f"the gradient {vector(expected)} for {what}",
            vector(came),
            likely(),
        )


def vector(x: Tensor, most: int = 4) -> str:
    """The first `most` numbers of a tensor, as people read them."""
    flat = x.detach().flatten().tolist()
    more = ", …" if len(flat) > most else ""
    return "[" + ", ".join(number(v) for v in flat[:most]) + more + "]"
