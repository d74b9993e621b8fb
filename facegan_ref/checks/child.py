"""The child process of `facegan check`: runs a student's file and writes events, one a line.

Called as `python -c "…main()" FILE LESSON EVENTS SEED [TASK…]`; without a TASK all are run.
Events are JSON lines in the file EVENTS; what the student's code prints goes nowhere near them.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from facegan_ref.checks.answer_file import Answer, run_answer
from facegan_ref.checks.engine import Task, iter_checks, run_fresh
from facegan_ref.checks.guard import no_trace
from facegan_ref.checks.registry import find_lesson
from facegan_ref.checks.results import FRESH, FRESH_POINTS, CheckResult, UnusableFile


def main() -> None:
    """Run the tasks named on the command line."""
    path, number, events, seed, *tasks = sys.argv[1:]
    lesson = find_lesson(number)
    # Helper modules beside the answer can be imported, but can't hide an installed package.
    sys.path.append(str(Path(path).resolve().parent))
    with open(events, "a", encoding="utf-8") as file:

        def emit(event: str, **values: object) -> None:
            file.write(json.dumps({"event": event, **values}) + "\n")
            file.flush()

        parts = {
            task.id: {"title": task.title, "checks": [[c.name, c.points] for c in task.checks]}
            for task in lesson.tasks.values()
        }
        emit("lesson", tasks=parts)
        try:
            with no_trace():
                answer = run_answer(Path(path), lesson)
        except UnusableFile as error:
            emit("unusable", reason=str(error))
            return
        emit("loaded")
        for name in tasks or lesson.tasks:
            _run(lesson.tasks[name], answer, int(seed), emit)
        emit("done")


def _run(task: Task, answer: Answer, seed: int, emit) -> None:
    objects = [answer.find(name) for name in task.names]
    missing = [name for name, thing in zip(task.names, objects, strict=True) if thing is None]
    if missing:
        problems = [answer.problems[name] for name in missing if name in answer.problems]
        message = problems[0] if problems else f"not attempted: {', '.join(missing)} is not defined"
        for check in task.checks:
            _emit(
                emit, task, CheckResult(check.name, 0, check.points, False, message, bool(problems))
            )
        _emit(emit, task, CheckResult(FRESH, 0, FRESH_POINTS, False, message, bool(problems)))
        return
    results = []
    with no_trace() as printed:
        running = iter_checks(task, objects)
        for check in task.checks:
            emit("begin", task=task.id, check=check.name, seconds=check.seconds)
            results.append(next(running))
            _emit(emit, task, results[-1])
    if all(result.passed for result in results):
        seconds = sum(check.seconds for check in task.checks)
        emit("begin", task=task.id, check=FRESH, seconds=seconds)
        (fresh,) = run_fresh(task, objects, seed).checks
    else:
        attempted = any(result.attempted for result in results)
        message = "not attempted" if not attempted else "The checks above must pass first."
        fresh = CheckResult(FRESH, 0, FRESH_POINTS, False, message, attempted)
    _emit(emit, task, fresh)
    emit("printed", task=task.id, text=printed.getvalue()[:4000])


def _emit(emit, task: Task, result: CheckResult) -> None:
    emit("result", task=task.id, result=dataclasses.asdict(result))
