"""What the static scan finds, through real nbgrader: scores, marks in the gradebook, feedback."""

from __future__ import annotations

import json

from graded_class import LESSON, nbgrader
from nbgrader.api import Gradebook

from facegan_ref.grading.classroom import Classroom
from facegan_ref.grading.feedback.notes import KEY
from facegan_ref.grading.results import plain, read_result
from facegan_ref.grading.sample_kit import LessonKit


def write(classroom: Classroom, student: str, answers: dict[str, str], scratch: str = "") -> None:
    """Hand in a solved lesson with other text in some answers, and in the first free cell."""
    kit = LessonKit(classroom.root, LESSON)
    nb = kit.solved()
    for task, text in answers.items():
        kit.answer(nb, task, text)
    next(c for c in nb["cells"] if c["id"] == "scratch-3-1")["source"] = scratch
    kit.write(classroom.submitted / student / LESSON, nb)


def marked(classroom: Classroom, student: str) -> dict[str, float | None]:
    """Return the automatic scores of the checks that ask for an instructor."""
    with Gradebook(classroom.db_url) as gradebook:
        submitted = gradebook.find_submission_notebook(LESSON, LESSON, student)
        return {g.name: g.auto_score for g in submitted.grades if g.needs_manual_grade}


def test_refused_tasks_reach_the_gradebook_and_the_feedback(classroom: Classroom) -> None:
    copied = (
        "def discriminator_loss(real_logits, fake_logits):\n"
        "    from facegan_ref.losses import discriminator_loss as theirs\n"
        "    return theirs(real_logits, fake_logits)"
    )
    write(classroom, "copies", {"3.1": copied}, scratch="torch.load = print")
    row = classroom.grade("copies")
    assert (row.status, row.needs_review, row.points) == ("refused", True, 10.0)
    assert marked(classroom, "copies") == {"grade-3-1": 0.0, "fresh-3-1": 0.0}
    where = [plain(text).split(":")[0] for text in row.suspicious]
    assert "The answer to task 3.1, line 2" in where and any("Cell number" in w for w in where)
    page = row.feedback.read_text(encoding="utf-8")
    assert "there are no automatic points for task 3.1; your instructor will look at it" in page

    write(classroom, "copies", {})
    row = classroom.grade("copies")
    assert (row.status, row.needs_review, row.points) == ("graded", False, 15.0)
    assert marked(classroom, "copies") == {}


def test_nbgrader_by_hand_refuses_the_same(classroom: Classroom) -> None:
    hooks = "def hook(): get_ipython().events.register('pre_run_cell', print)"
    write(classroom, "by-hand", {}, scratch=hooks)
    path = classroom.submitted / "by-hand" / LESSON / f"{LESSON}.ipynb"
    nb = json.loads(path.read_text(encoding="utf-8"))
    nb["metadata"][KEY] = {"notes": [], "problem": "", "refused": {}, "suspicious": []}
    path.write_text(json.dumps(nb), encoding="utf-8")
    nbgrader(classroom.root, "autograde", LESSON, "--student", "by-hand")
    graded = classroom.private / "autograded" / "by-hand" / LESSON / f"{LESSON}.ipynb"
    row = read_result(classroom.db_url, "by-hand", LESSON, graded)
    assert (row.status, row.points, row.needs_review) == ("refused", 0.0, True)
    assert len(marked(classroom, "by-hand")) == 6
