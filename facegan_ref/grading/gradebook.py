"""nbgrader's gradebook, kept open: for a process that grades many students of a lesson.

nbgrader opens the database anew in each step and asks it cell by cell. The same tables are read
and written here through one connection a process; a lesson's cells are read once, a student's
grades and comments at once, and what was changed is saved together or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    InvalidEntry,
    MissingEntry,
    Notebook,
    SolutionCell,
    SourceCell,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import create_engine, make_url, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import (
    Session,
    joinedload,
    scoped_session,
    selectin_polymorphic,
    selectinload,
    sessionmaker,
    undefer,
)

LOCK_WAIT_S = 60.0
"""How long to wait for another process that writes into an sqlite file (its default: 5 s)."""


class _SavedAtOnce(Session):
    """A session in which nbgrader's commit after every single cell waits for `save`."""

    def commit(self) -> None:
        self.flush()

    def save(self) -> None:
        super().commit()


class OpenGradebook(Gradebook):
    """A `Gradebook` that stays open, and answers from what it has read of a student.

    Use it through `open_gradebook`. The tables and the course must exist already.
    """

    def __init__(self, db_url: str) -> None:
        url = make_url(db_url)
        options: dict = {"pool_pre_ping": True}
        if url.get_backend_name() == "sqlite":
            options = {"connect_args": {"timeout": LOCK_WAIT_S}}
        self.engine = create_engine(url, future=True, **options)
        factory = sessionmaker(
            bind=self.engine, class_=_SavedAtOnce, expire_on_commit=False, future=True
        )
        self.db = scoped_session(factory)
        self.course_id = "default_course"
        self.authenticator = None
        self._lessons: dict[tuple[str, str], Notebook] = {}
        self._db_url = db_url
        self._student: tuple[str, str, str] | None = None

    def rest(self) -> None:
        """Give back the connection and forget what was read."""
        self._student = None
        if self._db_url not in _kept:
            self._lessons.clear()
        self.db.remove()

    # What nbgrader's preprocessors ask, with the same meaning.

    def find_notebook(self, name: str, assignment: str) -> Notebook:
        if (name, assignment) not in self._lessons:
            wanted = (
                select(Notebook)
                .join(Notebook.assignment)
                .where(Notebook.name == name, Assignment.name == assignment)
                .options(
                    selectinload(Notebook.source_cells),
                    selectinload(Notebook._base_cells).options(
                        selectin_polymorphic(BaseCell, [GradeCell, SolutionCell, TaskCell])
                    ),
                )
            )
            with Session(self.engine, future=True) as session:  # of its own: the cells outlive it
                found = session.execute(wanted).unique().scalar_one_or_none()
            if found is None:
                raise MissingEntry(f"No such notebook: {assignment}/{name}")
            self._lessons[name, assignment] = found
        return self._lessons[name, assignment]

    def find_source_cell(self, name: str, notebook: str, assignment: str) -> SourceCell:
        cells = self.find_notebook(notebook, assignment).source_cells
        return _named(cells, name, f"source cell {assignment}/{notebook}/{name}")

    def find_graded_cell(self, name: str, notebook: str, assignment: str) -> BaseCell:
        cells = self.find_notebook(notebook, assignment)._base_cells
        graded = [cell for cell in cells if isinstance(cell, (GradeCell, TaskCell))]
        return _named(graded, name, f"graded cell {assignment}/{notebook}/{name}")

    def find_submission_notebook(
        self, notebook: str, assignment: str, student: str
    ) -> SubmittedNotebook:
        if self._student != (notebook, assignment, student):
            self._read_student(notebook, assignment, student)
            self._student = (notebook, assignment, student)
        return self._submitted

    def find_grade(self, grade_cell: str, notebook: str, assignment: str, student: str) -> Grade:
        grades = self.find_submission_notebook(notebook, assignment, student).grades
        return _named(grades, grade_cell, f"grade {grade_cell} for {student}")

    def find_comment(
        self, solution_cell: str, notebook: str, assignment: str, student: str
    ) -> Comment:
        comments = self.find_submission_notebook(notebook, assignment, student).comments
        return _named(comments, solution_cell, f"comment {solution_cell} for {student}")

    def _read_student(self, notebook: str, assignment: str, student: str) -> None:
        wanted = (
            select(SubmittedNotebook)
            .join(SubmittedNotebook.assignment)
            .where(
                SubmittedNotebook.notebook_id == self.find_notebook(notebook, assignment).id,
                SubmittedAssignment.student_id == student,
            )
            .options(
                undefer(SubmittedNotebook.score),
                undefer(SubmittedNotebook.max_score),
                undefer(SubmittedNotebook.needs_manual_grade),
                joinedload(SubmittedNotebook.assignment).joinedload(SubmittedAssignment.assignment),
                selectinload(SubmittedNotebook.grades).undefer(Grade.max_score),
                selectinload(SubmittedNotebook.grades).joinedload(Grade.cell),
                selectinload(SubmittedNotebook.comments).joinedload(Comment.cell),
            )
            .execution_options(populate_existing=True)
        )
        found = self.db.execute(wanted).unique().scalar_one_or_none()
        if found is None:
            raise MissingEntry(f"No such submitted notebook: {assignment}/{notebook} of {student}")
        self._submitted = found


def _named(things: list, name: str, what: str):
    for thing in things:
        if thing.name == name:
            return thing
    raise MissingEntry(f"No such {what}")


_open: dict[tuple, OpenGradebook] = {}
_kept: set[str] = set()


def _key(db_url: str) -> tuple:
    """Tell apart what needs a connection of its own.

    That is each side of a fork, and a file that was put in the place of another one.
    """
    url = make_url(db_url)
    file = None
    if url.get_backend_name() == "sqlite" and url.database and os.path.exists(url.database):
        status = os.stat(url.database)
        file = status.st_dev, status.st_ino
    return db_url, os.getpid(), file


def close_gradebooks() -> None:
    """Close all connections: before a fork, which must not get any of them."""
    while _open:
        _open.popitem()[1].close()


def keep_lessons(db_url: str) -> None:
    """Read the lessons' cells only once from now on: they are not released anew meanwhile."""
    _kept.add(db_url)
    for gradebook in _open.values():
        gradebook._lessons.clear()


@contextmanager
def open_gradebook(db_url: str, *, save: bool = False) -> Iterator[OpenGradebook]:
    """Lend this process's gradebook; with `save`, what was changed is stored at the end.

    Not to be used inside of itself.
    """
    key = _key(db_url)
    if key not in _open:
        _open[key] = OpenGradebook(db_url)
    gradebook = _open[key]
    try:
        yield gradebook
        if save:
            gradebook.db().save()
    finally:
        gradebook.rest()


def enrol(db_url: str, assignment: str, student: str, timestamp: datetime | None) -> None:
    """Enter a student and a submission into the gradebook, unless they are there."""
    given = {"timestamp": timestamp} if timestamp else {}
    for last_time in (False, True):
        try:
            with open_gradebook(db_url, save=True) as gradebook:
                gradebook.update_or_create_student(student)
                gradebook.update_or_create_submission(assignment, student, **given)
            return
        except (InvalidEntry, IntegrityError):
            # Another process entered the student for another lesson just now.
            if last_time:
                raise
