"""Checks of task 9.2: write_checkpoint."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from facegan_ref.checkpoint import FORMAT
from facegan_ref.checkpoint import write_checkpoint as true_write
from facegan_ref.checks.engine import Lesson, Probe, fail

NAMES = ("last.pt", "run 3.pt", "step_00000312.pt")
IN_PLACE = (
    "the file at path itself is written, and for a while it is neither the old checkpoint nor the "
    "new one: write to another name in the same folder, then os.replace"
)
GAP = (
    "between this and the renaming there is no checkpoint at all: os.replace puts the new file in "
    "the place of the old one in one step"
)


class PowerCut(RuntimeError):
    """What a check raises in the middle of a write."""


class Interrupted:
    """An object at which every attempt to save it breaks off."""

    def __reduce__(self):
        raise PowerCut("the power went")


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder for one check."""
    with tempfile.TemporaryDirectory(prefix="facegan-check-") as folder:
        yield Path(folder)


def new_contents(probe: Probe) -> dict:
    """Something to write: tensors, numbers, strings, None, lists and dicts."""
    return {
        "step": probe.integer(1, 1000),
        "weights": {"a": probe.randn(probe.integer(2, 40), 5), "b": torch.tensor(3)},
        "losses": [0.5, 1.25, None],
        "rng": torch.Generator().manual_seed(probe.seed).get_state(),
        "name": "tiny",
    }


def same(a: object, b: object) -> bool:
    """Whether two values of a checkpoint are equal, in type and to the bit."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return (
            isinstance(a, Tensor)
            and isinstance(b, Tensor)
            and a.dtype == b.dtype
            and torch.equal(a, b)
        )
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def _in(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return "nothing in the folder" if not names else "in the folder: " + ", ".join(names)


def _write(write: Callable, path: Path, contents: dict) -> None:
    write(path, contents)
    if not path.is_file():
        fail(
            f"a file {path.name} after write_checkpoint",
            _in(path.parent),
            "the finished file is not renamed to path, or got another ending",
        )


def require_written(path: Path, contents: dict, when: str) -> None:
    """The file at `path` is a whole checkpoint with these contents."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        fail(
            f"{when}, a file that torch.load reads with weights_only=True",
            f"{type(error).__name__} and {path.stat().st_size:,} bytes",
            "it is not written by torch.save, or not to its end",
        )
    if not isinstance(found, dict):
        fail(f"{when}, a dict in the file", f"a {type(found).__name__}", None)
    if found.get("format") != FORMAT:
        fail(
            f'{when}, "format": FORMAT in the file besides the contents',
            f"format is {found.get('format')!r}",
            'save {"format": FORMAT, **contents}',
        )
    found.pop("format")
    if not same(found, contents):
        wrong = sorted({*map(str, found), *contents} - {k for k in contents if k in found})
        fail(
            f"{when}, the given contents in the file, under their own keys",
            f"keys {', '.join(map(str, found))}",
            "the contents are put one level down: {**contents} spreads them out"
            if wrong
            else "values are changed on their way into the file",
        )


# ---- who moves which file


@dataclass
class Moves:
    """Files that were removed, and renamings as (from, to)."""

    removed: list[Path] = field(default_factory=list)
    renamed: list[tuple[Path, Path]] = field(default_factory=list)


@contextlib.contextmanager
def watched() -> Iterator[Moves]:
    """In this block removals and renamings are noted, and done."""
    moves = Moves()

    def place(path: object) -> Path:
        return Path(os.path.realpath(os.fspath(path)))

    def removing(true: Callable) -> Callable:
        def remove(path, *args, **kwargs):
            moves.removed.append(place(path))
            return true(path, *args, **kwargs)

        return remove

    def renaming(true: Callable) -> Callable:
        def rename(source, target, *args, **kwargs):
            moves.renamed.append((place(source), place(target)))
            return true(source, target, *args, **kwargs)

        return rename

    places = {
        removing: ((os, "remove"), (os, "unlink"), (Path, "unlink")),
        renaming: (
            (os, "replace"),
            (os, "rename"),
            (shutil, "move"),
            (Path, "replace"),
            (Path, "rename"),
        ),
    }
    with contextlib.ExitStack() as stack:
        for spy, functions in places.items():
            for owner, name in functions:
                true = getattr(owner, name)
                stack.enter_context(mock.patch.object(owner, name, spy(true)))
        yield moves


def require_replaced_in_one_step(path: Path, write: Callable[[], None]) -> None:
    """`write()` puts a new file in the place of the one at `path`, which no moment is without."""
    path = Path(os.path.realpath(path))
    before = path.read_bytes()
    other_name = path.parent.with_name(path.parent.name + "-other") / "other name"
    other_name.parent.mkdir()
    try:
        try:
            os.link(path, other_name)
        except OSError:  # no hard links on this drive
            other_name = None
        with watched() as moves:
            write()
        if other_name is not None and other_name.read_bytes() != before:
            fail("the old file to stay as it is until a new one takes its place", "it is written "
                 "over", IN_PLACE)  # fmt: skip
    finally:
        shutil.rmtree(path.parent.with_name(path.parent.name + "-other"), ignore_errors=True)
    if path in moves.removed:
        fail("a checkpoint at path in every moment", "the old one is deleted first", GAP)
    for source, target in moves.renamed:
        if source == path:
            fail("a checkpoint at path in every moment", "the old one is moved away first", GAP)
        if target == path and source.parent != path.parent:
            fail(
                f"the new file to be written beside path, in the folder {path.parent.name}",
                f"it is written in {source.parent}, and moved from there",
                "a move between two drives is a copy, which can break off in the middle: write in "
                "the same folder",
            )


