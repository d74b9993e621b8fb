"""What a student gets for a lesson: read from the gradebook and the graded notebook."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nbgrader.api import SubmittedNotebook

from facegan_ref.grading.feedback.notes import KEY
from facegan_ref.grading.gradebook import open_gradebook
from facegan_ref.grading.marks import read_mark


@dataclass
class TaskPoints:
    """One task of one student; `attempted` is False for an untouched stub."""

    task: str
    points: float
    max_points: float
    attempted: bool = True


@dataclass
class GradeResult:
    """One row of the class: everything that the gradebook and the feedback page say in short.

    `status` is "graded"; "problem" when the hand-in itself could not be graded (0 points);
    "refused" when a task got no automatic points, for the reason in `suspicious`; "failed" when
    grading broke. An instructor must look at the last two: they are marked in the gradebook.
    `entries` is a fingerprint of what the gradebook says, by hand or not.
    """

    student: str
    lesson: str
    points: float = 0.0
    max_points: float = 0.0
    status: str = "graded"
    tasks: list[TaskPoints] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    suspicious: list[str] = field(default_factory=list)
    needs_review: bool = False
    feedback: Path | None = None
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    entries: str = ""

    @property
    def reason(self) -> str:
        """Why the points are what they are, in one line."""
        if self.notes:
            return plain(self.notes[0])
        missing = [t.task for t in self.tasks if not t.attempted]
        if len(missing) == len(self.tasks):
            return "not attempted"
        parts = [f"not attempted: {', '.join(missing)}"] if missing else []
        partial = [t.task for t in self.tasks if t.attempted and t.points < t.max_points]
        if partial:
            parts.append(f"checks failed: {', '.join(partial)}")
        return "; ".join(parts) or "all checks passed"

    def to_dict(self) -> dict:
        """Return the row as JSON-ready data."""
        feedback = str(self.feedback) if self.feedback else None
        return {**asdict(self), "feedback": feedback, "reason": self.reason}


def plain(note: str) -> str:
    """Return a note without its markup."""
    for mark, text in (
        ("<code>", "'"),
        ("</code>", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#x27;", "'"),
        ("&quot;", '"'),
        ("&amp;", "&"),
    ):
        note = note.replace(mark, text)
    return note


def read_result(db_url: str, student: str, lesson: str, graded: Path | None) -> GradeResult:
    """Read the scores of `student` from the gradebook, and the notes of the notebook `graded`."""
    result = GradeResult(student, lesson)
    tasks: dict[str, TaskPoints] = {}
    with open_gradebook(db_url) as gradebook:
        submission = gradebook.find_submission_notebook(lesson, lesson, student)
        result.points, result.max_points = submission.score, submission.max_score
        result.needs_review = bool(submission.needs_manual_grade)
        result.entries = _fingerprint(submission)
        for grade in submission.grades:
            mark = read_mark(grade.name)
            if mark and mark.kind in ("grade", "fresh"):
                task = tasks.setdefault(mark.task, TaskPoints(mark.task, 0.0, 0.0))
                task.points += grade.score
                task.max_points += grade.max_score
        attempted = {
            mark.task: comment.auto_comment != "No response."
            for comment in submission.comments
            if (mark := read_mark(comment.name)) and mark.kind == "task"
        }
        for task in tasks.values():
            # A task without an answer cell of its own puts the others together.
            task.attempted = attempted.get(task.task, any(attempted.values()))
    result.tasks = sorted(tasks.values(), key=lambda task: task.task)
    if graded is not None:
        data = json.loads(graded.read_text(encoding="utf-8"))["metadata"].get(KEY, {})
        result.notes = list(data.get("notes", []))
        result.suspicious = list(data.get("suspicious", []))
        result.status = "refused" if data.get("refused") else "graded"
        if data.get("problem"):
            result.status = "problem"
    return result


def _fingerprint(submission: SubmittedNotebook) -> str:
    """Return the same for the same scores and comments, which a feedback page is made of."""
    entries = [
        (g.name, g.auto_score, g.manual_score, g.extra_credit, g.max_score)
        for g in submission.grades
    ]
    entries += [(c.name, c.auto_comment, c.manual_comment) for c in submission.comments]
    text = f"{sorted(entries, key=str)} {submission.late_submission_penalty}"
    return hashlib.sha256(text.encode()).hexdigest()
