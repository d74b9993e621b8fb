"""A drawn portrait, put together from back to front: scene, body, face, features, hair.

`paint_portraits` turns factors (plain numpy arrays, see `toyfaces`) into pixels. Everything on
the head is drawn in the head's own frame: the origin in the middle of the face, x to the
picture's right, y down, tilted with the head. Light falls from the upper left.
"""

from __future__ import annotations

import copy

import numpy as np

from facegan_ref.data import _features, _hair
from facegan_ref.data._drawing import (
    REACH,
    WHITE,
    Array,
    Canvas,
    blob,
    clip01,
    column,
    ellipse,
    rgb,
    rounded_box,
    smoothstep,
    toward,
    wave,
)

BACKGROUNDS = [(178, 209, 230), (243, 221, 176), (186, 214, 184), (208, 193, 230), (243, 188, 184),
               (118, 137, 158)]  # fmt: skip
SKINS = [(255, 228, 212), (249, 213, 187), (238, 191, 154), (219, 165, 123), (191, 134, 95),
         (152, 101, 70), (115, 75, 54), (82, 54, 42)]  # fmt: skip
IRISES = [(92, 62, 40), (58, 42, 34), (82, 124, 156), (94, 128, 84)]
CLOTHES = [(84, 111, 146), (178, 92, 84), (233, 226, 212), (96, 128, 108), (72, 70, 82),
           (214, 164, 84)]  # fmt: skip
GLASSES = np.float32([58, 48, 50]) / 255
RISE = 0.05  # how far the face's middle lies below the picture's


class Head:
    """Where things are on each head, and in which colours, from the factors."""

    def __init__(self, factors: dict[str, Array], canvas: Canvas):
        f = {name: column(values) for name, values in factors.items() if values.dtype.kind == "f"}
        self.canvas, self.which = canvas, None
        self.factors = factors
        self.yaw, self.smile, self.opening, self.brow = (
            f["yaw"], f["smile"], f["mouth_open"], f["brow"])  # fmt: skip
        self.width = 0.44 + 0.05 * f["width"]
        self.height = 0.56
        self.jaw = 0.20 - 0.10 * f["jaw"]
        self.eye_x = 0.20 + 0.032 * f["eye_distance"]
        # The tangent of half the angle gives sine and cosine without calling either.
        half = 0.06 * f["tilt"]
        cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
        x, y = canvas.x - 0.02 * f["yaw"], canvas.y - RISE
        # Turned about the neck, so that a tilted head stays on its body.
        y = y - 0.5
        self.frame = (cosine * x + sine * y, cosine * y - sine * x + 0.5)

        self.skin = rgb(SKINS, factors["skin"])
        self.skin_dark = self.skin * np.float32([0.70, 0.56, 0.54])[:, None, None, None]
        self.skin_light = toward(self.skin, (1.0, 0.95, 0.86), 0.30)
        luminance = (self.skin[0] + self.skin[1] + self.skin[2]) / 3
        red = np.float32([0.78, 0.30, 0.30])[:, None, None, None]
        self.lip = self.skin * (0.55 + 0.1 * luminance) + red * 0.36
        self.blush = self.skin * 0.68 + np.float32([0.92, 0.36, 0.34])[:, None, None, None] * 0.32
        self.hair = rgb(_hair.COLOURS, factors["hair_colour"])
        self.iris = rgb(IRISES, factors["eyes"])

    def only(self, which: Array) -> Head:
        """The same for some of the pictures."""
        chosen = copy.copy(self)
        chosen.which = which
        chosen.factors = {name: values[which] for name, values in self.factors.items()}
        chosen.frame = tuple(part[which] for part in self.frame)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and value.ndim >= 3:
                setattr(chosen, name, value[which] if value.ndim == 3 else value[:, which])
        return chosen

    def window(self, left: float, right: float, top: float, bottom: float):
        """A window in the head's frame; the bounds leave room for tilt and yaw."""
        return self.canvas.window(left, right, top, bottom, self.which, self.frame)

    def across(self, offset: Array | float, depth: float) -> Array:
        """Where yaw carries a point `offset` from the middle and `depth` in front of the axis."""
        return offset * (1 - 0.08 * self.yaw * self.yaw) + depth * 0.148 * self.yaw

    def outline(self, x: Array, y: Array) -> Array:
        """Distance to the face's outline: an egg whose chin turns with the head."""
        down = y / self.height
        below = np.maximum(down, 0)
        x = x - 0.055 * self.yaw * down
        return ellipse(x / (1 - self.jaw * below * below), y, self.width, self.height)


