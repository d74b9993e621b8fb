"""The student's process: runs the cells of one notebook, and the checks on what they define."""

from __future__ import annotations

import ast
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from facegan_ref.checks.engine import run_fresh, run_task
from facegan_ref.checks.registry import find_task
from facegan_ref.checks.report import as_html, as_text
from facegan_ref.grading.sandbox import frames, linux, seccomp
from facegan_ref.grading.sandbox.limits import Limits
from facegan_ref.grading.sandbox.recorder import DescriptorFile, RecordedStream, Recorder
from facegan_ref.grading.sandbox.seal import is_harmless
from facegan_ref.grading.sandbox.shell import StudentBuiltins

if TYPE_CHECKING:
    from facegan_ref.grading.sandbox.warm import Loaded


def confine(limits: Limits, isolated: bool, owner: tuple[int, int], tasks: int) -> None:
    """Set the limits of this process, and give up all privileges when it is isolated.

    Args:
        limits: what the hand-in may use.
        isolated: whether it has namespaces of its own.
        owner: the user and group ids it runs with.
        tasks: how many processes and threads count against the limit before it starts any.
    """
    _limit(resource.RLIMIT_FSIZE, limits.file)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 256)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + 2 * limits.memory)
    if not isolated:
        return
    _limit(resource.RLIMIT_NPROC, tasks + limits.processes)
    linux.drop_bounding_set()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(owner[1], owner[1], owner[1])
        os.setresuid(owner[0], owner[0], owner[0])
    linux.drop_capabilities()
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    seccomp.filter_calls()


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (most, most))


class Runner:
    """Answers the requests of the grading process, which come over `channel`.

    `start` has the "key" that each answer carries, the "limits", and what the student's code may
    import: "allowed" and "denied". A request is {"kind": "cell" | "locked" | "check", "source": …},
    a check also with its "task", "fresh", "seed" and "points". The answer has the cell's "outputs"
    and, for a check, "points".
    """

    def __init__(self, channel: socket.socket, loaded: Loaded, start: dict) -> None:
        self._channel = channel
        self._shell, self._seal, self._tripwire, self._borrowed = loaded
        self._key = start["key"]
        self._recorder = Recorder(Limits(**start["limits"]))
        self._shell.record(self._recorder)
        self._builtins = StudentBuiltins(start["allowed"], start["denied"])
        self._shell.user_module.__dict__["__builtins__"] = self._builtins.module
        self._graded = start["denied"]
        self._sealed = True
        self._running = False
        self._forged = ""
        self._files = [
            DescriptorFile(number, name, ".") for number, name in ((1, "stdout"), (2, "stderr"))
        ]
        sys.stdout = RecordedStream(self._recorder, "stdout", 1)
        sys.stderr = RecordedStream(self._recorder, "stderr", 2)
        self._streams = sys.stdout, sys.stderr

    def serve(self) -> None:
        """Answer until the channel is closed."""
        reader = frames.Reader(self._channel)
        process, which = os.getpid, os.getpid()
        while True:
            try:
                request = reader.read()
            except frames.BrokenChannel:
                return
            answer = self._answer(request)
            if process() != which:  # a cell has forked: only the first process answers
                os._exit(0)
            answer |= {"key": self._key, "number": request["number"]}
            frames.send(self._channel, answer)

    def _answer(self, request: dict) -> dict:
        self._recorder.start()
        points, found, direct = None, [], False
        signal.signal(signal.SIGINT, self._interrupt)
        self._running = True
        try:
            names = argument_names(request["source"]) if request["kind"] == "check" else None
            direct = names is not None
            if direct:
                points, found = self._check(request, names)
            else:
                self._run(request["source"], own=request["kind"] == "cell")
        except KeyboardInterrupt:
            pass  # the keeper stopped the cell, and says so
        except BaseException as error:
            points = None
            self._recorder.error(type(error).__name__, "", [type(error).__name__])
        self._running = False
        for file in self._files:
            self._recorder.stream(file.name, file.take(4 * self._recorder.limits.text))
        return {
            "outputs": self._recorder.outputs,
            "points": points,
            "direct": direct,
            "found": found,
            "count": self._shell.execution_count - 1,
        }

    def _interrupt(self, *_: object) -> None:
        """Stop the cell; one that has just ended by itself is left alone."""
        if self._running:
            raise KeyboardInterrupt

    def _run(self, source: str, own: bool) -> None:
        sys.stdout, sys.stderr = self._streams
        if own:
            self._sealed = False
        else:
            self._shell.forget_hooks()
        self._shell.run_cell(source, store_history=True)

    def _check(self, request: dict, names: list[str]) -> tuple[float | None, list[str]]:
        """Call the checks themselves on what `names` stand for; no code of the cell is run."""
        found = [] if self._sealed else self._seal.broken()
        if not (self._sealed or self._forged):  # else nothing has run since the last look
            self._forged = self._what_is_wrong(found, "before this check")
        self._sealed = False
        if self._refuse():
            return None, found
        task = find_task(request["task"])
        if len(names) != len(task.names):
            raise TypeError(f"task {task.id} takes {len(task.names)} objects, got {len(names)}")
        defined = self._shell.user_module.__dict__
        for name in names:
            if name not in defined:
                message = f"name {name!r} is not defined"
                self._recorder.error("NameError", message, [f"NameError: {message}"])
                return None, found
        objects = [defined[name] for name in names]
        torch.set_default_dtype(torch.float32)
        try:
            with torch.inference_mode(False), self._tripwire.watching(self._graded) as called:
                if request["fresh"]:
                    result = run_fresh(task, objects, request["seed"])
                else:
                    result = run_task(task, objects)
        finally:
            sys.stdout, sys.stderr = self._streams
        replaced = self._seal.broken()
        self._sealed = True
        found += replaced
        if called:
            self._forged = f"this notebook has called the reference's {', '.join(sorted(called))}"
        else:
            self._forged = self._what_is_wrong(replaced, "while it was checked")
        if self._refuse():
            return None, found
        points = min(max(float(result.points), 0.0), float(request["points"]))
        self._recorder.display({"text/html": as_html(result), "text/plain": as_text(result)}, {})
        self._recorder.result({"text/plain": repr(points)}, {}, self._shell.execution_count)
        self._shell.execution_count += 1
        return points, found

    def _refuse(self) -> bool:
        """Say why no check of this notebook counts any more, if that is so."""
        if self._forged:
            self._recorder.error("Forged", self._forged, [f"Forged: {self._forged}"])
        return bool(self._forged)

    def _what_is_wrong(self, replaced: list[str], when: str) -> str:
        serious = [name for name in replaced if not is_harmless(name)]
        if serious:
            return f"code of this notebook replaced {', '.join(serious[:3])} {when}"
        pretenders = self._seal.pretenders(self._builtins.classes)
        if pretenders:
            return f"{', '.join(pretenders[:3])} pretends to be what it is not"
        held = self._borrowed.held(self._shell.user_module.__dict__, self._graded)
        if held:
            return f"this notebook has got hold of the reference's {', '.join(held[:3])}"
        return ""


def argument_names(source: str) -> list[str] | None:
    """Return the names that `grade("3.1", name, …)` hands over; None for any other cell."""
    body = ast.parse(source).body
    call = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    plain = all(isinstance(argument, ast.Name) for argument in call.args[1:])
    if call.func.id not in ("grade", "grade_fresh") or not plain or call.keywords:
        return None
    return [argument.id for argument in call.args[1:]]
