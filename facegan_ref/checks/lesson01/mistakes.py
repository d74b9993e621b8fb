"""The wrong scalings between bytes and [-1, 1] that are known by name: for tasks 1.1 and 1.2."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Scaling = Callable[[Tensor], Tensor]
Named = tuple[tuple[str, Scaling], ...]


def scaled(x: Tensor) -> Tensor:
    """What task 1.1 asks for, in double precision."""
    return x.double() / 127.5 - 1


def _stretched(x: Tensor, dims: Sequence[int]) -> Tensor:
    low, high = x.float().amin(dims, keepdim=True), x.float().amax(dims, keepdim=True)
    return (x.float() - low) / (high - low)


def _imagenet(x: Tensor) -> Tensor:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return (x / 255 - mean) / std


UNIT_RANGE = "x / 255 lies in [0, 1], the range of a sigmoid. For tanh stretch it: times 2, minus 1"
WRAPPED = (
    "bytes wrap around: in uint8, 200 * 2 is 144 and 100 - 128 is 228. Make floats first, "
    "x.float(), then calculate"
)
OFF_CENTRE = (
    "127 or 128 in place of 127.5: the middle of 0…255 is 127.5, and only with it both ends are "
    "met: -1 and 1"
)
WHOLE = "// or a rounding cuts the fractions off: divide with /, and round nothing"
TANH = (
    "tanh is the generator's last layer, not a way to scale data: it bends the grey levels. A "
    "straight line is asked for"
)
OWN_RANGE = (
    "the image is stretched to its own darkest and brightest value, so that one face's grey is "
    "another's white: use the fixed numbers 0 and 255"
)
OWN_MEAN = (
    "the image is standardised by its own mean and standard deviation: use the fixed numbers 0 "
    "and 255"
)

TO_MISTAKES: Named = (
    (UNIT_RANGE, lambda x: x / 255),
    (UNIT_RANGE, lambda x: x / 256),
    ("x / 127.5 lies in [0, 2]: subtract 1", lambda x: x / 127.5),
    ("x / 255 - 0.5 lies in [-0.5, 0.5]: multiply by 2", lambda x: x / 255 - 0.5),
    ("x / 255 - 1 lies in [-1, 0]: the factor 2 is missing", lambda x: x / 255 - 1),
    ("values of 0…255 are treated as if they were in [0, 1]: divide by 255 before times 2, minus "
     "1", lambda x: x.float() * 2 - 1),
    ("the numbers are converted to floats but not scaled", lambda x: x.float()),
    ("the range is centred but not scaled: divide by 127.5", lambda x: x.float() - 127.5),
    ("the range is centred but not scaled: divide by 127.5", lambda x: x.float() - 128),
    (OFF_CENTRE, lambda x: x / 128 - 1),
    (OFF_CENTRE, lambda x: x / 127 - 1),
    *((OFF_CENTRE, lambda x, a=a, b=b: (x.float() - a) / b)
      for a in (127, 127.5, 128) for b in (127, 127.5, 128) if (a, b) != (127.5, 127.5)),
    *((WRAPPED, lambda x, a=a, b=b: (x - a) / b)
      for a in (127, 128) for b in (127, 127.5, 128)),
    (WRAPPED, lambda x: (x * 2 - 255) / 255),
    (WRAPPED, lambda x: x * 2 / 255 - 1),
    (WRAPPED, lambda x: (x * 2 - 255).float()),
    (WRAPPED, lambda x: (x * 2 - 1) / 255),
    (WRAPPED, lambda x: (x * 2 - 1).float()),
    (WHOLE, lambda x: x // 127.5 - 1),
    (WHOLE, lambda x: (x // 255).float() * 2 - 1),
    (WHOLE, lambda x: (x // 127).float() - 1),
    (WHOLE, lambda x: (x // 128).float() - 1),
    (WHOLE, lambda x: scaled(x).round()),
    ("black and white are swapped: 0 must become -1, and 255 must become 1",
     lambda x: -scaled(x)),
    ("ImageNet's means and standard deviations give a range of about [-2.1, 2.6], which tanh can't "
     "reach: only x / 127.5 - 1 is asked for", _imagenet),
    (TANH, lambda x: torch.tanh(x.float())),
    (TANH, lambda x: torch.tanh(x / 255)),
    (TANH, lambda x: torch.tanh(scaled(x))),
    ("a sigmoid is no way to scale data: a straight line is asked for",
     lambda x: torch.sigmoid(x.float())),
    *((OWN_RANGE, lambda x, d=d: _stretched(x, d) * 2 - 1)
      for d in (tuple(range(4)), (-3, -2, -1), (-2, -1), (0,))),
    *((OWN_RANGE, lambda x, d=d: _stretched(x, d)) for d in (tuple(range(4)), (-3, -2, -1))),
    (OWN_RANGE, lambda x: x / x.max() * 2 - 1),
    (OWN_RANGE, lambda x: x.float() / (x.max() / 2) - 1),
    *((OWN_MEAN, lambda x, u=u: (x.float() - x.float().mean()) / x.float().std(unbiased=u))
      for u in (True, False)),
)  # fmt: skip


GUESSED = (
    "the formula is chosen by looking at the values: a picture that is nearly black is taken for "
    "one in [0, 1]. The values are always 0…255"
)
# Where a picture has only the values 0 and 1, and its range was not simply stretched.
GUESSES: Named = ((GUESSED, lambda x: x.float() * 2 - 1), (GUESSED, lambda x: x.float()))


def _bytes(levels: Tensor) -> Tensor:
    """As `.to(torch.uint8)`: fractions cut off, the rest wraps around."""
    return torch.remainder(levels.trunc(), 256)


CUT = (
    "the fraction is cut off in place of rounding: a level of 99.99999 becomes 99. Round, then "
    "convert"
)
AS_UNIT = "the values are taken as if they lay in [0, 1]: first bring [-1, 1] there, (x + 1) / 2"
STRETCHED = (
    "the image is stretched to its own darkest and brightest value, so a grey picture becomes a "
    "glaring one: -1 is always black and 1 always white"
)
HALF_OF_255 = (
    "the factor is 127.5, half of 255: with 127 one end is missed, with 128 white becomes 256, "
    "which no byte can hold"
)
WRAPS = (
    "bytes wrap around: a level of 256 becomes 0, white becomes black. Clip to 0…255 BEFORE the "
    "conversion to uint8"
)

FROM_MISTAKES: Named = (
    (CUT, lambda x: _bytes((x + 1) * 127.5)),
    (CUT, lambda x: _bytes((x + 1) / 2 * 255)),
    (CUT, lambda x: _bytes(x * 127.5 + 127.5)),
    (CUT, lambda x: (x.double() + 1).mul(127.5).floor()),
    (CUT + " (ceil rounds up, which is as wrong)", lambda x: ((x + 1) * 127.5).ceil()),
    *((AS_UNIT, lambda x, r=r: _bytes(r(x * 255))) for r in (torch.round, torch.trunc)),
    *((AS_UNIT, lambda x, r=r: r(x * 255).clamp(0, 255)) for r in (torch.round, torch.trunc)),
    *((AS_UNIT, lambda x, r=r: r(x.clamp(0, 1) * 255)) for r in (torch.round, torch.trunc)),
    ("abs() folds black onto white: add 1 instead", lambda x: (x.abs() * 255).round()),
    *((HALF_OF_255, lambda x, r=r, f=f: r((x + 1) * f).clamp(0, 255))
      for r in (torch.round, torch.trunc) for f in (127, 128)),
    *((HALF_OF_255, lambda x, r=r, f=f: _bytes(r((x + 1) * f)))
      for r in (torch.round, torch.trunc) for f in (127, 128)),
    *((HALF_OF_255, lambda x, r=r: r(x * 127 + 128).clamp(0, 255))
      for r in (torch.round, torch.trunc)),
    *((HALF_OF_255, lambda x, r=r, a=a: r(x * 128 + a).clamp(0, 255))
      for r in (torch.round, torch.trunc) for a in (127, 128)),
    ("1 is not added: -1 is black, and black is the byte 0",
     lambda x: _bytes((x * 127.5).round())),
    ("1 is not added: -1 is black, and black is the byte 0",
     lambda x: (x * 127.5).round().clamp(0, 255)),
    ("(x + 1) * 255 is twice as bright as it should be: the range is 2 wide, divide by 2",
     lambda x: ((x + 1) * 255).round().clamp(0, 255)),
    ("(x + 1) * 255 is twice as bright as it should be: the range is 2 wide, divide by 2",
     lambda x: ((x + 1) * 255).trunc().clamp(0, 255)),
    ("(x + 1) * 255 is twice as bright as it should be: the range is 2 wide, divide by 2",
     lambda x: _bytes((x + 1) * 255)),
    ("the values are rounded before they are scaled: only -1, 0 and 1 are left",
     lambda x: ((x.round() + 1) * 127.5).round()),
    ("the values are rounded before they are scaled: only black and white are left",
     lambda x: ((x + 1) / 2).round() * 255),
    ("black and white are swapped", lambda x: ((1 - x) * 127.5).round()),
    ("tanh is applied a second time: the values are behind it already",
     lambda x: ((torch.tanh(x) + 1) * 127.5).round()),
    ("a sigmoid is no way back from tanh's range: a straight line is asked for",
     lambda x: (torch.sigmoid(x) * 255).round()),
    *((STRETCHED, lambda x, d=d, r=r: r(_stretched(x, d) * 255))
      for d in (tuple(range(4)), tuple(range(3)), (-3, -2, -1), (-2, -1))
      for r in (torch.round, torch.trunc)),
)  # fmt: skip
