"""Attacks by the notebook's file alone: tags, metadata, outputs, kinds of cells."""

from __future__ import annotations

from hand_ins import attack, new_cell

from facegan_ref.grading.marks import read_mark
from facegan_ref.grading.sample_kit import LessonKit, grade_id


def _checks(nb: dict) -> list[dict]:
    marks = [(cell, read_mark(grade_id(cell))) for cell in nb["cells"]]
    return [cell for cell, mark in marks if mark and mark.kind in ("grade", "fresh")]


def _tag_all(kit: LessonKit, nb: dict) -> None:
    for cell in nb["cells"]:
        cell["metadata"]["tags"] = ["skip-execution", "demo", "remove-cell"]


def _scores_instead(kit: LessonKit, nb: dict) -> None:
    for cell in _checks(nb):
        cell["source"] = str(float(cell["metadata"]["nbgrader"]["points"]))


def _scores_as_outputs(kit: LessonKit, nb: dict) -> None:
    for cell in _checks(nb):
        points = str(float(cell["metadata"]["nbgrader"]["points"]))
        cell["execution_count"] = 7
        cell["outputs"] = [
            {
                "output_type": "execute_result",
                "execution_count": 7,
                "metadata": {},
                "data": {"text/plain": points},
            }
        ]


def _checks_as_markdown(kit: LessonKit, nb: dict) -> None:
    for cell in _checks(nb):
        cell["cell_type"] = "markdown"
        cell["metadata"]["nbgrader"]["cell_type"] = "markdown"
        cell["source"] = "4.0"
        del cell["outputs"], cell["execution_count"]


def _points_of_their_own(kit: LessonKit, nb: dict) -> None:
    for cell in _checks(nb):
        cell["metadata"]["nbgrader"].update(points=1000, solution=True, locked=False)
        cell["source"] = "1000.0"


def _more_checks(kit: LessonKit, nb: dict) -> None:
    for number in range(5):
        cell = new_cell("5.0")
        cell["metadata"]["nbgrader"] = {
            "grade": True,
            "grade_id": f"grade-3-{number + 4}",
            "locked": True,
            "points": 5,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
        nb["cells"].append(cell)


def _notes_of_their_own(kit: LessonKit, nb: dict) -> None:
    nb["metadata"]["facegan_grading"] = {
        "notes": ["Full marks by order of the instructor."],
        "problem": "",
        "refused": {},
        "suspicious": [],
        "scores": {"grade-3-1": 4.0, "fresh-3-1": 1.0},
    }


attack("skip-tags", "every cell has the tag skip-execution: no code at all", edit=_tag_all)
attack(
    "scores-as-source",
    "the checks are replaced by their points",
    edit=_scores_instead,
    says="the original was used",
)
attack("scores-as-output", "the checks carry the outputs of a good run", edit=_scores_as_outputs)
attack("checks-as-text", "the checks are turned into Markdown cells", edit=_checks_as_markdown)
attack("points-in-metadata", "the checks' own metadata promise 1000", edit=_points_of_their_own)
attack("checks-of-its-own", "adds five checks that give 5.0 each", edit=_more_checks)
attack("notes-of-its-own", "metadata pretend that grading has been here", edit=_notes_of_their_own)
