"""Faces as HTML that holds them: no file lies on the server, and each has its alternative text."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape

from torch import Tensor

from facegan_ref.app.actions import SCALE, Morph, png_of
from facegan_ref.app.checkpoints import Loaded

TERMS = (
    "<strong>Faces of nobody.</strong> A neural network made every face on this page: none is a "
    "photograph, and none of these people exists. Generators trained on CelebA, and their faces, "
    "are for <strong>non-commercial research</strong> only, and repeat what is one-sided in its "
    "pictures. Nothing of what you type or see is kept."
)


def data_url(contents: bytes, kind: str = "image/png") -> str:
    """A file's contents as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(contents).decode()}"


def message(text: str) -> str:
    """What went wrong, in words; screen readers say it at once."""
    if not text:
        return ""
    return f'<p class="fg-message" role="alert"><b>Not shown.</b> {escape(text)}</p>'


def about(loaded: Loaded) -> str:
    """What a generator is, in a line."""
    recipe = loaded.recipe
    way = "straight line" if recipe.latent == "uniform" else "arc (slerp)"
    size = recipe.image_size
    return (
        f'<p class="fg-about">Recipe <b>{escape(recipe.name)}</b>, {size}×{size} pixels, '
        f"{recipe.z_dim} numbers a face; from face to face along the {way}.</p>"
    )


def face(image: Tensor, seed: int, title: str) -> str:
    """A face with its seed under it, and a link to save it."""
    alt = f"{title}: generated face of seed {seed}"
    saved = data_url(png_of(image, SCALE))
    return (
        f'<figure class="fg-face"><img src="{data_url(png_of(image))}" alt="{escape(alt)}">'
        f"<figcaption><span>{escape(title)}, seed <b>{seed}</b></span> "
        f'<a href="{saved}" download="face-{seed}.png" '
        f'aria-label="Save face {seed} as PNG">PNG</a></figcaption></figure>'
    )


def stage(morph: Morph, percent: float) -> str:
    """The morph, all of its faces at hand for the slider, one of them shown."""
    frames = [data_url(png_of(image)) for image in morph.images]
    shown = morph.index(percent)
    return (
        f'<figure class="fg-face fg-stage" data-from="{morph.seed1}" data-to="{morph.seed2}" '
        f"data-frames='{json.dumps(frames)}'>"
        f'<img src="{frames[shown]}" alt="{escape(stage_text(morph, percent))}">'
        f'<figcaption aria-live="off">{escape(stage_text(morph, percent))}</figcaption></figure>'
    )


def stage_text(morph: Morph, percent: float) -> str:
    """What the morph shows at a place of the slider; page.js says the same."""
    return f"From face {morph.seed1} to face {morph.seed2}: {percent:g} % of the way"


def sheet(seeds: Sequence[int], images: Tensor) -> str:
    """Many faces, each a button that takes its seed."""
    tiles = [
        f'<li><button type="button" class="fg-tile" data-seed="{seed}">'
        f'<img src="{data_url(png_of(image))}" alt="Generated face of seed {seed}">'
        f'<span aria-hidden="true">{seed}</span></button></li>'
        for seed, image in zip(seeds, images, strict=True)
    ]
    return f'<ul class="fg-sheet">{"".join(tiles)}</ul>'


def saved(name: str, contents: bytes) -> str:
    """A link that holds a file; page.js follows it once."""
    kind = "image/gif" if name.endswith(".gif") else "image/png"
    size = f"{len(contents) / 1024:,.0f} KB"
    return (
        f'<p class="fg-saved" role="status">Saved: <a href="{data_url(contents, kind)}" '
        f'download="{escape(name)}">{escape(name)}</a> ({size})</p>'
    )


def placeholder(text: str) -> str:
    """What stands where no face can be shown."""
    return f'<p class="fg-empty">{escape(text)}</p>'
