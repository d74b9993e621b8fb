"""What a visitor of the page can ask for, as functions of what he typed.

All is computed from the request alone and returned as bytes: nothing is kept between two requests
and nothing is written to a file that another visitor could be given.
"""

from __future__ import annotations

import io
import math
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegan_ref.app.checkpoints import CannotShow, Loaded
from facegan_ref.latents import faces_of, interpolation, latents_of_seeds, move
from facegan_ref.morph import morph
from facegan_ref.pictures import (
    captioned_grid,
    enlarge,
    image_grid,
    save_animation,
    there_and_back,
)

MOST_SEED = 2**32 - 1
SHORT_SEEDS = 10_000  # "Another face" draws from so many: easy to note down
HUNDRED = 100
COLUMNS = 10
STRIP_FRAMES = 12
SCALE = 4  # of downloaded faces, films and strips: a pixel becomes 4×4
# As `facegan morph` makes them, so that both write the same file.
FILM_FRAMES = 24
FILM_FPS = 12

_system = random.SystemRandom()


@dataclass(frozen=True)
class Morph:
    """All faces from one seed's to another's, `(K, 3, S, S)` in [-1, 1]."""

    seed1: int
    seed2: int
    images: Tensor

    def index(self, percent: float) -> int:
        """Which of them is shown at a place of the slider."""
        return round(percent / 100 * (len(self.images) - 1))


def read_seed(value: object, name: str = "The seed") -> int:
    """A visitor's seed; CannotShow when it is no whole number from 0 to 2**32 - 1."""
    wanted = f"a whole number from 0 to {MOST_SEED}"
    if value is None or (isinstance(value, str) and not value.strip()):
        raise CannotShow(f"{name} is empty: type {wanted}.")
    try:
        number = float(str(value).strip())
        whole = int(number)
    except (ValueError, OverflowError):
        raise CannotShow(f"{name} is {_quote(value)}: type {wanted}.") from None
    if whole != number or not 0 <= whole <= MOST_SEED:
        raise CannotShow(f"{name} is {_quote(value)}: type {wanted}.")
    return whole


def read_share(value: object) -> float:
    """A place of the slider in percent; CannotShow for anything else."""
    return _read_number(value, 0, 100, "The slider's place")


def another_seed() -> int:
    """A seed that nobody chose."""
    return _system.randrange(SHORT_SEEDS)


def steps_of(loaded: Loaded) -> int:
    """How many faces a morph has on the page: fewer where they are large."""
    return 41 if loaded.recipe.image_size <= 64 else 21


def make_morph(loaded: Loaded, seed1: object, seed2: object, steps: int | None = None) -> Morph:
    """The morph between two seeds' faces, along the way that suits the recipe's latents."""
    first, second = read_seed(seed1, "Face 1's seed"), read_seed(seed2, "Face 2's seed")
    z0, z1 = latents_of_seeds(loaded.recipe, [first, second])
    way = interpolation(loaded.recipe)
    images = morph(loaded.generator, z0, z1, steps or steps_of(loaded), way)
    return Morph(first, second, images)


def make_hundred(loaded: Loaded, first: object) -> tuple[list[int], Tensor]:
    """A hundred seeds from `first` on and their faces `(100, 3, S, S)`."""
    start = read_seed(first, "The first seed")
    if start > MOST_SEED - HUNDRED + 1:
        raise CannotShow(
            f"The first seed is {start}: a hundred faces begin at {MOST_SEED - HUNDRED + 1} or "
            "before."
        )
    seeds = list(range(start, start + HUNDRED))
    return seeds, faces_of(loaded.generator, latents_of_seeds(loaded.recipe, seeds))


def make_changed(loaded: Loaded, seed: object, amounts: Sequence[object]) -> tuple[int, Tensor]:
    """A seed and its face before and after the sliders, `(2, 3, S, S)`.

    `amounts` has a number for each of the generator's attributes; further ones are ignored.
    """
    number = read_seed(seed)
    (z,) = latents_of_seeds(loaded.recipe, [number])
    changed = z[None]
    for attribute, amount in zip(loaded.attributes, amounts, strict=False):
        reach = attribute.reach
        value = _read_number(amount, -reach, reach, f"The slider of {attribute.name}")
        changed = move(loaded.recipe, changed, attribute.vector, torch.tensor([value]))
    return number, faces_of(loaded.generator, torch.cat([z[None], changed]))


# ---- files


def png_of(image: Tensor, scale: int = 1) -> bytes:
    """A face `(3, S, S)` in [-1, 1] as a PNG file, each pixel enlarged to `scale`×`scale`.

    -1 is black and 1 is white for every face: none is stretched to its own range.
    """
    return _png(enlarge(image_grid(image[None], 1), scale))


def strip_of(loaded: Loaded, seed1: object, seed2: object) -> tuple[str, bytes]:
    """Name and contents of a PNG: the morph in twelve faces, as `facegan morph --out x.png`."""
    made = make_morph(loaded, seed1, seed2, STRIP_FRAMES)
    picture = enlarge(image_grid(made.images, STRIP_FRAMES), SCALE)
    return f"morph-{made.seed1}-{made.seed2}.png", _png(picture)


def film_of(loaded: Loaded, seed1: object, seed2: object) -> tuple[str, bytes]:
    """Name and contents of a GIF: there and back, the same as `facegan morph` writes."""
    made = make_morph(loaded, seed1, seed2, FILM_FRAMES)
    pictures = [enlarge(image_grid(image[None], 1), SCALE) for image in made.images]
    frames = there_and_back(pictures, hold=round(FILM_FPS / 2))
    with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
        path = Path(folder) / "morph.gif"
        save_animation(frames, path, FILM_FPS)
        return f"morph-{made.seed1}-{made.seed2}.gif", path.read_bytes()


def still_of(loaded: Loaded, seed1: object, seed2: object, percent: object) -> tuple[str, bytes]:
    """Name and contents of a PNG: the face that the slider shows, enlarged."""
    share = read_share(percent)
    made = make_morph(loaded, seed1, seed2)
    name = f"morph-{made.seed1}-{made.seed2}-at-{share:g}.png"
    return name, png_of(made.images[made.index(share)], SCALE)


def sheet_of(loaded: Loaded, first: object) -> tuple[str, bytes]:
    """Name and contents of a PNG: a hundred faces with their seeds, as `facegan sample` draws."""
    seeds, images = make_hundred(loaded, first)
    picture = captioned_grid(images, COLUMNS, 2, [str(seed) for seed in seeds])
    return f"faces-{seeds[0]}-{seeds[-1]}.png", _png(picture)


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    # Little effort for packing: three times as fast, and hardly larger for enlarged pixels.
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


# ---- what comes in and goes out


def _read_number(value: object, least: float, most: float, name: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise CannotShow(f"{name} is {_quote(value)}, expected from {least:g} to {most:g}.")
    return number


def _quote(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.15g}"
    text = str(value)
    text = text if len(text) <= 40 else f"{text[:40]}…"
    return text if isinstance(value, (int, float)) else f"“{text}”"
