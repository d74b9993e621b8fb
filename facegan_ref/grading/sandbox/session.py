"""A notebook's stay in the sandbox, as the grading process sees it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from facegan_ref.grading.sandbox import frames
from facegan_ref.grading.sandbox.limits import Limits

_START_S = 120.0  # for the warm process to load torch on a busy machine, and for a fork
_END_S = 10.0
_MAIN = (
    "import sys, json\n"
    "line = sys.stdin.readline()\n"
    "sys.path[:] = json.loads(line)[2]\n"
    "from facegan_ref.grading.sandbox.warm import main\n"
    "main(line)\n"
    "import os\nos._exit(0)\n"  # not the libraries' own good-byes
)
_HOMES = ("HOME", "MPLCONFIGDIR", "IPYTHONDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
WAITING_FACTOR = 6
"""Seconds by the clock for each second of processor time: for code that waits, busy machines."""


class IsolationUnavailable(RuntimeError):
    """This system does not let the grading process isolate what it runs."""


class SandboxLost(RuntimeError):
    """The sandbox itself failed, by no fault of the notebook."""


ENDINGS = {
    "memory": "it used more than {memory} MB of memory",
    "total": "the whole notebook used more than {total} s of processor time",
    "endless": "it did not end in time and could not be interrupted (is there a loop without an "
    "end?)",
    "garbage": "it wrote into the connection to the grading process",
    "": "Python itself stopped (os._exit, a crash, or no memory left)",
}


@dataclass
class Reply:
    """What came of one cell.

    `direct` is True for a check that was called instead of evaluated: its only score is `points`.
    `found` names what was replaced that checks rely on. `stopped` says why the process is gone,
    `interrupted` ("processor" or "clock") what was used up before the cell was stopped; both are
    empty after a cell that ended by itself.
    """

    outputs: list[dict] = field(default_factory=list)
    points: float | None = None
    direct: bool = False
    found: list[str] = field(default_factory=list)
    count: int | None = None
    interrupted: str = ""
    stopped: str = ""


class WarmProcess:
    """The process with everything loaded; it lives as long as somebody could ask it for a fork."""

    def __init__(self) -> None:
        from facegan_ref.grading.sandbox.filesystem import shown_paths

        self.shown = shown_paths()
        self.owner = os.getpid()
        kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
        self._control, theirs = socket.socketpair(socket.AF_UNIX, kind)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _MAIN],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
                env={"OMP_NUM_THREADS": "1", "PATH": os.defpath},
            )
            path = [os.path.abspath(entry) for entry in sys.path if entry and os.path.exists(entry)]
            homes = {name: os.environ[name] for name in _HOMES if name in os.environ}
            line = json.dumps([theirs.fileno(), os.getpid(), path, homes]) + "\n"
            self._process.stdin.write(line.encode())
            self._process.stdin.close()

    def fork(self, request: dict) -> tuple[socket.socket, socket.socket]:
        """Ask for a process; return the channel to its runner and that to its keeper."""
        ours, theirs = zip(*(socket.socketpair() for _ in range(2)), strict=True)
        try:
            data = json.dumps({**request, "shown": self.shown}).encode()
            socket.send_fds(self._control, [data], [end.fileno() for end in theirs])
        finally:
            for end in theirs:
                end.close()
        return ours

    @property
    def alive(self) -> bool:
        return self.owner != os.getpid() or self._process.poll() is None

    def stop(self) -> None:
        """End the process."""
        self._control.close()
        if self.owner == os.getpid():
            self._process.terminate()
            self._process.wait()


_warm: WarmProcess | None = None


def warm_process() -> WarmProcess:
    """Return the warm process of this process and of those forked from it; start it if needed."""
    global _warm
    if _warm is None or not _warm.alive:
        _warm = WarmProcess()
        atexit.register(_warm.stop)
    return _warm


def _forget_warm_process() -> None:
    """Let the next session start another."""
    global _warm
    if _warm is not None:
        _warm.stop()
        _warm = None


class Session:
    """One fork, in which the cells of one notebook run one after the other.

    Args:
        isolate: whether it has to be isolated.
        limits: what it may use.
        files: a folder whose plain files lie beside the notebook.
        allowed: what the student's code may import from this package (`shell.StudentBuiltins`).
        denied: names that it may not import from there.

    Raises:
        IsolationUnavailable: when it cannot be isolated.
        SandboxLost: when there is no fork for another reason.
    """

    def __init__(
        self,
        *,
        isolate: bool,
        limits: Limits | None = None,
        files: Path | None = None,
        allowed: Collection[str] = (),
        denied: Collection[str] = (),
    ) -> None:
        self.limits = limits or Limits()
        self._key = secrets.token_hex(16)
        if isolate and sys.platform != "linux":
            raise IsolationUnavailable(_how_to_isolate(f"this is {sys.platform}, not Linux"))
        request = {
            "isolate": isolate,
            "limits": asdict(self.limits),
            "files": str(Path(files).resolve()) if files else None,
            "allowed": sorted(allowed),
            "denied": sorted(denied),
            "key": self._key,
        }
        try:
            self._channel, self._report = warm_process().fork(request)
        except OSError as error:
            _forget_warm_process()
            raise SandboxLost(f"the warm process is gone: {error}") from error
        self._reader = frames.Reader(self._channel)
        self._lines = b""
        self._number = 0
        self.used = 0.0  # seconds of processor time, known when it has ended
        self._ended: str | None = None
        self._start()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        """Wait until the runner answers."""
        reply = self.run({"kind": "locked", "source": ""}, _START_S / WAITING_FACTOR)
        if reply.stopped:
            self.close()
            raise SandboxLost(f"no notebook could be started: {reply.stopped}")

    def run(self, request: dict, seconds: float, wall: float | None = None) -> Reply:
        """Run a cell or a check (see `runner.Runner`).

        Args:
            request: what to run.
            seconds: of processor time, after which it is interrupted.
            wall: seconds by the clock, for code that waits; default: `WAITING_FACTOR` times those.
        """
        reply = Reply()
        if self._ended is not None:
            reply.stopped = self._ended
            return reply
        wall = seconds * WAITING_FACTOR if wall is None else wall
        deadline = time.monotonic() + wall + _START_S
        self._number += 1
        try:
            self._command({"seconds": seconds, "wall": wall})
            frames.send(self._channel, {**request, "number": self._number})
            message = self._wait(reply, deadline)
            self._command({})
        except (OSError, frames.BrokenChannel) as error:
            message = None
            garbage = isinstance(error, frames.Garbage)
        else:
            expected = (self._key, self._number)
            known = (message.get("key"), message.get("number")) == expected
            garbage = not (known and frames.is_answer(message))
        if garbage:
            reply.found = ["something wrote into the connection to the grading process"]
            self._ended = ENDINGS["garbage"]
        if message is None or garbage:
            reply.stopped = self._why_ended(reply)
            return reply
        reply.outputs = message["outputs"]
        reply.points, reply.direct = message["points"], message["direct"]
        reply.found, reply.count = message["found"], message["count"]
        return reply

    def _wait(self, reply: Reply, deadline: float) -> dict:
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self._channel, self._report], [], [], 5.0)
            if self._report in readable:
                for event in self._events():
                    if event["event"] == "interrupted":
                        reply.interrupted = event["by"]
            if self._channel in readable:
                message = self._reader.feed()
                if message is not None:
                    return message
        raise frames.BrokenChannel("no answer")

    def _command(self, command: dict) -> None:
        self._report.sendall(json.dumps(command).encode() + b"\n")

    def _events(self) -> list[dict]:
        """Read what the keeper reported; its last word is kept.

        Raises:
            frames.BrokenChannel: when the keeper is gone.
        """
        data = self._report.recv(65536)
        *lines, self._lines = (self._lines + data).split(b"\n")
        events = [json.loads(line) for line in lines]
        for event in events:
            if event["event"] == "failed":
                raise IsolationUnavailable(_how_to_isolate(event["why"]))
            if event["event"] == "end":
                self._ended = self._say(event["reason"])
                self.used = event["seconds"]
        if not data:
            raise frames.BrokenChannel("the keeper is gone")
        return events

    def _why_ended(self, reply: Reply) -> str:
        until = time.monotonic() + _END_S
        with contextlib.suppress(OSError, frames.BrokenChannel):
            self._report.shutdown(socket.SHUT_WR)
            while self._ended is None and time.monotonic() < until:
                readable, _, _ = select.select([self._report], [], [], until - time.monotonic())
                if readable:
                    for event in self._events():
                        if event["event"] == "interrupted":
                            reply.interrupted = event["by"]
        self._ended = self._ended or self._say("")
        return self._ended

    def _say(self, reason: str) -> str:
        text = ENDINGS.get(reason, ENDINGS[""])
        return text.format(memory=self.limits.memory >> 20, total=f"{self.limits.total_seconds:g}")

    def close(self) -> None:
        """End everything that runs in it, and wait until it has ended."""
        self._channel.close()
        with contextlib.suppress(OSError, frames.BrokenChannel):
            self._report.shutdown(socket.SHUT_WR)
        until = time.monotonic() + _END_S
        with contextlib.suppress(OSError, frames.BrokenChannel, IsolationUnavailable):
            while time.monotonic() < until:
                readable, _, _ = select.select([self._report], [], [], until - time.monotonic())
                if readable:
                    self._events()
        self._report.close()


def _how_to_isolate(why: str) -> str:
    return (
        f"hand-ins cannot be isolated here ({why}). Linux with user namespaces is needed: on "
        "Ubuntu `sysctl kernel.apparmor_restrict_unprivileged_userns=0` switches them on, in a "
        "container its security settings do (docs/instructors.md). To run the hand-ins with all "
        "rights of your own account instead, say --no-sandbox"
    )


def isolation_problem() -> str:
    """Return why hand-ins cannot be isolated on this system, or "" when they can."""
    try:
        Session(isolate=True).close()
    except IsolationUnavailable as error:
        return str(error)
    return ""
