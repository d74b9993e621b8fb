"""Checks of lesson 1's loader: task 1.4."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.random_states import changed, global_states

SAMPLE = (3, 2, 2)
LONG = 200  # samples: two random orders of this many never agree by chance
GLOBAL = (
    "the order is drawn from the global random numbers, at the moment when the loop begins: "
    "torch.manual_seed in make_loader does not help then. Give the DataLoader a generator of its "
    "own, torch.Generator().manual_seed(seed)"
)
FIRST = "passes are not complete: mend every_sample_once_in_batches first"


class Numbered(Dataset):
    """`n` tiny images, uint8 `(3, 2, 2)`; the first two bytes of each say its number."""

    def __init__(self, n: int):
        self._pixels = torch.zeros(n, *SAMPLE, dtype=torch.uint8)
        self._pixels[:, 0, 0, 0] = torch.arange(n) % 256
        self._pixels[:, 0, 0, 1] = torch.arange(n) // 256

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index) -> Tensor:
        one = isinstance(index, (int, np.integer)) and not isinstance(index, bool)
        if not one and not (isinstance(index, Tensor) and index.numel() == 1 and index.ndim == 0):
            fail(
                "dataset[i] with one number i at a time, which is all that every Dataset can do",
                f"dataset[i] with a {type(index).__name__}",
                "ask for the samples one by one and stack them, or leave that to a DataLoader",
            )
        if not -len(self._pixels) <= int(index) < len(self._pixels):
            raise IndexError(f"sample {int(index)} of {len(self._pixels)}")
        return self._pixels[int(index)]


def _make(make_loader, dataset, batch_size: int, seed: int) -> Iterable:
    loader = make_loader(dataset, batch_size, seed)
    what = "something to loop over: for batch in make_loader(…)"
    if loader is None:
        fail(what, "None", "the return is missing")
    # Not iter(loader): this begins a pass, and may draw random numbers.
    if not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__"):
        likely = "return the loader, not the function or class that makes one"
        fail(what, f"a {type(loader).__name__}", likely)
    return loader


def _batches(loader: Iterable, limit: int) -> Iterator[Tensor]:
    """The batches of one pass, each of them a tensor; stops when there are far too many."""
    for count, batch in enumerate(loader):
        if not isinstance(batch, Tensor):
            likely = "stack the samples: torch.stack, or leave it to a DataLoader"
            if isinstance(batch, (list, tuple)) and len(batch) == 1:
                likely = "a TensorDataset gives tuples: hand the dataset to the DataLoader as it is"
            fail("a tensor for each batch", f"a {type(batch).__name__}", likely)
        if count > limit:
            fail(
                "a pass that ends when every sample has come once",
                f"more than {limit} batches",
                "an endless loop (while True, itertools.cycle) or sampling with replacement",
            )
        yield batch


def _order(loader: Iterable, n: int) -> list[int]:
    """The numbers of the samples in one pass over a loader of `torch.arange(n)`."""
    return [i for batch in _batches(loader, 2 * n) for i in batch.flatten().tolist()]


def _batch_sizes(came: list[int], batch_size: int, n: int) -> None:
    expected = [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    if came == expected:
        return
    likely = None
    if came == expected[:-1] and n % batch_size:
        likely = "drop_last=True throws the last samples away: leave it out"
    elif n > 1 and came == [1] * n:
        likely = "batch_size is not passed on"
    elif came == [n]:
        likely = "all samples in one batch: batch_size is not used"
    elif len(set(came)) == 1 and sum(came) > n:
        likely = "the last batch is filled up with samples that have come already: leave it smaller"
    elif sorted(came) == sorted(expected):
        likely = "the smaller batch comes last, after the full ones"
    fail(
        f"batches of {expected} for {n} samples and batch_size = {batch_size}",
        f"batches of {came}" if came else "no batch at all",
        likely,
    )


def every_sample_once_in_batches(make_loader, probe: Probe) -> None:
    """Each pass has every sample exactly once, in full batches and a smaller last one if needed."""
    uneven = 5 * probe.integer(3, 5) + probe.integer(1, 4)
    for n, batch_size in ((uneven, 5), (12, 4), (3, 8), (probe.integer(3, 6), 1)):
        dataset = Numbered(n)
        loader = _make(make_loader, dataset, batch_size, probe.integer(0, 99))
        for turn in ("first", "second"):
            batches = [batch.clone() for batch in _batches(loader, 2 * n)]
            if turn == "second" and not batches:
                fail(
                    "a loader that can be looped over again and again",
                    "nothing in the second pass",
                    "a function with yield, or an iterator, is used up after one pass: return a "
                    "DataLoader, or an object whose __iter__ starts a new pass",
                )
            for batch in batches:
                if batch.shape == SAMPLE:
                    fail(
                        "batches (B, 3, 2, 2) of stacked samples (3, 2, 2)",
                        f"shape {SAMPLE}",
                        "the samples come as one sample after the other: gather batch_size of them",
                    )
                if batch.shape[1:] != SAMPLE or batch.dtype != torch.uint8:
                    fail(
                        "batches (B, 3, 2, 2) of torch.uint8 for samples (3, 2, 2) of torch.uint8",
                        f"shape {tuple(batch.shape)} of {batch.dtype}",
                        "change nothing in the samples: scaling them is another function's work",
                    )
            _batch_sizes([len(batch) for batch in batches], batch_size, n)
            found = torch.cat(batches).long()
            numbers = Counter((found[:, 0, 0, 0] + 256 * found[:, 0, 0, 1]).tolist())
            twice = sum(count > 1 for count in numbers.values())
            missing = sum(i not in numbers for i in range(n))
            if missing and len(numbers) == n:
                fail(
                    "samples as the dataset gives them",
                    "samples with other values",
                    "change nothing in the samples: scaling them is another function's work",
                )
            if twice or missing:
                fail(
                    f"each of {n} samples exactly once in a pass",
                    f"{missing} missing and {twice} more than once in the {turn} pass",
                    "the samples are drawn with replacement (replacement=True, randint): draw an "
                    "order with torch.randperm, or say shuffle=True",
                )


def _require_shuffled(order: list[int], batch_size: int) -> None:
    """Fail when an order of 0 … LONG - 1 is not random through and through."""
    numbers = torch.tensor(order, dtype=torch.float32)
    what = "a random order of all samples"
    came = f"an order that begins with {order[:8]}"
    if order == sorted(order):
        fail(what, came, "nothing is shuffled: shuffle=True is missing")
    if order == sorted(order, reverse=True):
        fail(what, came, "the order is reversed, not shuffled")
    related = float(torch.corrcoef(torch.stack([numbers, torch.arange(float(LONG))]))[0, 1])
    neighbours = int(((numbers[1:] - numbers[:-1]).abs() == 1).sum())
    if abs(related) > 0.6 and neighbours < LONG // 2:
        fail(
            what,
            f"{came}; place and number have a correlation of {number(related)}",
            "samples change places only within their batch: shuffle all, then cut into batches",
        )
    if neighbours > LONG // 5:
        fail(
            what,
            f"{neighbours} of {LONG - 1} samples beside the one that is beside them in the dataset",
            "only whole batches change places, or the order is rotated: shuffle the samples, then "
            "cut them into batches",
        )


def new_random_order_in_each_pass(make_loader, probe: Probe) -> None:
    """The samples come in a random order, and in another one in each pass."""
    batch_size = 7
    loader = _make(make_loader, torch.arange(LONG), batch_size, probe.integer(0, 999))
    orders = []
    for _ in range(3):
        order = _order(loader, LONG)
        if sorted(order) != list(range(LONG)):
            fail(f"each of {LONG} samples once", f"{len(set(order))} different samples", FIRST)
        _require_shuffled(order, batch_size)
        if order in orders:
            fail(
                "another order in each pass",
                "the order of the pass before",
                "the order is drawn once, or the generator is seeded again at each pass: seed it "
                "once, in make_loader, and draw an order whenever a pass begins",
            )
        orders.append(order)


def _disturb(seed: int) -> None:
    """What other code does with everybody's random numbers meanwhile."""
    torch.manual_seed(seed)
    torch.rand(3)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def the_seed_alone_fixes_the_order(make_loader, probe: Probe) -> None:
    """Loaders with one seed give the same batches, pass by pass, whatever else is drawn."""
    data, n = torch.arange(60), 60
    for seed in (0, probe.integer(1, 9999)):
        _disturb(1)
        one = _make(make_loader, data, 8, seed)
        plain = [_order(one, n) for _ in range(3)]
        _disturb(2)
        two = _make(make_loader, data, 8, seed)
        other = _make(make_loader, data, 8, seed + 1)
        for turn, expected in enumerate(plain, 1):
            _disturb(probe.integer(3, 10_000))
            came, others = [], []
            # Turn by turn with a second loader, which must not disturb the first one.
            for batch, another in zip(_batches(two, n), _batches(other, n), strict=True):
                came += batch.flatten().tolist()
                others += another.flatten().tolist()
                _disturb(probe.integer(3, 10_000))
            if sorted(came) != data.tolist():
                fail(
                    f"each of {n} samples once in pass {turn}",
                    f"{len(set(came))} different samples among {len(came)}",
                    FIRST,
                )
            if came == others:
                fail(
                    f"different orders for the seeds {seed} and {seed + 1}",
                    "one order for both",
                    "seed is not used, or a fixed number stands in its place",
                )
            if came != expected:
                fail(
                    f"the same order in pass {turn} of every loader with seed = {seed}, though "
                    "other code draws and seeds global random numbers and loops over another "
                    "loader",
                    f"{came[:5]} … where it was {expected[:5]} …",
                    _name_disturbance(make_loader, seed),
                )


