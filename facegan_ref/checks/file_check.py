"""Check a student's file in a child process, whatever its code does to that process."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from facegan_ref.checks.registry import lesson_number
from facegan_ref.checks.results import (
    FRESH,
    FRESH_POINTS,
    SEED_VARIABLE,
    WAITING_FACTOR,
    CheckResult,
    TaskResult,
    UnusableFile,
    plain,
)

LOAD_SECONDS = 300.0  # by the clock, for the imports and all statements of the file
GRACE_SECONDS = 20.0  # beyond a check's own time limit, before the process is killed
# The current folder leaves the path first: a file there must not hide an installed package.
_CHILD = (
    "import sys; sys.path[:1] = [p for p in sys.path[:1] if p]; "
    "from facegan_ref.checks.child import main; main()"
)


@dataclass(frozen=True)
class FileResult:
    """What the checks of a lesson found in a file."""

    lesson: str
    tasks: tuple[TaskResult, ...]

    @property
    def points(self) -> float:
        return sum(task.points for task in self.tasks)

    @property
    def max_points(self) -> float:
        return sum(task.max_points for task in self.tasks)

    @property
    def passed(self) -> bool:
        return all(task.passed for task in self.tasks)

    def to_dict(self) -> dict:
        """The result as JSON values."""
        return {
            "lesson": self.lesson,
            "points": plain(self.points),
            "max_points": plain(self.max_points),
            "tasks": [
                {
                    "task": task.task,
                    "points": plain(task.points),
                    "max_points": plain(task.max_points),
                    "attempted": task.attempted,
                    "checks": [
                        {"name": check.name, "passed": check.passed, "message": check.message}
                        for check in task.checks
                    ],
                }
                for task in self.tasks
            ],
        }


def check_file(path: str | Path, lesson: str) -> FileResult:
    """Run a lesson's checks on what the file `path` (.py or .ipynb) defines.

    A check that hangs or ends the process fails; those of the other tasks still run.

    Raises:
        ValueError: there is no such lesson.
        UnusableFile: nothing of the file can be run; one line says why.
    """
    number = lesson_number(lesson)
    path = Path(path)
    seed = os.environ.get(SEED_VARIABLE) or str(secrets.randbelow(2**31))
    parts: dict[str, dict] = {}
    results: dict[str, dict[str, CheckResult]] = {}
    printed: dict[str, str] = {}
    waiting: list[str] = []  # all tasks in the first round
    while True:
        events, ending = _run_child(path, number, seed, waiting)
        begun = None
        for event in events:
            if event["event"] == "lesson":
                parts = event["tasks"]
            elif event["event"] == "unusable":
                raise UnusableFile(event["reason"])
            elif event["event"] == "begin":
                begun = event
            elif event["event"] == "result":
                begun = None
                result = CheckResult(**event["result"])
                results.setdefault(event["task"], {})[result.name] = result
            elif event["event"] == "printed":
                printed[event["task"]] = event["text"]
        if ending is None:
            break
        if begun is None:
            raise UnusableFile(f"{path}: running its statements {ending}")
        message = f"Your code {ending} in {begun['check']}."
        _fail_rest(parts[begun["task"]], results.setdefault(begun["task"], {}), message)
        waiting = [name for name in parts if name not in results]
        if not waiting:
            break
    return FileResult(
        number,
        tuple(
            TaskResult(name, part["title"], tuple(results[name].values()), printed.get(name, ""))
            for name, part in parts.items()
        ),
    )


def _fail_rest(part: dict, results: dict[str, CheckResult], message: str) -> None:
    """The running check of a task and those after it fail."""
    for name, points in [*part["checks"], [FRESH, FRESH_POINTS]]:
        if name not in results:
            results[name] = CheckResult(name, 0.0, points, False, message)


def _run_child(
    path: Path, number: str, seed: str, tasks: list[str]
) -> tuple[list[dict], str | None]:
    """The child's events, and how it ended if not as it should."""
    with tempfile.TemporaryDirectory(prefix="facegan-check-") as folder:
        events = Path(folder, "events")
        events.touch()
        errors = Path(folder, "errors")
        with open(errors, "wb") as error_file:
            child = subprocess.Popen(
                [sys.executable, "-c", _CHILD, str(path), number, str(events), seed, *tasks],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=error_file,
                env={**os.environ, "MPLBACKEND": "Agg"},
                start_new_session=True,
            )
            ending = _wait(child, events)
        lines = events.read_text(encoding="utf-8").splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        traceback = errors.read_text(encoding="utf-8", errors="replace")
    if ending is not None and not found:
        # Not even the lesson was announced, which comes before any of the student's code.
        raise RuntimeError(f"the checking process failed to start:\n{traceback}")
    if ending is not None and "Traceback" in traceback:
        ending += f": {traceback.strip().splitlines()[-1]},"
    return found, ending


def _wait(child: subprocess.Popen, events: Path) -> str | None:
    """Wait for the child's end; kill it when it stays in one place too long."""
    size, since, limit = 0, time.monotonic(), LOAD_SECONDS
    while True:
        try:
            child.wait(timeout=0.05)
            break
        except subprocess.TimeoutExpired:
            pass
        now = time.monotonic()
        if events.stat().st_size != size:
            size, since = events.stat().st_size, now
            last = events.read_text(encoding="utf-8").splitlines()[-1]
            try:
                seconds = json.loads(last).get("seconds")
                limit = WAITING_FACTOR * seconds + GRACE_SECONDS if seconds else LOAD_SECONDS
            except ValueError:  # a line that is still being written
                size = -1
        elif now - since > limit:
            _kill(child)
            return f"did not end within {limit:g} seconds, ignored the interrupt and was stopped"
    done = events.read_text(encoding="utf-8").splitlines()[-1:]
    if done and json.loads(done[0])["event"] in ("done", "unusable"):
        return None
    _kill(child)
    return f"ended the Python process (exit status {child.returncode})"


def _kill(child: subprocess.Popen) -> None:
    """Kill the child and all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()
