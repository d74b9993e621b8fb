"""The features of a drawn face: nose, eyes, brows, mouth, each in the head's own frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facegan_ref.data._drawing import WHITE, blob, clip01, ellipse, smoothstep, toward

if TYPE_CHECKING:
    from facegan_ref.data._portrait import Head

MOUTH = np.float32([86, 26, 30]) / 255
TEETH = np.float32([250, 245, 238]) / 255


def nose(head: Head) -> None:
    """Ridge, tip, nostrils and the shadow beneath."""
    with head.window(-0.36, 0.36, -0.22, 0.36) as layer:
        x, y = layer.x, layer.y
        down = clip01((y + 0.10) / 0.26)
        ridge = head.across(0.0, 0.88 + 0.27 * down)
        side = x - ridge
        length = clip01((y + 0.12) / 0.1) * clip01((0.20 - y) / 0.06)
        shadow = blob(side - 0.045 - 0.02 * down, y * 0, 0.05 + 0.025 * down, 1.0)
        layer.paint(shadow * length * (0.16 + 0.26 * down), head.skin_dark)
        layer.paint(blob(side + 0.012, y * 0, 0.035, 1.0) * length * 0.38, head.skin_light)
        tip = head.across(0.0, 1.15)
        u = x - tip
        under = layer.line(ellipse(u, y - 0.135, 0.085, 0.058), 0.014) * smoothstep(
            (y - 0.14) / 0.04
        )
        layer.paint(under * 0.55, head.skin_dark * 0.9)
        layer.paint(blob(u, y - 0.215, 0.10, 0.045) * 0.5, head.skin_dark)
        layer.paint(
            blob(u + 0.018, y - 0.115, 0.05, 0.045) * 0.6, toward(head.skin_light, WHITE, 0.2)
        )
        for wing in (-1, 1):
            nostril = ellipse(u - wing * 0.045, y - 0.178, 0.024, 0.013)
            layer.paint(layer.inside(nostril) * 0.7, head.skin_dark * 0.55)


def eyes(head: Head) -> None:
    """White, iris, pupil and highlight between two lids, with lashes and a crease."""
    for side, (left, right) in ((-1, (-0.55, 0.22)), (1, (-0.22, 0.55))):
        with head.window(left, right, -0.32, 0.22) as layer:
            away = 1 - 0.16 * side * head.yaw
            half = 0.108 * away
            x = layer.x - head.across(side * head.eye_x, 0.85)
            y = layer.y + 0.025 + 0.10 * side * x  # outer corners a little higher
            t = x / half
            arch = 1 - t * t
            slope = np.sqrt(1 + (0.11 * t / half) ** 2)
            upper = (-y - (0.070 + 0.008 * head.brow) * arch) / slope
            squint = 0.048 - 0.016 * np.maximum(head.smile, 0)
            lower = (y - squint * arch) / slope
            opening = np.maximum(upper, lower)
            cover = layer.inside(opening)
            # In the white, a shadow under the upper lid.
            white = 0.97 - 0.34 * smoothstep(1 + upper / 0.05)
            layer.paint(cover, white * np.float32([1.0, 0.985, 0.97])[:, None, None, None])
            ix, iy = x - 0.012 * head.yaw, y + 0.012
            r = np.sqrt(ix * ix + iy * iy + 1e-9)
            rim = layer.inside(r - 0.064) * cover
            layer.paint(rim, head.iris * 0.5)
            glow = 0.85 + 0.55 * clip01(0.5 + iy / 0.09 + ix / 0.3)
            layer.paint(layer.inside(r - 0.053) * cover, clip01(head.iris * glow))
            layer.paint(layer.inside(r - 0.029) * cover, head.iris * 0.12)
            layer.paint(cover * smoothstep(1 + upper / 0.035) * 0.35, head.iris * 0.1)
            gx, gy = ix + 0.022, iy + 0.024
            layer.paint(layer.inside(np.sqrt(gx * gx + gy * gy) - 0.017) * 0.95, WHITE)
            lash = toward(head.hair * 0.25, (0.10, 0.06, 0.05), 0.7)
            within = smoothstep((1.22 - np.abs(t)) / 0.2)
            layer.paint(layer.line(upper - 0.004, 0.013) * within * (y < 0.03), lash)
            wing = layer.line(upper - 0.004, 0.016) * within * smoothstep(side * t - 0.2)
            layer.paint(wing * (y < 0.025), lash)
            layer.paint(
                layer.line(lower - 0.004, 0.007) * within * (y > 0) * 0.45, head.skin_dark * 0.8
            )
            crease = layer.line(upper - 0.042, 0.008) * smoothstep((1.05 - np.abs(t)) / 0.3)
            layer.paint(crease * (y < 0) * 0.6, head.skin_dark * 0.85)


def brows(head: Head) -> None:
    """Two arcs in the hair's colour, thinner towards the temples."""
    colour = toward(head.hair * 0.62, (0.16, 0.10, 0.08), 0.35)
    for side, (left, right) in ((-1, (-0.60, 0.26)), (1, (-0.26, 0.60))):
        with head.window(left, right, -0.48, 0.0) as layer:
            half = 0.135 * (1 - 0.16 * side * head.yaw)
            x = layer.x - head.across(side * (head.eye_x + 0.01), 0.85)
            t = side * x / half  # -1 at the nose, 1 at the temple
            arc = -0.192 - 0.030 * head.brow - 0.034 * (1 - (t - 0.12) ** 2)
            thick = 0.022 * clip01(1.25 - 0.40 * (t + 1)) + 0.006
            ends = smoothstep((1.04 - np.abs(t)) / 0.16)
            on_face = layer.inside(head.outline(layer.x, layer.y) + 0.01)
            layer.paint(layer.line(layer.y - arc, thick) * ends * on_face * 0.88, colour)


