"""Checks of task 11.1: the Fréchet distance of two Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from facegan_ref import metrics
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson11.probe import (
    COMPLEX,
    Mistakes,
    ask,
    by_asking,
    close,
    covariance,
    named,
    normal,
    real_number,
    require,
    rows,
)

Method = Callable[[Tensor, Tensor, Tensor, Tensor], object]
NEGATIVE = (
    "rounding makes some of the zero eigenvalues slightly negative, and the root of a negative "
    "number is nan: .clamp(min=0) before .sqrt()"
)


def _root(s: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(s)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.svdvals(_root(a) @ _root(b)).sum()


def _shift(m: Tensor, n: Tensor) -> Tensor:
    return (m - n).square().sum()


def _right(m: Tensor, a: Tensor, n: Tensor, b: Tensor) -> Tensor:
    return _shift(m, n) + a.trace() + b.trace() - 2 * _overlap(a, b)


MISTAKES: Mistakes = (
    ("a square root of the whole: the task (and FID) asks for the squared distance, without it",
     lambda m, a, n, b: _right(m, a, n, b).clamp(min=0).sqrt()),
    ("the distance of the means is not squared: (mu1 - mu2) squared, then summed",
     lambda m, a, n, b: _right(m, a, n, b) - _shift(m, n) + _shift(m, n).sqrt()),
    ("the mean of the squared differences in place of their sum",
     lambda m, a, n, b: _right(m, a, n, b) - _shift(m, n) * (1 - 1 / len(m))),
    ("the means are missing: add the sum of (mu1 - mu2)²",
     lambda m, a, n, b: _right(m, a, n, b) - _shift(m, n)),
    ("the covariances are missing: this is the distance of the means alone",
     lambda m, a, n, b: _shift(m, n)),
    ("the factor 2 before the trace of the root is missing",
     lambda m, a, n, b: _right(m, a, n, b) + _overlap(a, b)),
    ("the trace of the root is added: it must be subtracted, twice",
     lambda m, a, n, b: _right(m, a, n, b) + 4 * _overlap(a, b)),
    ("the product of the two roots is right only where the covariances have the same axes: the "
     "root of the product sigma1 @ sigma2 is asked for",
     lambda m, a, n, b: _shift(m, n) + a.trace() + b.trace() - 2 * (_root(a) @ _root(b)).trace()),
    ("this root takes each number by itself: the root of a matrix R is the one with R @ R = sigma",
     lambda m, a, n, b:
         _shift(m, n) + a.trace() + b.trace() - 2 * (a @ b).diagonal().clamp(min=0).sqrt().sum()),
    ("* multiplies number by number, which sees the diagonals alone: the product of matrices is @",
     lambda m, a, n, b:
         _shift(m, n) + a.trace() + b.trace() - 2 * (a * b).diagonal().sqrt().sum()),
    ("the trace of the product itself: its root is missing",
     lambda m, a, n, b: _shift(m, n) + a.trace() + b.trace() - 2 * (a @ b).trace()),
    ("the root of the trace is not the trace of the root",
     lambda m, a, n, b: _shift(m, n) + a.trace() + b.trace() - 2 * (a @ b).trace().sqrt()),
    ("eigh and eigvalsh are for symmetric matrices, and sigma1 @ sigma2 is none: they read one "
     "half of it. Take eigvals, or the roots of the two covariances by themselves",
     lambda m, a, n, b: _shift(m, n) + a.trace() + b.trace()
         - 2 * torch.linalg.eigvalsh(a @ b).clamp(min=0).sqrt().sum()),
    ("singular values of sigma1 @ sigma2 are not its eigenvalues: take those of the product of "
     "the two roots (without another root)",
     lambda m, a, n, b:
         _shift(m, n) + a.trace() + b.trace() - 2 * torch.linalg.svdvals(a @ b).sqrt().sum()),
    ("singular values of sigma1 @ sigma2 are not its eigenvalues, and the root is missing",
     lambda m, a, n, b:
         _shift(m, n) + a.trace() + b.trace() - 2 * torch.linalg.svdvals(a @ b).sum()),
    ("one root too many: the singular values of the product of two roots are summed as they are",
     lambda m, a, n, b: _shift(m, n) + a.trace() + b.trace()
         - 2 * torch.linalg.svdvals(_root(a) @ _root(b)).sqrt().sum()),
    ("this compares the covariances number by number: (sigma1 - sigma2)² is not in the formula",
     lambda m, a, n, b: _shift(m, n) + (a - b).square().sum()),
    ("sums over all of sigma1 and sigma2: the trace is the sum of the diagonal",
     lambda m, a, n, b: _shift(m, n) + a.sum() + b.sum() - 2 * _overlap(a, b)),
    ("one of the two traces is missing",
     lambda m, a, n, b: _shift(m, n) + a.trace() - 2 * _overlap(a, b)),
    ("one of the two traces is missing",
     lambda m, a, n, b: _shift(m, n) + b.trace() - 2 * _overlap(a, b)),
    ("the traces are multiplied or joined in one: tr(sigma1) + tr(sigma2)",
     lambda m, a, n, b: _shift(m, n) + a.trace() * b.trace() - 2 * _overlap(a, b)),
    ("Cholesky factors are no symmetric roots: their product has another trace",
     lambda m, a, n, b: _shift(m, n) + a.trace() + b.trace()
         - 2 * (torch.linalg.cholesky(a) @ torch.linalg.cholesky(b)).trace()),
    ("the sign: this is minus the distance", lambda m, a, n, b: -_right(m, a, n, b)),
    ("this is the average over the D numbers: sums and traces only",
     lambda m, a, n, b: _right(m, a, n, b) / len(m)),
)  # fmt: skip


def _case() -> tuple[Tensor, ...]:
    """Two Gaussians of four numbers with other axes, the same at each call."""
    probe = Probe(7)
    mus = normal(probe, 2, 4, std=0.6)
    return mus[0], covariance(probe, 4), mus[1], covariance(probe, 4)


def _likely(method: Method, fallback: str | None = None) -> str | None:
    return by_asking(method, MISTAKES, _case()) or fallback


def _call(method: Method, *gaussians: Tensor) -> float:
    """The student's number for two Gaussians; a linear algebra that gives up is explained."""
    dim = len(gaussians[0])
    one = f"one number for Gaussians of {dim} numbers"
    try:
        return real_number(ask(method, *gaussians), one)
    except torch.linalg.LinAlgError as error:
        if "non-finite" in str(error):
            fail(one, "a matrix with nan in it", NEGATIVE)
        fail(
            one,
            f"LinAlgError: {str(error).split(': ', 1)[-1].splitlines()[0]}",
            "a Cholesky factor or an inverse exists for matrices without zero eigenvalues only: "
            "with fewer images than features a covariance has some. eigh always works",
        )
    except NotImplementedError as error:
        if "complex" not in str(error):
            raise
        fail(one, f"NotImplementedError: {error}", COMPLEX)
    except ModuleNotFoundError as error:
        fail(one, f"ModuleNotFoundError: {error}", "torch.linalg has all that is needed here")


