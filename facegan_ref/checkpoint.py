"""Checkpoints that a run resumes from exactly, written so that a crash can't leave half of one."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch

FORMAT = "facegan-checkpoint-1"


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
    with open(beside, "wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def load_checkpoint(path: str | Path) -> dict:
    """The state that `save_checkpoint` wrote, on the CPU. Code in the file is never run.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is truncated, foreign or of another version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of odd pickles before it refuses them
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as err:  # damaged bytes end in KeyError, IndexError, OSError and more
            reason = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
            raise CheckpointError(
                f"{path}: not a readable checkpoint ({reason}). It may be truncated or come from "
                "another program; use an earlier checkpoint of the run"
            ) from err
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise CheckpointError(
            f'{path}: format is {found!r}, expected "{FORMAT}": the file was not written by '
            "`facegan train` of this version"
        )
    return state
