"""Drawn faces with known factors: a data set that is computed, not downloaded.

Image `i` of seed `s` is the same in any batch, for any count, on any machine: its factors are
hashes of (seed, index, factor) and its pixels come from operations that every processor rounds
alike (see `_drawing`). A `torch.Generator` is a stream, whose numbers depend on what was drawn
before; that is why none is used here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from facegan_ref.data import _hair, _portrait

#: The categorical factors and the names of their values, in the order of their labels.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "skin": ("porcelain", "fair", "light", "tan", "bronze", "brown", "deep", "ebony"),
    "hair_colour": ("black", "dark brown", "brown", "auburn", "blond", "grey"),
    "hair_style": _hair.STYLES,
    "glasses": ("without", "with"),
    "background": ("sky", "sand", "sage", "lilac", "rose", "slate"),
    "eyes": ("brown", "dark", "blue", "green"),
    "beard": ("without", "with"),
    "clothes": ("blue", "red", "cream", "green", "charcoal", "ochre"),
}
#: The continuous factors and their ranges, in which they are uniform.
CONTINUOUS: dict[str, tuple[float, float]] = {
    "smile": (-0.3, 1.0),
    "width": (-1.0, 1.0),
    "eye_distance": (-1.0, 1.0),
    "yaw": (-1.0, 1.0),
    "mouth_open": (0.0, 1.0),
    "tilt": (-1.0, 1.0),
    "jaw": (-1.0, 1.0),
    "brow": (-1.0, 1.0),
}

Factors = dict[str, torch.Tensor]
Weights = Mapping[str, Sequence[float]]
Exclude = Sequence[Mapping[str, int | str]]

SIZES = (16, 256)
#: Beards are rarer than bare chins unless `weights` says otherwise; all else is even.
DEFAULT_WEIGHTS: dict[str, tuple[float, ...]] = {"beard": (0.75, 0.25)}

# Rendering this many pixels at once keeps the working arrays in a processor's cache.
_CHUNK_PIXELS = 65_536
_LEAST_ALLOWED = 1e-3


def sample_factors(
    n: int, seed: int, start: int = 0, weights: Weights | None = None, exclude: Exclude = ()
) -> Factors:
    """The factors of images `start` … `start + n - 1` of seed `seed`.

    Returns a dict of tensors (N,): int64 labels for each name in `CATEGORIES`, float32 values
    for each name in `CONTINUOUS`.

    `weights` gives the probabilities of a categorical factor's values where they should differ
    from the default, e.g. `{"glasses": (0.95, 0.05)}`. `exclude` lists combinations that must
    not occur, by label or by name, e.g. `[{"glasses": "with", "hair_style": "long"}]`: the
    categorical factors of such an image are drawn again, its continuous ones stay.

    Raises ValueError, which names the argument, for an unknown factor or value, weights that do
    not fit, or combinations that leave next to nothing.
    """
    _require_count("n", n)
    _require_count("start", start)
    _require_count("seed", seed)
    odds = _weights(weights)
    banned = _combinations(exclude, odds)
    index = np.arange(start, start + n, dtype=np.uint64)

    factors: dict[str, np.ndarray] = {}
    for place, (name, (low, high)) in enumerate(CONTINUOUS.items()):
        # Counted apart from the categorical factors: a new one changes no image's values.
        share = _uniform(seed, index, 1000 + place, 0)
        factors[name] = (low + (high - low) * share).astype(np.float32)
    labels = {name: np.zeros(n, dtype=np.int64) for name in CATEGORIES}
    redraw, attempt = np.arange(n), 0
    while redraw.size:
        for place, name in enumerate(CATEGORIES):
            share = _uniform(seed, index[redraw], place, attempt)
            labels[name][redraw] = np.searchsorted(np.cumsum(odds[name])[:-1], share, side="right")
        redraw = redraw[_is_banned({k: v[redraw] for k, v in labels.items()}, banned)]
        attempt += 1
    return {name: torch.from_numpy(values) for name, values in {**labels, **factors}.items()}


def render(factors: Factors, size: int = 64) -> torch.Tensor:
    """Draw the faces that the factors describe: (N, 3, size, size) uint8 RGB.

    `factors` is what `sample_factors` returns, perhaps edited: an image is a function of its own
    factors alone. Continuous values outside their range are held to it. Sizes are 16 to 256.
    Raises ValueError for a size, a missing factor, a shape or a label that does not fit.
    """
    if isinstance(size, bool) or not isinstance(size, int) or not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size is {size!r}; expected a whole number from {SIZES[0]} to {SIZES[1]}")
    arrays = _as_arrays(factors)
    n = len(arrays["skin"])
    images = np.empty((n, 3, size, size), dtype=np.uint8)
    chunk = max(1, _CHUNK_PIXELS // size**2)
    # Hair is painted style by style: alike heads together make fewer and larger steps.
    order = np.argsort(arrays["hair_style"], kind="stable")
    for first in range(0, n, chunk):
        which = order[first : first + chunk]
        part = {name: values[which] for name, values in arrays.items()}
        images[which] = _portrait.paint_portraits(part, size)
    return torch.from_numpy(images)


class ToyFaces(torch.utils.data.Dataset):
    """A set of drawn faces: images `start` … `start + n - 1` of `seed`, with their factors.

    `images` is (N, 3, size, size) uint8, `labels` the dict that `sample_factors` returns; item i
    is image i, (3, size, size) uint8. `weights` and `exclude` make imbalanced sets and sets with
    held-out combinations. Raises ValueError as `sample_factors` and `render` do.
    """

    def __init__(
        self,
        n: int = 8000,
        size: int = 32,
        seed: int = 0,
        start: int = 0,
        weights: Weights | None = None,
        exclude: Exclude = (),
    ):
        self.size, self.seed, self.start = size, seed, start
        self.labels = sample_factors(n, seed, start, weights, exclude)
        self.images = render(self.labels, size)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]

    def __repr__(self) -> str:
        return f"ToyFaces(n={len(self)}, size={self.size}, seed={self.seed}, start={self.start})"


def _mix(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection that scatters its input."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _uniform(seed: int, index: np.ndarray, factor: int, attempt: int) -> np.ndarray:
    """Numbers in [0, 1), float64, each a hash of (seed, index, factor, attempt)."""
    state = np.array([seed], dtype=np.uint64)
    step = np.uint64(0x9E3779B97F4A7C15)
    for word in (index, np.array([factor], np.uint64), np.array([attempt], np.uint64)):
        state = _mix(state + step) ^ word
    return (_mix(state + step) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _require_count(name: str, value: int) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not 0 <= value < 2**62:
        raise ValueError(f"{name} is {value!r}; expected a whole number that is not negative")


def _values(name: str) -> tuple[str, ...]:
    if name in CATEGORIES:
        return CATEGORIES[name]
    if name in CONTINUOUS:
        raise ValueError(f"{name!r} is a continuous factor; expected one of {list(CATEGORIES)}")
    raise ValueError(f"there is no factor {name!r}; expected one of {list(CATEGORIES)}")


def _weights(weights: Weights | None) -> dict[str, np.ndarray]:
    """Every categorical factor's probabilities, which sum to 1."""
    given = {**DEFAULT_WEIGHTS, **(weights or {})}
    odds = {name: np.full(len(names), 1 / len(names)) for name, names in CATEGORIES.items()}
    for name, values in given.items():
        expected = len(_values(name))
        row = np.asarray(values, dtype=np.float64)
        if row.shape != (expected,):
            raise ValueError(
                f"weights[{name!r}] has {row.size} numbers; "
                f"expected {expected}, one for each of {CATEGORIES[name]}"
            )
        if not np.isfinite(row).all() or (row < 0).any() or row.sum() <= 0:
            raise ValueError(
                f"weights[{name!r}] is {list(values)}; "
                "expected numbers that are not negative, one of them above 0"
            )
        odds[name] = row / row.sum()
    return odds


