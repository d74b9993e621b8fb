"""Checks of task 11.3: precision and recall."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from facegan_ref import metrics
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson11.probe import NEW_EACH_TIME, ask, normal, real_number

Method = Callable[[Tensor, Tensor, int], object]
Shares = tuple[float, float]


def _reach(x: Tensor, k: int) -> Tensor:
    return torch.cdist(x, x).sort(dim=1).values[:, min(k, len(x) - 1)]


def _inside(points: Tensor, centres: Tensor, k: int) -> Tensor:
    """Which of the points `(P,)` lie in which of the balls: bool `(P, C)`."""
    return torch.cdist(points, centres) <= _reach(centres, k)


def _share(points: Tensor, centres: Tensor, k: int) -> float:
    return _inside(points, centres, k).any(dim=1).double().mean().item()


def _pair(share: Callable[[Tensor, Tensor, int], float]) -> Callable[..., Shares]:
    return lambda real, fake, k: (share(fake, real, k), share(real, fake, k))


def _nearest_ball(points: Tensor, centres: Tensor, k: int) -> float:
    found = torch.cdist(points, centres).min(dim=1)
    return (found.values <= _reach(centres, k)[found.indices]).double().mean().item()


def _own_balls(points: Tensor, centres: Tensor, k: int) -> float:
    inside = torch.cdist(points, centres) <= _reach(points, k)[:, None]
    return inside.any(dim=1).double().mean().item()


def _one_radius(points: Tensor, centres: Tensor, k: int) -> float:
    inside = torch.cdist(points, centres) <= _reach(centres, k).mean()
    return inside.any(dim=1).double().mean().item()


def _squared_reach(points: Tensor, centres: Tensor, k: int) -> float:
    inside = torch.cdist(points, centres) <= _reach(centres, k) ** 2
    return inside.any(dim=1).double().mean().item()


def _squared_distance(points: Tensor, centres: Tensor, k: int) -> float:
    inside = torch.cdist(points, centres) ** 2 <= _reach(centres, k)
    return inside.any(dim=1).double().mean().item()


def _cross_reach(points: Tensor, centres: Tensor, k: int) -> float:
    table = torch.cdist(centres, points).sort(dim=1).values
    reach = table[:, min(k, table.shape[1]) - 1] * (1 + 1e-9)  # the k-th itself is on the edge
    return (torch.cdist(points, centres) <= reach).any(dim=1).double().mean().item()


def _cosine(points: Tensor, centres: Tensor, k: int) -> float:
    unit = torch.nn.functional.normalize
    return _share(unit(points), unit(centres), k)


def _city_block(points: Tensor, centres: Tensor, k: int) -> float:
    reach = torch.cdist(centres, centres, p=1).sort(dim=1).values[:, k]
    return (torch.cdist(points, centres, p=1) <= reach).any(dim=1).double().mean().item()


_right = _pair(_share)
MISTAKES: tuple[tuple[str, Callable[[Tensor, Tensor, int], Shares]], ...] = (
    ("the two are swapped: precision, the share of the fake images, comes first",
     lambda r, f, k: _right(r, f, k)[::-1]),
    ("the nearest of all to an image is the image itself, at distance 0: the k-th neighbour is at "
     "place k + 1", _pair(lambda p, c, k: _share(p, c, k - 1))),
    ("the balls reach one neighbour too far: place k + 1 of the sorted distances already leaves "
     "out the image itself", _pair(lambda p, c, k: _share(p, c, k + 1))),
    ("k is not used: the balls reach to the 3rd neighbour whatever k is",
     _pair(lambda p, c, k: _share(p, c, 3))),
    ("k is not used: the balls reach to the 5th neighbour whatever k is",
     _pair(lambda p, c, k: _share(p, c, 5))),
    ("the balls reach to the farthest image, not to the k-th nearest",
     _pair(lambda p, c, k: _share(p, c, len(c) - 1))),
    ("only the ball of the nearest image counts here: a point may lie in the wide ball of one that "
     "is farther away", _pair(_nearest_ball)),
    ("the radius is that of the point: it must be that of the ball's own centre",
     _pair(_own_balls)),
    ("all balls have one radius: each has that of its own centre", _pair(_one_radius)),
    ("the radius is squared but the distance is not", _pair(_squared_reach)),
    ("the distance is squared but the radius is not", _pair(_squared_distance)),
    ("a ball's radius is measured to the images of the other group: it goes to the k-th neighbour "
     "in its own", _pair(_cross_reach)),
    ("any goes over the wrong dimension: asked is which points lie in some ball, not which balls "
     "hold a point",
     _pair(lambda p, c, k: _inside(p, c, k).any(dim=0).double().mean().item())),
    ("the share of all pairs, not of the images: an image counts once, if any ball holds it",
     _pair(lambda p, c, k: _inside(p, c, k).double().mean().item())),
    ("the number of balls that hold a point (density), not whether any does",
     _pair(lambda p, c, k: _inside(p, c, k).double().sum(dim=1).mean().item())),
    ("a point must lie in some ball, not in all of them: any, not all",
     _pair(lambda p, c, k: _inside(p, c, k).all(dim=1).double().mean().item())),
    ("these are percentages: return shares from 0 to 1",
     lambda r, f, k: tuple(100 * x for x in _right(r, f, k))),
    ("these are counts: divide by the number of images",
     lambda r, f, k: (_right(r, f, k)[0] * len(f), _right(r, f, k)[1] * len(r))),
    ("precision is returned twice: for recall real and fake change places",
     lambda r, f, k: (_right(r, f, k)[0],) * 2),
    ("recall is returned twice: for precision real and fake change places",
     lambda r, f, k: (_right(r, f, k)[1],) * 2),
    ("the shares of images outside of the balls: 1 minus them",
     lambda r, f, k: tuple(1 - x for x in _right(r, f, k))),
    ("angles are compared (cosine): take the Euclidean distance", _pair(_cosine)),
    ("sums of absolute differences (p = 1): take the Euclidean distance", _pair(_city_block)),
)  # fmt: skip


def _shares(came: object, what: str) -> Shares:
    """The student's pair as floats."""
    pair = f"the pair (precision, recall) for {what}"
    if came is None:
        fail(pair, "None", "the return is missing")
    if isinstance(came, Tensor) and tuple(came.shape) == (2,):
        came = tuple(came)
    if not isinstance(came, (tuple, list)) or len(came) != 2:
        size = f" of {len(came)}" if isinstance(came, (tuple, list)) else ""
        shape = f" of shape {tuple(came.shape)}" if isinstance(came, Tensor) else ""
        fail(pair, f"a {type(came).__name__}{size}{shape}", "return precision, recall")
    likely = "this says for each image whether it is inside: their mean is missing"
    first, second = (
        real_number(x, f"one number as {name} for {what}", likely)
        for x, name in zip(came, ("precision", "recall"), strict=True)
    )
    return first, second


