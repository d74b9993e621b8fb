"""What people look at: grids of faces, the GIF of a training, loss curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from facegan_ref.data.faces import from_tanh_range, to_tanh_range

PADDING = 2  # pixels between the images of a grid
ROW_TEXT = 14  # pixels: the names of a captioned grid's rows
PALETTE_PIXELS = 1 << 20  # that many pixels of a GIF choose its 256 colours


def image_grid(images: Tensor, columns: int) -> np.ndarray:
    """Images `(N, 3, H, W)` or `(N, 1, H, W)` in [-1, 1], row by row in one picture.

    Returns:
        uint8 `(rows * (H + 2) - 2, columns * (W + 2) - 2, 3)`: two white pixels between images,
        as `plt.imshow` and Pillow take it.

    Raises:
        ValueError: `images` is no batch of images, or `columns` is below 1.
    """
    require_image_batch(images, columns)
    n, _, height, width = images.shape
    rows = math.ceil(n / columns)
    size = (rows * (height + PADDING) - PADDING, columns * (width + PADDING) - PADDING, 3)
    grid = np.full(size, 255, dtype=np.uint8)
    pixels = from_tanh_range(images.detach()).cpu().permute(0, 2, 3, 1).numpy()
    for i in range(n):
        top, left = i // columns * (height + PADDING), i % columns * (width + PADDING)
        grid[top : top + height, left : left + width] = pixels[i]
    return grid


def require_image_batch(images: Tensor, columns: int) -> None:
    """ValueError unless `images` is `(N, 3, H, W)` or `(N, 1, H, W)` and `columns` at least 1."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(
            f"images have shape {tuple(images.shape)}, expected (N, 3, H, W) with N at least 1"
        )
    if columns < 1:
        raise ValueError(f"columns is {columns}, expected at least 1")


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
    require_film(frames, fps)
    images = share_palette(frames)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    images[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
    )


def require_film(frames: Sequence[np.ndarray], fps: float) -> None:
    """ValueError unless there are frames, all of one size, and `fps` is above 0."""
    sizes = {frame.shape for frame in frames}
    if len(sizes) != 1 or not fps > 0:
        raise ValueError(
            f"{len(frames)} frames of the sizes {sorted(sizes)} at {fps} frames a second; expected "
            "at least one frame, all of one size, and more than 0 frames a second"
        )


def share_palette(frames: Sequence[np.ndarray]) -> list[Image.Image]:
    """Uint8 pictures `(H, W, 3)` as Pillow images in 256 colours, chosen once for all of them.

    A GIF has no more colours than that; a choice for each frame would make them flicker.
    """
    pixels = np.concatenate([frame.reshape(-1, 3) for frame in frames])
    thinned = pixels[:: math.ceil(len(pixels) / PALETTE_PIXELS)]
    palette = Image.fromarray(thinned[None]).quantize(256, method=Image.Quantize.MEDIANCUT)
    images = [Image.fromarray(frame) for frame in frames]
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


def save_animation(frames: Sequence[np.ndarray], path: str | Path, fps: float) -> None:
    """Write uint8 pictures `(H, W, 3)` as an endless film: `.gif`, or `.webp` with every pixel.

    A GIF has 256 colours, chosen once for all frames; a WebP is lossless. Neither changes a frame's
    brightness or contrast. Raises ValueError for another ending, and as `save_gif`.
    """
    path = Path(path)
    if path.suffix.lower() == ".gif":
        save_gif(frames, path, fps)
        return
    if path.suffix.lower() != ".webp":
        raise ValueError(f"{path}: no kind of animation is called so, expected .gif or .webp")
    require_film(frames, fps)
    images = [Image.fromarray(frame) for frame in frames]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
        lossless=True,
        method=4,
    )


def there_and_back(frames: Sequence[np.ndarray], hold: int) -> list[np.ndarray]:
    """The frames forth and back for an endless film, the first and the last shown `hold` times."""
    first, *between, last = frames
    return [first] * hold + between + [last] * hold + between[::-1]


def enlarge(picture: np.ndarray, scale: int) -> np.ndarray:
    """A picture `(H, W, 3)` with each pixel as a square of `scale`×`scale`."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _font(size: int) -> ImageFont.ImageFont:
    """Pillow's own font in `size` pixels; Pillow before 10.1 has it in one size only."""
    try:
        return ImageFont.load_default(size=size)
    except TypeError:
        return ImageFont.load_default()


