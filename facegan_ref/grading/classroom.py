"""Grade one lesson with nbgrader: every student gets a row, a reason and a feedback page.

Nothing in `submitted/` is changed. Each hand-in is judged first (`submissions`), staged in a clean
form, graded by nbgrader's `Autograde` into its gradebook, and turned into feedback by its
`GenerateFeedback`, both made once for all students (`converters`). What cannot be graded is staged
as an empty notebook with the reason in it, so that its zero, its page and its row come about like
all others. `batch` does this for a whole class, in several processes.
"""

from __future__ import annotations

import copy
import logging
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from tqdm import tqdm
from traitlets.config import Config
from traitlets.log import get_logger

from facegan_ref.grading.config import PRIVATE, SOURCE, load_config
from facegan_ref.grading.converters import ClassAutograde, ClassFeedback, Phases
from facegan_ref.grading.gradebook import keep_lessons, open_gradebook
from facegan_ref.grading.release import build, find_lesson
from facegan_ref.grading.results import GradeResult, read_result
from facegan_ref.grading.sandbox import IsolationUnavailable, SandboxLost
from facegan_ref.grading.staging import stage
from facegan_ref.grading.submissions import (
    Submission,
    code,
    grade_ids,
    inspect_folder,
    read_notebook,
)

_STUDENT = re.compile(r"[\w@][\w@.+ -]*")
_CRASHED = (
    "Grading this notebook broke off ({error}). It counts as 0 points until your instructor has "
    "looked at it."
)


