"""Read what was handed in, from a ZIP or a folder, without trusting a byte of it.

Nothing is unpacked: a file's name inside an archive is only ever looked at, never used as a path on
this machine. Notebooks are copied, one after the other, to numbered files in a folder that the
caller gives. A ZIP within the ZIP (a student's own) is a folder like any other, `work.zip`, with
limits of its own, so that one student's bomb takes nothing from the others.

How well something packs is no reason to refuse it: an honest notebook that printed 30 MB of the
same line packs a thousandfold. The sizes that come out are counted instead.
"""

from __future__ import annotations

import stat
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from facegan_ref.grading.collecting.zip_names import is_noise, modified, parts_of, why_refused
from facegan_ref.grading.submissions import MAX_NOTEBOOK_BYTES

MAX_DEPTH = 3
"""A ZIP in a ZIP in a ZIP is opened; what is nested deeper is not."""

MAX_TEXT_BYTES = 4096
_CHUNK = 2**20
_NOTEBOOK_ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json")  # browsers add the latter two
_OTHER_ARCHIVES = (".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
NOISE = "made by macOS, Windows or Jupyter itself"


@dataclass
class Limits:
    """What one archive may still cost; a nested archive gets limits of its own."""

    entries: int
    bytes: int


def export_limits() -> Limits:
    """What the archive (or folder) of a whole class may cost."""
    return Limits(entries=100_000, bytes=16 * 2**30)


def nested_limits() -> Limits:
    """What one student's own ZIP may cost."""
    return Limits(entries=2_000, bytes=256 * 2**20)


MAX_NESTED_ZIP_BYTES = 256 * 2**20


@dataclass
class Entry:
    """One file that was found.

    Attributes:
        parts: its path; a nested ZIP is a folder, as in ("ada.zip", "03_losses.ipynb").
        reason: why it is not taken; empty for a notebook or a text that was read.
        notebook: where its copy lies.
        text: the beginning of a small text file, which may say when something was handed in.
        modified: when it was changed, as whoever packed it says; None when nothing is said.
    """

    parts: tuple[str, ...]
    reason: str = ""
    notebook: Path | None = None
    text: str | None = None
    modified: datetime | None = None
    noise: bool = field(default=False, repr=False)

    @property
    def shown(self) -> str:
        return "/".join(self.parts)

    @property
    def name(self) -> str:
        return self.parts[-1]


class _Refused(Exception):
    """A file is not taken; the message says why."""


def is_notebook(name: str) -> bool:
    """Whether the name says that this is a notebook."""
    return name.lower().endswith(_NOTEBOOK_ENDINGS)


def read_source(source: Path, copies: Path) -> Iterator[Entry]:
    """Yield everything that lies in `source`, a ZIP or a folder; notebooks are copied to `copies`.

    Raises:
        ValueError: `source` is neither, or it is damaged as a whole.
    """
    reader = _Reader(copies)
    if source.is_dir():
        yield from reader.folder(source, export_limits())
    elif not source.is_file():
        raise ValueError(f"{source}: no such file or folder; give the ZIP that the LMS exports")
    else:
        try:
            with source.open("rb") as file:
                yield from reader.archive(file, (), export_limits(), depth=0)
        except _Refused as error:
            raise ValueError(
                f"{source}: {error}; give the ZIP that the LMS exports, or a folder with a folder "
                "for each student"
            ) from error


class _Reader:
    def __init__(self, copies: Path) -> None:
        self.copies = copies
        self.count = 0

    def folder(self, root: Path, limits: Limits) -> Iterator[Entry]:
        for path in sorted(root.rglob("*")):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            parts = tuple(unicodedata.normalize("NFC", p) for p in path.relative_to(root).parts)
            when = datetime.fromtimestamp(status.st_mtime)
            if is_noise(parts):
                yield Entry(parts, NOISE, noise=True)
            elif not stat.S_ISREG(status.st_mode):
                yield Entry(parts, "it is a link or a device, not a file")
            else:
                try:
                    with path.open("rb") as file:
                        size = status.st_size
                        yield from self._file(file, size, parts, when, limits, depth=0)
                except OSError as error:
                    yield Entry(parts, f"it cannot be read ({error.strerror})")

    def archive(
        self, file: BinaryIO, parts: tuple[str, ...], limits: Limits, depth: int
    ) -> Iterator[Entry]:
        """Yield the files of a ZIP, which is called `parts`."""
        try:
            limits.entries -= _count_entries(file)
            if limits.entries < 0:
                raise _Refused("it has too many files")
            archive = zipfile.ZipFile(file)
        except _Refused:
            raise
        # What a damaged or crafted archive raises depends on where it is damaged.
        except Exception as error:
            raise _Refused(f"it is no ZIP file, or was cut off ({error})") from error
        with archive:
            for info in archive.infolist():
                inner = (*parts, *parts_of(info))
                if info.filename.endswith(("/", "\\")) or inner == parts:
                    continue
                when = modified(info)
                if is_noise(inner):
                    yield Entry(inner, NOISE, noise=True)
                elif reason := why_refused(info):
                    yield Entry(inner, reason)
                else:
                    try:
                        with archive.open(info) as member:
                            yield from self._file(
                                member, info.file_size, inner, when, limits, depth
                            )
                    except Exception as error:
                        yield Entry(inner, f"it cannot be unpacked ({error})")

    def _file(
        self,
        file: BinaryIO,
        size: int,
        parts: tuple[str, ...],
        when: datetime | None,
        limits: Limits,
        depth: int,
    ) -> Iterator[Entry]:
        name = parts[-1].lower()
        try:
            if is_notebook(name):
                copy = self._copy(file, size, limits)
                yield Entry(parts, notebook=copy, modified=when)
            elif name.endswith(".zip"):
                if depth == MAX_DEPTH:
                    raise _Refused(f"ZIP files are nested more than {MAX_DEPTH} deep")
                if size > MAX_NESTED_ZIP_BYTES:
                    raise _Refused(
                        f"a ZIP of {size >> 20} MB (at most {MAX_NESTED_ZIP_BYTES >> 20} MB are "
                        "opened): unpack it by hand and collect the folder"
                    )
                with tempfile.TemporaryFile(dir=self.copies) as copy:
                    _pump(file, copy, MAX_NESTED_ZIP_BYTES, limits)
                    inside = _share(limits, depth)
                    yield from self.archive(copy, parts, inside, depth + 1)
            elif name.endswith(".txt"):
                text = file.read(MAX_TEXT_BYTES).decode("utf-8", "replace")
                yield Entry(parts, "not a notebook", text=text)
            elif name.endswith(_OTHER_ARCHIVES):
                raise _Refused("only ZIP archives are opened: unpack it by hand")
            else:
                raise _Refused("not a notebook")
        except _Refused as error:
            yield Entry(parts, str(error))

    def _copy(self, file: BinaryIO, size: int, limits: Limits) -> Path:
        if size > MAX_NOTEBOOK_BYTES:
            raise _Refused(
                f"it has {size >> 20} MB (at most {MAX_NOTEBOOK_BYTES >> 20} MB can be graded): "
                "ask for a copy without outputs"
            )
        self.count += 1
        path = self.copies / f"{self.count:06d}.ipynb"
        try:
            with path.open("wb") as copy:
                _pump(file, copy, MAX_NOTEBOOK_BYTES, limits)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path


def _share(limits: Limits, depth: int) -> Limits:
    """A student's ZIP has limits of its own; those within it share them."""
    return nested_limits() if depth == 0 else limits


def _pump(source: BinaryIO, target: BinaryIO, at_most: int, limits: Limits) -> None:
    """Copy a file in pieces, whatever its header says of its size."""
    total = 0
    while piece := source.read(_CHUNK):
        total += len(piece)
        limits.bytes -= len(piece)
        if total > at_most:
            raise _Refused(f"unpacked it is more than {at_most >> 20} MB")
        if limits.bytes < 0:
            raise _Refused("the archive it lies in is too large when unpacked")
        target.write(piece)


def _count_entries(file: BinaryIO) -> int:
    """Count what could be an entry, without building a table of a million of them."""
    file.seek(0)
    count, tail = 0, b""
    while piece := file.read(_CHUNK):
        window = tail + piece
        count += window.count(b"PK\x01\x02")
        tail = window[-3:]
    file.seek(0)
    return count
