"""The parts of a lesson from which sample hand-ins are made, and a course folder to hold them."""

from __future__ import annotations

import ast
import copy
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from facegan_ref.grading.config import RELEASE, SOURCE
from facegan_ref.grading.marks import read_mark
from facegan_ref.grading.release import build, find_lesson, lesson_points


def make_course(root: Path, course_dir: Path, lessons: Iterable[str], settings: str = "") -> None:
    """Make a course folder of its own, with the `lessons` of the repository `root`.

    Args:
        settings: lines to add to its `nbgrader_config.py`, e.g. "c.Execute.timeout = 20".
    """
    course_dir.mkdir(parents=True, exist_ok=True)
    config = (root / "nbgrader_config.py").read_text(encoding="utf-8")
    (course_dir / "nbgrader_config.py").write_text(f"{config}\n{settings}\n", encoding="utf-8")
    for lesson in lessons:
        name = find_lesson(root, lesson)
        shutil.copytree(root / SOURCE / name, course_dir / SOURCE / name, dirs_exist_ok=True)


class LessonKit:
    """The parts of one lesson from which hand-ins are made.

    Args:
        course_dir: a folder with `solutions/LESSON/`.
        lesson: the lesson's full name, e.g. "03_losses".
    """

    def __init__(self, course_dir: Path, lesson: str) -> None:
        self.lesson = lesson
        source = course_dir / SOURCE / lesson / f"{lesson}.ipynb"
        build(course_dir, course_dir / RELEASE, [lesson])
        self.released = _read(course_dir / RELEASE / lesson / f"{lesson}.ipynb")
        self.points = lesson_points(source)
        self.answers = {
            mark.task: _without_markers("".join(cell["source"]))
            for cell in _read(source)["cells"]
            if (mark := read_mark(grade_id(cell))) and mark.kind == "task"
        }
        self.functions = [task for task, text in self.answers.items() if function_name(text)]

    def blank(self) -> dict:
        """Return the released notebook, untouched."""
        return copy.deepcopy(self.released)

    def solved(self, tasks: Iterable[str] | None = None) -> dict:
        """Return a notebook with the right answers to `tasks` (default: all)."""
        nb = self.blank()
        for task in self.answers if tasks is None else tasks:
            self.answer(nb, task, self.answers[task])
        return nb

    def answer(self, nb: dict, task: str, source: str) -> None:
        """Write `source` into the answer cell of `task`."""
        self.cell(nb, "task", task)["source"] = source

    def with_body(self, task: str, body: str, nb: dict | None = None) -> dict:
        """Return a solved notebook whose function of `task` has the one-line `body` instead."""
        nb = self.solved() if nb is None else nb
        name = function_name(self.answers[task])
        self.answer(nb, task, f"def {name}(*arguments, **settings):\n    {body}")
        return nb

    def cell(self, nb: dict, kind: str, task: str) -> dict:
        """Return the cell of this kind ("task", "grade", "fresh") and task."""
        return next(cell for cell in nb["cells"] if read_mark(grade_id(cell)) == (kind, task))

    def lost(self, *tasks: str) -> dict[str, float]:
        """Return the points that remain without `tasks` and without what builds on all tasks."""
        lost = set(tasks)
        if lost:
            lost |= set(self.points) - set(self.answers)
        return {task: 0.0 if task in lost else points for task, points in self.points.items()}

    def nothing(self) -> dict[str, float]:
        """Return zero points for each task."""
        return dict.fromkeys(self.points, 0.0)

    def write(self, folder: Path, nb: dict | str, name: str | None = None) -> None:
        """Write a notebook, or broken text, into a hand-in folder."""
        folder.mkdir(parents=True, exist_ok=True)
        text = nb if isinstance(nb, str) else json.dumps(nb, indent=1)
        (folder / (name or f"{self.lesson}.ipynb")).write_text(text, encoding="utf-8")


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def grade_id(cell: dict) -> str:
    """Return nbgrader's id of a cell, or an empty string."""
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def _without_markers(source: str) -> str:
    lines = source.splitlines()
    return "\n".join(line for line in lines if "### BEGIN" not in line and "### END" not in line)


def function_name(source: str) -> str:
    """Return the first function that `source` defines, or an empty string."""
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return names[0] if names else ""
