"""A class's results: as a table of plain text, as lists of what needs a look, and as CSV."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from facegan_ref.grading.results import GradeResult, plain

REASON_WIDTH = 48
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _tasks(results: Sequence[GradeResult]) -> list[str]:
    return list(dict.fromkeys(task.task for result in results for task in result.tasks))


def class_table(results: Sequence[GradeResult]) -> str:
    """One row a student: points of each task, the total, and in words what happened."""
    tasks = _tasks(results)
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


_LISTS: tuple[tuple[str, Callable[[GradeResult], list[str]]], ...] = (
    (
        "needs manual grading",
        lambda row: ["" if row.status == "graded" else row.status] if row.needs_review else [],
    ),
    (
        "suspicious or refused",
        lambda row: (
            [plain(found) for found in row.suspicious]
            or ([row.reason] if row.status == "refused" else [])
        ),
    ),
    (
        "problems",
        lambda row: [row.reason] if row.status in ("problem", "failed") else [],
    ),
)


def what_to_look_at(results: Sequence[GradeResult]) -> str:
    """Lists of who needs manual grading, what is suspicious, and what could not be graded."""
    lines = []
    for title, sentences in _LISTS:
        found = [(row, sentence) for row in results for sentence in sentences(row)]
        if found:
            lines.append(f"\n{title} ({len({id(row) for row, _ in found})}):")
        for row, sentence in found:
            lines.append(f"  {row.student} {row.lesson}" + (f": {sentence}" if sentence else ""))
    return "\n".join(lines).lstrip("\n")


def _harmless(text: str) -> str:
    """Return `text` as a spreadsheet shows it, where it would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_csv(path: Path, results: Sequence[GradeResult], root: Path) -> None:
    """Write a row for each student and lesson; pages as paths below the course folder `root`."""
    tasks = _tasks(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["student", "lesson", "points", "max", *tasks, "status", "needs_manual", "suspicious",
             "reason", "feedback"]
        )  # fmt: skip
        for row in results:
            by_task = {task.task: f"{task.points:g}" for task in row.tasks}
            page = row.feedback.relative_to(root) if row.feedback else ""
            texts = [
                row.status,
                "yes" if row.needs_review else "no",
                " ".join(map(plain, row.suspicious)),
                row.reason,
                str(page),
            ]
            writer.writerow(
                [_harmless(row.student), row.lesson, f"{row.points:g}", f"{row.max_points:g}",
                 *(by_task.get(task, "") for task in tasks), *map(_harmless, texts)]
            )  # fmt: skip
