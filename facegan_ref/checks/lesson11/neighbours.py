"""Checks of task 11.5: nearest neighbours."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref import metrics
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.lesson11.probe import NEW_EACH_TIME, ask, normal
from facegan_ref.checks.scalar_loss import vector

Method = Callable[[Tensor, Tensor], object]
Found = tuple[Tensor, Tensor]
FLOAT32 = (
    "float32 loses the difference of large numbers, so that a copy does not look like one: begin "
    "with .double()"
)
ROWS = "an image is compared as one row of numbers: x.flatten(1) first"
EITHER = "features are (N, D) and images (N, 3, S, S): x.flatten(1) makes rows of both"
BYTES = (
    "bytes run over: as uint8, 3 - 5 is 254. Turn both into float64 before anything is subtracted"
)


def _table(f: Tensor, t: Tensor) -> Tensor:
    return torch.cdist(f.flatten(1).double(), t.flatten(1).double())


def _least(table: Tensor) -> Found:
    found = table.min(dim=1)
    return found.values, found.indices


def _other_way(f: Tensor, t: Tensor) -> Found:
    found = _table(f, t).min(dim=0)
    return found.values, found.indices


def _farthest(f: Tensor, t: Tensor) -> Found:
    found = _table(f, t).max(dim=1)
    return found.values, found.indices


def _wrapped(f: Tensor, t: Tensor) -> Tensor:
    """Distances of bytes that are subtracted as bytes."""
    gap = f.flatten(1)[:, None] - t.flatten(1)[None]
    return gap.double().square().sum(dim=2).sqrt()


def _second(f: Tensor, t: Tensor) -> Found:
    found = _table(f, t).sort(dim=1)
    return found.values[:, 1], found.indices[:, 1]


def _cosine(f: Tensor, t: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize
    return 1 - unit(f.flatten(1).double()) @ unit(t.flatten(1).double()).T


def _only(distances: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Found]:
    """The right indices with other distances."""
    return lambda f, t: (distances(f, t), _least(_table(f, t))[1])


def _size(x: Tensor) -> int:
    return x[0].numel()


MISTAKES: tuple[tuple[str, Callable[[Tensor, Tensor], Found]], ...] = (
    ("these are squared distances: the root is missing",
     _only(lambda f, t: _least(_table(f, t))[0].square())),
    ("these are mean squared differences: take the root of the sum of squares",
     _only(lambda f, t: _least(_table(f, t))[0].square() / _size(f))),
    ("the mean in place of the sum under the root",
     _only(lambda f, t: _least(_table(f, t))[0] / _size(f) ** 0.5)),
    ("sums of absolute differences (p = 1): take the Euclidean distance",
     lambda f, t: _least(torch.cdist(f.flatten(1).double(), t.flatten(1).double(), p=1))),
    ("means of absolute differences: take the Euclidean distance",
     lambda f, t: _least(
         torch.cdist(f.flatten(1).double(), t.flatten(1).double(), p=1) / _size(f))),
    ("the largest difference of a single number: take the Euclidean distance",
     lambda f, t: _least(
         torch.cdist(f.flatten(1).double(), t.flatten(1).double(), p=float("inf")))),
    ("angles are compared (cosine): take the Euclidean distance",
     lambda f, t: _least(_cosine(f, t))),
    ("this is the second nearest: the generated image is not among the training images, so that "
     "nothing has to be left out", _second),
    ("this is the farthest training image, not the nearest", _farthest),
)  # fmt: skip


def _shape_mistake(came: Found, fake: Tensor, train: Tensor) -> str:
    if all(len(x) == len(train) for x in came if x.ndim == 1) and came[0].ndim == 1:
        return (
            "one for each training image: the smallest is sought over the training images, "
            "dim=1 of the (N, M) table"
        )
    if came[0].ndim == 0:
        return "the nearest of all: each of the generated images has its own"
    if came[0].ndim == 2 and came[0].shape[1] == 1:
        return "one dimension too many (keepdim=True or topk): squeeze(1) removes it"
    if came[0].ndim > 1 and came[0].shape[0] == len(fake):
        return ROWS
    return "x.flatten(1) makes rows of images, and the smallest over dim=1 leaves one a row"


def _found(came: object, fake: Tensor, train: Tensor) -> Found:
    """The student's distances and indices, checked in form."""
    n = len(fake)
    pair = f"the pair (distances, indices) for shapes {tuple(fake.shape)}, {tuple(train.shape)}"
    if came is None:
        fail(pair, "None", "the return is missing")
    if isinstance(came, Tensor):
        kind = f"one tensor of shape {tuple(came.shape)}"
        fail(pair, kind, "return both: the distances and where the nearest ones are")
    if not isinstance(came, (tuple, list)) or len(came) != 2:
        size = f" of {len(came)}" if isinstance(came, (tuple, list)) else ""
        fail(pair, f"a {type(came).__name__}{size}", "return distances, indices")
    for part in came:
        if not isinstance(part, Tensor):
            fail(pair, f"a {type(part).__name__} in it", "both are tensors of shape (N,)")
    distances, indices = came
    if indices.is_floating_point() and not distances.is_floating_point():
        fail(pair, "whole numbers first", "they are swapped: the distances come first")
    if tuple(distances.shape) != (n,) or tuple(indices.shape) != (n,):
        fail(
            f"two tensors of shape ({n},)",
            f"shapes {tuple(distances.shape)} and {tuple(indices.shape)}",
            _shape_mistake((distances, indices), fake, train),
        )
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool:
        fail("indices as whole numbers", f"a tensor of {indices.dtype}", "argmin gives them")
    return distances.detach().double(), indices.detach().long()


