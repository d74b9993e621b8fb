"""The first process of a sandbox: starts the student's, holds it to its limits, ends everything.

Being process 1 of its namespace, its end is the end of all that the hand-in has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facegan_ref.grading.sandbox import linux
from facegan_ref.grading.sandbox.limits import Limits

TICK_S = 0.05
GRACE_S = 2.0  # from the interrupt to the end, for code that will not be interrupted
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CLOCK = os.sysconf("SC_CLK_TCK")


@dataclass
class Use:
    """What the processes of a hand-in use now."""

    seconds: float = 0.0
    memory: int = 0
    processes: int = 0


def use_of(own: int | None) -> dict[int, Use]:
    """Return what each process uses: all that can be seen but this one, or the tree below `own`.

    Memory is what a process does not share with a file; without /proc nothing is known.
    """
    found: dict[int, Use] = {}
    parents: dict[int, int] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            pages = Path(f"/proc/{name}/statm").read_bytes().split()
            seconds = sum(map(int, fields[11:15])) / _CLOCK
            memory = (int(pages[1]) - int(pages[2])) * _PAGE
            parents[int(name)] = int(fields[1])
            found[int(name)] = Use(seconds, memory, int(fields[17]))
    if own is None:
        return found
    below = {own}
    while True:
        more = {child for child, parent in parents.items() if parent in below} - below
        if not more:
            return {process: use for process, use in found.items() if process in below}
        below |= more


class Keeper:
    """Keeps the student's process.

    Args:
        report: to the grading process; commands come in by it, and what happened goes out.
        limits: what the hand-in may use.
        isolated: whether this is process 1 of a namespace.
    """

    def __init__(self, report: socket.socket, limits: Limits, isolated: bool) -> None:
        self._report, self._limits, self._isolated = report, limits, isolated
        self._seconds_left: float | None = None  # of processor time, for the running cell
        self._until: float | None = None  # by the clock
        self._interrupted_at: float | None = None
        self._base_memory = 0
        self._used = 0.0  # seconds of processor time, at the last look
        self._start_seconds = 0.0
        self._lines = b""

    def keep(self, start: Callable[[], None], channel: socket.socket) -> None:
        """Fork a process for `start`, and stay until it ends or the grading process is gone."""
        self._child = os.fork()
        if self._child == 0:
            try:
                start()
            finally:
                os._exit(0)
        channel.close()  # it is the student's process that must be heard, or be gone
        if linux.AVAILABLE:
            linux.prctl(linux.PR_SET_DUMPABLE, 0)
        reason, ended = "", False
        while not ended:
            readable, _, _ = select.select([self._report], [], [], TICK_S)
            if readable and not self._read_commands():
                reason = "closed"
                break
            ended = self._reap()
            if not ended:
                reason = self._look()
                if reason:
                    break
        self._end()
        with contextlib.suppress(OSError):
            self._tell(event="end", reason=reason, seconds=self._used)

    def _reap(self) -> bool:
        """Take leave of processes that have ended; return whether the student's is among them."""
        while True:
            try:
                process, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if process in (0, self._child):
                return process == self._child

    def _look(self) -> str:
        """Hold the limits; return why all must end now, or ""."""
        used = use_of(None if self._isolated else self._child)
        seconds = self._used = sum(use.seconds for use in used.values())
        if not self._base_memory and self._child in used:
            self._base_memory = used[self._child].memory
        extra = sum(max(0, use.memory - self._base_memory) for use in used.values())
        if extra > self._limits.memory:
            return "memory"
        if seconds > self._limits.total_seconds:
            return "total"
        now = time.monotonic()
        if self._interrupted_at is not None:
            if now > self._interrupted_at + GRACE_S:
                return "endless"
            if now > self._interrupted_at + GRACE_S / 2:
                self._signal(signal.SIGINT)  # once more, if the first was caught
            return ""
        if self._until is not None:
            self._start_seconds = self._start_seconds or seconds
            used_up = seconds - self._start_seconds > self._seconds_left
            if used_up or now > self._until:
                self._interrupted_at = now
                self._tell(event="interrupted", by="processor" if used_up else "clock")
                self._signal(signal.SIGINT)
        return ""

    def _read_commands(self) -> bool:
        try:
            data = self._report.recv(65536)
        except OSError:
            return False
        if not data:
            return False
        *lines, self._lines = (self._lines + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            self._interrupted_at = None
            if "seconds" in command:
                self._seconds_left, wall = command["seconds"], command["wall"]
                self._until, self._start_seconds = time.monotonic() + wall, 0.0
            else:
                self._until = None
        return True

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, number)

    def _tell(self, **message: object) -> None:
        self._report.sendall(json.dumps(message).encode() + b"\n")

    def _end(self) -> None:
        """End what is left. In a namespace, the end of this process does it for certain."""
        if self._isolated:
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)
            until = time.monotonic() + GRACE_S
            with contextlib.suppress(ChildProcessError):  # all are children of process 1 now
                while time.monotonic() < until:
                    if os.waitpid(-1, os.WNOHANG)[0] == 0:
                        time.sleep(0.001)
            return
        for _ in range(20):  # a process may fork while its parent is being ended
            below = use_of(os.getpid())
            for process in below or ([] if self._reap() else [self._child]):
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            self._reap()
            if not below:
                break
