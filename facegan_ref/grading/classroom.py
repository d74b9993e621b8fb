"""Grade a whole class with nbgrader: every student gets a row, a reason and a feedback page.

Nothing in `submitted/` is changed. Each hand-in is judged first (`submissions`), staged in a clean
form, graded by nbgrader's own `Autograde` into its gradebook, and turned into feedback by its own
`GenerateFeedback`. What cannot be graded is staged as an empty notebook with the reason
in it, so that its zero, its page and its row come about like all others.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning
from tqdm import tqdm
from traitlets.config import Config
from traitlets.log import get_logger

from facegan_ref.grading.config import PRIVATE, SOURCE, load_config
from facegan_ref.grading.notes import grading_data
from facegan_ref.grading.release import build, find_lesson
from facegan_ref.grading.results import GradeResult, read_result
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
    """One lesson of one course folder, ready to grade its students one by one.

    Args:
        course_dir: holds `nbgrader_config.py`, `solutions/LESSON/` and the hand-ins,
            `.grading/submitted/STUDENT/LESSON/LESSON.ipynb`.
        lesson: "03" or "03_losses".

    Raises:
        ReleaseError: when there is no such lesson, or its source notebook is faulty.
    """

    def __init__(self, course_dir: Path, lesson: str) -> None:
        self.root = Path(course_dir).resolve()
        self.lesson = find_lesson(self.root, lesson)
        self.private = self.root / PRIVATE
        config = load_config(self.root)
        self.submitted = self.root / config.CourseDirectory.submitted_directory
        self.db_url = config.CourseDirectory.db_url
        self.log_file = self.private / f"{self.lesson}.log"
        self.log_file.unlink(missing_ok=True)
        with self._logged():
            build(self.root, self.private / "release", [self.lesson], database=True)
        source = self.root / SOURCE / self.lesson / f"{self.lesson}.ipynb"
        self.known_ids = grade_ids(read_notebook(source))

    def students(self) -> list[str]:
        """Return everybody of whom there is a folder in submitted/, or a name in the gradebook."""
        folders = {p.name for p in self.submitted.glob("*/") if not p.name.startswith(".")}
        with Gradebook(self.db_url) as gradebook:
            return sorted(folders | {student.id for student in gradebook.students})

    def stray_files(self) -> list[GradeResult]:
        """Return a row for each file which lies in submitted/ outside of a student's folder."""
        place = f"{PRIVATE}/submitted/STUDENT/{self.lesson}/{self.lesson}.ipynb"
        return [
            GradeResult(
                path.name,
                self.lesson,
                status="problem",
                notes=[f"{code(path.name)} belongs to no student: hand-ins lie at {code(place)}."],
            )
            for path in sorted(self.submitted.glob("*"))
            if path.is_file() and not path.name.startswith(".")
        ]

    def grade(self, student: str) -> GradeResult:
        """Grade one student; whatever happens, there is a row, and the gradebook agrees."""
        start = time.monotonic()
        if not _STUDENT.fullmatch(student):
            note = f"{code(student)} cannot be a student's name in nbgrader: rename the folder."
            return GradeResult(student, self.lesson, status="problem", notes=[note])
        folder = self.submitted / student / self.lesson
        found = inspect_folder(folder, self.lesson, self.known_ids)
        with self._logged():
            try:
                result = self._convert(student, found, folder)
            except (Exception, SystemExit) as error:
                get_logger().exception("Grading %s broke off", student)
                result = self._record_crash(student, folder, error)
        result.seconds = time.monotonic() - start
        return result

    def _record_crash(self, student: str, folder: Path, error: BaseException) -> GradeResult:
        """Put zero and a mark into the gradebook: an older score must not look like this one's."""
        message = _CRASHED.format(error=code(f"{type(error).__name__}: {error}"))
        result = self._convert(student, Submission(problem=message), folder)
        with Gradebook(self.db_url) as gradebook:
            notebook = gradebook.find_submission_notebook(self.lesson, self.lesson, student)
            for grade in notebook.grades:
                grade.needs_manual_grade = True
            gradebook.db.commit()
        result.status, result.needs_review = "failed", True
        return result

    def _convert(self, student: str, found: Submission, folder: Path) -> GradeResult:
        staged = self.private / "staged"
        self._stage(staged / student / self.lesson, found, folder)
        try:
            self._run(Autograde, student, f"{PRIVATE}/staged")
        finally:
            shutil.rmtree(staged)
        self._run(GenerateFeedback, student)
        graded = self.private / "autograded" / student / self.lesson / f"{self.lesson}.ipynb"
        result = read_result(self.db_url, student, self.lesson, graded)
        page = self.private / "feedback" / student / self.lesson / f"{self.lesson}.html"
        result.feedback = page if page.is_file() else None
        return result

    def _stage(self, target: Path, found: Submission, folder: Path) -> None:
        """Write what nbgrader shall grade: the clean notebook with its notes, harmless files."""
        target.mkdir(parents=True)
        nb: NotebookNode = found.notebook or nbformat.v4.new_notebook()
        data = grading_data(nb)
        data.notes = [*([found.problem] if found.problem else []), *found.notes]
        data.problem = found.problem
        nbformat.write(nb, target / f"{self.lesson}.ipynb")
        for path in found.extra_files:
            if path.name == "timestamp.txt" and not _is_timestamp(path):
                continue
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)

    def _run(self, converter: type, student: str, submitted: str | None = None) -> None:
        config: Config = load_config(self.root)
        config.CourseDirectory.student_id = student
        config.CourseDirectory.assignment_id = self.lesson
        if submitted:
            config.CourseDirectory.submitted_directory = submitted
        config.BaseConverter.force = True
        converter(coursedir=CourseDirectory(config=config), config=config).start()

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Send nbgrader's log to a file of the lesson instead of the terminal."""
        log = get_logger()
        handler = logging.FileHandler(self.log_file, encoding="utf-8")
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


def _is_timestamp(path: Path) -> bool:
    try:
        parse_utc(path.read_text(encoding="utf-8").strip())
    except (ValueError, OverflowError, TypeError):
        return False
    return True


def grade_class(
    course_dir: Path,
    lesson: str,
    *,
    progress: bool = True,
    on_result: Callable[[GradeResult], None] | None = None,
) -> list[GradeResult]:
    """Grade every hand-in of a lesson; return one row for each student, in order of their names.

    Args:
        course_dir: see `Classroom`.
        lesson: "03" or "03_losses".
        progress: show a progress bar on stderr.
        on_result: called with each row as soon as it is known.

    Raises:
        ReleaseError: when there is no such lesson, or its source notebook is faulty.
    """
    room = Classroom(course_dir, lesson)
    rows = room.stray_files()
    for student in tqdm(room.students(), desc=room.lesson, unit="student", disable=not progress):
        rows.append(room.grade(student))
        if on_result:
            on_result(rows[-1])
    return rows
