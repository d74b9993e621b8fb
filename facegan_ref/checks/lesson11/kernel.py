"""Checks of task 11.2: the kernel distance."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from facegan_ref import metrics
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson11.probe import (
    Mistakes,
    ask,
    by_asking,
    close,
    normal,
    real_number,
    require,
)

Method = Callable[[Tensor, Tensor], object]


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _off(k: Tensor) -> Tensor:
    """The mean over the pairs of different rows."""
    return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))


def _with(kernel: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The unbiased estimate with another kernel."""
    return lambda x, y: _off(kernel(x, x)) + _off(kernel(y, y)) - 2 * kernel(x, y).mean()


def _biased(x: Tensor, y: Tensor) -> Tensor:
    return _kernel(x, x).mean() + _kernel(y, y).mean() - 2 * _kernel(x, y).mean()


def _divided_by_all(k: Tensor) -> Tensor:
    return (k.sum() - k.trace()) / len(k) ** 2


def _gauss(width: Callable[[Tensor], float]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda a, b: torch.exp(-torch.cdist(a, b).square() / width(a))


_unbiased = _with(_kernel)
MISTAKES: Mistakes = (
    ("this is the biased estimate: within x and within y each image is compared with itself too. "
     "Leave out the diagonal", _biased),
    ("the diagonal is left out of the sum but not of the number of pairs: divide by m (m - 1), "
     "not by m²",
     lambda x, y: _divided_by_all(_kernel(x, x)) + _divided_by_all(_kernel(y, y))
     - 2 * _kernel(x, y).mean()),
    ("the diagonal stays in the sum, but is not counted among the m (m - 1) pairs",
     lambda x, y: _kernel(x, x).sum() / (len(x) * (len(x) - 1))
     + _kernel(y, y).sum() / (len(y) * (len(y) - 1)) - 2 * _kernel(x, y).mean()),
    ("only one of the two groups is compared without itself: both are",
     lambda x, y: _off(_kernel(x, x)) + _kernel(y, y).mean() - 2 * _kernel(x, y).mean()),
    ("each pair within a group is counted once but the sum is divided by m (m - 1), which counts "
     "it twice",
     lambda x, y: _off(_kernel(x, x)) / 2 + _off(_kernel(y, y)) / 2 - 2 * _kernel(x, y).mean()),
    ("a negative estimate is cut off at 0 (clamp or max): an unbiased one must be allowed to be "
     "negative", lambda x, y: _unbiased(x, y).clamp(min=0)),
    ("the absolute value hides a negative estimate: return it as it is",
     lambda x, y: _unbiased(x, y).abs()),
    ("a square root: this is the distance, and the squared one is asked for",
     lambda x, y: _unbiased(x, y).clamp(min=0).sqrt()),
    ("the factor 2 before the pairs across x and y is missing",
     lambda x, y: _unbiased(x, y) + _kernel(x, y).mean()),
    ("the pairs across x and y are added: subtract them, twice",
     lambda x, y: _unbiased(x, y) + 4 * _kernel(x, y).mean()),
    ("the sign: within minus across, not across minus within", lambda x, y: -_unbiased(x, y)),
    ("the pairs across x and y alone: the two groups by themselves are missing",
     lambda x, y: _kernel(x, y).mean()),
    ("the pairs within y are missing",
     lambda x, y: _off(_kernel(x, x)) - 2 * _kernel(x, y).mean()),
    ("the pairs within x are missing",
     lambda x, y: _off(_kernel(y, y)) - 2 * _kernel(x, y).mean()),
    ("the kernel lacks the division by the number of features D",
     _with(lambda a, b: (a @ b.T + 1) ** 3)),
    ("the kernel divides by the root of D: it is the number of features itself",
     _with(lambda a, b: (a @ b.T / a.shape[1] ** 0.5 + 1) ** 3)),
    ("the kernel divides by the number of images, shape[0]: D is shape[1]",
     _with(lambda a, b: (a @ b.T / a.shape[0] + 1) ** 3)),
    ("the kernel lacks the + 1, or it stands outside of the power",
     _with(lambda a, b: (a @ b.T / a.shape[1]) ** 3)),
    ("the kernel divides x·y + 1 by D: only x·y is divided",
     _with(lambda a, b: ((a @ b.T + 1) / a.shape[1]) ** 3)),
    ("the kernel is squared: its power is 3", _with(lambda a, b: (a @ b.T / a.shape[1] + 1) ** 2)),
    ("the kernel lacks its power 3: this compares the means alone",
     _with(lambda a, b: a @ b.T / a.shape[1] + 1)),
    ("the plain product x·y compares the means alone", _with(lambda a, b: a @ b.T)),
    ("this is a Gaussian kernel: KID's is (x·y / D + 1)³",
     _with(_gauss(lambda a: 2.0))),
    ("this is a Gaussian kernel: KID's is (x·y / D + 1)³",
     _with(_gauss(lambda a: 1.0))),
    ("this is a Gaussian kernel: KID's is (x·y / D + 1)³",
     _with(_gauss(lambda a: float(a.shape[1])))),
    ("the features are normalised to length 1 first: take them as they are",
     _with(lambda a, b: _kernel(torch.nn.functional.normalize(a),
                                torch.nn.functional.normalize(b)))),
    ("KID × 1000 is what tables print: return KID itself", lambda x, y: 1000 * _unbiased(x, y)),
    ("KID × 100 is what tables print: return KID itself", lambda x, y: 100 * _unbiased(x, y)),
    ("this is the distance of the means: the kernel compares all pairs of images",
     lambda x, y: (x.mean(0) - y.mean(0)).square().sum()),
    ("the diagonal of the pairs across x and y is left out: these are different images too",
     lambda x, y: _off(_kernel(x, x)) + _off(_kernel(y, y)) - 2 * _off(
         _kernel(x[: len(y)], y[: len(x)]))),
)  # fmt: skip


def _case() -> tuple[Tensor, Tensor]:
    """Features with a negative estimate, always the same."""
    probe = Probe(5)
    for _ in range(20):
        x, y = normal(probe, 6, 3), normal(probe, 6, 3)
        if metrics.kid(x, y) < -0.1:
            break
    return x, y


def _likely(method: Method, fallback: str | None = None) -> str | None:
    probe = Probe(8)
    positive = normal(probe, 5, 3), normal(probe, 7, 3, mean=0.9)
    try:
        fine = close(_call(method, *positive), metrics.kid(*positive), 1e-4, 0)
    except Exception:
        fine = False
    # Some mistakes show in negative estimates only.
    return by_asking(method, MISTAKES, _case() if fine else positive) or fallback


def _call(method: Method, x: Tensor, y: Tensor) -> float:
    what = f"one number for features of shape {tuple(x.shape)} and {tuple(y.shape)}"
    return real_number(
        ask(method, x, y), what, "this is the table of all pairs: its mean is missing"
    )


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 11.2."""

    @lesson.check("11.2", points=0.5)
    def value_by_hand(kid, probe: Probe) -> None:
        """For two pairs of one number each it is what a sheet of paper says."""
        a, b, c, d = (float(probe.integer(0, 3)) for _ in range(4))
        a, d = a + 1, d + 4
        x, y = (torch.tensor([[u], [v]], dtype=torch.float64) for u, v in ((a, b), (c, d)))
        across = sum((u * v + 1) ** 3 for u in (a, b) for v in (c, d)) / 4
        expected = (a * b + 1) ** 3 + (c * d + 1) ** 3 - 2 * across
        what = f"x = [[{a:g}], [{b:g}]] and y = [[{c:g}], [{d:g}]]"
        require(_call(kid, x, y), expected, what, partial(_likely, kid))

    @lesson.check("11.2", points=1)
    def matches_the_formula(kid, probe: Probe) -> None:
        """It agrees with the formula for features of any number and groups of different sizes."""
        for dtype in (torch.float64, torch.float32):
            m, n, dim = probe.integer(4, 9), probe.integer(10, 15), probe.integer(2, 6)
            x, y = normal(probe, m, dim).to(dtype), normal(probe, n, dim, mean=0.8).to(dtype)
            for one, two in ((x, y), (y, x)):
                what = f"groups of {len(one)} and {len(two)} images with {dim} features"
                came, expected = _call(kid, one, two), metrics.kid(one, two)
                require(came, expected, what, partial(_likely, kid), rel=1e-4, abs_=1e-4)

    @lesson.check("11.2", points=1)
    def right_on_average(kid, probe: Probe) -> None:
        """It is unbiased: for samples of one and the same distribution its mean is exactly 0."""
        dim = probe.integer(1, 3)
        kinds = normal(probe, 2, dim) + 0.5
        kinds[1] += 1  # two images that differ
        values = [
            _call(kid, kinds[list(first)], kinds[list(second)])
            for first in itertools.product((0, 1), repeat=3)
            for second in itertools.product((0, 1), repeat=2)
        ]
        mean = sum(values) / len(values)
        size = max(abs(metrics.kid(kinds[[0, 0]], kinds[[1, 1]])), 1e-3)
        if not close(mean, 0.0, 0, 1e-4 * size):
            fail(
                "0 as the mean over all 32 ways to draw 3 and 2 images from the same two kinds",
                number(mean),
                _likely(kid)
                or "some pairs of images count too much, or an image is compared with itself",
            )

    @lesson.check("11.2", points=0.5)
    def keeps_its_digits(kid, probe: Probe) -> None:
        """Computed in float64: a small distance between float32 features of size 50 is right."""
        dim = probe.integer(5, 9)
        x = (50 + normal(probe, 12, dim, std=0.001)).float()
        y = (50.01 + normal(probe, 10, dim, std=0.001)).float()
        expected = metrics.kid(x, y)
        came = _call(kid, x, y)
        if not close(came, expected, 1e-3, 0):
            fail(
                f"{expected:.6g} for float32 features near 50",
                f"{came:.6g}",
                _likely(kid)
                or "the kernel's values are large and nearly cancel, more than float32's seven "
                "digits can bear: begin with .double()",
            )
