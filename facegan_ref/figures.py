"""What the lessons draw with: one style, colours, pictures with words, films and a slider.

Nothing here is needed for training, checking or grading.
"""

from __future__ import annotations

import base64
import contextlib
import html
import io
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure
from torch import Tensor

from facegan_ref.pictures import captioned_grid, save_gif
from facegan_ref.quick import QUICK, shorten
from facegan_ref.run import choose_device

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "QUICK",
    "best_device",
    "explore",
    "shorten",
    "show",
    "show_film",
    "show_gif",
    "show_picture",
    "show_rows",
    "use_style",
    "when_done",
]

# The colour-blind can tell these apart; each line also has a style of its own.
BLUE, ORANGE, GREEN, PURPLE, BLACK = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#222222"
MOST_STILLS = 6
STYLE = {
    "figure.facecolor": "white",  # also when the notebook's theme is dark
    "savefig.facecolor": "white",
    "figure.dpi": 110,
    "figure.figsize": (9, 3.6),
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "lines.linewidth": 2.2,
    "legend.frameon": False,
}


def use_style() -> None:
    """Draw all further figures in the course's style: on white, with thin grids."""
    plt.rcParams.update(STYLE)


def best_device() -> torch.device:
    """The device that the lessons train on: CUDA, then MPS, then the CPU."""
    return choose_device("auto")


def show(figure: Figure, alt: str = "") -> None:
    """Show a matplotlib figure as a picture and close it; `alt` says in words what is to be seen.

    Screen readers read `alt`, and so does who can't load the picture.
    """
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", dpi=figure.dpi)
    plt.close(figure)
    _display_picture("image/png", encoded.getvalue(), alt)


def show_picture(picture: np.ndarray, alt: str = "") -> None:
    """Show a uint8 picture `(H, W, 3)`, pixel by pixel."""
    _display_picture("image/png", _as_png(picture), alt)


def show_rows(rows: Mapping[str, Tensor], scale: int = 2, alt: str = "") -> None:
    """Show batches of images `(N, 3, H, W)` in [-1, 1], one row each, its name to the left."""
    sizes = {len(images) for images in rows.values()}
    if len(sizes) != 1:
        raise ValueError(f"rows of {sorted(sizes)} images; expected rows of one length")
    images = torch.cat([images.detach().cpu() for images in rows.values()])
    show_picture(captioned_grid(images, sizes.pop(), scale, rows=tuple(rows)), alt)


def show_film(frames: Sequence[np.ndarray], fps: float, alt: str = "") -> None:
    """Show uint8 pictures `(H, W, 3)` as an endless film."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.gif"
        save_gif(frames, path, fps)
        show_gif(path.read_bytes(), alt)


def show_gif(encoded: bytes, alt: str = "") -> None:
    """Show the bytes of a GIF file."""
    _display_picture("image/gif", encoded, alt)


def explore(
    pictures: Sequence[np.ndarray], values: Sequence[object], name: str, alt: str = ""
) -> None:
    """Let a slider choose one of the pictures, where somebody sits in front of the notebook.

    Some of the pictures are shown side by side in any case: in a printed or tested notebook, and
    where ipywidgets is missing, there is no slider.

    Args:
        pictures: uint8 `(H, W, 3)`, one for each value, all of one size.
        values: what the slider shows, such as 0.05 or "step 300".
        name: what the values are, "sigma".
    """
    if len(pictures) != len(values) or not pictures:
        raise ValueError(
            f"{len(pictures)} pictures for {len(values)} values; expected one for each"
        )
    chosen = np.linspace(0, len(pictures) - 1, min(MOST_STILLS, len(pictures))).round().astype(int)
    width = min(12.0, max(2.0 * len(chosen), 5.0))
    height = width / len(chosen) * pictures[0].shape[0] / pictures[0].shape[1] + 0.35
    figure, axes = plt.subplots(1, len(chosen), figsize=(width, height), squeeze=False)
    for axis, index in zip(axes[0], chosen, strict=True):
        axis.imshow(pictures[index])
        axis.set_axis_off()
        axis.set_title(f"{name} {values[index]}", fontsize=10)
    show(figure, alt)
    if _somebody_looks():
        with contextlib.suppress(ImportError):
            _show_slider([_as_png(picture) for picture in pictures], values, name, pictures[0])


def when_done(present: Callable[..., None], task: str, make: Callable[[], object], **how) -> None:
    """Present what `make()` returns; if the task is not done, say so in one line.

    `how` is passed on to `present`, such as `alt`.
    """
    try:
        present(make(), **how)
    except NotImplementedError:
        print(f"Finish {task} to see this.")
    except Exception as error:
        if os.environ.get("FACEGAN_STRICT") == "1":
            raise
        print(f"Mend {task} to see this. {type(error).__name__}: {error}")
    plt.close("all")


def _somebody_looks() -> bool:
    """Whether this kernel belongs to a notebook that is open in front of somebody.

    Jupyter's server names the session of each kernel it starts; nbconvert and nbgrader do not.
    """
    at_home = "JPY_SESSION_NAME" in os.environ or "VSCODE_PID" in os.environ
    return at_home or "google.colab" in sys.modules


def _show_slider(encoded: list[bytes], values: Sequence[object], name: str, first: np.ndarray):
    import ipywidgets

    # Small pictures are enlarged: a slider is for looking closely.
    height, width = (side * max(1, round(320 / max(first.shape[:2]))) for side in first.shape[:2])
    picture = ipywidgets.Image(value=encoded[0], format="png", width=width, height=height)
    picture.layout.object_fit = "contain"
    slider = ipywidgets.SelectionSlider(
        options=[(str(value), index) for index, value in enumerate(values)], description=name
    )
    slider.observe(lambda change: setattr(picture, "value", encoded[change["new"]]), names="value")
    display(ipywidgets.VBox([slider, picture]))


def _as_png(picture: np.ndarray) -> bytes:
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="png")
    return encoded.getvalue()


def _display_picture(kind: str, encoded: bytes, alt: str) -> None:
    """Show a picture: as HTML with its text for notebooks and pages, as itself for the rest.

    JupyterLab has no place for the text of a bare picture.
    """
    data = base64.b64encode(encoded).decode()
    text = html.escape(alt, quote=True)
    style = "max-width: 100%; background: white"
    markup = f'<img alt="{text}" style="{style}" src="data:{kind};base64,{data}">'
    display({"text/html": markup, kind: data, "text/plain": alt or "a picture"}, raw=True)
