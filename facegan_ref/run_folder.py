"""Where a run's files lie, and how they are brought back to the state of a checkpoint.

runs/quick/
    recipe.json      what is trained
    metrics.jsonl    one line a step
    quality.jsonl    one line an epoch, where quality is measured
    samples/         grids of the same 64 latents: epoch_003.png, epoch_003_step_00000500.png
    curves.png       losses, D's mean scores and its accuracies
    progress.gif     the grids as a film
    last.pt          the checkpoint to resume from
    best.pt          the checkpoint with the best measured quality
    checkpoints/     the ones before the last: step_00000312.pt
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from facegan_ref.checkpoint import (
    CheckpointError,
    flush_folder,
    keep_also_as,
    read_checkpoint,
    write_checkpoint,
)
from facegan_ref.recipes import Recipe

LAST = "last.pt"
BEST = "best.pt"


class RunFolder:
    """The files of one run.

    Args:
        path: the folder; it need not exist yet.
        keep: how many checkpoints to keep, the last one included and the best one not counted.
    """

    def __init__(self, path: str | Path, keep: int = 3):
        self.path = Path(path)
        self.keep = keep
        self.metrics = self.path / "metrics.jsonl"
        self.quality = self.path / "quality.jsonl"
        self.last = self.path / LAST
        self.best = self.path / BEST
        self._last_step = 0

    def create(self, recipe: Recipe) -> None:
        """Make the folder; FileExistsError when it already holds a run."""
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(
                f"{self.path}: is a file, expected a folder; choose another --out"
            )
        if self.last.exists() or self.metrics.exists():
            raise FileExistsError(
                f"{self.path}: already holds a run. Go on with it by --resume {self.path}, "
                "or choose another folder with --out"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self.write_recipe(recipe)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Within this block no other process may write into the folder (BlockingIOError there).

        The lock goes with the process, however it ends. Where the system or the drive has no
        locks, nothing is locked.
        """
        if fcntl is None:
            yield
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    f"{self.path}: another process is training this run; wait for it or stop it"
                ) from None
            except OSError:  # some mounted drives
                pass
            yield
        finally:
            os.close(descriptor)

    def write_recipe(self, recipe: Recipe) -> None:
        text = json.dumps(recipe.to_dict(), indent=1) + "\n"
        (self.path / "recipe.json").write_text(text, encoding="utf-8")

    # ---- pictures

    def preview_path(self, step: int, steps_per_epoch: int) -> Path:
        """Where the preview of a step belongs; one at an epoch's end is named by the epoch."""
        epoch, position = divmod(step, steps_per_epoch)
        within = f"_step_{step:08d}" if position else ""
        return self.path / "samples" / f"epoch_{epoch:03d}{within}.png"

    def previews(self) -> list[Path]:
        """All previews, oldest first."""
        return sorted((self.path / "samples").glob("epoch_*.png"), key=_numbers)

    # ---- checkpoints

    def earlier_checkpoints(self) -> list[Path]:
        """The kept checkpoints before the last one, oldest first."""
        return sorted((self.path / "checkpoints").glob("step_*.pt"), key=_numbers)

    def save(self, state: dict) -> None:
        """Make `state` the last checkpoint, and the best where its `best` says so.

        The one before is kept under its step's name. Killed anywhere in between, the folder holds
        a complete last checkpoint.
        """
        if self.last.exists() and self.keep > 1 and self._last_step != state["step"]:
            earlier = self.path / "checkpoints" / f"step_{self._last_step:08d}.pt"
            keep_also_as(self.last, earlier)
        try:
            write_checkpoint(self.last, state)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror}; the checkpoint before it is whole. Make room and resume",
                str(self.last),
            ) from error
        flush_folder(self.path)
        self._last_step = state["step"]
        if is_best(state):
            keep_also_as(self.last, self.best)
        kept = self.earlier_checkpoints()
        for old in kept[: len(kept) - (self.keep - 1)]:
            old.unlink()

    def return_to(self, checkpoint: Path, state: dict, steps_per_epoch: int) -> None:
        """Undo what was written after the step of `state`, which is that of `checkpoint`."""
        step = state["step"]
        write_rows(self.metrics, rows_until(self.metrics, step))
        if self.quality.exists():
            write_rows(self.quality, rows_until(self.quality, step))
        if checkpoint.resolve() != self.last.resolve():
            keep_also_as(checkpoint, self.last)
        if is_best(state):
            keep_also_as(checkpoint, self.best)
        elif not state["best"]:
            self.best.unlink(missing_ok=True)
        for later in self.earlier_checkpoints():
            if _numbers(later)[-1] > step:
                later.unlink()
        now = _numbers(self.preview_path(step, steps_per_epoch))
        for later in self.previews():
            if _numbers(later) > now:
                later.unlink()
        self._last_step = step

    def holds_best(self, best: dict) -> bool:
        """Whether the best checkpoint is there and is the one that `best` describes."""
        return self.best.exists() and read_checkpoint(self.best)["step"] == best["step"]


def is_best(state: dict) -> bool:
    """Whether the run's best checkpoint so far is this very one."""
    return bool(state["best"]) and state["best"]["step"] == state["step"]


def rows_until(log: Path, step: int) -> list[dict]:
    """The rows of a log up to `step`, without a last line that was cut off.

    Raises:
        CheckpointError: a line in between is not readable.
    """
    rows: list[dict] = []
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            beyond = row["step"] > step
        except (ValueError, KeyError, TypeError) as error:
            if rows and rows[-1]["step"] >= step:
                break  # what a kill left after the checkpoint
            raise CheckpointError(
                f"{log}: line {number} is not a row of this log ({error}); put back the log that "
                "belongs to the checkpoint"
            ) from error
        if beyond:
            break
        rows.append(row)
    return rows


def write_rows(log: Path, rows: list[dict]) -> None:
    """Replace a log by `rows`, in one step."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if log.exists() and log.read_text(encoding="utf-8") == text:
        return
    beside = log.with_name(log.name + ".partial")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, log)


def _numbers(path: Path) -> list[int]:
    """The numbers in a file's name, by which files are ordered."""
    return [int(part) for part in path.stem.split("_") if part.isdigit()]
