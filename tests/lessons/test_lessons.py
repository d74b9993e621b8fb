"""The pytest door: the checks of every lesson on the notebooks in lessons/ (or solutions/).

`pytest tests/lessons` has one item for each check, such as `04-mlp_gan/4.3/clears_old_gradients`;
a task that is not attempted yet is skipped.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from facegan_ref.checks import LESSONS, find_lesson
from facegan_ref.checks.file_check import FileResult, check_file
from facegan_ref.checks.results import FRESH

ROOT = Path(__file__).parents[2]


def items():
    for number in LESSONS:
        lesson = find_lesson(number)
        for task in lesson.tasks.values():
            for name in [*(check.name for check in task.checks), FRESH]:
                yield pytest.param(
                    lesson, task.id, name, id=f"{number}-{lesson.slug}/{task.id}/{name}"
                )


@lru_cache
def result(notebook: Path, number: str) -> FileResult:
    return check_file(notebook, number)


@pytest.mark.parametrize(("lesson", "task", "check"), list(items()))
def test_check(request, lesson, task, check):
    folder = ROOT / request.config.getoption("--notebooks") / lesson.folder
    found = result(folder / f"{lesson.folder}.ipynb", lesson.number)
    tasks = {part.task: part for part in found.tasks}
    if not tasks[task].attempted:
        pytest.skip(f"task {task} is not attempted")
    outcome = {part.name: part for part in tasks[task].checks}[check]
    if not outcome.passed:
        pytest.fail(f"task {task}: {outcome.message}", pytrace=False)
