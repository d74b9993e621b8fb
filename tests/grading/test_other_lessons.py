"""Every other lesson through the same cycle, in short: all points for the solutions, 0 for none.

One item a task, so that pytest-xdist, which deals out files by their number of items, starts this
one early: it takes long.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from graded_class import LESSON, REPOSITORY

from facegan_ref.checks import find_lesson
from facegan_ref.grading.classroom import grade_class
from facegan_ref.grading.release import lesson_names
from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.sample_class import build_sample_class
from facegan_ref.grading.sample_kit import make_course

TASKS = [
    (name, task)
    for name in lesson_names(REPOSITORY)
    if name != LESSON
    for task in find_lesson(name).tasks
]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, _one_thread: None):
    @lru_cache
    def grade(lesson: str) -> dict[str, GradeResult]:
        course: Path = tmp_path_factory.mktemp(lesson)
        make_course(REPOSITORY, course, [lesson])
        build_sample_class(course, lesson, ["perfect", "blank"])
        return {row.student: row for row in grade_class(course, lesson, progress=False)}

    return grade


@pytest.mark.parametrize(("lesson", "task"), TASKS)
def test_the_solution_gets_all_points(graded, lesson: str, task: str) -> None:
    row = graded(lesson)["perfect"]
    points = {part.task: part.points for part in row.tasks}
    assert points[task] == find_lesson(lesson).tasks[task].points, row.notes


@pytest.mark.parametrize(("lesson", "task"), TASKS)
def test_the_untouched_lesson_gets_none(graded, lesson: str, task: str) -> None:
    row = graded(lesson)["blank"]
    found = {part.task: part for part in row.tasks}[task]
    assert found.points == 0 and not found.attempted, row.notes
    assert row.reason == "not attempted"


def test_the_totals_of_the_course(graded) -> None:
    lessons = sorted({lesson for lesson, _ in TASKS})
    rows = [graded(lesson)["perfect"] for lesson in lessons]
    assert all(row.points == row.max_points for row in rows)
    assert sum(row.points for row in rows) + find_lesson(LESSON).points == 165
