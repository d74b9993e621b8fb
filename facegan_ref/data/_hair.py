"""Hair for the drawn portraits: what lies behind the head, and what falls in front of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from facegan_ref.data._drawing import (
    WHITE,
    Array,
    Layer,
    blob,
    clip01,
    ellipse,
    rounded_box,
    smoothstep,
    toward,
    wave,
)

if TYPE_CHECKING:
    from facegan_ref.data._portrait import Head

STYLES = ("short", "long", "curly", "bun", "fringe", "bald")
SHOW_EARS = ("short", "bun", "bald")
COLOURS = [(38, 32, 36), (74, 48, 38), (124, 80, 50), (160, 84, 46), (222, 182, 118),
           (182, 180, 184)]  # fmt: skip


class _Locks:
    """The heads of one style, with the colours that their hair needs."""

    def __init__(self, head: Head):
        self.head, self.width, self.yaw = head, head.width, head.yaw
        self.colour = head.hair
        self.dark = self.colour * np.float32([0.58, 0.54, 0.56])[:, None, None, None]
        self.light = toward(self.colour, (1.0, 0.93, 0.80), 0.30)

    def paint(
        self,
        layer: Layer,
        distance: Array,
        strand: Array,
        shine: Array | None = None,
        rim: Array | None = None,
    ) -> None:
        """Fill a shape of hair: strands along `strand`, a band of light where `shine` says.

        The hair darkens towards distance 0 of `rim`, by default the shape's own edge.
        """
        cover = layer.inside(distance)
        layer.paint(cover, self.colour)
        # Strands finer than two pixels would only shimmer.
        for rate, depth in ((7.0, 0.30), (17.0, 0.22)):
            seen = min(max(2 - 2 * rate * layer.pixel, 0), 1)
            if seen > 0:
                streak = clip01(wave(strand * rate + self.yaw) * 0.5 + 0.1)
                layer.paint(cover * streak * (depth * seen), self.dark)
        if shine is not None:
            layer.paint(cover * shine, self.light)
        rim = distance if rim is None else rim
        layer.paint(cover * smoothstep(1 + rim / 0.07) * 0.35, self.dark)


def behind(head: Head) -> None:
    """The hair behind the head and shoulders."""
    _paint(head, "long", _long_back, (-0.84, 0.84, -0.80, 1.0))
    _paint(head, "curly", _curly_back, (-0.89, 0.89, -0.89, 0.62))
    _paint(head, "bun", _bun_back, (-0.45, 0.45, -0.89, -0.40))
    _paint(head, "fringe", _fringe_back, (-0.80, 0.80, -0.72, 0.72))


def front(head: Head) -> None:
    """The hair over the forehead and temples."""
    _paint(head, "short", _short, (-0.72, 0.72, -0.75, 0.24))
    _paint(head, "long", _long, (-0.78, 0.78, -0.75, 0.89))
    _paint(head, "curly", _curly, (-0.74, 0.74, -0.78, 0.40))
    _paint(head, "bun", _bun, (-0.70, 0.70, -0.72, 0.20))
    _paint(head, "fringe", _fringe, (-0.76, 0.76, -0.72, 0.72))
    _paint(head, "bald", _bald, (-0.46, 0.26, -0.60, -0.20))


def _paint(
    head: Head,
    style: str,
    painter: Callable[[_Locks, Layer], None],
    bounds: tuple[float, float, float, float],
) -> None:
    which = np.flatnonzero(head.factors["hair_style"] == STYLES.index(style))
    if which.size:
        chosen = head.only(which)
        with chosen.window(*bounds) as layer:
            painter(_Locks(chosen), layer)


def _shine(x: Array, y: Array) -> Array:
    """The band of light across the crown, brighter on the left."""
    arc = y + 0.60 - 0.55 * x * x
    return clip01(1 - (arc / 0.12) ** 2) * clip01(0.55 - 0.75 * x) * 0.75


def _skull(locks: _Locks, x: Array, y: Array, extra: float) -> Array:
    return ellipse(x + 0.03 * locks.yaw, y + 0.13, locks.width + extra, 0.50 + extra)


def _hairline_shadow(locks: _Locks, layer: Layer, opening: Array, skull: Array) -> None:
    """The shadow that hair throws on the forehead, inside the opening left for the face."""
    face = np.maximum(locks.head.outline(layer.x, layer.y), np.maximum(opening, skull))
    depth = 0.45 * clip01(0.5 - 3 * layer.y)  # on the forehead, not on the chin
    layer.paint(smoothstep(1 + opening / 0.09) * layer.inside(face) * depth, locks.head.skin_dark)


def _short(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    # Full on top, close at the sides, swept from a parting on the left.
    u = x - 0.10 * locks.yaw
    top = ellipse(x - 0.01 + 0.03 * locks.yaw, y + 0.32 + 0.07 * u, locks.width + 0.045, 0.335)
    box = rounded_box(x + 0.03 * locks.yaw, y + 0.36, locks.width + 0.02, 0.28, 0.24)
    top = np.minimum(top, box)
    sides = np.maximum(_skull(locks, x, y, 0.03), y - 0.06)
    hairline = ellipse(u + 0.03, y - 0.16 - 0.10 * u, locks.width * 0.93, 0.56)
    side = np.abs(x - 0.045 * locks.yaw)
    temple = np.maximum(side - locks.width * 0.91 + 0.06 * clip01(0.2 - y), -0.30 - y)
    face = np.minimum(hairline, temple)
    hair = np.maximum(np.minimum(top, sides), -face)
    _hairline_shadow(locks, layer, face, _skull(locks, x, y, 0.08))
    locks.paint(layer, hair, x * 0.9 + 0.6 * y, _shine(x, y), np.maximum(top, -face))


def _long_back(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    wide = locks.width + 0.15 + 0.035 * wave(y * 0.9 + 0.15)
    hair = rounded_box(x + 0.02 * locks.yaw, y - 0.10, wide, 0.80, 0.42)
    locks.paint(layer, hair, x * 1.1)
    layer.paint(blob(x, y - 0.5, 0.62, 0.5) * layer.inside(hair) * 0.8, locks.dark * 0.75)


def _long(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    u = x - 0.11 * locks.yaw
    skull = rounded_box(x + 0.02 * locks.yaw, y - 0.12, locks.width + 0.105, 0.78, 0.44)
    # A middle parting: two wide arcs that meet in a point above the forehead.
    reach = locks.width * 0.93
    arcs = np.sqrt((np.abs(u) + 0.62 - reach) ** 2 + (y - 0.02) ** 2 * 0.72) - 0.62
    face = np.where(y < 0.02, arcs, np.abs(u) - reach + 0.16 * clip01(y - 0.02))
    hair = np.maximum(np.maximum(skull, -face), y - 0.66 + 0.3 * np.abs(x))
    _hairline_shadow(locks, layer, face, skull)
    locks.paint(layer, hair, x * (1.25 - 0.35 * y), _shine(x, y))
    parting = layer.line(u, 0.007) * layer.inside(np.maximum(hair, y + 0.4))
    layer.paint(parting * 0.5, locks.dark * 0.8)


_CURLS = [(-0.52, 0.20, 0.13), (-0.56, -0.02, 0.17), (-0.52, -0.27, 0.19), (-0.40, -0.48, 0.20),
          (-0.21, -0.63, 0.19), (0.03, -0.66, 0.21), (0.27, -0.60, 0.20), (0.45, -0.43, 0.18),
          (0.54, -0.20, 0.19), (0.56, 0.05, 0.16), (0.50, 0.23, 0.12)]  # fmt: skip


def _curls(locks: _Locks, x: Array, y: Array) -> Array:
    """Distance to a cloud of curls."""
    scale = locks.width / 0.44
    nearest = None
    for cx, cy, radius in _CURLS:
        u, v = x - cx * scale, y - cy
        distance = np.sqrt(u * u + v * v) - radius
        nearest = distance if nearest is None else np.minimum(nearest, distance)
    return nearest


def _ringlets(x: Array, y: Array) -> Array:
    """A curled texture in [-1, 1]."""
    return wave(x * 3.2 + 0.35 * wave(y * 3.0)) * wave(y * 3.2 + 0.35 * wave(x * 3.0 + 0.3))


def _curly_back(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    cloud = _curls(locks, x, y)
    hair = np.minimum(cloud, ellipse(x, y + 0.16, locks.width + 0.12, 0.56))
    curl = _ringlets(x, y)
    locks.paint(layer, hair, curl * 0.03, _shine(x, y + 0.12) * (0.5 + 0.5 * curl))


def _curly(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    u = x - 0.10 * locks.yaw
    scallop = 0.035 * wave(x * 3.4 + 0.3) * clip01(-2 * y)
    face = ellipse(u, y - 0.16 - scallop, locks.width * 0.90, 0.55)
    skull = _skull(locks, x, y, 0.09)
    hair = np.maximum(np.maximum(skull, -face), y - 0.20 + 0.25 * np.abs(u))
    _hairline_shadow(locks, layer, face, skull)
    curl = _ringlets(x, y)
    shine = _shine(x, y + 0.12) * (0.5 + 0.5 * curl)
    locks.paint(layer, hair, curl * 0.03, shine, -face)


def _bun_back(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    bun = ellipse(x + 0.05 * locks.yaw, y + 0.72, 0.20, 0.18)
    turn = np.sqrt(x * x + (y + 0.78) ** 2 + 1e-9)
    locks.paint(layer, bun, turn * 0.9, blob(x + 0.07, y + 0.83, 0.10, 0.07) * 0.8)


def _bun(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    u = x - 0.09 * locks.yaw
    skull = _skull(locks, x, y, 0.03)
    face = ellipse(u, y - 0.13, locks.width * 0.95, 0.555)
    hair = np.maximum(np.maximum(skull, -face), y - 0.02 + 0.2 * np.abs(u))
    _hairline_shadow(locks, layer, face, skull)
    # Combed up towards the knot.
    locks.paint(layer, hair, x / (0.55 + 0.55 * clip01(y + 1.0)), _shine(x, y))


def _fringe_back(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    bob = rounded_box(x + 0.02 * locks.yaw, y + 0.09, locks.width + 0.13, 0.58, 0.40)
    locks.paint(layer, bob, x * 1.1)
    layer.paint(blob(x, y - 0.3, 0.6, 0.4) * layer.inside(bob) * 0.7, locks.dark * 0.75)


def _fringe(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    u = x - 0.11 * locks.yaw
    skull = rounded_box(x + 0.02 * locks.yaw, y + 0.09, locks.width + 0.10, 0.57, 0.42)
    cut = -0.235 + 0.10 * u * u + 0.012 * wave(x * 5)
    face = np.maximum(np.abs(u) - locks.width * 0.88 + 0.10 * clip01(y), cut - y)
    hair = np.maximum(np.maximum(skull, -face), y - 0.44 - 0.1 * np.abs(x))
    _hairline_shadow(locks, layer, face, skull)
    locks.paint(layer, hair, x * 1.2, _shine(x, y))


def _bald(locks: _Locks, layer: Layer) -> None:
    x, y = layer.x, layer.y
    # The skin shines on the crown; close-cropped sides leave a faint shadow.
    crown = blob(x + 0.14 - 0.05 * locks.yaw, y + 0.44, 0.17, 0.09)
    layer.paint(crown * 0.35, WHITE)
