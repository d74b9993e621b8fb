"""A class's results as a table of plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from facegan_ref.grading.results import GradeResult

REASON_WIDTH = 48


def class_table(results: Sequence[GradeResult]) -> str:
    """One row a student: points of each task, the total, and in words what happened."""
    tasks = list(dict.fromkeys(task.task for result in results for task in result.tasks))
    head = ["student", "lesson", *tasks, "points", "what happened"]
    rows = []
    for result in results:
        by_task = {task.task: f"{task.points:g}" for task in result.tasks}
        points = f"{result.points:g} of {result.max_points:g}"
        reason = textwrap.shorten(result.reason, REASON_WIDTH, placeholder=" …")
        rows.append([result.student, result.lesson, *(by_task.get(task, "") for task in tasks),
                     points, reason])  # fmt: skip
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