def paint_portraits(factors: dict[str, Array], size: int) -> Array:
    """Pictures (N, 3, size, size) uint8 for the factors' arrays, each (N,)."""
    canvas = Canvas(len(factors["skin"]), size)
    head = Head(factors, canvas)
    _scene(head)
    _hair.behind(head)
    _body(head)
    _ears(head)
    _face(head)
    _features.nose(head)
    _features.eyes(head)
    _features.brows(head)
    _beard(head)
    _features.mouth(head)
    _glasses(head)
    _hair.front(head)
    return canvas.to_uint8()


def _scene(head: Head) -> None:
    colour = rgb(BACKGROUNDS, head.factors["background"])
    with head.canvas.window(-1, 1, -1, 1) as layer:
        x, y = layer.x / REACH, layer.y / REACH
        layer.pixels[:] = colour
        layer.paint(clip01(0.38 - 0.3 * x - 0.42 * y) * 0.6, toward(colour, WHITE, 0.65))
        layer.paint(clip01(0.1 + 0.3 * x + 0.4 * y) * 0.6, colour * 0.74)


def _body(head: Head) -> None:
    kind = column(head.factors["clothes"])
    cloth = rgb(CLOTHES, head.factors["clothes"])
    with head.canvas.window(-1, 1, 0.2, 1) as layer:
        x, y = layer.x, layer.y - RISE
        u = np.abs(x)
        fall = np.maximum(u - 0.56, 0)
        shoulders = (0.60 + 0.34 * u * u + 1.6 * fall * fall - y) / np.sqrt(1 + 0.46 * u * u)
        neck = (
            np.abs(x - 0.015 * head.yaw) - head.width * 0.46 - 0.06 * smoothstep((y - 0.45) / 0.3)
        )
        light = clip01(0.5 - 0.45 * x - 0.2 * (y - 0.8))
        cloth_cover = layer.inside(shoulders)
        layer.paint(cloth_cover, cloth * (0.70 + 0.42 * light))
        layer.paint(
            cloth_cover * blob(x + 0.46, y - 0.80, 0.36, 0.20) * 0.22, toward(cloth, WHITE, 0.5)
        )
        # The neckline: round for even kinds of clothes, a V for odd ones.
        odd = kind - 2 * np.floor(kind / 2)
        round_neck = ellipse(x, y - 0.60, head.width * 0.46 + 0.12, 0.16)
        v_neck = (u * 0.95 + (y - 0.85)) * 0.72
        opening = round_neck + (v_neck - round_neck) * odd
        seam = layer.line(opening - 0.018, 0.018) * cloth_cover
        layer.paint(seam, toward(cloth * 0.82, WHITE, 0.10))
        bare = layer.inside(np.maximum(opening, np.minimum(neck, shoulders)))
        bare = np.maximum(bare, layer.inside(np.maximum(neck, y - 0.64)))
        tone = head.skin + (head.skin_dark - head.skin) * (0.22 + 0.34 * smoothstep(0.5 + 1.6 * x))
        layer.paint(bare, tone)
        under_chin = layer.soft(head.outline(x - 0.05, y - 0.12), 0.16)
        layer.paint(bare * under_chin * 0.75, head.skin_dark * 0.92)


def _ears(head: Head) -> None:
    shown = [_hair.STYLES.index(style) for style in _hair.SHOW_EARS]
    which = np.flatnonzero(np.isin(head.factors["hair_style"], shown))
    if not which.size:
        return
    head = head.only(which)
    for side, (left, right) in ((-1, (-0.75, -0.2)), (1, (0.2, 0.75))):
        with head.window(left, right, -0.3, 0.4) as layer:
            x = layer.x - head.across(side * (head.width - 0.012), -0.28)
            y = layer.y - 0.04
            cover = layer.inside(ellipse(x - side * 0.15 * -y, y, 0.075, 0.125))
            layer.paint(cover, toward(head.skin * 0.93, (0.85, 0.4, 0.35), 0.08))
            layer.paint(layer.soft(ellipse(x, y - 0.005, 0.035, 0.07), 0.05) * 0.5, head.skin_dark)


