"""What checks of pictures share: is it one, does it show these images, and if not, why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from facegan_ref.checks.engine import fail

PADDING = 2
# One level more or less is no mistake: cut off instead of rounded.
LEVELS = 1

Pixels = Callable[[Tensor], np.ndarray]


def require_picture(value: object, what: str) -> np.ndarray:
    """`value` if it is a uint8 array `(height, width, 3)`; fails otherwise."""
    wanted = f"{what}: a numpy array of uint8 and of shape (height, width, 3)"
    if value is None:
        fail(wanted, "None", "a return is missing")
    if isinstance(value, Tensor):
        likely = "end with .numpy()"
        if value.ndim == 4:
            likely = "image_grid makes one picture of a batch of images"
        fail(wanted, f"a tensor of shape {tuple(value.shape)}", likely)
    if not isinstance(value, np.ndarray):
        fail(wanted, f"a {type(value).__name__}", None)
    if value.dtype != np.uint8:
        fail(
            wanted,
            f"an array of {value.dtype}",
            "bytes are asked for: from_tanh_range gives them",
        )
    if value.ndim != 3 or value.shape[2] != 3:
        likely = None
        if value.ndim == 3 and value.shape[0] in (1, 3):
            likely = "channels come last in a picture: permute(0, 2, 3, 1) turns a batch round"
        elif value.ndim == 4:
            likely = "the images are to be put together in ONE picture"
        elif value.ndim == 3 and value.shape[2] == 1:
            likely = "a grey image has three equal channels in the picture"
        fail(wanted, f"an array of shape {value.shape}", likely)
    return value


def same_picture(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two pictures agree to one level."""
    return a.shape == b.shape and bool((np.abs(a.astype(int) - b) <= LEVELS).all())


