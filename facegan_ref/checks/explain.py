"""Say in a student's words what an exception in their code means and where it came from."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import torch

_OURS = Path(__file__).parents[1]
_TORCH = Path(torch.__file__).parent

# Pattern of the exception's text, and the likely mistake. First match counts.
_LIKELY: tuple[tuple[str, str], ...] = (
    (
        r"[Tt]arget size .*input size|target size .* must be the same",
        "labels and logits have different shapes: make the labels with torch.ones_like(logits) or "
        "torch.zeros_like(logits), so that they fit whatever the batch",
    ),
    (
        r"all elements of (input|target) should be between 0 and 1",
        "binary_cross_entropy takes probabilities but got logits: use "
        "binary_cross_entropy_with_logits",
    ),
    (
        r"does not require grad and does not have a grad_fn",
        "the graph is cut: something on the way to the loss was detached, computed under "
        "torch.no_grad(), or turned into a plain number",
    ),
    (
        r"Trying to backward through the graph a second time",
        "two backward calls share one graph: add the losses and call backward once, or detach the "
        "generated images",
    ),
    (
        r"Can't call numpy\(\)|only one element tensors|math domain error",
        "gradients flow only through torch's functions: use torch.log or F.logsigmoid, not math or "
        "numpy",
    ),
    (
        r"leaf Variable that requires grad is being used in an in-place",
        "a function whose name ends in _ overwrites its argument: use the one without it",
    ),
    (
        r"result type Float can't be cast to the desired output type Long",
        "the labels are integers: torch.ones_like(logits) and torch.zeros_like(logits) are not",
    ),
    (
        r"too many indices for tensor|Dimension out of range",
        "a tensor has fewer dimensions than this line expects: logits may have the shape (N,)",
    ),
    (
        r"modified by an inplace operation",
        "weights were updated between the forward pass and backward: compute the loss anew after "
        "an optimizer's step",
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied",
        "a Linear layer gets an input of another width than it was made for: flatten the sample "
        "and use the product of its shape; in a training step, z goes into the generator and "
        "samples into the discriminator",
    ),
    (
        r"size of tensor a .* must match the size of tensor b|The size of tensor",
        "two tensors of different shapes are combined; print both shapes",
    ),
    (
        r"shape '.*' is invalid for input|view size is not compatible",
        "a view or reshape does not fit the number of elements: keep the batch dimension, "
        "x.view(len(x), ...)",
    ),
    (
        r"optimizer got an empty parameter list",
        "the module has no parameters: layers kept in a plain Python list are not registered, use "
        "nn.Sequential or nn.ModuleList",
    ),
    (
        r"missing \d+ required positional argument|takes \d+ positional argument|"
        r"got an unexpected keyword",
        "the arguments differ from the task's: keep the names and their order",
    ),
    (
        r"before .*__init__.*call|cannot assign module before Module.__init__",
        "super().__init__() must be the first line of __init__",
    ),
    (
        r"'NoneType' object has no attribute|'NoneType' object is not callable",
        "a function or method returned nothing: a return is missing",
    ),
    (r"is not defined", "a name is used that your code has not defined or imported"),
)


def explain_exception(error: BaseException) -> tuple[str, str | None]:
    """What came (type, text, the student's line) and the likely mistake, or None if unknown."""
    text = " ".join(str(error).split())
    if len(text) > 300:
        text = text[:300] + " …"
    came = f"{type(error).__name__}: {text}" if text else type(error).__name__
    line = student_line(error)
    if line:
        came += f" (in your code, {line})"
    likely = next((hint for pattern, hint in _LIKELY if re.search(pattern, str(error))), None)
    return came, likely


def student_line(error: BaseException) -> str | None:
    """`line 3: loss = …`, the innermost frame that is neither torch's nor this package's."""
    chosen = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        inside = any(root in path.parents for root in (_OURS, _TORCH))
        if not inside and "site-packages" not in path.parts and "lib" not in path.parts[-3:-1]:
            chosen = frame
    if chosen is None:
        return None
    return f"line {chosen.lineno}: {chosen.line}" if chosen.line else f"line {chosen.lineno}"
