"""Rubrics of the written questions: shown to the instructor in formgrader, not to students."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors.base import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

KEY = "facegan_rubric"
"""Cell metadata: this cell is the rubric of the answer above it."""
_SOLUTION = re.compile(r"### BEGIN[ ]SOLUTION\n(.*?)\n### END[ ]SOLUTION", re.DOTALL)


def is_question(cell: NotebookNode) -> bool:
    """Whether a cell is the answer to a written question."""
    return cell.cell_type == "markdown" and is_grade(cell) and is_solution(cell)


@lru_cache(maxsize=32)
def _rubrics(path: Path, changed: float) -> dict[str, str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = {}
    for cell in cells:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        answer = _SOLUTION.search("".join(cell["source"]))
        if grade_id and answer and cell["cell_type"] == "markdown":
            found[grade_id] = answer[1].strip()
    return found


def read_rubrics(path: Path) -> dict[str, str]:
    """Return what a source notebook says of good answers, by the question's grade_id."""
    return _rubrics(path, path.stat().st_mtime) if path.is_file() else {}


class ShowRubrics(NbGraderPreprocessor):
    """Put the answer and rubric of `solutions/` below each written answer of a graded notebook."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        ids, folders = resources["nbgrader"], self.config.CourseDirectory
        source = Path(folders.root) / folders.source_directory / ids["assignment"]
        rubrics = read_rubrics(source / f"{ids['notebook']}.ipynb")
        cells = []
        for cell in nb.cells:
            if KEY in cell.metadata:  # a hand-in has none
                continue
            cells.append(cell)
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if is_question(cell) and grade_id in rubrics:
                text = f"**For the instructor.** {rubrics[grade_id]}"
                quoted = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
                rubric = nbformat.v4.new_markdown_cell(quoted, metadata={KEY: True})
                rubric["id"] = f"rubric-{grade_id}"
                cells.append(rubric)
        nb.cells = cells
        return nb, resources


class HideRubrics(NbGraderPreprocessor):
    """Leave the rubrics out of the students' feedback."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        nb.cells = [cell for cell in nb.cells if KEY not in cell.metadata]
        return nb, resources
