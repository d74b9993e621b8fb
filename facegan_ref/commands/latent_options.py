"""What the commands on latents have in common: kinds of values, and how a film is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from facegan_ref.commands.options import SEED

SCALE = click.IntRange(1, 16)
TRUNCATION = click.option(
    "--truncation",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="below 1: latents drawn towards the mean, for more ordinary faces",
)


class SeedList(click.ParamType):
    """Seeds with commas between them."""

    name = "seed,seed,…"

    def convert(self, value, param, ctx):
        if isinstance(value, list):
            return value
        return [SEED.convert(part.strip(), param, ctx) for part in value.split(",")]


class NameList(click.ParamType):
    """Names with commas between them."""

    name = "name,name,…"

    def convert(self, value, param, ctx):
        if isinstance(value, list):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]


def save_film(pictures: Sequence[np.ndarray], out: Path, fps: float, scale: int) -> None:
    """Write pictures as a film there and back that rests half a second at both ends."""
    from facegan_ref.pictures import enlarge, save_animation, there_and_back

    large = [enlarge(picture, scale) for picture in pictures]
    save_animation(there_and_back(large, hold=max(1, round(fps / 2))), out, fps)