def _call(method: Method, fake: Tensor, train: Tensor) -> Found:
    try:
        came = ask(method, fake, train)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        torchs_own = re.search(r"implemented for|Byte|Char|uint8", str(error))
        untouched = isinstance(error, NotImplementedError) and not torchs_own
        if fake.dtype == torch.uint8 and not untouched:
            fail(
                "an answer for bytes (uint8) too",
                f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                "turn both into float64 first: x.double()",
            )
        if fake.ndim > 2 and re.search(r"size of tensor|shape|dimension", str(error)):
            came, _ = explain_exception(error)
            fail(f"an answer for images {tuple(fake.shape)}", came, ROWS)
        raise
    except IndexError as error:
        came, _ = explain_exception(error)
        fail(f"an answer for shapes {tuple(fake.shape)} and {tuple(train.shape)}", came, EITHER)
    return _found(came, fake, train)


def _agree(came: Found, other: Found) -> bool:
    scale = float(other[0].abs().max()) + 1e-9
    near = torch.allclose(came[0], other[0].double(), rtol=1e-4, atol=1e-5 * scale)
    return near and torch.equal(came[1], other[1])


def _images(probe: Probe, n: int) -> Tensor:
    return torch.tanh(normal(probe, n, 3 * 4 * 4)).reshape(n, 3, 4, 4)


def _likely(method: Method, fallback: str | None = None) -> str | None:
    """The known mistake that `method` makes on fixed images, or the fallback."""
    probe = Probe(4)
    train = _images(probe, 9)
    fake = _images(probe, 9)  # as many: a mistake in the dimension shows in the values alone
    try:
        came, again = (_found(method(fake.clone(), train.clone()), fake, train) for _ in range(2))
    except Exception as error:
        return explain_exception(error)[1] or fallback
    if not torch.equal(came[0], again[0]):
        return NEW_EACH_TIME
    if _agree(came, _other_way(fake, train)):
        return (
            "for each training image the nearest generated one: the smallest is sought over the "
            "training images, dim=1 of the (N, M) table"
        )
    return next((name for name, wrong in MISTAKES if _agree(came, wrong(fake, train))), fallback)


