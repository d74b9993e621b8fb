"""What went wrong, in words for the student: notes travel with the notebook to its feedback."""

from __future__ import annotations

import re

import nbformat
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from nbgrader.preprocessors.base import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked, is_solution

from facegan_ref.grading.marks import KINDS, read_mark
from facegan_ref.grading.submissions import code

KEY = "facegan_grading"
"""Notebook metadata: `notes` (for the student, Markdown), `problem` (nothing is run), `refused`
(task or "*" to the reason why it gets no automatic points), `suspicious` (for the instructor)."""


def grading_data(nb: NotebookNode) -> NotebookNode:
    """Return the notebook's own place for notes, made when it is missing."""
    data = nb.metadata.setdefault(KEY, NotebookNode())
    data.setdefault("notes", [])
    data.setdefault("problem", "")
    return data


def add_note(nb: NotebookNode, note: str) -> None:
    """Add `note` to the notebook unless it is there."""
    notes = grading_data(nb).notes
    if note not in notes:
        notes.append(note)


def cell_label(cell: NotebookNode, index: int) -> str:
    """Name a cell as a student knows it: by its task, else by its place."""
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    mark = read_mark(grade_id)
    if mark:
        return f"{KINDS[mark.kind]} {mark.task}"
    return f"cell {code(grade_id)}" if grade_id else f"cell number {index + 1}"


def error_note(cell: NotebookNode, index: int) -> str | None:
    """Return the sentence for a cell which stopped with an error, or None for one that did not."""
    errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
    if not errors:
        return None
    error = errors[-1]
    label = cell_label(cell, index)
    if error.ename in ("CellTimeoutError", "KernelStopped", "NoScore", "Forged"):
        return f"In {label}: {error.evalue}."
    if error.ename in ("NotImplementedError", "NotRun", "Refused"):
        return None
    message = re.sub(r" \((\d+\.py|<ipython-input[^>]*>), line \d+\)$", "", error.evalue)
    what = code(f"{error.ename}: {message}".rstrip(": "))
    line = re.search(r"(?:In ?\[\d+\], |\.py, )line (\d+)", strip_ansi("\n".join(error.traceback)))
    where = f" (line {line[1]})" if line and not is_grade(cell) else ""
    return f"In {label}{where}: {what}."


class WriteNotes(NbGraderPreprocessor):
    """Put the notes on top of the graded notebook, where feedback and formgrader show them."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Add a note for each cell that stopped, then one cell with all notes, if there are any."""
        blamed_tasks = set()
        for index, cell in enumerate(nb.cells):
            note = error_note(cell, index)
            task = cell_label(cell, index).rpartition(" ")[2]
            own_check = is_grade(cell) and is_locked(cell) and not is_solution(cell)
            # A broken answer breaks its checks as well: one sentence says it.
            if note and not (own_check and task in blamed_tasks):
                add_note(nb, note)
                blamed_tasks.add(task)
        notes = grading_data(nb).notes
        if notes:
            text = "## Notes from grading\n\n" + "\n".join(f"- {note}" for note in notes)
            cell = nbformat.v4.new_markdown_cell(text)
            cell["id"] = "grading-notes"
            nb.cells.insert(0, cell)
        return nb, resources
