"""Give a submitted notebook back the instructor's cells, by their nbgrader id.

What a student did to the checks (deleted, edited, copied, retagged) neither helps nor harms:
metadata, tags and locked sources come from the lesson's source and from the gradebook.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors.base import NbGraderPreprocessor

from facegan_ref.grading.feedback.notes import KEY, add_note, cell_label, grading_data
from facegan_ref.grading.gradebook import open_gradebook
from facegan_ref.grading.submissions import grade_ids, is_importable, unused_note, visible_files


@dataclass
class MasterCell:
    """One cell of the lesson as the instructor released it, hidden tests included."""

    grade_id: str
    cell_type: str
    source: str
    metadata: dict
    tags: list[str]
    cell_id: str = ""

    @property
    def locked(self) -> bool:
        return not self.metadata["solution"]

    @property
    def is_check(self) -> bool:
        return self.locked and self.metadata["grade"]

    @property
    def visible_source(self) -> str:
        """The source as released: without hidden tests."""
        hidden = r"^.*BEGIN HIDDEN TESTS(.|\n)*?END HIDDEN TESTS.*\n?"
        return re.sub(hidden, "", self.source, flags=re.MULTILINE)

    @property
    def must_exist(self) -> bool:
        """Whether the notebook cannot be graded without it: checks, questions, imports."""
        if self.metadata["grade"]:
            return True
        return self.locked and self.cell_type == "code" and "demo" not in self.tags

    def as_cell(self) -> NotebookNode:
        cell = nbformat.from_dict(
            {
                "id": self.cell_id or self.grade_id,
                "cell_type": self.cell_type,
                "metadata": self._cell_metadata(),
                "source": self.source,
            }
        )
        if self.cell_type == "code":
            cell.update(execution_count=None, outputs=[])
        return cell

    def restore(self, cell: NotebookNode) -> NotebookNode:
        """Return `cell` with the instructor's metadata and, when locked, source."""
        new = self.as_cell()
        if not self.locked:
            new.source = cell.source
            if self.cell_type == "markdown" and "attachments" in cell:
                new["attachments"] = cell["attachments"]
        return new

    def _cell_metadata(self) -> dict:
        metadata: dict = {"nbgrader": dict(self.metadata)}
        if self.locked and self.tags:
            metadata["tags"] = list(self.tags)
        return metadata


def master_cells(
    source: Path, db_url: str, notebook_id: str, assignment_id: str
) -> list[MasterCell]:
    """Return the lesson's cells in order.

    Order, tags and metadata are those of the notebook `source`; text and checksum are the
    gradebook's, which has the released stubs in place of the solutions.
    """
    content = json.loads(source.read_text(encoding="utf-8"))
    with open_gradebook(db_url) as gradebook:
        stored = {
            cell.name: (cell.source, cell.checksum)
            for cell in gradebook.find_notebook(notebook_id, assignment_id).source_cells
        }
    masters = []
    for cell in content["cells"]:
        metadata = cell["metadata"].get("nbgrader", {})
        grade_id = metadata.get("grade_id")
        if grade_id in stored:
            text, checksum = stored[grade_id]
            metadata = {**metadata, "checksum": checksum, "cell_type": cell["cell_type"]}
            tags = cell["metadata"].get("tags", [])
            masters.append(
                MasterCell(grade_id, cell["cell_type"], text, metadata, tags, cell["id"])
            )
    return masters


def restore_cells(nb: NotebookNode, masters: list[MasterCell]) -> list[str]:
    """Put the instructor's cells back into `nb`, in place; return a note for each that needed it.

    Of a cell that is there twice the last copy counts, as nbgrader decides it; the others run as
    ordinary cells.
    """
    known = {master.grade_id: master for master in masters}
    _mark_by_text(nb, masters)
    cells: list[NotebookNode] = []
    present: dict[str, NotebookNode] = {}
    notes = []
    for index, cell in reversed(list(enumerate(nb.cells))):
        master = known.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if master is None or master.grade_id in present:
            if master is not None and cell.cell_type == "code":
                notes.append(f"Several copies of {cell_label(cell, index)}; the last one counts.")
            cell.metadata = NotebookNode()
        else:
            if master.is_check and cell.source.strip() != master.visible_source.strip():
                notes.append(f"Changed: {cell_label(cell, index)}; the original was used.")
            cell = present[master.grade_id] = master.restore(cell)
        cells.insert(0, cell)
    nb.cells = cells
    notes = notes[::-1] + _insert_missing(nb, masters, present)
    _make_ids_differ(nb, present)
    return notes