def _name_disturbance(make_loader, seed: int) -> str:
    """What the order hangs on beside the seed."""

    def orders(seed: int, before_the_loop: int) -> list[int]:
        _disturb(1)
        loader = _make(make_loader, torch.arange(60), 8, seed)
        _disturb(before_the_loop)
        return _order(loader, 60)

    if seed == 0 and orders(0, 1) != orders(0, 2) and orders(5, 1) == orders(5, 2):
        return "the seed 0 is taken for no seed (`if seed`, `seed or …`): it is a seed like others"
    if orders(seed, 1) != orders(seed, 1):
        return "the generator is not seeded with seed: torch.Generator().manual_seed(seed)"
    if orders(seed, 1) == orders(seed, 2):
        return (
            "all loaders share one generator, which each new loader seeds again: make one for each "
            "loader"
        )
    return GLOBAL


def leaves_global_random_numbers_alone(make_loader, probe: Probe) -> None:
    """Neither making a loader nor looping over it draws or seeds global random numbers."""
    what = "global random numbers (torch's, numpy's, Python's) as if there were no loader"
    before = global_states()
    loader = _make(make_loader, torch.arange(20), 6, probe.integer(0, 99))
    owner = changed(before)
    if owner:
        fail(
            what,
            f"another global state of {owner} after make_loader",
            "manual_seed (or seed) sets the random numbers of everybody, also of the networks' "
            "first weights: seed a torch.Generator of the loader's own",
        )
    for _ in range(2):
        _order(loader, 20)
    owner = changed(before)
    if owner:
        fail(
            what,
            f"another global state of {owner} after looping",
            "a DataLoader without generator= takes random numbers from torch's global ones at the "
            "beginning of each pass, even when its sampler has a generator: give it generator= "
            "too. (Or something calls torch.manual_seed in the loop)"
            if owner == "torch"
            else f"the order is drawn from the global random numbers of {owner}",
        )


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 1.4 to the lesson."""
    for check in (
        every_sample_once_in_batches,
        new_random_order_in_each_pass,
        the_seed_alone_fixes_the_order,
        leaves_global_random_numbers_alone,
    ):
        lesson.check("1.4", points=0.5)(check)
