"""A process that does grading jobs, one after the other, and can be ended at any time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection

from facegan_ref.grading.running.jobs import Job, OtherVersion, run_job
from facegan_ref.grading.sandbox import IsolationUnavailable, SandboxLost

_PROGRAM = "facegan_ref.grading.running.startup"

Outcome = tuple[str, object]
"""What came of a job: ("row", GradeResult), or what went wrong and a sentence about it: "refused"
(no job can be done here), "open" (it could not be isolated), "lost" (it may be tried again),
"broken", "died", "late"."""


def outcome_of(job: Job) -> Outcome:
    """Do a job; nothing that goes wrong with it is raised."""
    try:
        return "row", run_job(job)
    except OtherVersion as error:
        return "refused", str(error)
    except IsolationUnavailable as error:
        return "open", str(error)
    except SandboxLost as error:
        return "lost", str(error)
    except BaseException as error:
        traceback.print_exc()
        return "broken", f"{type(error).__name__}: {error}"


def serve(jobs: Connection, scratch: str) -> None:
    """Do what comes over `jobs` until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that sends the jobs decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tempfile.tempdir = scratch
    with contextlib.suppress(EOFError, OSError):
        while True:
            jobs.send(outcome_of(jobs.recv()))


class Worker:
    """A process for jobs.

    Args:
        fork: fork this process, which must have no other threads, in place of a new Python.
        close: what the new process must not keep open.
    """

    def __init__(self, *, fork: bool, close: list[Connection] = ()) -> None:
        self.scratch = tempfile.mkdtemp(prefix="facegan-worker-")
        ours, theirs = socket.socketpair()
        self.jobs = Connection(ours.detach())
        self._program: subprocess.Popen | None = None
        with theirs:
            self.process = self._fork(theirs, close) if fork else self._start(theirs)

    def _fork(self, theirs: socket.socket, close: list[Connection]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process:
            return process
        status = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C in the terminal is not for this one
            for connection in (*close, self.jobs):
                connection.close()
            serve(Connection(theirs.detach()), self.scratch)
            status = 0
        finally:
            os._exit(status)

    def _start(self, theirs: socket.socket) -> int:
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        self._program = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM, str(theirs.fileno()), self.scratch],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        return self._program.pid

    def send(self, job: Job) -> None:
        """Give it a job; the answer comes over `jobs`."""
        self.jobs.send(job)

    def outcome(self) -> Outcome:
        """Return what came of the job; waits for it."""
        try:
            return self.jobs.recv()
        except (EOFError, OSError):
            return "died", f"the process that graded it ended ({self._wait()})"

    def _wait(self) -> str:
        if not self.process:
            return "ended before"
        if self._program:
            code = self._program.wait()
        else:
            code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.process = 0
        return f"exit status {code}" if code >= 0 else signal.Signals(-code).name

    def end(self) -> None:
        """End it now, whatever it does, and what it left lying about."""
        self.jobs.close()
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            self._wait()
        shutil.rmtree(self.scratch, ignore_errors=True)