def _of_singular(method: Method, came: float, expected: float) -> str | None:
    """Why an answer that is right elsewhere is wrong for a singular covariance."""
    general = _case()
    try:
        elsewhere = _call(method, *general)
    except Exception:
        return None
    if not close(elsewhere, float(_right(*general)), 1e-3, 1e-6):
        return _likely(method)
    if math.isnan(came):
        return NEGATIVE
    if not math.isfinite(came):
        return "a division by an eigenvalue that is 0"
    return (
        "a small number on the diagonal (eps) changes the distance; or an iteration for the root "
        "does not converge where eigenvalues are 0; or float32. Eigenvalues in float64 need no help"
    )


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 11.1."""

    @lesson.check("11.1", points=0.5)
    def value_in_one_dimension(frechet_distance, probe: Probe) -> None:
        """In one dimension it is (mu1 - mu2)² + (s1 - s2)², with the standard deviations s."""
        for _ in range(2):
            m, n = (float(probe.integer(-4, 4)) for _ in range(2))
            s, t = (float(probe.integer(1, 3)) for _ in range(2))
            t += 3
            gaussians = [torch.tensor(x, dtype=torch.float64) for x in ([m], [[s * s]], [n])]
            came = _call(frechet_distance, *gaussians, torch.tensor([[t * t]]).double())
            require(
                came,
                (m - n) ** 2 + (s - t) ** 2,
                f"means {m:g} and {n:g}, variances {s * s:g} and {t * t:g}",
                partial(_likely, frechet_distance),
            )

    @lesson.check("11.1", points=0.5)
    def zero_for_equal(frechet_distance, probe: Probe) -> None:
        """The distance of a Gaussian from itself is 0, and it is the same in both directions."""
        dim = probe.integer(3, 8)
        one, two = (
            (normal(probe, 1, dim)[0], covariance(probe, dim)),
            (normal(probe, 1, dim)[0], covariance(probe, dim)),
        )
        what = f"two equal Gaussians of {dim} numbers"
        likely = partial(_likely, frechet_distance)
        require(_call(frechet_distance, *one, *one), 0.0, what, likely)
        there, back = (_call(frechet_distance, *pair) for pair in ((*one, *two), (*two, *one)))
        if not close(there, back, 1e-5, 1e-6):
            fail("the same number in both directions", f"{number(there)} and {number(back)}",
                 likely())  # fmt: skip

    @lesson.check("11.1", points=1)
    def covariances_with_other_axes(frechet_distance, probe: Probe) -> None:
        """It holds for covariances whose axes differ, so that sigma1 @ sigma2 is not symmetric."""
        a, b = covariance(probe, 2), covariance(probe, 2)
        zero = torch.zeros(2, dtype=torch.float64)
        # In the plane, tr (ab)^½ = (tr ab + 2 (det ab)^½)^½.
        root = math.sqrt((a @ b).trace() + 2 * math.sqrt(torch.linalg.det(a @ b)))
        plane = zero, a, zero, b
        expected = (a.trace() + b.trace() - 2 * root).item()
        likely = partial(_likely, frechet_distance)
        what = f"equal means, sigma1 = {rows(a)}, sigma2 = {rows(b)}"
        require(_call(frechet_distance, *plane), expected, what, likely, abs_=1e-7)
        dim = probe.integer(5, 9)
        mus = normal(probe, 2, dim)
        gaussians = mus[0], covariance(probe, dim), mus[1], 2 * covariance(probe, dim)
        expected = metrics.frechet_distance(*gaussians)
        what = f"two Gaussians of {dim} numbers with other axes"
        require(_call(frechet_distance, *gaussians), expected, what, likely)

    @lesson.check("11.1", points=1)
    def singular_covariances(frechet_distance, probe: Probe) -> None:
        """Covariances may be singular, as they are with fewer images than features."""
        dim, rank = probe.integer(30, 50), probe.integer(4, 9)
        zero = torch.zeros(dim, dtype=torch.float64)
        flat = covariance(probe, dim, rank)
        other = covariance(probe, dim, rank + 2)
        kind = f"covariances of {rank} images with {dim} features"
        variance = float(flat.trace())
        left, right = torch.zeros(2, 4, 4).double()
        left[0, 0], left[1, 1] = 1.0, float(probe.integer(2, 5))
        right[2, 2], right[3, 3] = float(probe.integer(6, 9)), 1.0
        nothing = torch.zeros(dim, dim, dtype=torch.float64)
        apart = float(left.trace() + right.trace())
        cases = (
            (kind + ", one four times the other", (zero, flat, zero, 4 * flat), variance),
            (kind + ", both the same", (zero, flat, zero, flat), 0.0),
            ("a covariance and that of a single point, all zeros", (zero, flat, zero, nothing),
             variance),
            ("spreads in two planes that are at right angles", (zero[:4], left, zero[:4], right),
             apart),
            (kind, (zero, flat, zero + 1, other),
             metrics.frechet_distance(zero, flat, zero + 1, other)),
        )  # fmt: skip
        for what, gaussians, expected in cases:
            came = _call(frechet_distance, *gaussians)
            require(
                came,
                expected,
                what,
                partial(_of_singular, frechet_distance, came, expected),
                abs_=1e-5 * max(variance, 1),
            )

    @lesson.check("11.1", points=1)
    def keeps_its_digits(frechet_distance, probe: Probe) -> None:
        """Computed in float64 whatever comes: a small distance of float32 statistics is right."""
        dim = 40
        mu = (normal(probe, 1, dim)[0] + 3).float()
        sigma = 100 * covariance(probe, dim).float()
        factor = 1 + probe.integer(4, 8) / 4000
        near = (factor**2 * sigma.double()).float()
        expected = metrics.frechet_distance(mu, sigma, mu, near)
        came = _call(frechet_distance, mu, sigma, mu, near)
        if close(came, expected, 1e-3, 0):
            likely = "the means in float32 lose their digits too: .double() on all four"
            near, gap = mu.double() + 1e4, 0.01
            came = _call(frechet_distance, near, sigma, near + gap, sigma)
            what = f"equal covariances and means near 10,000 that differ by {gap}"
            require(came, dim * gap**2, what, lambda: likely, rel=1e-3)
            return
        general = _case()
        single = named(
            _call(frechet_distance, *(x.float() for x in general)), MISTAKES, *general, rel=1e-4
        )
        fail(
            f"{number(expected)} for two covariances in float32 that differ by "
            f"{factor**2 - 1:.2%}, with traces near {number(float(sigma.trace()))}",
            number(came),
            single
            or "float32 has seven digits, and the traces cancel all of them: begin with .double() "
            "on all four",
        )
