"""Where pictures come from: a zip, a folder at any depth, parquet files.

A source is listed once, in this process: `Listing` has the pictures in their final order and the
chunks in which worker processes read them.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from data_prep.errors import SourceError, why_no_zip
from data_prep.pixels import MAX_BYTES, BadPicture

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
CHUNK = 256  # pictures that a worker reads, prepares and reports at once
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # a zip member's: signature, lengths of name and extra


class Chunk(Protocol):
    """Pictures that are read together."""

    def read(self) -> Iterator[tuple[int, bytes | BadPicture]]:
        """Each picture's place in the order with its encoded bytes, or why there are none."""

    def __len__(self) -> int: ...


@dataclass
class Listing:
    """What is in a source.

    `names` are unique and in the order of the array; annotations are found by them. `members` say
    for the same pictures where they lie in the source.
    """

    names: list[str]
    members: list[str]
    chunks: list[Chunk]
    rejected: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    state: str = ""  # changes when the source does: a resumed preparation compares it
    columns: object | None = None  # annotations that the source itself has, of a parquet file


@dataclass(frozen=True)
class FolderChunk:
    """Files of a folder, by their places in the order."""

    root: str
    first: int
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self) -> Iterator[tuple[int, bytes | BadPicture]]:
        for place, path in enumerate(self.paths, self.first):
            try:
                yield place, _read_file(os.path.join(self.root, path))
            except BadPicture as error:
                yield place, error


def _read_file(path: str) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise BadPicture("not a regular file")
        if status.st_size > MAX_BYTES:
            raise BadPicture(f"{status.st_size} bytes; at most {MAX_BYTES} are read")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BadPicture(f"can't be read: {error.strerror}") from error


@dataclass(frozen=True)
class Member:
    """A member of a zip, as its directory describes it."""

    offset: int
    packed: int
    size: int
    method: int
    crc: int

    def read(self, file) -> bytes:
        """The member's bytes; memory stays bounded whatever the directory says."""
        if self.size > MAX_BYTES or self.packed > MAX_BYTES:
            raise BadPicture(f"{self.size} bytes when unpacked; at most {MAX_BYTES} are read")
        if self.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadPicture(f"packed by method {self.method}, neither stored nor deflated")
        file.seek(self.offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise BadPicture("damaged within the zip: no member where its directory says")
        _, name, extra = _LOCAL_HEADER.unpack(header)
        file.seek(name + extra, os.SEEK_CUR)
        content = file.read(self.packed)
        if self.method == zipfile.ZIP_DEFLATED:
            try:
                content = zlib.decompressobj(-15).decompress(content, self.size + 1)
            except zlib.error as error:
                raise BadPicture(f"damaged within the zip: {error}") from error
        if len(content) != self.size or zlib.crc32(content) != self.crc:
            raise BadPicture("damaged within the zip: its checksum (CRC) is another")
        return content


@dataclass(frozen=True)
class ZipChunk:
    """Members of a zip, by their places in the order."""

    path: str
    first: int
    members: tuple[Member, ...]

    def __len__(self) -> int:
        return len(self.members)

    def read(self) -> Iterator[tuple[int, bytes | BadPicture]]:
        with open(self.path, "rb") as file:
            for place, member in enumerate(self.members, self.first):
                try:
                    yield place, member.read(file)
                except BadPicture as error:
                    yield place, error


def is_picture(name: str) -> bool:
    """Whether a file's name says that it is a picture (and not a macOS shadow of one)."""
    own = name.rpartition("/")[2]
    return own.lower().endswith(SUFFIXES) and not own.startswith("._") and "__MACOSX/" not in name


def order(members: list[str], by_file_name: bool) -> tuple[list[str], list[str]]:
    """Names of pictures and their members, sorted; the same however deep the source is nested.

    A name is the file's own (`by_file_name`), or its path below the folder that holds all.

    Raises:
        SourceError: two files would have one name.
    """
    if by_file_name:
        named = sorted((member.rpartition("/")[2], member) for member in members)
        for (name, one), (following, other) in pairwise(named):
            if name == following:
                raise SourceError(
                    f"{name} is there twice, as {one} and as {other}: name the folder that is "
                    "meant as SOURCE"
                )
    else:
        folders = {member.rpartition("/")[0] for member in members}
        shared = os.path.commonpath(folders) if all(folders) and folders else ""
        named = sorted((member[len(shared) :].lstrip("/"), member) for member in members)
    return [name for name, _ in named], [member for _, member in named]


def state_of(entries: list[tuple]) -> str:
    """A hash of what is known of a source's entries without reading them."""
    return hashlib.sha256(repr(entries).encode("utf-8", "surrogateescape")).hexdigest()


def nothing_found(source: Path, names: int) -> SourceError:
    """The error for a source without pictures."""
    return SourceError(
        f"{source}: no picture in it; looked for files ending in {', '.join(SUFFIXES)} at any "
        f"depth, and for .parquet files, among {names} names"
    )


def walk(folder: Path) -> list[str]:
    """Paths of all files below a folder, following links to folders once."""
    paths, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        below = os.path.relpath(place, folder)
        prefix = "" if below == "." else Path(below).as_posix() + "/"
        paths.extend(prefix + name for name in files)
    return paths


def list_folder(folder: Path, paths: list[str], by_file_name: bool) -> Listing:
    """The pictures among the files `paths` below a folder."""
    names, members = order([path for path in paths if is_picture(path)], by_file_name)
    if not names:
        raise nothing_found(folder, len(paths))
    entries = []
    for member in members:
        try:
            status = os.stat(folder / member)
            entries.append((member, status.st_size, status.st_mtime_ns))
        except OSError:  # a broken link; its reading will say so
            entries.append((member, -1, 0))
    chunks = [
        FolderChunk(str(folder), first, tuple(members[first : first + CHUNK]))
        for first in range(0, len(members), CHUNK)
    ]
    others = sorted(path for path in paths if not is_picture(path))
    return Listing(names, members, chunks, {}, others, state_of(entries))


def list_zip(path: Path, by_file_name: bool) -> Listing:
    """The pictures of a zip; members that are not to be touched are rejected on sight."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise SourceError(f"{path}: {why_no_zip(path)}") from error
    rejected, usable = {}, []
    for name, info in infos.items():
        if not is_picture(name):
            continue
        reason = _refusal(name, info)
        if reason:
            rejected[name] = reason
        else:
            usable.append(name)
    names, members = order(usable, by_file_name)
    if not names:
        if rejected:
            raise SourceError(f"{path}: no picture to be used; {_first(rejected)}")
        raise nothing_found(path, len(infos))
    entries = [
        Member(info.header_offset, info.compress_size, info.file_size, info.compress_type, info.CRC)
        for info in map(infos.__getitem__, members)
    ]
    chunks = [
        ZipChunk(str(path), first, tuple(entries[first : first + CHUNK]))
        for first in range(0, len(entries), CHUNK)
    ]
    state = state_of([(m, e.size, e.crc) for m, e in zip(members, entries, strict=True)])
    others = sorted(name for name in infos if not is_picture(name))
    return Listing(names, members, chunks, rejected, others, state)


def _refusal(name: str, info: zipfile.ZipInfo) -> str | None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        return "its path leads out of the archive"
    if info.flag_bits & 1:
        return "encrypted"
    return None


def _first(rejected: dict[str, str]) -> str:
    name, reason = next(iter(rejected.items()))
    return f"the first of {len(rejected)} left out, {name}: {reason}"
