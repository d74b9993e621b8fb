"""Checks of lesson 10's paths between latents: tasks 10.1 and 10.2, lerp and slerp."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref import morph as reference
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.lesson10.mistakes import (
    BATCH_MISTAKES,
    CUSTOMS,
    LERP_MISTAKES,
    SLERP_MISTAKES,
    Named,
    Path,
    angle,
    recognise,
    unit,
)
from facegan_ref.checks.lesson10.probe import pair, require_tensor
from facegan_ref.checks.scalar_loss import vector


def _walk(path: Path, a: Tensor, b: Tensor, t: float | Tensor, what: str) -> Tensor:
    """`path(a, b, t)`, checked to be a float tensor of the right shape; a and b must stay."""
    shape = torch.broadcast_shapes(a.shape, b.shape, getattr(t, "shape", ()))
    a_before, b_before = a.clone(), b.clone()
    try:
        came = path(a, b, t)
    except IndexError as error:
        if a.ndim == 1 and "Dimension out of range" in str(error):
            fail(
                f"a point for {what}",
                explain_exception(error)[0],
                "one latent (z_dim,) has no dimension 1: use dim=-1, the last one",
            )
        raise
    except RuntimeError as error:
        if "Boolean value of Tensor" in str(error):
            fail(
                f"a point for {what}",
                explain_exception(error)[0],
                "an `if` decides for the whole batch: let torch.where decide for each row",
            )
        if "1D tensors expected" in str(error) or "shapes cannot be multiplied" in str(error):
            fail(
                f"a point for {what}",
                explain_exception(error)[0],
                "torch.dot and @ do not go row by row: (a * b).sum(dim=-1, keepdim=True) does",
            )
        if "size of tensor" in str(error):
            fail(
                f"a point for {what}",
                explain_exception(error)[0],
                "the sums and norms over the last dimension have lost it: keepdim=True leaves a "
                "column (N, 1), which broadcasts against (N, z_dim)",
            )
        raise
    if not (torch.equal(a, a_before) and torch.equal(b, b_before)):
        fail("a and b as they were", "other values in them", "an in-place operation (+=, mul_)")
    likely = "sums and norms over the last dimension need keepdim=True to broadcast"
    return require_tensor(came, f"a point for {what}", tuple(shape), likely)


def _require_close(
    came: Tensor, expected: Tensor, what: str, likely: Callable[[], str | None]
) -> None:
    scale = max(1.0, float(expected.abs().max()))
    if not bool(came.isfinite().all()):
        fail(f"{vector(expected)} for {what}", f"{vector(came)}", NOT_FINITE)
    if not torch.allclose(came, expected, rtol=1e-3, atol=1e-3 * scale):
        row = int((came - expected).abs().flatten(-1).amax(-1).argmax()) if came.ndim > 1 else None
        shown = (came, expected) if row is None else (came[row], expected[row])
        place = "" if row is None else f", row {row}"
        fail(f"{vector(shown[1])} for {what}{place}", vector(shown[0]), likely())


NOT_FINITE = (
    "arccos of a number just above 1 is nan (clamp the cosine to [-1, 1]), and so is 0 / 0 where "
    "sin(angle) or a norm is 0: take lerp there, with torch.where"
)


def add_to(lesson: Lesson) -> None:
    """Add the checks of tasks 10.1 and 10.2."""
    _add_lerp_checks(lesson)
    _add_slerp_checks(lesson)
    _add_slerp_edge_checks(lesson)


def _add_lerp_checks(lesson: Lesson) -> None:
    @lesson.check("10.1", points=0.5)
    def walks_the_straight_line(lerp, probe: Probe) -> None:
        """lerp(a, b, t) lies on the straight line from a (t = 0) to b (t = 1), evenly in t."""
        n, z_dim = probe.integer(3, 6), probe.integer(7, 12)
        for a, b in (
            (probe.randn(n, z_dim), 2 * probe.randn(n, z_dim) + 1),
            (probe.randn(z_dim), probe.randn(z_dim)),
        ):
            for t in (0.0, 1.0, 0.5, 0.3, 0.85):
                what = f"t = {t:g} and latents of shape {tuple(a.shape)}"
                came = _walk(lerp, a, b, t, what)
                _require_close(
                    came,
                    (1 - t) * a + t * b,
                    what,
                    lambda a=a, b=b, t=t, came=came: (
                        recognise(LERP_MISTAKES, a, b, t, came)
                        or "the weights are 1 - t for a and t for b, and nothing else is done"
                    ),
                )

    @lesson.check("10.1", points=0.5)
    def takes_a_t_for_each_row(lerp, probe: Probe) -> None:
        """A tensor t of shape (N, 1) has one t for each row, or makes N points of one pair."""
        _check_columns_of_t(lerp, reference.lerp, LERP_MISTAKES, probe)


def _check_columns_of_t(path: Path, right: Path, mistakes: Named, probe: Probe) -> None:
    n, z_dim = probe.integer(4, 7), probe.integer(8, 12)
    t = torch.rand(n, 1, generator=probe.rng)
    for rows in (n, None):
        shape = (z_dim,) if rows is None else (n, z_dim)
        a, b = (8 * unit(probe.randn(*shape)) for _ in range(2))
        what = f"a t of shape ({n}, 1) and latents of shape {shape}"
        came = _walk(path, a, b, t, what)
        expected = right(a, b, t)
        _require_close(
            came,
            expected,
            what,
            lambda a=a, b=b, came=came: (
                recognise(mistakes, a, b, t, came)
                or recognise(mistakes, a, b, float(t[0]), came)
                or "each row has a t of its own: let t broadcast, without mean, item or t[0]"
            ),
        )


def _add_slerp_checks(lesson: Lesson) -> None:
    @lesson.check("10.2", points=0.5)
    def starts_at_a_and_ends_at_b(slerp, probe: Probe) -> None:
        """t = 0 gives a and t = 1 gives b, also when their norms differ; between them, the formula
        holds for a and b as they are, or for their directions while the norm goes evenly."""
        n = probe.integer(3, 6)
        for a, b in (
            (probe.randn(n, 100), 1.4 * probe.randn(n, 100)),
            (5 * probe.randn(12), probe.randn(12)),
        ):
            for t, end in ((0.0, a), (1.0, b)):
                what = f"t = {t:g} and latents of shape {tuple(a.shape)}"
                came = _walk(slerp, a, b, t, what)
                _require_close(
                    came,
                    end,
                    what,
                    lambda a=a, b=b, t=t, came=came: recognise(SLERP_MISTAKES, a, b, t, came),
                )
        a, b = pair(probe, torch.tensor([75.0, 100.0]), 6.0, 10.0)
        came = _walk(slerp, a, b, 0.3, "t = 0.3")
        if recognise(CUSTOMS, a, b, 0.3, came) is None:
            expected = reference.slerp(a, b, 0.3)
            row = int((came - expected).norm(dim=1).argmax())
            fail(
                f"{vector(expected[row])} for t = 0.3 and norms of 6 and 10, or what the formula "
                "gives for a and b as they are",
                vector(came[row]),
                recognise(SLERP_MISTAKES, a, b, 0.3, came)
                or "to which of the two customs do the norms in your formula belong?",
            )

    @lesson.check("10.2", points=1)
    def stays_on_the_sphere(slerp, probe: Probe) -> None:
        """Between two latents of norm r, every point has the norm r."""
        degrees = torch.tensor([10.0, 25.0, 60.0, 90.0, 120.0, 150.0, 170.0])
        radius = float(probe.integer(3, 12))
        a, b = pair(probe, degrees, radius, radius)
        for t in (0.5, 0.2, 0.7):
            came = _walk(slerp, a, b, t, f"t = {t:g}")
            norms = came.norm(dim=-1)
            _require_no_nan(came, f"t = {t:g}", recognise(SLERP_MISTAKES, a, b, t, came))
            worst = int((norms - radius).abs().argmax())
            if abs(float(norms[worst]) - radius) > 0.005 * radius:
                fail(
                    f"norm {number(radius)} at t = {t:g} between two latents of this norm that "
                    f"are {degrees[worst]:.0f}° apart",
                    f"norm {number(float(norms[worst]))}",
                    recognise(SLERP_MISTAKES, a, b, t, came),
                )

    @lesson.check("10.2", points=1)
    def turns_evenly(slerp, probe: Probe) -> None:
        """After a part t of the way, the direction has turned by the part t of the angle."""
        degrees = torch.tensor([150.0, 25.0, 60.0, 90.0, 120.0, 10.0, 170.0])
        a, b = pair(probe, degrees)
        for t in (0.2, 0.5, 0.9):
            came = _walk(slerp, a, b, t, f"t = {t:g}")
            _require_no_nan(came, f"t = {t:g}", recognise(SLERP_MISTAKES, a, b, t, came))
            for start, part in ((a, t), (b, 1 - t)):
                turned = torch.rad2deg(angle(start, came)).flatten()
                worst = int((turned - part * degrees).abs().argmax())
                if abs(float(turned[worst] - part * degrees[worst])) > 0.5:
                    name = "a" if start is a else "b"
                    fail(
                        f"{number(float(part * degrees[worst]))}° between {name} and the point at "
                        f"t = {t:g}, where a and b are {degrees[worst]:.0f}° apart",
                        f"{number(float(turned[worst]))}°",
                        recognise(SLERP_MISTAKES, a, b, t, came),
                    )

    @lesson.check("10.2", points=0.5)
    def takes_a_t_for_each_row(slerp, probe: Probe) -> None:
        """A tensor t of shape (N, 1) has one t for each row, or makes N points of one pair."""
        _check_columns_of_t(slerp, reference.slerp, SLERP_MISTAKES, probe)


def _require_no_nan(came: Tensor, what: str, likely: str | None = None) -> None:
    if not bool(came.isfinite().all()):
        bad = came[~came.isfinite().all(-1)]
        fail(f"finite numbers for {what}", vector(bad), likely or NOT_FINITE)


def _add_slerp_edge_checks(lesson: Lesson) -> None:
    @lesson.check("10.2", points=0.5)
    def each_row_for_itself(slerp, probe: Probe) -> None:
        """A row's point depends on this row alone, whatever the other rows are."""
        degrees = torch.tensor([90.0, 40.0, 110.0, 75.0])
        a, b = pair(probe, degrees)
        a, b = a * torch.tensor([1.0, 0.3, 2.0, 0.7])[:, None], b * torch.ones(4, 1)
        b[3] = a[3]  # a row without an arc among the others
        for t in (0.3, 0.5):
            together = _walk(slerp, a, b, t, f"t = {t:g} and four rows")
            _require_no_nan(together, f"t = {t:g} and four rows, of which row 3 has a = b")
            for row in range(4):
                alone = _walk(slerp, a[row], b[row], t, f"t = {t:g} and one latent")
                _require_close(
                    together[row],
                    alone,
                    f"t = {t:g}, row {row} of four, as for this row alone",
                    lambda t=t, together=together: (
                        recognise(BATCH_MISTAKES, a, b, t, together)
                        or "one decision is taken for the whole batch: row 3 has a = b, which must "
                        "not change the others. Let torch.where decide for each row"
                    ),
                )

    @lesson.check("10.2", points=0.5)
    def no_nan_without_an_arc(slerp, probe: Probe) -> None:
        """Parallel, opposite and zero latents give finite points, and both ends are right."""
        a = 10 * unit(probe.randn(24, 100))
        zero = torch.zeros_like(a)
        for name, b in (
            ("b = a", a.clone()),
            ("b = 2a", 2 * a),
            ("b = a but for the last digits", a * (1 + 1e-7 * probe.randn(24, 100))),
            ("b = -a", -a),
            ("b = 0", zero),
        ):
            for first, second in ((a, b), (b, a)):
                for t in (0.0, 0.4, 1.0):
                    what = f"{name}{'' if first is a else ' (swapped)'} and t = {t:g}"
                    came = _walk(slerp, first, second, t, what)
                    _require_no_nan(came, what)
                    _require_sensible(came, first, second, t, what)
        came = _walk(slerp, zero, zero, 0.5, "a = b = 0")
        _require_no_nan(came, "a = b = 0")


