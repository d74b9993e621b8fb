"""The notebook's door: `grade` and `grade_fresh` in locked cells, `hint` wherever it is wanted."""

from __future__ import annotations

import os
import secrets

from facegan_ref.checks.engine import Task, run_fresh, run_task
from facegan_ref.checks.registry import find_task
from facegan_ref.checks.report import show, show_hint
from facegan_ref.checks.results import HINT_LEVELS, SEED_VARIABLE, TaskResult

STRICT_VARIABLE = (
    "FACEGAN_STRICT"  # set to 1: missing points raise, so that plain notebook runners fail
)


class PointsMissing(AssertionError):
    """In strict mode: a task did not get its full points."""


def grade(task: str, *objects: object) -> float:
    """Check a task's objects, show a table, and return the points as a plain float.

    Args:
        task: "3.1".
        objects: what the student wrote, in the order in which the task names it.

    Returns:
        From 0.0 to the task's visible points; nbgrader reads it as partial credit.
    """
    found = find_task(task)
    _require_all(found, objects)
    return _finish(run_task(found, objects), found.visible_points)


def grade_fresh(task: str, *objects: object) -> float:
    """All checks of a task once more on sizes and seeds drawn now: 1.0 if all pass, else 0.0."""
    found = find_task(task)
    _require_all(found, objects)
    seed = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(2**31))
    return _finish(run_fresh(found, objects, seed), found.points - found.visible_points)


def hint(task: str, level: int = 1) -> None:
    """Show a hint: level 1 asks a question, 2 gives the rule, 3 pseudo-code, 4 a failing case."""
    found = find_task(task)
    if level not in range(1, len(HINT_LEVELS) + 1):
        raise ValueError(f"level is {level!r}, expected a whole number from 1 to 4")
    show_hint(found, level)


def _require_all(task: Task, objects: tuple[object, ...]) -> None:
    if len(objects) != len(task.names):
        raise TypeError(
            f"task {task.id} takes {len(task.names)} objects ({', '.join(task.names)}), "
            f"got {len(objects)}"
        )


def _finish(result: TaskResult, most: float) -> float:
    show(result)
    points = min(max(float(result.points), 0.0), float(most))
    if os.environ.get(STRICT_VARIABLE) == "1" and points < most:
        raise PointsMissing(f"task {result.task}: {points:g} of {most:g} points")
    return points
