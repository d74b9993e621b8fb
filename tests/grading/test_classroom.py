"""What happens to grades over time: handing in again, a crash while grading, manual points."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graded_class import LESSON
from nbgrader.api import Gradebook

from facegan_ref.grading.classroom import Classroom
from facegan_ref.grading.converters import ClassAutograde
from facegan_ref.grading.release import ReleaseError


def stored(classroom: Classroom, student: str) -> tuple[float, bool]:
    """Return the score in nbgrader's gradebook, and whether it asks for an instructor."""
    with Gradebook(classroom.db_url) as gradebook:
        notebook = gradebook.find_submission_notebook(classroom.lesson, classroom.lesson, student)
        return notebook.score, bool(notebook.needs_manual_grade)


def hand_in(classroom: Classroom, student: str) -> Path:
    return classroom.submitted / student / classroom.lesson / f"{classroom.lesson}.ipynb"


def write_answer(path: Path) -> None:
    nb = json.loads(path.read_text(encoding="utf-8"))
    question = next(c for c in nb["cells"] if c["id"] == "question-3-a")
    question["source"] = "Because log(0) has no gradient."
    path.write_text(json.dumps(nb), encoding="utf-8")


def test_grades_follow_what_is_handed_in(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hand_in(classroom, "perfect")
    assert classroom.grade("perfect").points == 15.0
    assert stored(classroom, "perfect") == (15.0, False)

    good = path.read_bytes()
    path.write_text("{", encoding="utf-8")
    row = classroom.grade("perfect")
    assert (row.status, row.points) == ("problem", 0.0)
    assert stored(classroom, "perfect") == (0.0, False)

    path.write_bytes(good)
    write_answer(path)
    row = classroom.grade("perfect")
    assert (row.points, row.needs_review) == (15.0, True)
    with Gradebook(classroom.db_url) as gradebook:
        lesson = classroom.lesson
        grade = gradebook.find_grade("question-3-a", lesson, lesson, "perfect")
        assert (grade.auto_score, grade.max_score) == (None, 0.0)
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 0.0, 1.5, False
        gradebook.db.commit()
    assert stored(classroom, "perfect") == (16.5, False)

    convert = ClassAutograde.convert_notebook
    calls = []

    def crash_once(self, notebook: str) -> None:
        calls.append(notebook)
        if len(calls) == 1:
            raise MemoryError("full")
        convert(self, notebook)

    monkeypatch.setattr(ClassAutograde, "convert_notebook", crash_once)
    row = classroom.grade("perfect")
    assert (row.status, row.needs_review) == ("failed", True)
    assert row.points == 1.5, "extra credit given by hand stays; the checks' points go"
    assert "broke off ('MemoryError: full')" in row.reason
    assert "broke off" in row.feedback.read_text(encoding="utf-8")
    assert stored(classroom, "perfect") == (1.5, True)


def test_names_that_nbgrader_cannot_hold_get_a_row(classroom: Classroom) -> None:
    (classroom.submitted / "a[1]").mkdir()
    row = classroom.grade("a[1]")
    assert row.status == "problem" and "rename the folder" in row.reason
    assert "a[1]" in classroom.students()


def test_an_unknown_lesson_is_named(classroom: Classroom) -> None:
    with pytest.raises(ReleaseError, match="No lesson '99'"):
        Classroom(classroom.root, "99")


def test_late_is_told_from_in_time(classroom: Classroom) -> None:
    """A penalty method is nbgrader's own; with "zero" it takes all points of who is late."""
    config = classroom.root / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    config.write_text(text + "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n", encoding="utf-8")
    room = Classroom(classroom.root, LESSON)
    with Gradebook(room.db_url) as gradebook:
        gradebook.update_or_create_assignment(room.lesson, duedate="2026-01-02 00:00:00 UTC")
    timestamp = hand_in(room, "perfect").with_name("timestamp.txt")
    for day, is_late in (("03", True), ("01", False)):
        timestamp.write_text(f"2026-01-{day} 00:00:00 UTC")
        row = room.grade("perfect")
        with Gradebook(room.db_url) as gradebook:
            submitted = gradebook.find_submission_notebook(room.lesson, room.lesson, "perfect")
            assert submitted.late_submission_penalty == (row.points if is_late else None)
        page = row.feedback.read_text(encoding="utf-8")
        assert row.points >= 15 and ("Late submission penalty" in page) is is_late
    config.write_text(text, encoding="utf-8")
