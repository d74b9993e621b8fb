"""A class in several processes: what is graded again, what breaks, what is never lost."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from accidents import ACCIDENTS
from graded_class import LESSON, REPOSITORY
from nbgrader.api import Gradebook
from sqlalchemy import text

from facegan_ref.grading.config import load_config
from facegan_ref.grading.gradebook import LOCK_WAIT_S, close_gradebooks, enrol, open_gradebook
from facegan_ref.grading.results import GradeResult, TaskPoints
from facegan_ref.grading.running import batch
from facegan_ref.grading.running.engines import CannotGrade, LocalEngine
from facegan_ref.grading.running.table import what_to_look_at, write_csv
from facegan_ref.grading.sample_class import build_sample_class
from facegan_ref.grading.sample_kit import make_course

STUDENTS = ["blank", "half-right", "perfect", "syntax-error"]
TOTALS = {"blank": 0.0, "half-right": 5.0, "perfect": 15.0, "syntax-error": 10.0}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> Path:
    """Return a course with a class that was graded once."""
    folder = tmp_path_factory.mktemp("batch") / "course"
    make_course(REPOSITORY, folder, [LESSON], ACCIDENTS)
    build_sample_class(folder, LESSON, STUDENTS)
    assert totals(grade(folder)) == TOTALS
    return folder


@pytest.fixture(autouse=True)
def nothing_is_left(course: Path) -> Iterator[None]:
    """No test leaves a process behind, or a grade that is not the honest one."""
    before = set(children())
    yield
    for accident in course.glob("accident-*"):
        accident.unlink()
    assert set(children()) <= before
    assert totals(grade(course)) == TOTALS
    assert not batch.make_plan(course, [LESSON]).jobs


def children() -> list[int]:
    """Return the processes below this one, but the warm one."""
    return [
        process.pid
        for process in psutil.Process().children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE and "-I" not in process.cmdline()
    ]


def grade(course: Path, jobs: int = 2, seconds: float = 300.0, **options) -> list[GradeResult]:
    plan = batch.make_plan(course, [LESSON], **options)
    return batch.carry_out(plan, lambda: LocalEngine(jobs, job_seconds=seconds), progress=False)


def totals(rows: list[GradeResult]) -> dict[str, float]:
    return {row.student: row.points for row in rows}


def to_do(course: Path, **options) -> list[tuple[str, str]]:
    plan = batch.make_plan(course, [LESSON], **options)
    return [(job.student, job.action) for job in plan.jobs]


def hand_in(course: Path, student: str) -> Path:
    return course / ".grading" / "submitted" / student / LESSON / f"{LESSON}.ipynb"


def stored(course: Path, student: str):
    with Gradebook(load_config(course).CourseDirectory.db_url) as gradebook:
        notebook = gradebook.find_submission_notebook(LESSON, LESSON, student)
        return notebook.score, bool(notebook.needs_manual_grade)


def test_only_what_changed_is_graded_again(course: Path) -> None:
    plan = batch.make_plan(course, [LESSON])
    assert not plan.jobs
    assert totals(plan.unchanged) == TOTALS
    assert all(row.feedback.is_file() and row.reason for row in plan.unchanged)

    path = hand_in(course, "half-right")
    good = path.read_bytes()
    path.write_bytes(hand_in(course, "perfect").read_bytes())
    assert to_do(course) == [("half-right", "grade")]
    assert totals(grade(course)) == {**TOTALS, "half-right": 15.0}
    path.write_bytes(good)
    assert to_do(course) == [("half-right", "grade")]
    (path.parent / "notes.txt").write_text("Also mine.")
    assert totals(grade(course, students=["half-right"])) == {"half-right": 5.0}
    (path.parent / "notes.txt").unlink()
    assert to_do(course, students=["half-right"]) == [("half-right", "grade")]
    assert to_do(course, students=["perfect", "perfect"]) == []
    assert to_do(course, students=["perfect"], force=True) == [("perfect", "grade")]


@pytest.mark.parametrize(
    "change",
    [
        lambda course: course / "solutions" / LESSON / f"{LESSON}.ipynb",
        lambda course: course / "nbgrader_config.py",
    ],
    ids=["source", "settings"],
)
def test_what_decides_the_points_concerns_all(course: Path, change) -> None:
    path: Path = change(course)
    before = path.read_text(encoding="utf-8")
    addition = "\nc.GuardedExecute.cell_seconds = 11" if path.suffix == ".py" else "\n"
    path.write_text(before + addition, encoding="utf-8")
    try:
        assert [student for student, _ in to_do(course)] == STUDENTS
    finally:
        path.write_text(before, encoding="utf-8")
    assert to_do(course) == []


def test_what_is_gone_is_made_again(course: Path) -> None:
    private = course / ".grading"
    (private / "feedback" / "blank" / LESSON / f"{LESSON}.html").unlink()
    assert to_do(course) == [("blank", "grade")]
    (private / "gradebook.db").rename(private / "away.db")
    assert [student for student, _ in to_do(course)] == STUDENTS
    (private / "gradebook.db").unlink()
    (private / "away.db").rename(private / "gradebook.db")


def test_what_an_instructor_enters_is_kept_and_shown(course: Path) -> None:
    def enter(extra: float | None, comment: str | None) -> None:
        with Gradebook(load_config(course).CourseDirectory.db_url) as gradebook:
            names = (LESSON, LESSON, "perfect")
            gradebook.find_grade("question-3-a", *names).extra_credit = extra
            gradebook.find_comment("question-3-a", *names).manual_comment = comment
            gradebook.db.commit()

    enter(1.5, "Well argued!")
    assert to_do(course) == [("perfect", "refresh")]
    assert totals(grade(course)) == {**TOTALS, "perfect": 16.5}
    page = course / ".grading" / "feedback" / "perfect" / LESSON / f"{LESSON}.html"
    assert "Well argued!" in page.read_text(encoding="utf-8")
    assert to_do(course) == []
    assert totals(grade(course, students=["perfect"], force=True)) == {"perfect": 16.5}
    assert "Well argued!" in page.read_text(encoding="utf-8")
    enter(None, None)


def test_a_process_that_ends_costs_one_hand_in(course: Path) -> None:
    (course / "accident-half-right").write_text("killed")
    (course / "accident-blank").write_text("always killed")
    (course / "accident-syntax-error").write_text("warm process killed")
    rows = {row.student: row for row in grade(course, force=True)}
    assert {name: row.status for name, row in rows.items()} == {
        "blank": "failed",
        "half-right": "failed",
        "perfect": "graded",
        "syntax-error": "graded",
    }
    assert totals(rows.values()) == {**TOTALS, "half-right": 0.0}
    assert "ended (SIGKILL)" in rows["half-right"].reason
    assert "SIGKILL" in rows["half-right"].feedback.read_text(encoding="utf-8")
    assert stored(course, "half-right") == (0.0, True)
    assert "the gradebook may still hold an older score" in rows["blank"].reason
    assert to_do(course) == [("blank", "grade"), ("half-right", "grade")]


def test_a_job_without_an_end_is_ended(course: Path) -> None:
    (course / "accident-perfect").write_text("asleep")
    (row,) = grade(course, students=["perfect"], force=True, seconds=2)
    assert (row.status, row.points) == ("failed", 0.0)
    assert "it took more than 0.0333 minutes" in row.reason
    assert stored(course, "perfect") == (0.0, True)


def test_an_interrupt_leaves_what_is_done(course: Path) -> None:
    (course / "accident-blank").write_text("asleep")
    plan = batch.make_plan(course, [LESSON], students=["blank", "syntax-error"], force=True)

    def interrupt(row: GradeResult) -> None:
        assert row.student == "syntax-error"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.carry_out(plan, lambda: LocalEngine(2), progress=False, on_result=interrupt)
    assert to_do(course) == [("blank", "grade")]


def test_names_are_checked(course: Path) -> None:
    with pytest.raises(ValueError, match=r"no folder prefect .* did you mean perfect\?"):
        batch.make_plan(course, [LESSON], students=["prefect"])
    with pytest.raises(ValueError, match="No lesson '99'"):
        batch.chosen_lessons(course, "99")
    assert batch.chosen_lessons(course, "all") == [LESSON]
    assert batch.chosen_lessons(course, "03") == [LESSON]


def test_one_process_grades_a_lesson_at_a_time(course: Path) -> None:
    with (
        batch.only_here(course, [LESSON]),
        pytest.raises(ValueError, match="is being graded by another process"),
        batch.only_here(course, [LESSON]),
    ):
        pass
    with batch.only_here(course, [LESSON]):
        pass


def test_a_lesson_that_changes_meanwhile_stops_everything(course: Path) -> None:
    plan = batch.make_plan(course, [LESSON], force=True)
    path = course / "solutions" / LESSON / f"{LESSON}.ipynb"
    before = path.read_text(encoding="utf-8")
    path.write_text(before + "\n", encoding="utf-8")
    try:
        with pytest.raises(CannotGrade, match="changed since grading began"):
            batch.carry_out(plan, lambda: LocalEngine(1), progress=False)
    finally:
        path.write_text(before, encoding="utf-8")


def _add_up(db_url: str, student: str, times: int) -> None:
    for _ in range(times):
        with open_gradebook(db_url, save=True) as gradebook:
            grade = gradebook.find_grade("grade-3-1", LESSON, LESSON, student)
            grade.extra_credit = (grade.extra_credit or 0.0) + 1.0
    os._exit(0)


def test_two_processes_write_into_one_sqlite_file(course: Path) -> None:
    db_url = load_config(course).CourseDirectory.db_url
    with open_gradebook(db_url) as gradebook:
        waits = gradebook.db.execute(text("PRAGMA busy_timeout")).scalar()
    assert waits == LOCK_WAIT_S * 1000
    close_gradebooks()
    writers = [
        multiprocessing.get_context("fork").Process(target=_add_up, args=(db_url, student, 60))
        for student in ("perfect", "half-right")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert (stored(course, "perfect")[0], stored(course, "half-right")[0]) == (75.0, 65.0)
    with Gradebook(db_url) as gradebook:
        for student in ("perfect", "half-right"):
            gradebook.find_grade("grade-3-1", LESSON, LESSON, student).extra_credit = None
        gradebook.db.commit()


def _enrol(db_url: str, student: str, barrier) -> None:
    for number in range(25):
        barrier.wait(60)
        enrol(db_url, LESSON, f"{student}-{number}", None)
    os._exit(0)


def test_two_processes_enter_the_same_student(course: Path, tmp_path: Path) -> None:
    copy = tmp_path / "gradebook.db"
    shutil.copy(course / ".grading" / "gradebook.db", copy)
    close_gradebooks()
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    arguments = (f"sqlite:///{copy}", "new", barrier)
    writers = [context.Process(target=_enrol, args=arguments) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]


def rows_for_tables(root: Path) -> list[GradeResult]:
    page = root / ".grading" / "feedback" / "ada.html"
    return [
        GradeResult(
            "@ada", LESSON, 4.5, 15.0, "refused", [TaskPoints("3.1", 4.5, 5.0)],
            notes=["=HYPERLINK(<code>x</code>)"], suspicious=["-1 <code>import os</code>"],
            needs_review=True, feedback=page,
        ),
        GradeResult("bo", LESSON, 0.0, 15.0, "problem", notes=["No notebook."]),
    ]  # fmt: skip


def test_a_spreadsheet_takes_nothing_for_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "out" / "grades.csv"
    write_csv(path, rows_for_tables(tmp_path), tmp_path)
    head, ada, bo = csv.reader(path.open(encoding="utf-8", newline=""))
    assert ",".join(head) == (
        "student,lesson,points,max,3.1,status,needs_manual,suspicious,reason,feedback"
    )
    assert ada == [
        "'@ada", LESSON, "4.5", "15", "4.5", "refused", "yes", "'-1 'import os'",
        "'=HYPERLINK('x')", ".grading/feedback/ada.html",
    ]  # fmt: skip
    assert bo == ["bo", LESSON, "0", "15", "", "problem", "no", "", "No notebook.", ""]


def test_lists_say_who_needs_a_look(tmp_path: Path) -> None:
    assert what_to_look_at(rows_for_tables(tmp_path)).splitlines() == [
        "needs manual grading (1):",
        f"  @ada {LESSON}: refused",
        "",
        "suspicious or refused (1):",
        f"  @ada {LESSON}: -1 'import os'",
        "",
        "problems (1):",
        f"  bo {LESSON}: No notebook.",
    ]
    assert what_to_look_at([GradeResult("ada", LESSON, 1.0, 1.0)]) == ""


def test_rows_are_json(course: Path) -> None:
    row = batch.make_plan(course, [LESSON], students=["perfect"]).unchanged[0]
    assert json.loads(json.dumps(row.to_dict()))["points"] == 15.0
