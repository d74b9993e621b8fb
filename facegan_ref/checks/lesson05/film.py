"""Checks of task 5.4: the GIF, as another program reads it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageSequence, UnidentifiedImageError

from facegan_ref.checks.engine import Lesson, Probe, fail

# Mean difference of a frame's values from what they should be: 256 colours come closer.
NEAR = 6.0
TICK = 10  # milliseconds: a GIF counts in hundredths of a second


@dataclass
class Film:
    """What is in a GIF file."""

    frames: list[np.ndarray]
    durations: list[float]
    loop: int | None


def read_film(path: Path) -> Film:
    """A GIF as Pillow reads it; fails when there is none."""
    if not path.is_file():
        others = sorted(p.name for p in path.parent.rglob("*")) if path.parent.is_dir() else []
        fail(
            "a file at the path that was given",
            f"none there, but {', '.join(others)}" if others else "none",
            "the path is changed, or nothing is saved",
        )
    try:
        with Image.open(path) as image:
            if image.format != "GIF":
                fail(
                    "a GIF file",
                    f"a file of the format {image.format}",
                    "say format='GIF', or leave the path's ending .gif as it is",
                )
            frames, durations = [], []
            for frame in ImageSequence.Iterator(image):
                frames.append(np.array(frame.convert("RGB")))
                durations.append(float(frame.info.get("duration", 0)))
            return Film(frames, durations, image.info.get("loop"))
    except UnidentifiedImageError:
        fail("a GIF file", "a file that is no picture", "the bytes of an array are not a GIF")


def moving_picture(probe: Probe, n: int) -> list[np.ndarray]:
    """`n` smooth pictures, low in contrast, each of another brightness."""
    height, width = 2 * probe.integer(5, 7), 2 * probe.integer(8, 10)
    y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    frames = []
    for level in torch.randperm(n, generator=probe.rng).tolist():
        colours = [
            25 * level + offset + 60 * part * (0.6 + 0.4 * float(probe.randn(1).tanh()))
            for part, offset in ((x + 0 * y, 10), (y + 0 * x, 40), ((x + y) / 2, 70))
        ]
        frames.append(np.stack(colours, axis=2).round().clip(0, 255).astype(np.uint8))
    return frames


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean()) if a.shape == b.shape else np.inf


def _stretched(frame: np.ndarray) -> np.ndarray:
    low, high = float(frame.min()), float(frame.max())
    return ((frame - low) / max(high - low, 1) * 255).astype(np.uint8)


VALUE_MISTAKES: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    (
        "the contrast of each frame is stretched by itself: then a film flickers, and no two "
        "frames can be compared. Bytes are bytes, they need no rule",
        _stretched,
    ),
    ("the frames are bytes already: multiplied by 255 they wrap around, into a negative",
     lambda f: (f.astype(np.int64) * 255).astype(np.uint8)),
    ("the frames are bytes already, 0 to 255: un-normalising them once more spoils them",
     lambda f: ((f.astype(float) + 1) * 127.5).clip(0, 255).astype(np.uint8)),
    ("the frames are bytes already, 0 to 255: un-normalising them once more spoils them",
     lambda f: ((f.astype(float) + 1) * 127.5).astype(np.int64).astype(np.uint8)),
    ("red and blue are swapped: that is OpenCV's order, not Pillow's", lambda f: f[..., ::-1]),
    ("the colours are lost: convert('L') makes a picture grey",
     lambda f: np.repeat(np.array(Image.fromarray(f).convert("L"))[..., None], 3, axis=2)),
    ("Pillow's convert('P') takes 216 fixed colours: share_palette chooses 256 that fit",
     lambda f: np.array(Image.fromarray(f).convert("P").convert("RGB"))),
)  # fmt: skip


def _save(save_gif: Callable, frames: list[np.ndarray], path: Path | str, fps: float) -> Film:
    """Let the student's function write a film, and read it."""
    before = [frame.copy() for frame in frames]
    given = list(frames)
    try:
        save_gif(given, path, fps)
    except FileNotFoundError as error:
        fail(
            f"a film at {Path(path).name} in a folder that does not exist yet",
            f"FileNotFoundError: {error.strerror}",
            "make the folder first, and those above it: Path(path).parent.mkdir(parents=True, "
            "exist_ok=True)",
        )
    film = read_film(Path(path))
    same = len(given) == len(before) and all(
        np.array_equal(a, b) for a, b in zip(given, before, strict=True)
    )
    if not same:
        fail(
            "the list of frames to be the same after the call",
            f"a list of {len(given)} frames" if len(given) != len(before) else "other frames",
            "pop and remove change the caller's list, and writing into a frame does too: the "
            "recorder's film would be lost",
        )
    return film


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 5.4."""

    @lesson.check("5.4", points=0.5)
    def writes_every_frame(save_gif, probe: Probe) -> None:
        """The file is a GIF of all frames in their order, of their size, near in their colours."""
        with tempfile.TemporaryDirectory() as folder:
            for n, name, as_text in (
                (probe.integer(4, 6), "film.gif", False),
                (1, "new/deep/film.gif", True),
                (2, "film.gif", False),
            ):
                frames = moving_picture(probe, n)
                path = Path(folder, name)
                film = _save(save_gif, frames, str(path) if as_text else path, 5)
                _require_frames(film, frames)

    @lesson.check("5.4", points=0.5)
    def plays_at_its_speed(save_gif, probe: Probe) -> None:
        """Each frame is shown for 1/fps seconds, and the film plays endlessly."""
        with tempfile.TemporaryDirectory() as folder:
            for fps in (4, 12.5, probe.integer(8, 16)):
                path = Path(folder, "film.gif")
                frames = moving_picture(probe, 4)
                film = _save(save_gif, frames, path, fps)
                _require_frames(film, frames)
                _require_speed(film, fps)
            red, blue = moving_picture(probe, 2)
            film = _save(save_gif, [red, red, blue, blue, red], path, 4)
            total = sum(film.durations)
            if abs(total - 5 * 250) > 5 * TICK:
                fail(
                    "5 frames at 4 a second to take 1250 milliseconds, also when some are alike "
                    "(they may become one frame that is shown longer)",
                    f"{total:g} milliseconds",
                    "frames that were there before are thrown away",
                )


def _require_frames(film: Film, frames: list[np.ndarray]) -> None:
    n, came = len(frames), len(film.frames)
    if came != n:
        likely = _explain_merged(film, frames)
        if came == 1 and not likely:
            likely = "save_all=True is missing, or append_images: Pillow saves one picture"
        if came == n + 1 or (came == n and n > 1):
            likely = "append_images holds the first frame too: it is the image that is saved"
        if came == n - 1:
            likely = "a frame is lost: the first image is saved, append_images are all the others"
        fail(f"{n} frame{'s' * (n > 1)} in the file", f"{came}", likely)
    size, found = frames[0].shape, film.frames[0].shape
    if size != found:
        likely = "the pictures are resized, or drawn with axes and borders"
        if found == (size[1], size[0], 3):
            likely = "height and width are swapped"
        fail(f"frames of {size[0]}×{size[1]} pixels", f"{found[0]}×{found[1]}", likely)
    for i, (frame, picture) in enumerate(zip(frames, film.frames, strict=True)):
        if _distance(frame, picture) > NEAR:
            fail(
                f"frame {i} to come close to its colours",
                f"values that are {_distance(frame, picture):.0f} off in the mean",
                _explain_frame(film, frames, i),
            )


def _explain_merged(film: Film, frames: list[np.ndarray]) -> str | None:
    """The mistake that makes all frames equal, so that they become one."""
    for name, change in VALUE_MISTAKES:
        changed = [change(frame) for frame in frames]
        if all(_distance(film.frames[0], frame) <= 1 for frame in changed):
            return name
    return None


def _explain_frame(film: Film, frames: list[np.ndarray], i: int) -> str | None:
    picture, n = film.frames[i], len(frames)
    others = [j for j in range(n) if j != i and _distance(frames[j], picture) <= NEAR]
    if others and n > 1:
        if _distance(frames[n - 1 - i], picture) <= NEAR:
            return "the film runs backwards"
        return f"frame {others[0]} stands in its place: append_images holds other frames"
    named = [(_distance(change(frames[i]), picture), name) for name, change in VALUE_MISTAKES]
    distance, name = min(named)
    return name if distance <= 2 * NEAR else None


def _require_speed(film: Film, fps: float) -> None:
    for duration in film.durations:
        if abs(duration - 1000 / fps) > TICK:
            likely = "duration=1000 / fps"
            if abs(duration - fps) <= TICK or duration == 0:
                likely = (
                    "Pillow takes a frame's duration in milliseconds, 1000 / fps: neither fps nor "
                    "seconds. A GIF counts in hundredths of a second, and less than one becomes 0"
                )
            if abs(duration * len(film.durations) - 1000 / fps) <= TICK * len(film.durations):
                likely = "the duration is that of one frame, not of the film: 1000 / fps"
            first, last = film.durations[0], film.durations[-1]
            if last > 0 and abs(first - 2 * last) <= TICK:
                likely = "append_images holds the first frame too, and it is shown twice as long"
            fail(
                f"{1000 / fps:.0f} milliseconds for each frame at {fps:g} frames a second, to 10",
                f"{duration:g} milliseconds",
                likely,
            )
    if film.loop != 0:
        fail(
            "a film that plays endlessly",
            "one that plays once" if film.loop is None else f"one that repeats {film.loop} times",
            "loop=0 means endlessly, and without it a GIF stops after one time",
        )