def _combinations(exclude: Exclude, odds: dict[str, np.ndarray]) -> list[dict[str, int]]:
    """The excluded combinations as labels, once it is sure that enough is left."""
    if isinstance(exclude, Mapping):
        raise ValueError("exclude is one combination; expected a list of them: [{...}]")
    banned = []
    for combination in exclude:
        if not combination:
            raise ValueError("exclude holds an empty combination, which would exclude every face")
        banned.append({name: _label(name, value) for name, value in combination.items()})
    involved = [name for name in CATEGORIES if any(name in row for row in banned)]
    grid = np.array(list(itertools.product(*(range(len(CATEGORIES[name])) for name in involved))))
    if involved:
        labels = {name: grid[:, place] for place, name in enumerate(involved)}
        chance = np.prod([odds[name][labels[name]] for name in involved], axis=0)
        left = float(chance[~_is_banned(labels, banned)].sum())
        if left < _LEAST_ALLOWED:
            raise ValueError(
                f"exclude leaves {left:.2%} of all faces; expected at least {_LEAST_ALLOWED:.1%}"
            )
    return banned


def _label(name: str, value: int | str) -> int:
    names = _values(name)
    if isinstance(value, str) and value in names:
        return names.index(value)
    if isinstance(value, (int, np.integer)) and 0 <= value < len(names):
        return int(value)
    raise ValueError(
        f"exclude has {name!r}: {value!r}; expected a label 0 … {len(names) - 1} or one of {names}"
    )


def _is_banned(labels: dict[str, np.ndarray], banned: list[dict[str, int]]) -> np.ndarray:
    found = np.zeros(len(next(iter(labels.values()))), dtype=bool)
    for combination in banned:
        hit = np.ones_like(found)
        for name, value in combination.items():
            hit &= labels[name] == value
        found |= hit
    return found


def _as_arrays(factors: Factors) -> dict[str, np.ndarray]:
    """The factors as numpy arrays that can be drawn, or an error that names the wrong one."""
    arrays = {}
    for name in (*CATEGORIES, *CONTINUOUS):
        if name not in factors:
            raise ValueError(f"factors lack {name!r}; sample_factors gives all of them")
        values = torch.as_tensor(factors[name]).detach().cpu().numpy()
        if values.ndim != 1 or len(values) != len(factors["skin"]):
            raise ValueError(
                f"factors[{name!r}] has shape {values.shape}; "
                f"expected ({len(factors['skin'])},), as many as 'skin' has"
            )
        if name in CONTINUOUS:
            if not np.isfinite(values).all():
                raise ValueError(f"factors[{name!r}] holds a number that is not finite")
            arrays[name] = np.clip(values.astype(np.float32), *CONTINUOUS[name])
        else:
            last = len(CATEGORIES[name]) - 1
            if values.dtype.kind not in "iu" or ((values < 0) | (values > last)).any():
                raise ValueError(f"factors[{name!r}] must hold whole labels from 0 to {last}")
            arrays[name] = values.astype(np.int64)
    return arrays
