"""Checks of task 11.4: mode coverage."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.lesson11.probe import Mistakes, ask, close, named, real_number

Method = Callable[[Tensor, int], object]


def _unique(y: Tensor) -> int:
    return len(y.unique())


def _counts(y: Tensor, n: int) -> Tensor:
    return torch.bincount(y, minlength=n)


def _entropy(y: Tensor, n: int) -> float:
    p = _counts(y, n).double() / len(y)
    return float(torch.special.entr(p).sum()) / math.log(n)


MISTAKES: Mistakes = (
    ("this is the number of modes: divide by n_modes for their share", lambda y, n: _unique(y)),
    ("whole-number division // throws the share away: /", lambda y, n: _unique(y) // n),
    ("this is divided by the number of images: divide by n_modes",
     lambda y, n: _unique(y) / len(y)),
    ("this is the number of images in the place of that of modes: count each mode once. (A set() "
     "of tensors does not see that two of them are equal: labels.unique() or labels.tolist())",
     lambda y, n: len(y) / n),
    ("this is divided by the modes that were found, not by all n_modes",
     lambda y, n: _unique(y) / (int(y.max()) + 1)),
    ("the largest label is not the number of modes that occur: some below it may be missing",
     lambda y, n: (int(y.max()) + 1) / n),
    ("the largest label is not the number of modes that occur", lambda y, n: int(y.max()) / n),
    ("mode 0 is a mode too", lambda y, n: len(y[y > 0].unique()) / n),
    ("the labels are added up: count how many different ones there are",
     lambda y, n: int(y.unique().sum()) / n),
    ("the labels are added up: count how many different ones there are",
     lambda y, n: int(y.sum()) / n),
    ("unique_consecutive sees neighbours alone: equal labels may lie apart",
     lambda y, n: len(y.unique_consecutive()) / n),
    ("only modes with more than one image are counted: one is enough",
     lambda y, n: int((_counts(y, n) > 1).sum()) / n),
    ("only modes with exactly one image are counted: one or more",
     lambda y, n: int((_counts(y, n) == 1).sum()) / n),
    ("only modes with their full share of the images are counted: one image is enough",
     lambda y, n: int((_counts(y, n) >= len(y) / n).sum()) / n),
    ("the share of the most frequent mode: asked is how many modes occur at all",
     lambda y, n: int(_counts(y, n).max()) / len(y)),
    ("an entropy says how even the modes are: asked is how many occur at all", _entropy),
    ("this is a percentage: return a share from 0 to 1", lambda y, n: 100 * _unique(y) / n),
    ("this is the share of the modes that are missing", lambda y, n: 1 - _unique(y) / n),
)  # fmt: skip


def _likely(method: Method) -> str | None:
    modes = [4, 0, 4, 4, 2, 4, 3, 2, 4, 4, 0, 4, 5, 4, 4, 7, 2, 4, 3, 4, 4, 8, 4, 4, 4]
    labels = torch.tensor(modes)
    try:
        came = real_number(method(labels.clone(), 12), "")
    except Exception as error:
        return explain_exception(error)[1]
    return named(came, MISTAKES, labels, 12)


def _require(method: Method, labels: Tensor, n_modes: int, expected: float, what: str) -> None:
    what = f"{what}, n_modes = {n_modes}"
    came = real_number(
        ask(method, labels, n_modes), f"one number for {what}", "this is a table: count its modes"
    )
    if not close(came, expected, 1e-6, 0):
        fail(f"{number(expected)} for {what}", number(came), _likely(method))


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 11.4."""

    @lesson.check("11.4", points=0.5)
    def counts_each_mode_once(mode_coverage, probe: Probe) -> None:
        """However many images a mode has, it counts once; the result is a share of n_modes."""
        n_modes = probe.integer(9, 14)
        order = torch.randperm(n_modes - 1, generator=probe.rng)
        present = torch.cat([order[: probe.integer(3, 5)], torch.tensor([n_modes - 1])])
        often = torch.randint(len(present) - 1, (25,), generator=probe.rng)
        labels = torch.cat([present[often], present])
        labels = labels[torch.randperm(len(labels), generator=probe.rng)]
        what = f"the labels {labels.tolist()}"
        _require(mode_coverage, labels, n_modes, len(present) / n_modes, what)
        small = probe.integer(3, 5)
        once = torch.randperm(small, generator=probe.rng)[1:]
        what = f"the labels {once.tolist()}"
        _require(mode_coverage, once, small, (small - 1) / small, what)
        few = torch.cat([torch.zeros(3), torch.full((5,), 2.0)]).long()
        _require(mode_coverage, few, 8, 0.25, f"the labels {few.tolist()}")

    @lesson.check("11.4", points=0.5)
    def from_none_to_all(mode_coverage, probe: Probe) -> None:
        """All modes give 1, one mode 1 / n_modes, and no images at all give 0."""
        n_modes = probe.integer(5, 12)
        labels = torch.arange(n_modes).repeat(3)
        labels = labels[torch.randperm(len(labels), generator=probe.rng)]
        _require(mode_coverage, labels, n_modes, 1.0, "every label three times")
        for mode in (0, n_modes - 1):
            one = torch.full((7,), mode)
            _require(mode_coverage, one, n_modes, 1 / n_modes, f"seven times the label {mode}")
        nobody = torch.zeros(0, dtype=torch.int64)
        _require(mode_coverage, nobody, n_modes, 0.0, "no labels at all, shape (0,)")