class Classroom:
    """One lesson of one course folder, whose students are graded one by one in this process.

    Args:
        course_dir: holds `nbgrader_config.py`, `solutions/LESSON/` and the hand-ins,
            `.grading/submitted/STUDENT/LESSON/LESSON.ipynb`.
        lesson: "03" or "03_losses".
        isolation: "require" or "none" in place of what the course's settings say.

    Raises:
        ReleaseError: when there is no such lesson.
    """

    def __init__(self, course_dir: Path, lesson: str, *, isolation: str | None = None) -> None:
        self.root = Path(course_dir).resolve()
        self.lesson = find_lesson(self.root, lesson)
        self.private = self.root / PRIVATE
        self.config: Config = load_config(self.root)
        if isolation:
            self.config.GuardedExecute.isolation = isolation
        self.submitted = self.root / self.config.CourseDirectory.submitted_directory
        self.db_url = self.config.CourseDirectory.db_url
        self._source = self.root / SOURCE / self.lesson / f"{self.lesson}.ipynb"
        self.log_file = self.private / f"{self.lesson}.log"

    def enter_lesson(self) -> None:
        """Write the lesson's cells, as they are released, into the gradebook.

        Raises:
            ReleaseError: when its source notebook is faulty.
        """
        with self.logged():
            build(self.root, self.private / "release", [self.lesson], database=True)

    def enter_courses(self) -> None:
        """Make sure of the tables and the courses before several processes look for them."""
        for course in (self.config.CourseDirectory.course_id, "default_course"):
            with Gradebook(self.db_url, course):
                pass

    def students(self) -> list[str]:
        """Return everybody of whom there is a folder in submitted/, or a name in the gradebook."""
        folders = {
            path.name
            for path in self.submitted.glob("*")
            if path.is_dir() and not path.name.startswith(".")
        }
        with Gradebook(self.db_url) as gradebook:
            return sorted(folders | {student.id for student in gradebook.students})

    def stray_files(self) -> list[GradeResult]:
        """Return a row for each file which lies in submitted/ outside of a student's folder."""
        place = f"{PRIVATE}/submitted/STUDENT/{self.lesson}/{self.lesson}.ipynb"
        return [
            self._problem(
                path.name,
                f"{code(path.name)} belongs to no student: hand-ins lie at {code(place)}.",
            )
            for path in sorted(self.submitted.glob("*"))
            if path.is_file() and not path.name.startswith(".")
        ]

    def name_problem(self, student: str) -> GradeResult | None:
        """Return the row of a folder whose name nbgrader cannot hold, else None."""
        if _STUDENT.fullmatch(student):
            return None
        note = f"{code(student)} cannot be a student's name in nbgrader: rename the folder."
        return self._problem(student, note)

    def _problem(self, student: str, note: str) -> GradeResult:
        return GradeResult(student, self.lesson, status="problem", notes=[note])

    def hand_in(self, student: str) -> Path:
        """Return the folder in which the student's hand-in lies, if there is one."""
        return self.submitted / student / self.lesson

    def page(self, student: str) -> Path:
        """Return where the student's feedback page lies, if there is one."""
        return self.private / "feedback" / student / self.lesson / f"{self.lesson}.html"

    def warm_up(self) -> None:
        """Make what all students share: before this process is forked into several."""
        with self.logged():
            self._autograde.make()
            released = self.private / "release" / self.lesson / f"{self.lesson}.ipynb"
            if released.is_file():
                self._feedback.warm_up(nbformat.read(released, as_version=4))

    def grade(self, student: str) -> GradeResult:
        """Grade one student; whatever happens, there is a row, and the gradebook agrees.

        Raises:
            IsolationUnavailable: when hand-ins cannot be isolated as the settings require.
            SandboxLost: when the warm process is gone that notebooks run in.
        """
        start = time.monotonic()
        problem = self.name_problem(student)
        if problem:
            return problem
        phases = Phases()
        with self.logged():
            try:
                with phases("inspect"):
                    found = inspect_folder(self.hand_in(student), self.lesson, self._known_ids)
                result = self._convert(student, found, phases)
            except (IsolationUnavailable, SandboxLost):
                raise
            except (Exception, SystemExit) as error:
                get_logger().exception("Grading %s broke off", student)
                result = self._record_failure(student, f"{type(error).__name__}: {error}")
        result.seconds = time.monotonic() - start
        result.phases = dict(phases)
        return result

    def give_up(self, student: str, why: str) -> GradeResult:
        """Put a zero and the reason into the gradebook, for a student whose grading failed."""
        with self.logged():
            get_logger().error("Grading %s failed: %s", student, why)
            return self._record_failure(student, why)

    def refresh(self, student: str) -> GradeResult:
        """Write the feedback anew from the gradebook, after an instructor's changes there."""
        with self.logged():
            self._feedback.convert(student)
        return self.result(student)

    def result(self, student: str) -> GradeResult:
        """Return the row of a student who was graded before.

        Raises:
            LookupError: when there is no such row any more.
        """
        graded = self.private / "autograded" / student / self.lesson / f"{self.lesson}.ipynb"
        page = self.page(student)
        if not (graded.is_file() and page.is_file()):
            raise LookupError(f"{student}: the graded notebook or its page is gone")
        result = read_result(self.db_url, student, self.lesson, graded)
        result.feedback = page
        return result

    def _record_failure(self, student: str, why: str) -> GradeResult:
        """Put zero and a mark into the gradebook: an older score must not look like this one's."""
        message = _CRASHED.format(error=code(why))
        result = self._convert(student, Submission(problem=message), Phases())
        with open_gradebook(self.db_url, save=True) as gradebook:
            notebook = gradebook.find_submission_notebook(self.lesson, self.lesson, student)
            for grade in notebook.grades:
                grade.needs_manual_grade = True
        result.status, result.needs_review = "failed", True
        return result

    def _convert(self, student: str, found: Submission, phases: Phases) -> GradeResult:
        with tempfile.TemporaryDirectory(prefix="facegan-staged-") as staged:
            with phases("stage"):
                target = Path(staged) / student / self.lesson
                stage(found, self.hand_in(student), target / f"{self.lesson}.ipynb")
            self._autograde.coursedir.submitted_directory = staged
            self._autograde.convert(student, phases)
        with phases("feedback"):
            self._feedback.convert(student)
        with phases("result"):
            return self.result(student)

    @cached_property
    def _known_ids(self) -> set[str]:
        return grade_ids(read_notebook(self._source))

    @cached_property
    def _autograde(self) -> ClassAutograde:
        keep_lessons(self.db_url)
        return self._make(ClassAutograde)

    @cached_property
    def _feedback(self) -> ClassFeedback:
        return self._make(ClassFeedback)

    def _make(self, converter: type) -> ClassAutograde | ClassFeedback:
        config = copy.deepcopy(self.config)
        config.CourseDirectory.assignment_id = self.lesson
        config.BaseConverter.force = True
        return converter(coursedir=CourseDirectory(config=config), config=config)

    @contextmanager
    def logged(self) -> Iterator[None]:
        """Send nbgrader's log to a file of the lesson instead of the terminal."""
        log = get_logger()
        self.private.mkdir(exist_ok=True)
        handler = logging.FileHandler(self.log_file, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        propagate, log.propagate = log.propagate, False
        level = log.level
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        try:
            with warnings.catch_warnings():
                # nbgrader's own use of SQLAlchemy warns; nobody here can mend it.
                warnings.simplefilter("ignore", SAWarning)
                yield
        finally:
            log.removeHandler(handler)
            handler.close()
            log.propagate = propagate
            log.setLevel(level)


def grade_class(
    course_dir: Path,
    lesson: str,
    *,
    isolation: str | None = None,
    progress: bool = True,
    on_result: Callable[[GradeResult], None] | None = None,
) -> list[GradeResult]:
    """Grade every hand-in of a lesson anew, one after the other in this process.

    Args:
        course_dir: see `Classroom`.
        lesson: "03" or "03_losses".
        isolation: see `Classroom`.
        progress: show a progress bar on stderr.
        on_result: called with each row as soon as it is known.

    Returns:
        One row for each student, in order of their names, after one for each stray file.

    Raises:
        ReleaseError: when there is no such lesson, or its source notebook is faulty.
    """
    room = Classroom(course_dir, lesson, isolation=isolation)
    room.enter_lesson()
    rows = room.stray_files()
    for student in tqdm(room.students(), desc=room.lesson, unit="student", disable=not progress):
        rows.append(room.grade(student))
        if on_result:
            on_result(rows[-1])
    return rows