def captioned_grid(
    images: Tensor,
    columns: int,
    scale: int = 2,
    captions: Sequence[str] = (),
    rows: Sequence[str] = (),
) -> np.ndarray:
    """A grid as `image_grid` makes it, enlarged, with text.

    Args:
        images: `(N, 3, H, W)` in [-1, 1].
        columns: images a row.
        scale: side of the square that a pixel becomes.
        captions: what stands under each image, N of them or none.
        rows: what stands left of each row, one for each or none.

    Raises:
        ValueError: as `image_grid`, or the numbers of texts and images differ.
    """
    grid = enlarge(image_grid(images, columns), scale)
    n_rows = math.ceil(len(images) / columns)
    if len(captions) not in (0, len(images)) or len(rows) not in (0, n_rows):
        raise ValueError(
            f"{len(captions)} captions for {len(images)} images and {len(rows)} names for "
            f"{n_rows} rows; expected one for each, or none"
        )
    font, row_font = _font(10), _font(ROW_TEXT)
    text_height, row_height = (font.getbbox("Ag")[3] + 2 for font in (font, row_font))
    left = max((math.ceil(row_font.getlength(name)) for name in rows), default=0)
    left += 6 if rows else 0
    below = text_height if captions else 0
    cell_height = (images.shape[2] + PADDING) * scale
    cell_width = (images.shape[3] + PADDING) * scale
    size = (left + grid.shape[1], n_rows * (cell_height + below) - PADDING * scale)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for row in range(n_rows):
        top = row * (cell_height + below)
        part = grid[row * cell_height : (row + 1) * cell_height - PADDING * scale]
        picture.paste(Image.fromarray(part), (left, top))
        if rows:
            middle = top + (len(part) - row_height) // 2
            draw.text((0, middle), rows[row], fill=0, font=row_font)
        for column, caption in enumerate(captions[row * columns : (row + 1) * columns]):
            middle = left + column * cell_width + images.shape[3] * scale / 2
            start = middle - font.getlength(caption) / 2
            draw.text((start, top + len(part)), caption, fill=0, font=font)
    return np.array(picture)


def load_picture(path: str | Path, size: int) -> Tensor:
    """Any picture file as `(3, size, size)` in [-1, 1]: upright, its middle square, resized.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no picture that Pillow reads, or only a part of one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such picture")
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path}: not a whole picture ({error}). Give a JPEG or PNG file"
        ) from error
    square = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
    return to_tanh_range(torch.from_numpy(np.array(square))).permute(2, 0, 1)


def smooth(values: Sequence[float], window: int) -> np.ndarray:
    """Running mean over `window` values, `(len(values),)`; shorter windows at the beginning."""
    sums = np.cumsum(np.insert(np.asarray(values, dtype=np.float64), 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def save_curves(
    history: Sequence[dict],
    path: str | Path,
    at_chance: tuple[float, float] | None = (2 * math.log(2), math.log(2)),
    scores: bool = True,
) -> None:
    """Draw the metrics of a run, dicts as `Trainer.take_metrics` gives them, as PNG.

    Left the losses, in the middle D's mean answers, right the shares that D got right. Pale lines
    are single steps, strong ones running means.

    Args:
        at_chance: D's and G's loss where D answers the same to everything; None for no such lines.
        scores: whether D's answers are scores from 0 to 1.
    """
    # Figure without pyplot: no global state, works in threads and without a display.
    from matplotlib.figure import Figure

    window = max(1, len(history) // 50)
    figure = Figure(figsize=(15, 4), layout="constrained")
    losses, answers, accuracies = figure.subplots(1, 3)
    _draw_lines(losses, history, window, (("loss_d", "D's loss"), ("loss_g", "G's loss")))
    losses.set_ylabel("loss")
    values = [row[key] for row in history for key in ("loss_d", "loss_g")]
    low, high = np.quantile(values, 0.005), np.quantile(values, 0.995)
    losses.set_ylim(min(0.0, low - 0.1 * abs(low)), max(2.0, high * 1.1) if at_chance else None)
    losses.set_title("Losses", fontsize=10)
    if at_chance:
        for value, (colour, _) in zip(at_chance, LINES, strict=True):
            losses.axhline(value, color=colour, linewidth=0.8, linestyle=":")
        losses.set_title("Losses (dotted: at chance, D says the same to all)", fontsize=10)
    names = (("d_real", "D(x), real images"), ("d_fake", "D(G(z)), generated"))
    _draw_lines(answers, history, window, names)
    answers.set_ylabel("mean score of D" if scores else "mean output of D")
    answers.set_title("What D thinks", fontsize=10)
    if scores:
        answers.axhline(0.5, color="0.4", linewidth=0.8, linestyle=":")
        answers.set_ylim(0, 1)
    names = (("acc_real", "of real images"), ("acc_fake", "of generated ones"))
    _draw_lines(accuracies, history, window, names)
    accuracies.set_ylabel("share that D got right")
    accuracies.set_ylim(0, 1.02)
    accuracies.set_title("D's accuracy, batch by batch", fontsize=10)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


LINES = (("#0072B2", "-"), ("#D55E00", "--"))  # told apart by more than their colours


def _draw_lines(axis, history: Sequence[dict], window: int, names) -> None:
    steps = [row["step"] for row in history]
    for (key, name), (colour, style) in zip(names, LINES, strict=True):
        values = [row[key] for row in history]
        axis.plot(steps, values, color=colour, alpha=0.2, linewidth=0.7)
        axis.plot(steps, smooth(values, window), style, color=colour, label=name, linewidth=1.8)
    axis.set_xlabel("step")
    axis.grid(alpha=0.25)
    axis.legend(loc="best", framealpha=0.9)
