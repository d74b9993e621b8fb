"""Every other lesson through the same cycle, in short: all points for the solutions, 0 for none.

All of them are graded as one batch. One item a task, so that pytest-xdist, which deals out files
by their number of items, starts this one early.
"""

from __future__ import annotations

import nbformat
import pytest
from graded_class import LESSON, REPOSITORY
from nbgrader.api import Gradebook

from facegan_ref.checks import find_lesson
from facegan_ref.grading.feedback.rubrics import is_question
from facegan_ref.grading.release import lesson_names
from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.running.batch import ALL, carry_out, chosen_lessons, make_plan
from facegan_ref.grading.running.engines import LocalEngine
from facegan_ref.grading.sample_class import build_sample_class
from facegan_ref.grading.sample_kit import make_course
from facegan_ref.grading.sandbox import isolation_problem

LESSONS = [name for name in lesson_names(REPOSITORY) if name != LESSON]
TASKS = [(name, task) for name in LESSONS for task in find_lesson(name).tasks]
Graded = dict[tuple[str, str], GradeResult]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> Graded:
    """Return the rows of two students, by lesson and student."""
    isolation = "none" if isolation_problem() else "require"
    course = tmp_path_factory.mktemp("lessons")
    make_course(REPOSITORY, course, LESSONS)
    for lesson in LESSONS:
        build_sample_class(course, lesson, ["perfect", "blank"])
    plan = make_plan(course, chosen_lessons(course, ALL), isolation=isolation)
    rows = carry_out(plan, lambda: LocalEngine(2, isolate=isolation == "require"), progress=False)
    return {(row.lesson, row.student): row for row in rows}


@pytest.mark.parametrize(("lesson", "task"), TASKS)
def test_the_solution_gets_all_points(graded: Graded, lesson: str, task: str) -> None:
    row = graded[lesson, "perfect"]
    points = {part.task: part.points for part in row.tasks}
    assert points[task] == find_lesson(lesson).tasks[task].points, row.notes


@pytest.mark.parametrize(("lesson", "task"), TASKS)
def test_the_untouched_lesson_gets_none(graded: Graded, lesson: str, task: str) -> None:
    row = graded[lesson, "blank"]
    found = {part.task: part for part in row.tasks}[task]
    assert found.points == 0 and not found.attempted, row.notes
    assert row.reason == "not attempted"


@pytest.mark.parametrize("lesson", LESSONS)
def test_nobody_is_suspected(graded: Graded, lesson: str) -> None:
    for student in ("perfect", "blank"):
        row = graded[lesson, student]
        assert (row.status, row.suspicious) == ("graded", [])


@pytest.mark.parametrize("lesson", LESSONS)
def test_questions_and_their_rubrics_are_in_formgrader(graded: Graded, lesson: str) -> None:
    """Formgrader shows the graded notebook, and offers extra credit for cells of the gradebook."""
    page = graded[lesson, "blank"].feedback
    private = page.parents[3]
    notebook = private / "autograded" / "blank" / lesson / f"{lesson}.ipynb"
    cells = nbformat.read(notebook, as_version=4).cells
    places = [place for place, cell in enumerate(cells) if is_question(cell)]
    assert len(places) >= 2
    for place in places:
        assert "*Write your answer here.*" in cells[place].source
        assert cells[place + 1].source.startswith("> **For the instructor.**")
        assert "*Rubric.*" in cells[place + 1].source
    with Gradebook(f"sqlite:///{private / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(lesson, lesson, "blank").grades
        known = {grade.name: grade.max_score for grade in grades}
    assert {known[cells[place].metadata.nbgrader.grade_id] for place in places} == {0.0}
    assert "Rubric." not in page.read_text(encoding="utf-8")


def test_the_totals_of_the_course(graded: Graded) -> None:
    rows = [row for (_, student), row in graded.items() if student == "perfect"]
    assert len(rows) == len(LESSONS)
    assert all(row.points == row.max_points for row in rows)
    assert sum(row.points for row in rows) + find_lesson(LESSON).points == 220