def _require(method: Method, fake: Tensor, train: Tensor, what: str) -> None:
    distances, indices = _call(method, fake, train)
    right, where = metrics.nearest_neighbours(fake, train)
    if not torch.equal(indices, where):
        fail(
            f"the nearest at {where[:4].tolist()}{', …' if len(where) > 4 else ''} for {what}",
            f"{indices[:4].tolist()}",
            _likely(method, "the smallest distance of each generated image, and where it is"),
        )
    if not torch.allclose(distances, right, rtol=1e-4, atol=1e-5):
        fail(f"distances {vector(right)} for {what}", vector(distances), _likely(method))


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 11.5."""

    @lesson.check("11.5", points=0.5)
    def one_for_each_generated_image(nearest_neighbours, probe: Probe) -> None:
        """It returns distances and indices, in this order, one for each generated image."""
        n, m, dim = probe.integer(3, 6), probe.integer(8, 12), probe.integer(2, 5)
        _call(nearest_neighbours, normal(probe, n, dim), normal(probe, m, dim))
        _call(nearest_neighbours, _images(probe, m), _images(probe, n))
        _call(nearest_neighbours, _images(probe, 1), _images(probe, n).float().double())

    @lesson.check("11.5", points=1)
    def finds_the_nearest(nearest_neighbours, probe: Probe) -> None:
        """The nearest is the one with the least Euclidean distance, for features and images."""
        fake = torch.tensor([[0.0, 0.0], [6.0, 8.0]]).double()
        train = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 6.0]]).double()
        shift = float(probe.integer(-2, 2))
        _require(
            nearest_neighbours,
            fake + shift,
            train + shift,
            "fakes at (0, 0), (6, 8) and training points at (3, 4), (0, 1), (6, 6)"
            + (f", all moved by {shift:g}" if shift else ""),
        )
        n, m = probe.integer(5, 9), probe.integer(30, 50)
        for make in (_images, lambda p, rows: normal(p, rows, 7)):
            fake, train = make(probe, n), make(probe, m)
            shape = tuple(train.shape)
            _require(nearest_neighbours, fake, train, f"{n} generated and {shape} training numbers")

    @lesson.check("11.5", points=1)
    def catches_a_memoriser(nearest_neighbours, probe: Probe) -> None:
        """Copies of training images are found at distance 0 (below 0.0001), also in float32."""
        m, n, dim = probe.integer(60, 90), probe.integer(30, 40), 48
        for mean in (0.0, 30.0):
            train = (mean + normal(probe, m, dim)).float().reshape(m, 3, 4, 4)
            order = torch.randperm(m, generator=probe.rng)[:n]
            distances, indices = _call(nearest_neighbours, train[order], train)
            kind = f"{n} copies of training images with values near {mean:g}"
            if not torch.equal(indices, order):
                likely = _likely(nearest_neighbours, FLOAT32 if mean else None)
                fail(f"the indices of the originals for {kind}", "others among them", likely)
            if not bool((distances.abs() < 1e-4).all()):
                fail(
                    f"distances below 0.0001 for {kind}",
                    f"up to {number(float(distances.max()))}",
                    _likely(nearest_neighbours, FLOAT32),
                )
            new = (mean + normal(probe, n, dim)).float().reshape(n, 3, 4, 4)
            least = float(_call(nearest_neighbours, new, train)[0].min())
            if least < 1:
                fail(f"distances of several units for {n} new images", number(least),
                     _likely(nearest_neighbours))  # fmt: skip

    @lesson.check("11.5", points=0.5)
    def takes_bytes(nearest_neighbours, probe: Probe) -> None:
        """Images may come as bytes, uint8 from 0 to 255, as a data set keeps them."""
        m, n = probe.integer(20, 30), probe.integer(4, 8)
        draw = torch.randint(0, 256, (m + n, 3, 4, 4), generator=probe.rng)
        train, fake = draw.to(torch.uint8).split([m, n])
        distances, indices = _call(nearest_neighbours, fake, train)
        right, where = metrics.nearest_neighbours(fake, train)
        came = distances, indices
        if _agree(came, (right, where)):
            return
        ran_over = _agree(came, _least(_wrapped(fake, train)))
        squares_too = bool((distances < 0.5 * right.min()).any())
        fail(
            f"distances {vector(right)} at {where[:4].tolist()} for bytes",
            f"{vector(distances)} at {indices[:4].tolist()}",
            BYTES if ran_over else _likely(nearest_neighbours) or (BYTES if squares_too else None),
        )
