"""What a user pastes into a bug report: versions, devices, data, the course's tools."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BASE = ("torch", "torchvision", "numpy", "matplotlib", "pillow", "tqdm", "click", "safetensors")
COURSE = ("jupyterlab", "nbgrader", "nbval", "pytest", "ipywidgets")


class Finding(NamedTuple):
    """One line of the report; `ok` is False when something needs a look."""

    name: str
    finding: str
    ok: bool = True


def examine(folder: Path | None = None) -> Iterator[Finding]:
    """Look at this machine and at the course folder `folder` (the current one when None)."""
    folder = folder or Path.cwd()
    from facegan_ref import __version__

    yield Finding("facegan-course", __version__)
    version = platform.python_version()
    yield Finding("Python", f"{version} ({sys.platform}, {platform.machine()})")
    yield Finding("CPU cores", str(os.cpu_count()))
    for name in BASE:
        found = _version(name)
        yield Finding(name, found or "missing: pip install -e .", found is not None)
    for name in COURSE:
        found = _version(name)
        yield Finding(name, found or 'missing: pip install -e ".[course]"', found is not None)
    if _version("torch"):
        yield from _devices()
    yield from _data(folder)
    yield from _course(folder)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(i).total_memory / 2**30
            yield Finding(f"CUDA {i}", f"{torch.cuda.get_device_name(i)}, {memory:.0f} GiB")
    else:
        yield Finding("CUDA", "none (the course runs without)")
    yield Finding("MPS", "yes" if torch.backends.mps.is_available() else "none")
    convolution = torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2))
    yield Finding("a convolution", "works" if float(convolution.sum()) == 36 else "WRONG RESULT",
                  float(convolution.sum()) == 36)  # fmt: skip


def _data(folder: Path) -> Iterator[Finding]:
    from facegan_ref.data.faces import FaceArray

    arrays = sorted((folder / "data").glob("*.npy"))
    if not arrays:
        yield Finding("face arrays", f"none in {folder / 'data'} (the embedded faces need none)")
    for path in arrays:
        try:
            faces = FaceArray.open(path)
        except (ValueError, FileNotFoundError) as error:
            yield Finding(path.name, str(error), False)
        else:
            size = faces.image_size
            yield Finding(path.name, f"{len(faces)} images of {size}×{size}")


def _course(folder: Path) -> Iterator[Finding]:
    settings = folder / "nbgrader_config.py"
    if not settings.is_file():
        yield Finding("course folder", f"{folder} is not one (no nbgrader_config.py)")
        return
    for name in ("solutions", "lessons"):
        notebooks = sorted((folder / name).glob("*/*.ipynb"))
        yield Finding(name, f"{len(notebooks)} notebooks")
    if not _version("nbgrader"):
        return
    gradebook = folder / ".grading" / "gradebook.db"
    if not gradebook.is_file():
        yield Finding("nbgrader's gradebook", "none yet: `facegan grade` makes it")
        return
    from nbgrader.api import Gradebook

    try:
        with Gradebook(f"sqlite:///{gradebook}") as book:
            found = f"{len(book.students)} students, {len(book.assignments)} lessons"
            waiting = sum(bool(sub.needs_manual_grade) for a in book.assignments
                          for sub in a.submissions)  # fmt: skip
    except Exception as error:  # whatever is wrong with the database belongs into the report
        yield Finding(
            "nbgrader's gradebook", f"{gradebook}: {type(error).__name__}: {error}", False
        )
    else:
        yield Finding("nbgrader's gradebook", f"{found}, {waiting} hand-ins wait for a person")