def _require_sensible(came: Tensor, a: Tensor, b: Tensor, t: float, what: str) -> None:
    """Where there is no one arc: the ends are right, nothing is longer than they are."""
    longest = float(torch.maximum(a.norm(dim=-1), b.norm(dim=-1)).max())
    eps = (
        "a small number in the denominator (or nan_to_num) hides the nan, but the point is wrong: "
        "take lerp in these rows"
    )
    if t in (0.0, 1.0):
        end = a if t == 0.0 else b
        _require_close(
            came,
            end,
            what,
            lambda: eps if float(came.norm(dim=-1).min()) < 0.5 * float(end.norm(dim=-1).min())
            else "where there is no arc, the ends are still a and b: lerp has both",
        )  # fmt: skip
    parallel = "-" not in what and "0 " not in what
    if parallel:
        shortest = float(torch.minimum(a.norm(dim=-1), b.norm(dim=-1)).min())
        norms = came.norm(dim=-1)
        if float(norms.min()) < 0.98 * shortest or float(norms.max()) > 1.02 * longest:
            fail(
                f"a norm from {number(shortest)} to {number(longest)} for {what}",
                f"norms from {number(float(norms.min()))} to {number(float(norms.max()))}",
                eps,
            )
    elif float(came.norm(dim=-1).max()) > 1.02 * longest:
        fail(
            f"a norm of at most {number(longest)} for {what}",
            f"norm {number(float(came.norm(dim=-1).max()))}",
            "sin(angle) is next to nothing, and dividing by it makes huge numbers: take lerp there",
        )
