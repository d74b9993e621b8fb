"""Checkpoints that a run resumes from exactly, written so that a crash can't leave half of one.

`write_checkpoint` and `read_checkpoint` are the files: whole or not there, and never code.
`save_checkpoint` and `load_checkpoint` put the plain loop's `TrainingState` into one and back;
a `Run` has its own contents, those of `Trainer.state_dict`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from facegan_ref.randomness import capture_rng, restore_rng

if TYPE_CHECKING:
    from facegan_ref.loop import TrainingState

FORMAT = "facegan-checkpoint-2"
MOST_BYTES = 8 << 30  # a hundred times what the largest recipe needs


class CheckpointError(ValueError):
    """A checkpoint file that can't be used; the message names the file and what to do."""


def write_checkpoint(path: str | Path, contents: dict) -> None:
    """Write `contents` (tensors, numbers, strings, and dicts and lists of them) to `path`.

    The file is written beside `path`, flushed to disk and then put in its place, so that `path`
    always holds a complete checkpoint: the new one or the one before. The folder is made where it
    is missing. A write that fails raises, and leaves nothing beside `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    try:
        with open(beside, "wb") as file:
            torch.save({"format": FORMAT, **contents}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


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


def read_checkpoint(path: str | Path) -> dict:
    """The contents that `write_checkpoint` wrote, on the CPU. Code in the file is never run.

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
            contents = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as err:  # damaged bytes end in KeyError, IndexError, OSError and more
            # torch's own text advises to run the file's code.
            raise CheckpointError(
                f"{path}: not a readable checkpoint ({type(err).__name__}). It may be truncated or "
                "come from another program; use an earlier checkpoint of the run"
            ) from err
    found = contents.get("format") if isinstance(contents, dict) else None
    if isinstance(found, str) and found.startswith("facegan-checkpoint-") and found != FORMAT:
        raise CheckpointError(
            f'{path}: format is "{found}", expected "{FORMAT}": another version of the package '
            "wrote it; use that version, or train anew"
        )
    if found != FORMAT:
        raise CheckpointError(
            f'{path}: format is {found!r}, expected "{FORMAT}": the file was not written by '
            "this package"
        )
    return contents


def save_checkpoint(path: str | Path, state: TrainingState) -> None:
    """Write all of a training to `path`, so that `load_checkpoint` goes on from here exactly.

    Both networks, both optimizers, the step, where the latents come from, the global random
    states, the place in the data, the fixed latents and the average of the weights.
    """
    write_checkpoint(
        path,
        {
            "step": state.step,
            "generator": state.generator.state_dict(),
            "discriminator": state.discriminator.state_dict(),
            "optimizer_g": state.optimizer_g.state_dict(),
            "optimizer_d": state.optimizer_d.state_dict(),
            "rng": state.rng.get_state(),
            "global_rng": capture_rng(),
            "batches": state.batches.state_dict() if state.batches else None,
            "fixed_z": state.fixed_z,
            "ema": state.ema.model.state_dict() if state.ema else None,
        },
    )


def load_checkpoint(path: str | Path, state: TrainingState) -> None:
    """Bring `state`, in place, to where it was when `save_checkpoint` wrote `path`.

    The optimizers' settings, such as the learning rate, stay those of `state`: whoever edits them
    before a resume wants the edit to hold.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is damaged or foreign, or is of other networks.
    """
    contents = read_checkpoint(path)
    try:
        state.generator.load_state_dict(contents["generator"])
        state.discriminator.load_state_dict(contents["discriminator"])
        for name in ("optimizer_g", "optimizer_d"):
            optimizer = getattr(state, name)
            own_settings = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({**contents[name], "param_groups": own_settings})
        if state.batches:
            state.batches.load_state_dict(contents["batches"])
        if state.ema:
            state.ema.model.load_state_dict(contents["ema"])
        if contents["fixed_z"] is not None:
            device = next(state.generator.parameters()).device
            state.fixed_z = contents["fixed_z"].to(device)
        state.step = contents["step"]
        state.rng.set_state(contents["rng"])
        restore_rng(contents["global_rng"])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: does not fit this training: {error}") from error


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


def flush_folder(folder: Path) -> None:
    """Make a renamed file's new name survive a power cut, where the system has a way to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some mounted drives have none
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
