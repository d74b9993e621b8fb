"""Checks of tasks 9.2 and 9.3: write_checkpoint and read_checkpoint."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from facegan_ref.checkpoint import FORMAT, CheckpointError
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


# ---- reading


class Malicious:
    """Who unpickles it in good faith makes a file."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return (exec, (f"open({str(self.target)!r}, 'w').close()",))


def require_refused(read: Callable[[Path], object], path: Path, what: str) -> None:
    """`read(path)` raises CheckpointError, and its message names the file."""
    wanted = f"CheckpointError for {what}"
    try:
        came = read(path)
    except CheckpointError as error:
        if path.name not in str(error):
            fail(
                f"a message that names the file, {path.name}",
                f"{str(error) or 'no text'}",
                "a run has many files: begin the message with the path",
            )
        return
    except NotImplementedError:
        raise
    except Exception as error:
        likely = "catch what torch.load raises, and raise CheckpointError from it"
        if type(error).__name__ == "CheckpointError":
            likely = "this is a class of your own: use the imported CheckpointError"
        elif isinstance(error, (KeyError, TypeError, AttributeError)):
            likely = "look whether it is a dict, and use .get for its format"
        fail(wanted, f"{type(error).__name__}: {str(error)[:120]}", likely)
    fail(
        wanted,
        "no error" if came is None else f"no error, but a {type(came).__name__}",
        "the file's format is not compared with FORMAT" if came is not None else None,
    )


def damaged_files(whole: bytes, probe: Probe) -> dict[str, bytes]:
    """What a file may hold after a crash, a full drive or a download that failed."""
    return {
        "an empty file": b"",
        "a file that ends in its first half": whole[: len(whole) // 2 - probe.integer(0, 99)],
        "a file that lacks its last bytes": whole[: -probe.integer(1, 40)],
        "a file of zeros": bytes(1000),
        "random bytes": bytes(torch.randint(256, (900,), generator=probe.rng).tolist()),
        "a web page": b"<!DOCTYPE html><html>quota exceeded</html>",
        "a JSON file": b'{"step": 3}',
        "a pickle cut short": b"\x80\x02h\x00.",
    }


def foreign_files() -> dict[str, object]:
    """What other programs save with torch.save."""
    return {
        "another program's weights": {"0.weight": torch.zeros(2, 2)},
        "a file of another format": {"format": "facegan-checkpoint-0", "step": 3},
        "a list": [1, 2],
        "a tensor": torch.zeros(3),
        "None": None,
    }


def _add_read_checks(lesson: Lesson) -> None:
    @lesson.check("9.3", points=0.5)
    def returns_the_contents(read_checkpoint, probe: Probe) -> None:
        """The contents come back unchanged and on the CPU, wherever their tensors were."""
        with empty_folder() as folder:
            for kind in (Path, str):
                contents = new_contents(probe)
                path = folder / NAMES[probe.integer(0, 2)]
                true_write(path, contents)
                _require_read(read_checkpoint(kind(path)), contents)
            # As saved where the weights are on a GPU.
            with mock.patch("torch.serialization.location_tag", lambda storage: "cuda:0"):
                true_write(path, contents)
            try:
                came = read_checkpoint(path)
            except Exception as error:
                cause = f"{type(error).__name__}: {str(error)[:150]}"
                fail(
                    "tensors that were saved on a GPU to be loaded onto the CPU",
                    cause,
                    'torch.load puts each tensor where it was, here on "cuda:0", unless '
                    'map_location="cpu" is given',
                )
            _require_read(came, contents)

    @lesson.check("9.3", points=0.5)
    def runs_no_code(read_checkpoint, probe: Probe) -> None:
        """Code in a file is never run: such a file is refused with CheckpointError."""
        with empty_folder() as folder:
            trap = folder / "the code was run"
            contents = {"format": FORMAT, "step": 1, "weights": Malicious(trap)}
            for kind in ("torch.save", "an older torch.save", "pickle"):
                path = folder / NAMES[1]
                if kind == "pickle":
                    path.write_bytes(pickle.dumps(contents))
                else:
                    new = kind == "torch.save"
                    torch.save(contents, path, _use_new_zipfile_serialization=new)
                error = None
                try:
                    read_checkpoint(path)
                except Exception as caught:
                    error = caught
                if trap.exists():
                    trap.unlink()
                    fail(
                        f"code in a file of {kind} not to be run",
                        "it was run, and made a file on this computer",
                        "torch.load needs weights_only=True, and pickle.load runs whatever a file "
                        "tells it to",
                    )
                if isinstance(error, NotImplementedError):
                    raise error
                require_refused(read_checkpoint, path, f"a file of {kind} that holds code")
                trap.unlink(missing_ok=True)

    @lesson.check("9.3", points=0.5)
    def refuses_damaged_files(read_checkpoint, probe: Probe) -> None:
        """A file that is cut off or damaged is refused with a CheckpointError that names it."""
        with empty_folder() as folder:
            path = folder / NAMES[probe.integer(0, 2)]
            true_write(path, new_contents(probe))
            for what, content in damaged_files(path.read_bytes(), probe).items():
                path.write_bytes(content)
                require_refused(read_checkpoint, path, what)

    @lesson.check("9.3", points=0.5)
    def refuses_foreign_files(read_checkpoint, probe: Probe) -> None:
        """Another program's file is refused with CheckpointError; FileNotFoundError for none."""
        with empty_folder() as folder:
            path = folder / NAMES[probe.integer(0, 2)]
            for what, content in foreign_files().items():
                torch.save(content, path)
                require_refused(read_checkpoint, path, what)
            missing = folder / "none.pt"
            require_missing_is_named(read_checkpoint, missing)


def require_missing_is_named(read: Callable[[Path], object], missing: Path) -> None:
    """`read` raises FileNotFoundError for a file that is not there, with its name."""
    wanted = f"FileNotFoundError, with {missing.name} in its message, for a file that is not there"
    try:
        read(missing)
    except FileNotFoundError as error:
        if missing.name not in str(error):
            fail(wanted, f"FileNotFoundError: {error}", "the message does not name the file")
    except NotImplementedError:
        raise
    except Exception as error:
        fail(
            wanted,
            f"{type(error).__name__}: {str(error)[:120]}",
            "a missing file is no damaged one: open it outside of the try, or let "
            "FileNotFoundError pass",
        )
    else:
        fail(wanted, "no error", "a missing checkpoint is passed over in silence")


def _require_read(came: object, contents: dict) -> None:
    if not isinstance(came, dict):
        likely = "the return is missing" if came is None else "return the dict that is in the file"
        fail("a dict with the contents", f"a {type(came).__name__}", likely)
    came = {key: value for key, value in came.items() if key != "format"}
    if came.keys() != contents.keys():
        fail(
            f"the keys {', '.join(contents)}",
            ", ".join(map(str, came)) or "none",
            "return the whole dict that is in the file",
        )
    elsewhere = [name for name, value in came["weights"].items() if value.device.type != "cpu"]
    if elsewhere:
        fail("all tensors on the CPU", f"{elsewhere[0]} is not", 'map_location="cpu" is missing')
    if not same(came, contents):
        fail("the values as they were written", "other ones", "values are changed after loading")


def add_to(lesson: Lesson) -> None:
    """Add the checks of tasks 9.2 and 9.3."""
    _add_write_checks(lesson)
    _add_read_checks(lesson)
