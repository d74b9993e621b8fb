"""nbgrader's own preprocessors with the same effect for less work, for grading a whole class.

They use one open gradebook, and what has been judged once is not judged again. Whoever calls
`nbgrader autograde` by hand gets nbgrader's own.
"""

from __future__ import annotations

import json

from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    GetGrades,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from nbgrader.preprocessors.base import NbGraderPreprocessor

from facegan_ref.grading.gradebook import open_gradebook


def _cell_by_cell(step: NbGraderPreprocessor, nb: NotebookNode, resources: dict) -> None:
    """Do for each cell what the preprocessor `step` does with it."""
    ids = resources["nbgrader"]
    step.notebook_id, step.assignment_id = ids["notebook"], ids["assignment"]
    step.student_id, step.db_url = ids["student"], ids["db_url"]
    NbGraderPreprocessor.preprocess(step, nb, resources)


class KnownMetadata(MetadataValidator):
    """Metadata that nbgrader's schema has accepted once is not held against it again."""

    def __init__(self) -> None:
        super().__init__()
        self._accepted: set[str] = set()

    def validate_cell(self, cell: NotebookNode) -> None:
        if "nbgrader" not in cell.metadata:
            return
        key = cell.cell_type + json.dumps(cell.metadata.nbgrader, sort_keys=True)
        if key not in self._accepted:
            super().validate_cell(cell)
            self._accepted.add(key)


KNOWN = KnownMetadata()
"""What this process, and the one it was forked from, have accepted."""


class QuickCheckCellMetadata(CheckCellMetadata):
    """The same check; a complaint comes from nbgrader's own."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        try:
            KNOWN.validate_nb(nb)
        except Exception:
            return super().preprocess(nb, resources)
        return nb, resources


class QuickOverwriteKernelspec(OverwriteKernelspec):
    """The kernelspec of the lesson, which is read once."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        ids = resources["nbgrader"]
        with open_gradebook(ids["db_url"]) as gradebook:
            stored = gradebook.find_notebook(ids["notebook"], ids["assignment"]).kernelspec
        kernelspec = json.loads(stored) if stored is not None else None
        if kernelspec:
            nb.metadata["kernelspec"] = kernelspec
        return nb, resources


class QuickOverwriteCells(OverwriteCells):
    """The lesson's cells, which are read once."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        with open_gradebook(resources["nbgrader"]["db_url"]) as self.gradebook:
            _cell_by_cell(self, nb, resources)
            if self.add_missing_cells:
                nb, resources = self.add_missing_grade_cells(nb, resources)
                nb, resources = self.add_missing_task_cells(nb, resources)
        return nb, resources


class QuickSaveAutoGrades(SaveAutoGrades):
    """All grades and comments of a notebook, saved together."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        with open_gradebook(resources["nbgrader"]["db_url"], save=True) as self.gradebook:
            _cell_by_cell(self, nb, resources)
        return nb, resources


class QuickAssignLatePenalties(AssignLatePenalties):
    """Nothing to work out for who was in time."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        ids = resources["nbgrader"]
        with open_gradebook(ids["db_url"], save=True) as gradebook:
            submission = gradebook.find_submission(ids["assignment"], ids["student"])
            late = submission.total_seconds_late > 0
            if not late:
                for notebook in submission.notebooks:
                    notebook.late_submission_penalty = None
        return super().preprocess(nb, resources) if late else (nb, resources)


class QuickGetGrades(GetGrades):
    """The grades and comments of a student, read together."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        with open_gradebook(resources["nbgrader"]["db_url"]) as self.gradebook:
            _cell_by_cell(self, nb, resources)
            submitted = self.gradebook.find_submission_notebook(
                self.notebook_id, self.assignment_id, self.student_id
            )
            penalty = submitted.late_submission_penalty or 0
            resources["nbgrader"]["score"] = submitted.score - penalty
            resources["nbgrader"]["max_score"] = submitted.max_score
            resources["nbgrader"]["late_penalty"] = penalty
        return nb, resources


QUICK = {
    quick.__mro__[1]: quick
    for quick in (
        QuickCheckCellMetadata,
        QuickOverwriteKernelspec,
        QuickOverwriteCells,
        QuickSaveAutoGrades,
        QuickAssignLatePenalties,
        QuickGetGrades,
    )
}
"""nbgrader's preprocessors, and what stands in for them. Subclasses of others' are left alone."""
