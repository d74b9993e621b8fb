"""Grade a class: find out what changed, have it graded, and put all rows together."""

from __future__ import annotations

import contextlib
import difflib
import fcntl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from tqdm import tqdm

from facegan_ref.grading.classroom import Classroom
from facegan_ref.grading.config import PRIVATE, load_config
from facegan_ref.grading.gradebook import close_gradebooks
from facegan_ref.grading.release import find_lesson, lesson_names
from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.running.engines import Engine
from facegan_ref.grading.running.jobs import Job
from facegan_ref.grading.running.state import StateFolder, folder_digest, lesson_digest

ALL = "all"
MAX_LOG_BYTES = 16 * 2**20
_LESSON = ".lesson"  # no student can be called so


@dataclass
class Plan:
    """What has to be done for a class, and what is known already.

    Attributes:
        jobs: what has to be graded, or only its feedback written.
        unchanged: rows of those who were graded before.
        hopeless: rows of files and folders that belong to no student.
    """

    jobs: list[Job] = field(default_factory=list)
    unchanged: list[GradeResult] = field(default_factory=list)
    hopeless: list[GradeResult] = field(default_factory=list)


def chosen_lessons(course_dir: Path, lesson: str) -> list[str]:
    """Return the lesson "03" or "03_losses" by its name; for "all", those with hand-ins.

    Raises:
        ReleaseError: when there is no such lesson.
    """
    root = Path(course_dir).resolve()
    if lesson != ALL:
        return [find_lesson(root, lesson)]
    submitted = root / load_config(root).CourseDirectory.submitted_directory
    handed_in = {path.name for path in submitted.glob("*/*") if path.is_dir()}
    return [name for name in lesson_names(root) if name in handed_in]


def make_plan(
    course_dir: Path,
    lessons: Sequence[str],
    *,
    students: Sequence[str] = (),
    force: bool = False,
    isolation: str | None = None,
) -> Plan:
    """Look at what was handed in, and at what was graded already.

    The lessons are entered into the gradebook, if they changed.

    Args:
        course_dir: see `Classroom`.
        lessons: their full names.
        students: grade only these.
        force: grade also what did not change.
        isolation: see `Classroom`.

    Raises:
        ValueError: when there is no such student, or nothing was handed in.
    """
    root = Path(course_dir).resolve()
    plan = Plan()
    for name in lessons:
        room = Classroom(root, name, isolation=isolation)
        _add_lesson(plan, room, list(dict.fromkeys(students)), force, isolation)
    close_gradebooks()
    if not (plan.jobs or plan.unchanged or plan.hopeless):
        raise ValueError(
            f"no hand-ins in {root / PRIVATE / 'submitted'}: put each student's notebook at "
            "STUDENT/LESSON/LESSON.ipynb there, such as ada/03_losses/03_losses.ipynb"
        )
    return plan


def _add_lesson(
    plan: Plan, room: Classroom, wanted: Sequence[str], force: bool, isolation: str | None
) -> None:
    state = StateFolder(room.root, room.lesson)
    if room.log_file.is_file() and room.log_file.stat().st_size > MAX_LOG_BYTES:
        room.log_file.unlink()
    digest = lesson_digest(room.root, room.lesson, room.config)
    if state.read(_LESSON).get("digest") != digest or not _is_entered(room):
        room.enter_courses()
        room.enter_lesson()
        state.write(_LESSON, {"digest": digest})
    everybody = room.students()
    _check_names(wanted, everybody, room)
    if not wanted:
        plan.hopeless += room.stray_files()
    for student in wanted or everybody:
        problem = room.name_problem(student)
        if problem:
            plan.hopeless.append(problem)
            continue
        fingerprint = f"{digest} {folder_digest(room.hand_in(student))}"
        job = Job(str(room.root), room.lesson, student, digest, fingerprint, isolation)
        known = state.read(student)
        row = None
        if not force and known.get("fingerprint") == fingerprint:
            with contextlib.suppress(LookupError, MissingEntry):
                row = room.result(student)
        if row is None:
            plan.jobs.append(job)
        elif row.entries != known.get("entries"):  # an instructor gave points or comments
            plan.jobs.append(job.refreshing())
        else:
            plan.unchanged.append(row)


def _is_entered(room: Classroom) -> bool:
    try:
        with Gradebook(room.db_url) as gradebook:
            gradebook.find_notebook(room.lesson, room.lesson)
    except MissingEntry:
        return False
    return True


def _check_names(wanted: Sequence[str], everybody: list[str], room: Classroom) -> None:
    for student in wanted:
        if student not in everybody:
            near = difflib.get_close_matches(student, everybody, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"--students: there is no folder {student} in {room.submitted}, and no such name "
                f"in the gradebook{hint}"
            )


@contextlib.contextmanager
def only_here(root: Path, lessons: Sequence[str]) -> Iterator[None]:
    """Keep a second process from grading the same lessons at the same time.

    Raises:
        ValueError: when another one does.
    """
    with contextlib.ExitStack() as held:
        for lesson in lessons:
            folder = StateFolder(root, lesson).folder
            folder.mkdir(parents=True, exist_ok=True)
            file = held.enter_context((folder / ".lock").open("w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(f"{lesson} is being graded by another process") from None
        yield


def carry_out(
    plan: Plan,
    make_engine: Callable[[], Engine],
    *,
    progress: bool = True,
    on_result: Callable[[GradeResult], None] | None = None,
) -> list[GradeResult]:
    """Do the jobs of a plan; return all rows, by lesson and student.

    An interrupt ends what runs at once; what was graded by then stays, and is not graded again.

    Args:
        make_engine: called when there is something to do.
        progress: show a progress bar on stderr.
        on_result: called with each row as soon as it is known.

    Raises:
        CannotGrade: see `Engine.run`.
    """
    rows = [*plan.hopeless, *plan.unchanged]
    if plan.jobs:
        tqdm.monitor_interval = 0  # its thread would be lost in the forks
        bar = tqdm(total=len(plan.jobs), unit="hand-in", disable=not progress)
        with bar, make_engine() as engine:
            for row in engine.run(plan.jobs):
                rows.append(row)
                bar.update()
                if on_result:
                    on_result(row)
    return sorted(rows, key=lambda row: (row.lesson, row.student))


def isolates(course_dir: Path, isolation: str | None) -> bool:
    """Whether hand-ins have to be isolated: as `isolation` says, else as the settings do."""
    settings = load_config(Path(course_dir)).GuardedExecute
    return (isolation or settings.get("isolation", "require")) == "require"