def mouth(head: Head) -> None:
    """Lips around an opening with the upper teeth."""
    with head.window(-0.45, 0.45, 0.10, 0.64) as layer:
        smile, gap = head.smile, 0.095 * head.opening
        half = 0.138 + 0.042 * smile - 0.012 * head.opening * (1 - smile)
        x = (layer.x - head.across(0.0, 0.98)) / (1 - 0.07 * head.yaw * head.yaw)
        t = x / half
        arch = np.maximum(1 - t * t, 0)
        round_arch = np.sqrt(arch)
        # y = 0 is where the lips meet; the corners rise with the smile.
        y = layer.y - 0.322 + 0.35 * gap + smile * (0.055 * (t * t) - 0.022)
        slope = np.sqrt(1 + (0.10 * smile * t / half * 0.6) ** 2)
        beyond = (np.abs(t) - 1) * half
        cupid = 1 - 0.30 * blob(t, t * 0, 0.32, 1.0)
        upper = (0.050 - 0.012 * smile) * round_arch * cupid * (0.5 + 0.5 * arch)
        lower = gap * arch + (0.062 - 0.010 * smile) * round_arch
        lips = layer.inside(np.maximum(np.maximum(-y - upper, y - lower) / slope, beyond))
        layer.paint(lips, head.lip * (1.06 - 0.22 * smoothstep(0.5 - (y - 0.5 * gap) / 0.04)))
        shine = blob(x + 0.025, y - gap - 0.030, 0.08, 0.022) * 0.40
        layer.paint(lips * shine, toward(head.lip, WHITE, 0.55))
        inside = np.maximum(np.maximum(-y, y - gap * arch) / slope, beyond)
        layer.paint(layer.inside(inside), MOUTH)
        grin = 0.30 + 0.45 * clip01(smile)
        teeth = layer.inside(np.maximum(inside, y - grin * gap * arch))
        layer.paint(teeth * smoothstep(gap / 0.03), TEETH)
        parting = layer.line(y / slope, 0.007) * layer.inside(beyond)
        layer.paint(parting * 0.75, head.lip * 0.45)
        for side in (-1, 1):
            corner = blob(x - side * (half + 0.006), y, 0.035, 0.03)
            layer.paint(corner * (0.25 + 0.25 * clip01(smile)), head.skin_dark * 0.8)
        layer.paint(blob(x, y - gap - 0.10, 0.10, 0.035) * 0.40 * (1 - lips), head.skin_dark)
