"""The nbgrader cycle on a class with everything in it: exact scores, clear words, no stop."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from graded_class import LESSON, GradedClass, fingerprints, nbgrader
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI

from facegan_ref.grading.config import load_config
from facegan_ref.grading.sample_class import STUDENTS


@pytest.mark.parametrize("student", STUDENTS)
def test_each_gets_exactly_the_points_deserved(graded: GradedClass, student: str) -> None:
    row, sample = graded.rows[student], graded.samples[student]
    assert {task.task: task.points for task in row.tasks} == sample.points, row.notes
    assert (row.points, row.max_points) == (sample.total, 15.0)


@pytest.mark.parametrize("student", STUDENTS)
def test_feedback_says_what_went_wrong(graded: GradedClass, student: str) -> None:
    page = graded.feedback(student)
    assert graded.samples[student].says in page
    assert f"Score: {graded.samples[student].total}" in page


def test_every_folder_and_file_has_a_row_and_a_reason(graded: GradedClass) -> None:
    assert set(graded.rows) == {*STUDENTS, "stray.ipynb", "handed-in-nothing"}
    assert all(row.reason for row in graded.rows.values())
    assert graded.rows["stray.ipynb"].status == "problem"
    assert "Nothing was handed in" in graded.feedback("handed-in-nothing")


def test_problems_are_told_from_graded_work(graded: GradedClass) -> None:
    problems = {name for name, row in graded.rows.items() if row.status != "graded"}
    assert problems == {
        "broken-json",
        "merge-markers",
        "missing-notebook",
        "handed-in-nothing",
        "stray.ipynb",
    }


def test_submitted_files_are_never_changed(graded: GradedClass) -> None:
    assert graded.before == graded.after


def test_blank_is_not_attempted(graded: GradedClass) -> None:
    row = graded.rows["blank"]
    assert [task.attempted for task in row.tasks] == [False] * 3
    assert row.reason == "not attempted"
    half = graded.rows["half-right"]
    assert [task.attempted for task in half.tasks] == [True, True, False]


def test_hidden_tests_stay_hidden(graded: GradedClass) -> None:
    released = graded.course / "lessons" / LESSON / f"{LESSON}.ipynb"
    pages = [row.feedback for row in graded.rows.values() if row.feedback]
    assert len(pages) == len(STUDENTS) + 1
    for path in [released, *pages]:
        text = path.read_text(encoding="utf-8")
        assert "grade_fresh(" not in text and "grade_fresh</span><span" not in text, path
        assert "HIDDEN TESTS" not in text, path


def test_output_is_clipped(graded: GradedClass) -> None:
    folder = graded.course / ".grading"
    for step, ending in (("autograded", "ipynb"), ("feedback", "html")):
        path = folder / step / "noisy" / LESSON / f"{LESSON}.{ending}"
        assert path.stat().st_size < 2**20


def test_nothing_importable_reaches_the_place_where_it_runs(graded: GradedClass) -> None:
    folder = graded.course / ".grading" / "autograded"
    assert list(folder.rglob("*.ipynb")) and not list(folder.rglob("*.py"))


def tables(course: Path) -> dict[str, list[tuple]]:
    """Return all rows of all tables of the gradebook."""
    with closing(sqlite3.connect(course / ".grading" / "gradebook.db")) as gradebook:
        names = gradebook.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: sorted(gradebook.execute(f"SELECT * FROM {name}").fetchall(), key=str)
            for (name,) in names.fetchall()
        }


def test_nbgrader_by_hand_gives_the_same_to_the_byte(graded: GradedClass) -> None:
    """Grade anew with nbgrader's own commands: perfect, half-right and kernel-exit."""
    students = "*r*t"
    folder = graded.course / ".grading"
    written = [p for step in ("autograded", "feedback") for p in folder.glob(f"{step}/{students}")]
    assert len(written) == 6
    before = [fingerprints(path) for path in written], tables(graded.course)
    db_url = load_config(graded.course).CourseDirectory.db_url
    with Gradebook(db_url) as gradebook:
        for student in ("perfect", "half-right", "kernel-exit"):
            submitted = gradebook.find_submission_notebook(LESSON, LESSON, student)
            for grade in submitted.grades:
                grade.auto_score = -1.0
            for comment in submitted.comments:
                comment.auto_comment = "?"
        gradebook.db.commit()
    assert tables(graded.course) != before[1]
    for command in ("autograde", "generate_feedback"):
        nbgrader(graded.course, command, LESSON, "--force", "--student", students)
    assert ([fingerprints(path) for path in written], tables(graded.course)) == before


def test_validate_accepts_the_solutions(graded: GradedClass) -> None:
    said = nbgrader(graded.course, "validate", f"solutions/{LESSON}/{LESSON}.ipynb")
    assert "Success! Your notebook passes all the tests." in said


def test_rows_are_json(graded: GradedClass) -> None:
    row = json.loads(json.dumps(graded.rows["perfect"].to_dict()))
    assert (row["points"], row["reason"]) == (15.0, "all checks passed")


def test_formgraders_buttons_give_the_same_points(graded: GradedClass) -> None:
    """Last in this file: it grades some of the class anew."""
    api = NbGraderAPI(config=load_config(graded.course))
    assert not api.autograde(LESSON, "broken-json")["success"]
    for student in ("half-right", "kernel-exit"):
        done = api.autograde(LESSON, student)
        assert done["success"], done["log"][-2000:]
        row = next(row for row in api.get_submissions(LESSON) if row["student"] == student)
        assert row["autograded"] and row["score"] == graded.samples[student].total
