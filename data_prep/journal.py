"""What a preparation has done so far, so that one that was killed goes on where it stopped.

`faces.npy.partial` holds the pixels, `faces.npy.journal` a line for each chunk that is done. A
line is written after the chunk's pixels are on the disk; one that a kill cut short counts as none.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: two preparations of one file are not told apart there
    fcntl = None

FLUSH_SECONDS = 2.0


@dataclass(frozen=True)
class Done:
    """A chunk that is done: hashes of its pictures' bytes, and which were left out and why.

    Both are by the picture's place in the order.
    """

    chunk: int
    digests: dict[int, str]
    rejected: dict[int, str]


class Journal:
    """The journal and the partial array of one output file.

    Args:
        out: the array file that is being made.
        job: what is being made of what; a journal of another job is thrown away.
        shape: of the array with all pictures, `(N, S, S, 3)`.

    Raises:
        OSError: no space for the array, or another process is making the same file.
    """

    def __init__(self, out: Path, job: dict[str, Any], shape: tuple[int, ...]):
        self.partial = out.with_name(out.name + ".partial")
        self.path = out.with_name(out.name + ".journal")
        self.done: list[Done] = []
        self._file = open(self.path, "a+b")  # noqa: SIM115 - stays open, for its lock too
        try:
            self._lock(out)
            if not self._read(job):
                self._begin(job, shape)
        except BaseException:
            self._file.close()
            raise
        self._array = np.lib.format.open_memmap(self.partial, mode="r+")
        self._waiting: list[Done] = []
        self._flushed = time.monotonic()

    def _lock(self, out: Path) -> None:
        if fcntl is None:
            return
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OSError(f"{out}: another process is making this file; wait for it") from error

    def _read(self, job: dict[str, Any]) -> bool:
        """Take over what an earlier process of the same job has done."""
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        try:
            if json.loads(lines[0]) != job or not self.partial.is_file():
                return False
        except ValueError:
            return False
        length = len(lines[0]) + 1
        for line in lines[1:-1]:  # what follows the last line's end was cut short
            try:
                entry = json.loads(line)
                digests, rejected = (
                    {int(place): text for place, text in entry[key].items()}
                    for key in ("digests", "rejected")
                )
                self.done.append(Done(entry["chunk"], digests, rejected))
            except (ValueError, KeyError, TypeError):  # damaged: from here on it is done again
                break
            length += len(line) + 1
        self._file.truncate(length)
        return True

    def _begin(self, job: dict[str, Any], shape: tuple[int, ...]) -> None:
        self._file.truncate(0)
        self.partial.unlink(missing_ok=True)
        temporary = self.partial.with_name(self.partial.name + ".new")
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        try:
            with open(temporary, "wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                size = file.tell() + math.prod(shape)
                # Reserve the space now: a full disk is then an error, not a crash while writing.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.truncate(size)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OSError(
                f"{self.partial}: no {math.prod(shape) / 1e6:,.0f} MB to be had there: "
                f"{error.strerror}"
            ) from error
        os.replace(temporary, self.partial)
        self._file.write(json.dumps(job).encode() + b"\n")
        self._file.flush()

    def add(self, done: Done) -> None:
        """Note a chunk whose pixels have been written."""
        self.done.append(done)
        self._waiting.append(done)
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring the pixels to the disk, then the lines that say so."""
        self._array.flush()
        for done in self._waiting:
            entry = {"chunk": done.chunk, "digests": done.digests, "rejected": done.rejected}
            self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        self._waiting.clear()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Let go of both files; they stay."""
        del self._array
        self._file.close()

    def remove(self) -> None:
        """Delete both files: their content is elsewhere, or nothing came of it."""
        self.close()
        self.partial.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