def _call(method: Method, real: Tensor, fake: Tensor, k: int) -> Shares:
    what = f"{len(real)} real and {len(fake)} fake images, k = {k}"
    try:
        return _shares(ask(method, real, fake, k), what)
    except RuntimeError as error:
        if "topk" in str(error) or "out of range" in str(error):
            fail(
                f"the pair (precision, recall) for {what}",
                f"{type(error).__name__}: {error}",
                "k + 1 counts within the images whose balls they are, real or fake; the number of "
                "places is that of the other group here",
            )
        raise


def _same(came: Shares, other: Shares, gap: float = 1e-4) -> bool:
    return all(abs(a - b) <= gap for a, b in zip(came, other, strict=True))


def _likely(method: Method, fallback: str | None = None) -> str | None:
    """The known mistake that `method` makes on a fixed case, or the fallback."""
    probe = Probe(3)
    # Distances below 1 and shares between 0 and 1: there the known mistakes differ.
    real, fake = normal(probe, 90, 3, std=0.4), normal(probe, 70, 3, mean=0.4, std=0.3)
    cases = [(real, fake, k) for k in (1, 4)]
    try:
        came, again = ([_call(method, *case) for case in cases] for _ in range(2))
    except Exception:
        return fallback
    if came != again:
        return NEW_EACH_TIME
    for name, wrong in (("", _right), *MISTAKES):
        if all(_same(shares, wrong(*case)) for shares, case in zip(came, cases, strict=True)):
            return name or fallback
    return fallback


def _require(came: Shares, expected: Shares, what: str, likely: Callable[[], str | None]) -> None:
    if not _same(came, expected):
        shown = (f"precision {number(p)}, recall {number(r)}" for p, r in (expected, came))
        fail(f"{next(shown)} for {what}", next(shown), likely())


