"""What was graded already: fingerprints, so that only what changed is graded again.

`.grading/state/LESSON/STUDENT.json` is written after the gradebook and the feedback page, and
removed before a student is graded: whatever breaks off, it never says too much.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from traitlets.config import Config

import facegan_ref
from facegan_ref.grading.config import PRIVATE, SOURCE
from facegan_ref.grading.submissions import MAX_NOTEBOOK_BYTES, visible_files

_JUDGES = ("nbgrader", "nbconvert", "nbformat", "torch")
_NOT_SETTINGS = ("skip_cells_with_tag", "isolation")  # drawn anew each time; where, not what


def folder_digest(folder: Path) -> str:
    """Return a fingerprint of the names and contents of the files below `folder`."""
    digest = hashlib.sha256()
    if not folder.is_dir():
        return "nothing"
    for path in visible_files(folder):
        digest.update(b"\n" + os.fsencode(path.relative_to(folder)) + b"\n")
        digest.update(_content(path))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    try:
        return _readable_content(path)
    except OSError as error:  # its own grading will tell
        return f"unreadable: {error.errno}".encode()


def _readable_content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(os.readlink(path))
    status = path.stat()
    if status.st_size > MAX_NOTEBOOK_BYTES:  # is not read when graded either
        return f"{status.st_size} {status.st_mtime_ns}".encode()
    return hashlib.sha256(path.read_bytes()).digest()


def lesson_digest(root: Path, lesson: str, config: Config) -> str:
    """Return a fingerprint of all that decides a lesson's points, but the hand-in.

    That is the lesson's source, the course's settings, this package and what it is built on.
    """
    parts = [folder_digest(root / SOURCE / lesson), _package_digest(), *_plain(config)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@lru_cache
def _package_digest() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for name in _JUDGES:
        digest.update(f"{name} {metadata.version(name)}\n".encode())
    package = Path(facegan_ref.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _plain(value: object, name: str = "") -> Iterator[str]:
    """Yield a line for each setting, the same in each process."""
    if isinstance(value, dict):
        for key in sorted(value):
            if key not in _NOT_SETTINGS:
                yield from _plain(value[key], f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            yield from _plain(part, f"{name}[{number}]")
    elif hasattr(value, "__qualname__"):
        yield f"{name}={value.__module__}.{value.__qualname__}"
    elif " at 0x" in repr(value):  # an address, which differs from process to process
        yield f"{name}={type(value)}"
    else:
        yield f"{name}={value!r}"


class StateFolder:
    """What was graded of one lesson."""

    def __init__(self, root: Path, lesson: str) -> None:
        self.folder = root / PRIVATE / "state" / lesson

    def _path(self, student: str) -> Path:
        return self.folder / f"{student}.json"

    def read(self, student: str) -> dict:
        """Return what was remembered of a student; nothing when that cannot be read."""
        try:
            content = json.loads(self._path(student).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, student: str, content: dict) -> None:
        """Remember that a student was graded."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(student)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
        os.replace(part, path)

    def forget(self, student: str) -> None:
        """Forget a student, who is about to be graded."""
        self._path(student).unlink(missing_ok=True)
