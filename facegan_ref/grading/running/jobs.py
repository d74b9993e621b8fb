"""Grading as a list of jobs that know nothing of each other: one student, one lesson each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from facegan_ref.grading.classroom import Classroom
from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.running.state import StateFolder, lesson_digest


class OtherVersion(RuntimeError):
    """A process that shall do a job sees something else than the one which gave it."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to know to grade one student's lesson.

    Attributes:
        root: the course folder, at the same path for all workers.
        digest: what decides the points but the hand-in (`state.lesson_digest`).
        fingerprint: of the hand-in itself.
        isolation: in place of what the settings say, if it is not None.
        action: "grade"; "refresh" for the feedback alone; "give up" when grading failed, with the
            reason in `why`.
    """

    root: str
    lesson: str
    student: str
    digest: str
    fingerprint: str
    isolation: str | None = None
    action: str = "grade"
    why: str = ""

    def refreshing(self) -> Job:
        """Return the job that writes only the feedback anew."""
        return replace(self, action="refresh")

    def giving_up(self, why: str) -> Job:
        """Return the job that enters a failure of this one into the gradebook."""
        return replace(self, action="give up", why=why)

    def failed(self, why: str) -> GradeResult:
        """Return the row of a job whose failure could not even be entered into the gradebook."""
        note = f"Grading failed, and the gradebook may still hold an older score: {why}"
        return GradeResult(
            self.student, self.lesson, status="failed", notes=[note], needs_review=True
        )


_rooms: dict[tuple, Classroom] = {}


def room_of(job: Job) -> Classroom:
    """Return the classroom of this process in which `job` can be done.

    Raises:
        OtherVersion: when this process would grade by other rules than the job was given for.
    """
    key = (job.root, job.lesson, job.digest, job.isolation)
    room = _rooms.get(key) or Classroom(Path(job.root), job.lesson, isolation=job.isolation)
    if lesson_digest(room.root, room.lesson, room.config) != job.digest:
        raise OtherVersion(
            f"{job.lesson}: the lesson, the settings or the package changed since grading began, "
            "or differ on this machine: grade again, on a cluster with new workers"
        )
    _rooms[key] = room
    return room


def run_job(job: Job) -> GradeResult:
    """Do a job in this process, and remember that it was done.

    Raises:
        OtherVersion: when this process would grade by other rules than the job was given for.
        IsolationUnavailable: when hand-ins cannot be isolated.
        SandboxLost: when the process is gone that notebooks run in.
    """
    room = room_of(job)
    state = StateFolder(room.root, room.lesson)
    if job.action == "refresh":
        row = room.refresh(job.student)
    else:
        state.forget(job.student)
        if job.action == "give up":
            return room.give_up(job.student, job.why)
        row = room.grade(job.student)
    if row.status != "failed":
        state.write(
            job.student,
            {"fingerprint": job.fingerprint, "entries": row.entries, "phases": row.phases},
        )
    return row