def _column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 11.3."""

    @lesson.check("11.3", points=0.5)
    def returns_two_shares(precision_recall, probe: Probe) -> None:
        """It returns precision and recall, in this order, each from 0 to 1."""
        m, n = probe.integer(20, 30), probe.integer(31, 40)
        real, fake = normal(probe, m, 3).float(), normal(probe, n, 3, std=1.8).float()
        came = _call(precision_recall, real, fake, 2)
        for name, share in zip(("precision", "recall"), came, strict=True):
            if not 0 <= share <= 1:
                fail(f"{name} from 0 to 1", number(share), _likely(precision_recall))
        # Fakes spread wider than the real ones: many are outside, and hardly any real one is.
        if came[0] > came[1]:
            fail(
                "a precision below the recall for fakes that are spread wider than the real ones",
                f"precision {number(came[0])}, recall {number(came[1])}",
                _likely(precision_recall),
            )

    @lesson.check("11.3", points=1)
    def reaches_to_the_kth_neighbour(precision_recall, probe: Probe) -> None:
        """A ball reaches to the k-th nearest neighbour of its centre, itself not counted."""
        real, fake = _column(0, 1, 3, 7), _column(-1.5, 2.1, 10.5, 11.5)
        shift = float(probe.integer(-5, 5))
        for k, precision, balls in (
            (1, 0.5, "[-1, 1], [0, 2], [1, 5] and [3, 11]"),
            (2, 1.0, "[-3, 3], [-1, 3], [0, 6] and [1, 13]"),
        ):
            came = _call(precision_recall, real + shift, fake + shift, k)
            expected = precision, _share(real, fake, k)
            what = (
                "real images at 0, 1, 3, 7 on a line and fakes at -1.5, 2.1, 10.5, 11.5, with "
                f"k = {k}: the balls around the real ones are {balls}"
            )
            _require(came, expected, what, partial(_likely, precision_recall))
        for k in (1, probe.integer(2, 6)):
            real, fake = normal(probe, 60, 3), normal(probe, 45, 3, mean=0.7, std=1.4)
            came = _call(precision_recall, real, fake, k)
            what = f"60 real and 45 fake images, k = {k}"
            expected = metrics.precision_recall(real, fake, k)
            _require(came, expected, what, partial(_likely, precision_recall))

    @lesson.check("11.3", points=1)
    def any_ball_will_do(precision_recall, probe: Probe) -> None:
        """A point is inside if any of the balls holds it, not only the nearest image's."""
        shift = float(probe.integer(-3, 3))
        # The ball of 5 reaches from 0.2 to 9.8; the nearest image of 0.6 is 0.2, whose ball is
        # small.
        real, fake = _column(0, 0.1, 0.2, 5), _column(0.6, 0.65, 0.05, 12)
        came = _call(precision_recall, real + shift, fake + shift, 1)
        expected = 0.75, _share(real, fake, 1)
        what = (
            "real images at 0, 0.1, 0.2, 5 on a line, whose balls for k = 1 reach to 0.1 on "
            "either side, and from 0.2 to 9.8 around the 5; fakes at 0.6, 0.65, 0.05 and 12"
        )
        _require(came, expected, what, partial(_likely, precision_recall))

    @lesson.check("11.3", points=1)
    def collapsed_is_precise_and_recalls_nothing(precision_recall, probe: Probe) -> None:
        """A sampler that makes one image again and again has precision 1 and recall next to 0."""
        real = normal(probe, 200, 4)
        likely = partial(_likely, precision_recall)
        for n, wobble in ((150, 1e-3), (220, 0.0)):
            fake = real.mean(dim=0) + wobble * normal(probe, n, 4)
            came = _call(precision_recall, real.float(), fake.float(), 3)
            if not (came[0] > 0.999 and 0 <= came[1] < 0.02):
                fail(
                    f"precision 1 and recall below 0.02 for {n} fakes that are all the same"
                    + (" but for a thousandth" if wobble else ""),
                    f"precision {number(came[0])}, recall {number(came[1])}",
                    likely(),
                )

    @lesson.check("11.3", points=0.5)
    def half_of_the_modes(precision_recall, probe: Probe) -> None:
        """Who makes half of the modes has half of the recall; who makes twice as many has half
        of the precision."""
        far = torch.tensor([20.0 + probe.integer(0, 9), 0.0]).double()
        both = torch.cat([far + normal(probe, 150, 2), -far + normal(probe, 150, 2)])
        one = far + normal(probe, 200, 2)
        likely = partial(_likely, precision_recall)
        for name, real, fake, part in (
            ("one of the two modes", both, one, 1),
            ("two modes where there is one", one, both, 0),
        ):
            came = _call(precision_recall, real, fake, 3)
            if not (0.38 < came[part] < 0.51 and came[1 - part] > 0.85):
                low = ("precision", "recall")[part]
                fail(
                    f"{low} just below 0.5, and the other one near 1, for fakes of {name}",
                    f"precision {number(came[0])}, recall {number(came[1])}",
                    likely(),
                )
