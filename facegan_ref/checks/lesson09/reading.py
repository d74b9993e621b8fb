"""Checks of task 9.3: read_checkpoint."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch

from facegan_ref.checkpoint import FORMAT, CheckpointError
from facegan_ref.checkpoint import write_checkpoint as true_write
from facegan_ref.checks.engine import Lesson, Probe, fail, require_type
from facegan_ref.checks.lesson09.writing import NAMES, empty_folder, new_contents, same


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
    what = "a dict with the contents"
    came = require_type(came, dict, what, "return the dict that is in the file")
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
    """Add the checks of task 9.3."""
    _add_read_checks(lesson)
