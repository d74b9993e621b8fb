"""What people look at: grids of faces, the GIF of a training, loss curves."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from facegan_ref.data.faces import from_tanh_range

PADDING = 2  # pixels between the images of a grid
BACKGROUND = 255
PALETTE_PIXELS = 1 << 20  # that many pixels of a GIF choose its 256 colours


def image_grid(images: Tensor, columns: int) -> np.ndarray:
    """Images `(N, 3, H, W)` or `(N, 1, H, W)` in [-1, 1], row by row in one picture.

    Returns:
        uint8 `(rows * (H + 2) - 2, columns * (W + 2) - 2, 3)`: two white pixels between images,
        as `plt.imshow` and Pillow take it.

    Raises:
        ValueError: `images` is no batch of images, or `columns` is below 1.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(
            f"images have shape {tuple(images.shape)}, expected (N, 3, H, W) with N at least 1"
        )
    if columns < 1:
        raise ValueError(f"columns is {columns}, expected at least 1")
    pixels = from_tanh_range(images.detach()).cpu().permute(0, 2, 3, 1).numpy()
    pixels = np.broadcast_to(pixels, (*pixels.shape[:3], 3))
    n, height, width, _ = pixels.shape
    rows = math.ceil(n / columns)
    grid = np.full(
        (rows * (height + PADDING) - PADDING, columns * (width + PADDING) - PADDING, 3),
        BACKGROUND,
        dtype=np.uint8,
    )
    for i, image in enumerate(pixels):
        top, left = i // columns * (height + PADDING), i % columns * (width + PADDING)
        grid[top : top + height, left : left + width] = image
    return grid


def save_png(picture: np.ndarray, path: str | Path, scale: int = 1) -> None:
    """Write a uint8 picture `(H, W, 3)` as PNG, each pixel enlarged to `scale`×`scale`."""
    image = Image.fromarray(picture)
    if scale > 1:
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def load_png(path: str | Path) -> np.ndarray:
    """A picture file as uint8 `(H, W, 3)`."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def save_gif(frames: Sequence[np.ndarray], path: str | Path, fps: float) -> None:
    """Write uint8 pictures `(H, W, 3)` of one size as an endless GIF, `fps` pictures a second.

    A picture like the one before it becomes no frame of its own: that one is shown longer.

    Raises:
        ValueError: no frames, frames of different sizes, or `fps` not above 0.
    """
    sizes = {frame.shape for frame in frames}
    if len(sizes) != 1 or not fps > 0:
        raise ValueError(
            f"{len(frames)} frames of the sizes {sorted(sizes)} at {fps} frames a second; expected "
            "at least one frame, all of one size, and more than 0 frames a second"
        )
    images = [Image.fromarray(frame) for frame in frames]
    encoded = io.BytesIO()
    # One palette from all frames, so that colours do not flicker from frame to frame.
    pixels = np.concatenate([frame.reshape(-1, 3) for frame in frames])
    thinned = pixels[:: math.ceil(len(pixels) / PALETTE_PIXELS)]
    strip = Image.fromarray(thinned[None])
    palette = strip.quantize(colors=256, method=Image.Quantize.MEDIANCUT)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    images[0].save(
        encoded,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(encoded.getvalue())


def smooth(values: Sequence[float], window: int) -> np.ndarray:
    """Running mean over `window` values, `(len(values),)`; shorter windows at the beginning."""
    sums = np.cumsum(np.insert(np.asarray(values, dtype=np.float64), 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def save_curves(history: Sequence[dict], path: str | Path) -> None:
    """Draw the metrics of a run (dicts with `step`, `loss_d`, `loss_g`, `d_real`, `d_fake`) as PNG.

    Left the losses with their values at chance (`2 ln 2` and `ln 2`), right D's mean scores.
    Pale lines are single steps, strong ones running means.
    """
    # Figure without pyplot: no global state, works in threads and without a display.
    from matplotlib.figure import Figure

    steps = [row["step"] for row in history]
    window = max(1, len(steps) // 50)
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    panels = (
        (axes[0], "loss", (("loss_d", "D's loss", "#0072B2", "-", 2 * math.log(2)),
                           ("loss_g", "G's loss", "#D55E00", "--", math.log(2)))),
        (axes[1], "mean score of D", (("d_real", "D(x), real images", "#0072B2", "-", 0.5),
                                      ("d_fake", "D(G(z)), generated", "#D55E00", "--", None))),
    )  # fmt: skip
    for axis, label, lines in panels:
        for key, name, colour, style, chance in lines:
            values = [row[key] for row in history]
            axis.plot(steps, values, color=colour, alpha=0.2, linewidth=0.7)
            axis.plot(steps, smooth(values, window), style, color=colour, label=name, linewidth=1.8)
            if chance is not None:
                axis.axhline(chance, color=colour, linewidth=0.8, linestyle=":")
        axis.set_xlabel("step")
        axis.set_ylabel(label)
        axis.grid(alpha=0.25)
        axis.legend(loc="upper right", framealpha=0.9)
    losses = [row[key] for row in history for key in ("loss_d", "loss_g")]
    axes[0].set_ylim(0, max(2.0, float(np.quantile(losses, 0.995)) * 1.1))
    axes[0].set_title("Losses (dotted: at chance, D = ½ everywhere)", fontsize=10)
    axes[1].set_ylim(0, 1)
    axes[1].set_title("What D thinks (dotted: at chance)", fontsize=10)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