def lay_out(
    pixels: np.ndarray,
    columns: int,
    padding: int = PADDING,
    outside: int = 0,
    white: int = 255,
    by_column: bool = False,
) -> np.ndarray:
    """Images `(N, H, W, 3)` in a grid; the options make those that are asked for by mistake."""
    n, height, width, _ = pixels.shape
    rows = math.ceil(n / columns)
    size = (
        rows * (height + padding) - padding + 2 * outside,
        columns * (width + padding) - padding + 2 * outside,
        3,
    )
    grid = np.full(size, white, dtype=np.uint8)
    for i, image in enumerate(pixels):
        row, column = (i % rows, i // rows) if by_column else (i // columns, i % columns)
        top, left = outside + row * (height + padding), outside + column * (width + padding)
        grid[top : top + height, left : left + width] = image
    return grid


def _last(images: Tensor) -> np.ndarray:
    """(N, C, H, W) to (N, H, W, 3), with the type as it is."""
    array = images.detach().permute(0, 2, 3, 1).double().numpy()
    return np.broadcast_to(array, (*array.shape[:3], 3))


def right_pixels(images: Tensor) -> np.ndarray:
    """Images in [-1, 1] as bytes `(N, H, W, 3)`."""
    return np.rint((_last(images) + 1) * 127.5).clip(0, 255).astype(np.uint8)


def _stretched(images: Tensor, axes: tuple[int, ...] | None) -> np.ndarray:
    array = _last(images)
    low, high = (f(array, axis=axes, keepdims=True) for f in (np.min, np.max))
    with np.errstate(all="ignore"):
        return np.nan_to_num((array - low) / (high - low) * 255).astype(np.uint8)


def _wrapped(array: np.ndarray) -> np.ndarray:
    """As `.astype(uint8)` does it on most machines: modulo 256, towards 0."""
    return np.trunc(array).astype(np.int64).astype(np.uint8)


STRETCH = (
    "contrast is stretched from the smallest to the largest value: then no two pictures can be "
    "compared. Use the fixed rule, -1 to 0 and 1 to 255"
)
NOT_CLIPPED = (
    "values outside [-1, 1] are not clipped and wrap around from 255 to 0: clamp before turning "
    "into bytes"
)
VALUE_MISTAKES: tuple[tuple[str, Pixels], ...] = (
    (
        "not un-normalised: the range [-1, 1] is treated as [0, 1]. from_tanh_range does it",
        lambda x: _wrapped(_last(x) * 255),
    ),
    (
        "not un-normalised: the range [-1, 1] is treated as [0, 1], and all below 0 becomes black. "
        "from_tanh_range does it",
        lambda x: (_last(x).clip(0, 1) * 255).astype(np.uint8),
    ),
    (
        "values were turned into bytes that were not spread over 0 to 255 before: after "
        "(x + 1) / 2 multiply by 255, or use from_tanh_range",
        lambda x: _wrapped((_last(x) + 1) / 2),
    ),
    (STRETCH + " (here: image by image)", lambda x: _stretched(x, (1, 2, 3))),
    (STRETCH + " (here: once for all images)", lambda x: _stretched(x, None)),
    (STRETCH + " (here: each channel by itself)", lambda x: _stretched(x, (1, 2))),
    (NOT_CLIPPED, lambda x: _wrapped((_last(x) + 1) * 127.5)),
    (NOT_CLIPPED, lambda x: _wrapped(np.rint((_last(x) + 1) * 127.5))),
    ("red and blue are swapped", lambda x: right_pixels(x)[..., ::-1]),
    ("the picture is a negative: the sign is wrong", lambda x: 255 - right_pixels(x)),
    ("only one channel is used", lambda x: right_pixels(x)[..., :1].repeat(3, axis=3)),
    (
        "the images are mirrored: height and width, or the order of rows, are mixed up",
        lambda x: right_pixels(x)[:, ::-1],
    ),
    ("the images are mirrored left to right", lambda x: right_pixels(x)[:, :, ::-1]),
    (
        "height and width are swapped: permute(0, 2, 3, 1) keeps them, .T and permute(0, 3, 2, 1) "
        "do not",
        lambda x: right_pixels(x).transpose(0, 2, 1, 3),
    ),
    (
        "reshape does not move the channels to the end, it mixes pixels up: use "
        "permute(0, 2, 3, 1)",
        lambda x: right_pixels(x)
        .transpose(0, 3, 1, 2)
        .reshape(len(x), x.shape[2], x.shape[3], 3),
    ),
)  # fmt: skip
LAYOUT_MISTAKES: tuple[tuple[str, dict], ...] = (
    ("", {}),
    ("there is a border around the whole picture, as torchvision's make_grid draws it: only "
     "between images are there pixels", {"outside": PADDING}),
    ("there is a black border around the whole picture, as torchvision's make_grid draws it: only "
     "between images are there pixels, white ones", {"outside": PADDING, "white": 0}),
    ("there are no pixels between the images: leave two", {"padding": 0}),
    ("there is one pixel between the images: leave two", {"padding": 1}),
    ("what lies between the images, or an empty place, is black: start from an array of 255, "
     "which is white in bytes", {"white": 0}),
    ("the images are laid out column by column: the second one belongs to the right of the first",
     {"by_column": True}),
)  # fmt: skip


def _pictures_of_mistakes(images: Tensor, columns: int) -> Iterator[tuple[str, np.ndarray]]:
    n = len(images)
    for value_name, pixels in (("", right_pixels), *VALUE_MISTAKES):
        bytes_ = pixels(images)
        for layout_name, options in LAYOUT_MISTAKES:
            names = "; and: ".join(name for name in (layout_name, value_name) if name)
            if names:
                yield names, lay_out(bytes_, columns, **options)
        if not value_name:
            rows = math.ceil(n / columns)
            whole = (n // columns) * columns
            if 0 < whole < n:
                yield (
                    "the last row is missing when it is not full: math.ceil(N / columns) rows",
                    lay_out(bytes_[:whole], columns),
                )
            if whole == n:
                row = np.full_like(bytes_[:1], 255).repeat(columns, axis=0)
                yield (
                    "there is a row too many when the last one is full: math.ceil(N / columns)",
                    lay_out(np.concatenate([bytes_, row]), columns),
                )
            for other in sorted({rows, n, 1, 8, *range(1, n + 3)} - {columns}):
                name = f"there {'is 1 column' if other == 1 else f'are {other} columns'}"
                if other == rows:
                    name += ", as many as there should be rows"
                elif other == n < columns:
                    name += ", one for each image, and the other places are missing"
                yield name, lay_out(bytes_, other)


def explain_picture(came: np.ndarray, images: Tensor, columns: int) -> str | None:
    """Which mistake shows `images` as `came`; None when it is none that is known."""
    for name, picture in _pictures_of_mistakes(images, columns):
        if same_picture(came, picture):
            return name
    return None


def describe_difference(came: np.ndarray, expected: np.ndarray) -> str:
    """Where two pictures differ, in words."""
    if came.shape != expected.shape:
        return f"a picture of shape {came.shape}"
    gap = np.abs(came.astype(int) - expected).max(axis=2)
    y, x = (int(i) for i in np.argwhere(gap > LEVELS)[0])
    share = float((gap > LEVELS).mean())
    return (
        f"other values at {share:.0%} of the pixels: at row {y}, column {x} it is "
        f"{came[y, x].tolist()} instead of {expected[y, x].tolist()}"
    )


def require_same_picture(
    came: object, images: Tensor, columns: int, what: str, otherwise: str | None = None
) -> None:
    """Fail unless `came` is the picture of `images` in [-1, 1] with so many columns.

    `otherwise` is the likely mistake when it is none of those that are known by their picture.
    """
    came = require_picture(came, what)
    expected = lay_out(right_pixels(images), columns)
    if not same_picture(came, expected):
        fail(
            f"{what}: shape {expected.shape}, {columns} column{'s' * (columns > 1)}",
            describe_difference(came, expected),
            explain_picture(came, images, columns) or otherwise,
        )


def byte_images(rng: torch.Generator, n: int, *shape: int) -> Tensor:
    """`n` random images of exact bytes, low in contrast and each of another brightness."""
    start = torch.randperm(n, generator=rng).view(n, *[1] * len(shape)) * (100.0 / n) + 60
    noise = torch.randint(0, 40, (n, *shape), generator=rng)
    return (start.round() + noise) / 127.5 - 1