def _mark_by_text(nb: NotebookNode, masters: list[MasterCell]) -> None:
    """Give locked cells that lost their marks, but not their text, the marks again."""
    marks = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
    texts = [(master.cell_type, master.visible_source.strip()) for master in masters]
    lost = {
        text: master.grade_id
        for text, master in zip(texts, masters, strict=True)
        if master.locked and master.grade_id not in marks and text[1] and texts.count(text) == 1
    }
    for cell, mark in zip(nb.cells, marks, strict=True):
        if not mark and (cell.cell_type, cell.source.strip()) in lost:
            grade_id = lost.pop((cell.cell_type, cell.source.strip()))
            cell.metadata["nbgrader"] = NotebookNode(grade_id=grade_id)


def _make_ids_differ(nb: NotebookNode, present: dict[str, NotebookNode]) -> None:
    """Give the student's own cells other ids than the instructor's cells have."""
    taken = {cell.get("id") for cell in present.values()}
    instructors = {id(cell) for cell in present.values()}
    for number, cell in enumerate(nb.cells, start=1):
        if id(cell) not in instructors:
            if not cell.get("id") or cell["id"] in taken:
                cell["id"] = f"own-cell-{number}"
            taken.add(cell["id"])


def _insert_missing(
    nb: NotebookNode, masters: list[MasterCell], present: dict[str, NotebookNode]
) -> list[str]:
    notes = []
    before: NotebookNode | None = None
    for index, master in enumerate(masters):
        if master.grade_id in present:
            before = present[master.grade_id]
            continue
        if not master.must_exist:
            continue
        places = [id(cell) for cell in nb.cells]
        place = places.index(id(before)) + 1 if before is not None else 0
        if master.metadata["grade"]:
            # As late as possible: an answer whose own metadata was lost comes before its check.
            later = [id(present[m.grade_id]) for m in masters[index:] if m.grade_id in present]
            place = next((places.index(p) for p in later if places.index(p) >= place), len(places))
        cell = before = present[master.grade_id] = master.as_cell()
        nb.cells.insert(place, cell)
        notes.append(f"Missing, and put back: {cell_label(cell, place)}.")
    return notes


class RestoreCells(NbGraderPreprocessor):
    """Restore the instructor's cells before nbgrader's own `OverwriteCells` looks at them."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Restore the cells; note what was touched, and modules that are not used."""
        ids = resources["nbgrader"]
        name, assignment = ids["notebook"], ids["assignment"]
        coursedir = self.parent.parent.coursedir
        source = Path(coursedir.format_path(coursedir.source_directory, ".", assignment))
        masters = master_cells(source / f"{name}.ipynb", ids["db_url"], name, assignment)

        if KEY not in nb.metadata:  # run by hand: nobody has looked at the folder yet
            step = coursedir.submitted_directory
            self._note_unused(nb, Path(coursedir.format_path(step, ids["student"], assignment)))
        if grading_data(nb).problem:
            restore_cells(nb, [master for master in masters if master.metadata["grade"]])
            return nb, resources
        had_marks = bool(grade_ids(nb))
        notes = restore_cells(nb, masters)
        if not had_marks:
            notes = ["nbgrader's marks were lost: all cells were run first, and then the checks."]
        for note in notes:
            add_note(nb, note)
        return nb, resources

    def _note_unused(self, nb: NotebookNode, folder: Path) -> None:
        unused = [str(p.relative_to(folder)) for p in visible_files(folder) if is_importable(p)]
        if unused:
            add_note(nb, unused_note(unused))
