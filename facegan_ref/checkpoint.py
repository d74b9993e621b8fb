"""Checkpoints that a run resumes from exactly, written so that a crash can't leave half of one."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
import zipfile
from pathlib import Path

import torch

FORMAT = "facegan-checkpoint-2"
MOST_BYTES = 8 << 30  # a hundred times what the largest recipe needs


class CheckpointError(ValueError):
    """A checkpoint file that can't be used; the message names the file and what to do."""


def save_checkpoint(path: str | Path, state: dict) -> None:
    """Write `state` (tensors, numbers, strings, and dicts and lists of them) to `path`.

    The file is written beside `path`, flushed to disk and then put in its place, so that `path`
    always holds a complete checkpoint: the new one or the one before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    try:
        with open(beside, "wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OSError(
            error.errno,
            f"{error.strerror}; the checkpoint before it is whole. Make room and resume",
            str(path),
        ) from error
    os.replace(beside, path)
    _flush_folder(path.parent)


def keep_also_as(path: str | Path, other: str | Path) -> None:
    """Give the checkpoint at `path` a second name, in one step; what was there is replaced."""
    path, other = Path(path), Path(other)
    if other.exists() and path.samefile(other):
        return
    other.parent.mkdir(parents=True, exist_ok=True)
    beside = other.with_name(other.name + ".partial")
    beside.unlink(missing_ok=True)
    try:
        os.link(path, beside)
    except OSError:  # no hard links here, as on a mounted drive
        shutil.copyfile(path, beside)
    os.replace(beside, other)


def load_checkpoint(path: str | Path) -> dict:
    """The state that `save_checkpoint` wrote, on the CPU. Code in the file is never run.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is truncated, foreign, too large or of another version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of odd pickles before it refuses them
        _require_size(path)
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as err:  # damaged bytes end in KeyError, IndexError, OSError and more
            # torch's own text advises to run the file's code.
            raise CheckpointError(
                f"{path}: not a readable checkpoint ({type(err).__name__}). It may be truncated or "
                "come from another program; use an earlier checkpoint of the run"
            ) from err
    found = state.get("format") if isinstance(state, dict) else None
    if isinstance(found, str) and found.startswith("facegan-checkpoint-") and found != FORMAT:
        raise CheckpointError(
            f'{path}: format is "{found}", expected "{FORMAT}": another version of the package '
            "wrote it; use that version, or train anew"
        )
    if found != FORMAT:
        raise CheckpointError(
            f'{path}: format is {found!r}, expected "{FORMAT}": the file was not written by '
            "`facegan train`"
        )
    return state


def _require_size(path: Path) -> None:
    """CheckpointError when the file is, or says that it unpacks to, more than `MOST_BYTES`."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(member.file_size for member in archive.infolist()))
    except Exception:  # damaged bytes end in errors of many kinds; torch.load will name them
        pass
    if size > MOST_BYTES:
        raise CheckpointError(
            f"{path}: {size / 2**30:.1f} GiB, expected at most {MOST_BYTES / 2**30:.0f} GiB: this "
            "is no checkpoint of this package"
        )


def _flush_folder(folder: Path) -> None:
    """Make a renamed file's new name survive a power cut, where the system has a way to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some mounted drives have none
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
