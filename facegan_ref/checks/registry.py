"""Which lessons have checks, and where."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facegan_ref.checks.engine import Lesson, Task

# Numbers of the lessons that have checks: each has its folder lessonNN.
LESSONS = tuple(
    sorted(
        path.parent.name[-2:] for path in Path(__file__).parent.glob("lesson[0-9][0-9]/__init__.py")
    )
)


def lesson_number(name: str) -> str:
    """The lesson's number "03" from "03", "3" or "03_losses"; ValueError that lists all lessons."""
    number = name.split("_")[0].zfill(2)
    if number not in LESSONS:
        raise ValueError(f"no checks for lesson {name!r}; there are: {', '.join(LESSONS)}")
    return number


def find_lesson(number: str) -> Lesson:
    """The lesson "03" (also "3", or its folder's name); ValueError that lists what there is."""
    module = f"facegan_ref.checks.lesson{lesson_number(number)}"
    return importlib.import_module(module).lesson


def find_task(task: str) -> Task:
    """The task "3.1"; ValueError that lists the lesson's tasks."""
    lesson = find_lesson(task.split(".")[0])
    if task not in lesson.tasks:
        raise ValueError(f"no task {task!r}; lesson {lesson.number} has {', '.join(lesson.tasks)}")
    return lesson.tasks[task]