def require_whole_after_interruption(
    path: Path, before: bytes | None, write: Callable[[], None]
) -> None:
    """`write()` breaks off with an error; then the file at `path` is as it was."""
    try:
        write()
    except NotImplementedError:
        raise
    except Exception:
        pass
    else:
        fail(
            "an error, when the write breaks off",
            "none: whoever called it believes that a checkpoint was written",
            "the error is caught and kept: let it go on, or raise it again",
        )
    after = path.read_bytes() if path.is_file() else None
    if after == before:
        return
    if before is None:
        fail("no file at path, when the first write breaks off", f"{len(after):,} bytes", IN_PLACE)
    fail(
        "the checkpoint of before at path, when a write breaks off",
        "none" if after is None else f"another file, of {len(after):,} bytes",
        GAP if after is None else IN_PLACE,
    )


def _add_write_checks(lesson: Lesson) -> None:
    @lesson.check("9.2", points=0.5)
    def writes_the_contents(write_checkpoint, probe: Probe) -> None:
        """The contents and the format are at `path`, a str or a Path, in a folder old or new."""
        with empty_folder() as folder:
            for path in (folder / NAMES[0], folder / "runs" / "third" / NAMES[1]):
                contents = new_contents(probe)
                given = dict(contents)
                try:
                    _write(write_checkpoint, path, given)
                except TypeError as error:
                    fail(
                        "a path that is a Path to be accepted like a str",
                        f"TypeError: {error}",
                        'a Path can\'t be added to text: path.with_name(path.name + ".partial")',
                    )
                require_written(path, contents, "after write_checkpoint")
                if given.keys() != contents.keys():
                    fail(
                        "the caller's dict unchanged",
                        f"keys {', '.join(given)}",
                        'the format is put into the given dict: {"format": FORMAT, **contents} '
                        "makes a new one",
                    )
            contents = new_contents(probe)
            try:
                write_checkpoint(str(folder / NAMES[0]), contents)
            except (AttributeError, TypeError) as error:
                fail(
                    "a path that is a str to be accepted like a Path",
                    f"{type(error).__name__}: {error}",
                    "begin with path = Path(path)",
                )
            require_written(folder / NAMES[0], contents, "written over an older one")

    @lesson.check("9.2", points=0.5)
    def a_broken_off_write_keeps_the_old_file(write_checkpoint, probe: Probe) -> None:
        """A write that breaks off raises, and the file at `path` is the one of before, or none."""
        broken = {"weights": probe.randn(3000), "more": Interrupted()}
        with empty_folder() as folder:
            path = folder / NAMES[0]
            require_whole_after_interruption(path, None, lambda: write_checkpoint(path, broken))
            _write(write_checkpoint, path, new_contents(probe))
            before = path.read_bytes()
            require_whole_after_interruption(path, before, lambda: write_checkpoint(path, broken))

    @lesson.check("9.2", points=0.5)
    def replaces_in_one_step(write_checkpoint, probe: Probe) -> None:
        """The new file takes the old one's place in one step, from beside it."""
        with empty_folder() as folder:
            path = folder / "run" / NAMES[2]
            true_write(path, new_contents(probe))
            contents = new_contents(probe)
            require_replaced_in_one_step(path, lambda: write_checkpoint(path, contents))
            require_written(path, contents, "written over an older one")

    @lesson.check("9.2", points=0.5)
    def leftovers_do_no_harm(write_checkpoint, probe: Probe) -> None:
        """A finished write leaves one file; half a file that a killed one left is no hindrance."""
        with empty_folder() as folder:
            path = folder / NAMES[0]
            with watched() as moves:
                _write(write_checkpoint, path, new_contents(probe))
            left = [other.name for other in folder.iterdir() if other != path]
            if left:
                fail(
                    f"only {path.name} in the folder after a write",
                    ", ".join(sorted(left)) + " besides",
                    "the file beside is copied, not renamed",
                )
            with contextlib.suppress(Exception):
                write_checkpoint(path, {"weights": probe.randn(3000), "more": Interrupted()})
            goal = Path(os.path.realpath(path))
            beside = {source for source, target in moves.renamed if target == goal}
            for leftover in beside:
                leftover.write_bytes(b"half of a checkpoint" * 10_000)
            contents = new_contents(probe)
            try:
                _write(write_checkpoint, path, contents)
            except OSError as error:
                fail(
                    "the next write to work, whatever a killed one left beside path",
                    f"{type(error).__name__}: {error}",
                    "the half file is taken for a reason to stop: write over it",
                )
            require_written(path, contents, "after a write that had been killed")


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 9.2."""
    _add_write_checks(lesson)
