"""Anti-aliased painting on a batch of pictures: signed distances, coverage, colour over colour.

Only additions, products, quotients, square roots, minima and maxima are used. These are rounded
the same way by every processor (IEEE 754), so a picture neither depends on the batch that it is
painted in nor on the machine.

Numbers that stand alone are plain Python floats, which leave float32 arrays float32.

Lengths are in the drawing's own unit: x runs from -REACH (left) to REACH (right), y from -REACH
(top) to REACH (bottom). Distances are negative inside a shape and positive outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

Array = np.ndarray

REACH = 0.89
WHITE = np.array([1.0, 1.0, 1.0], dtype=np.float32)
_TINY = 1e-6


def column(values: Array) -> Array:
    """One number per picture, (N,), in a shape that meets pixels: (N, 1, 1) float32."""
    return np.asarray(values, dtype=np.float32).reshape(-1, 1, 1)


def rgb(table: Array, choice: Array) -> Array:
    """Each picture's colour from a table (K, 3) in [0, 255]: (3, N, 1, 1) in [0, 1]."""
    colours = np.asarray(table, dtype=np.float32)[choice] / 255
    return np.ascontiguousarray(colours.T)[:, :, None, None]


def toward(colour: Array, target: tuple[float, float, float] | Array, share: float) -> Array:
    """A colour moved by `share` in [0, 1] of the way to another, all in [0, 1]."""
    target = np.asarray(target, dtype=np.float32)
    if target.ndim == 1:
        target = target[:, None, None, None]
    return colour + (target - colour) * share


def clip01(values: Array) -> Array:
    """Values held to [0, 1]."""
    held = np.maximum(values, 0)
    return np.minimum(held, 1, out=held) if held.ndim else np.minimum(held, 1)


def smoothstep(values: Array) -> Array:
    """The S-shaped curve from 0 at 0 to 1 at 1."""
    values = clip01(values)
    return values * values * (3 - 2 * values)


def wave(phase: Array) -> Array:
    """A smooth wave in [-1, 1] with period 1, without a sine (which differs between machines)."""
    saw = phase - np.floor(phase)
    tent = np.abs(2 * saw - 1)
    return 2 * tent * tent * (3 - 2 * tent) - 1


def ellipse(x: Array, y: Array, rx: Array | float, ry: Array | float) -> Array:
    """Distance to the ellipse around the origin with half axes rx and ry (first order)."""
    across, along = 1 / rx, 1 / ry  # few divisions, many products: products are faster
    u, v = x * across, y * along
    k = np.sqrt(u * u + v * v)
    u, v = u * across, v * along
    return k * (k - 1) / np.sqrt(u * u + v * v + _TINY)


def rounded_box(x: Array, y: Array, rx: Array, ry: Array, corner: Array | float) -> Array:
    """Distance to the box with half sides rx and ry and rounded corners."""
    u, v = np.abs(x) - (rx - corner), np.abs(y) - (ry - corner)
    outside = np.sqrt(np.maximum(u, 0) ** 2 + np.maximum(v, 0) ** 2)
    return outside + np.minimum(np.maximum(u, v), 0) - corner


def blob(x: Array, y: Array, rx: Array | float, ry: Array | float) -> Array:
    """A soft spot: 1 at the origin, falling smoothly to 0 at the ellipse with half axes rx, ry."""
    u, v = x * (1 / rx), y * (1 / ry)
    k = np.maximum(1 - u * u - v * v, 0)
    return k * k


class Layer:
    """A window of the canvas: pixel coordinates and colours of some pictures, all contiguous."""

    def __init__(self, pixels: Array, x: Array, y: Array, pixel: float):
        self.pixels, self.x, self.y, self.pixel = pixels, x, y, pixel
        self.per_pixel = 1 / pixel

    def inside(self, distance: Array) -> Array:
        """The share of each pixel that lies inside a shape, in [0, 1]."""
        return clip01(0.5 - distance * self.per_pixel)

    def line(self, distance: Array, half_width: Array | float) -> Array:
        """The share of each pixel that a stroke along distance 0 covers, also below a pixel."""
        return self.inside(distance - half_width) - self.inside(distance + half_width)

    def soft(self, distance: Array, width: float) -> Array:
        """Coverage whose edge is a ramp `width` wide, for shadows."""
        return smoothstep(0.5 - distance / max(width, self.pixel))

    def paint(self, cover: Array, colour: Array) -> None:
        """Colour (3,), (3, N, 1, 1) or (3, N, H, W) over the pixels, as `cover` (N, H, W) says."""
        for plane, ink in zip(self.pixels, colour, strict=True):
            change = ink - plane
            change *= cover
            plane += change


class Canvas:
    """A batch of N square pictures, painted from back to front."""

    def __init__(self, count: int, size: int):
        self.size = size
        self.pixel = 2 * REACH / size
        centres = (np.arange(size, dtype=np.float32) * 2 + 1 - size) * (REACH / size)
        self.x, self.y = centres[None, None, :], centres[None, :, None]
        self.pixels = np.zeros((3, count, size, size), dtype=np.float32)

    @contextmanager
    def window(
        self,
        left: float,
        right: float,
        top: float,
        bottom: float,
        which: Array | None = None,
        frame: tuple[Array, Array] | None = None,
    ) -> Iterator[Layer]:
        """Paint this rectangle of the pictures `which` (default all) when the block ends.

        `frame` holds their own coordinates x and y, each (N, S, S), where they differ from the
        canvas's.
        """
        edges = np.array([left, right, top, bottom]) / REACH
        first = np.clip(np.floor((edges + 1) / 2 * self.size), 0, self.size).astype(int)
        last = np.clip(np.ceil((edges + 1) / 2 * self.size), 0, self.size).astype(int)
        rows, columns = slice(first[2], last[3]), slice(first[0], last[1])
        chosen = slice(None) if which is None else which
        x, y = frame if frame is not None else (self.x, self.y)
        if frame is not None:
            x, y = x[:, rows, columns], y[:, rows, columns]
        else:
            x, y = x[:, :, columns], y[:, rows, :]
        part = np.ascontiguousarray(self.pixels[:, chosen, rows, columns])
        layer = Layer(part, np.ascontiguousarray(x), np.ascontiguousarray(y), self.pixel)
        yield layer
        self.pixels[:, chosen, rows, columns] = layer.pixels

    def to_uint8(self) -> Array:
        """The pictures as (N, 3, S, S) uint8."""
        levels = np.floor(clip01(self.pixels) * 255 + 0.5)
        return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 0, 2, 3))