def _face(head: Head) -> None:
    with head.window(-0.62, 0.62, -0.60, 0.72) as layer:
        x, y = layer.x, layer.y
        outline = head.outline(x, y)
        cover = layer.inside(outline)
        u, v = x / (head.width * 1.04), y / (head.height * 1.04)
        facing = np.sqrt(np.maximum(1 - u * u - v * v, 0))
        light = 0.74 * facing - 0.46 * u - 0.34 * v
        tone = head.skin + (head.skin_dark - head.skin) * smoothstep(0.72 - 1.1 * light) * 0.62
        tone += (head.skin_light - tone) * (smoothstep((light - 0.45) / 0.6) * 0.75)
        layer.paint(cover, tone)
        spot = blob(x - head.across(0.0, 0.6) + 0.13, y + 0.36, 0.26, 0.16)
        layer.paint(cover * spot * 0.35, toward(head.skin_light, WHITE, 0.35))
        for side in (-1, 1):
            cheek_x = x - head.across(side * 0.245, 0.75)
            lifted = y - 0.20 + 0.025 * head.smile
            cheek = blob(cheek_x, lifted, 0.19, 0.15) * (0.50 + 0.25 * head.smile)
            layer.paint(cover * cheek, head.blush)
            socket = blob(x - head.across(side * head.eye_x, 0.85), y + 0.06, 0.16, 0.12)
            layer.paint(cover * socket * 0.22, head.skin_dark)
        # The side that turns away, and the chin's lower edge.
        layer.paint(cover * smoothstep(1 + outline / 0.13) * 0.18, head.skin_dark)


def _glasses(head: Head) -> None:
    which = np.flatnonzero(head.factors["glasses"])
    if not which.size:
        return
    head = head.only(which)
    with head.window(-0.72, 0.72, -0.36, 0.36) as layer:
        y = layer.y + 0.002
        for side in (-1, 1):
            half = 0.165 * (1 - 0.12 * side * head.yaw)
            x = layer.x - head.across(side * (head.eye_x + 0.012), 0.92)
            lens = rounded_box(x, y, half, 0.138 + 0 * half, 0.115)
            cover = layer.inside(lens)
            layer.paint(cover * 0.07, WHITE)
            streak = layer.soft(np.abs(x + 0.8 * y + 0.10) - 0.02, 0.05) * cover
            layer.paint(streak * 0.22, WHITE)
            layer.paint(layer.line(lens, 0.0145), GLASSES)
            reach = np.maximum(half - side * x, side * layer.x - head.width)
            layer.paint(layer.line(y + 0.06, 0.013) * layer.inside(reach), GLASSES)
        middle = layer.x - head.across(0.0, 1.0)
        reach = np.abs(middle) - (head.eye_x - 0.148)
        layer.paint(layer.line(y + 0.055, 0.012) * layer.inside(reach), GLASSES)


def _beard(head: Head) -> None:
    which = np.flatnonzero(head.factors["beard"])
    if not which.size:
        return
    head = head.only(which)
    colour = toward(head.hair * 0.86, (0.16, 0.10, 0.08), 0.12)
    with head.window(-0.62, 0.62, -0.34, 0.75) as layer:
        x, y = layer.x, layer.y
        u = x - head.across(0.0, 0.8)
        outline = head.outline(x, y - 0.02)
        cheeks = 0.235 - 0.75 * (np.abs(u) / head.width) ** 2 * np.abs(u) - y
        middle = x - head.across(0.0, 0.98)
        chin = ellipse(middle, y - 0.395, 0.075, 0.022)  # bare below the lower lip
        growth = layer.soft(np.maximum(np.maximum(outline, cheeks), 0.018 - chin), 0.035)
        layer.paint(growth * 0.9, colour)
        strands = clip01(0.2 + wave(u * 13 + 0.4 * wave(y * 5)) * 0.5)
        seen = min(max(2 - 26 * layer.pixel, 0), 1)
        layer.paint(growth * strands * 0.25 * seen, colour * 0.6)
        layer.paint(growth * blob(x + 0.2, y - 0.36, 0.25, 0.2) * 0.25, toward(colour, WHITE, 0.35))
        layer.paint(growth * smoothstep(1 + outline / 0.12) * 0.35, colour * 0.55)
