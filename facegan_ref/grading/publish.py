"""What leaves the house: addresses, stubs in place of solutions, feedback without hidden tests."""

from __future__ import annotations

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked
from traitlets import Unicode

from facegan_ref.grading.marks import read_mark


class WriteAddress(NbGraderPreprocessor):
    """Write the course's own address into Colab's badge and the set-up cell."""

    placeholder = "OWNER/REPOSITORY"
    repository = Unicode(
        "facegan-course/facegan-course",
        help="Where the course lies on GitHub, owner/name: for `Open in Colab` and its set-up.",
    ).tag(config=True)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, cell_index: int
    ) -> tuple[NotebookNode, dict]:
        cell.source = cell.source.replace(self.placeholder, self.repository)
        return cell, resources


class NumberedStubs(ClearSolutions):
    """Replace solutions as nbgrader does, by stubs which say whose task they are."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, cell_index: int
    ) -> tuple[NotebookNode, dict]:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        mark = read_mark(grade_id)
        name = f"Task {mark.task}" if mark else "This task"
        stub = f'raise NotImplementedError("{name}: your code goes here")'
        self.code_stub = {**self.code_stub, "python": stub}
        return super().preprocess_cell(cell, resources, cell_index)


class HideHiddenTests(ClearHiddenTests):
    """Take the hidden tests out of the feedback, from tracebacks too.

    Only the instructor's own cells are looked at: a student who writes the delimiters into an
    answer would otherwise get no feedback at all.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, cell_index: int
    ) -> tuple[NotebookNode, dict]:
        if not (is_grade(cell) and is_locked(cell)) or self.begin_test_delimeter not in cell.source:
            return cell, resources
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]
        return super().preprocess_cell(cell, resources, cell_index)
