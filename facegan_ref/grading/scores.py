"""Only a real score counts: nbgrader gives full marks to a check cell without a result."""

from __future__ import annotations

from nbformat import NotebookNode
from nbgrader.preprocessors.base import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

from facegan_ref.grading.execute import error_output


def score_in(output: NotebookNode, max_points: float) -> float | None:
    """Return the score in [0, max_points] that a result shows as a plain number, else None."""
    text = output.get("data", {}).get("text/plain", "")
    try:
        score = float("".join(text))
    except ValueError:
        return None
    return score if 0.0 <= score <= max_points else None


class RequireScore(NbGraderPreprocessor):
    """Let each check cell show one score first, or an error.

    `nbgrader.utils.determine_grade` reads the first result of a cell, takes stderr before it for a
    failure, and everything that is no number for full marks. So the score goes to the front, where
    a warning cannot hide it, and a cell with none gets an error that says so.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, cell_index: int
    ) -> tuple[NotebookNode, dict]:
        if cell.cell_type != "code" or not is_grade(cell) or is_solution(cell):
            return cell, resources
        max_points = float(cell.metadata.nbgrader["points"])
        results = [o for o in cell.outputs if o.output_type == "execute_result"]
        errors = [o for o in cell.outputs if o.output_type == "error"]
        if len(results) == 1 and score_in(results[0], max_points) is not None:
            first = results[0]
        elif errors:
            first = errors[0]
        else:
            first = error_output("NoScore", "the check gave no score, so it counts as 0 points")
            cell.outputs.append(first)
        cell.outputs = [first] + [o for o in cell.outputs if o is not first]
        return cell, resources
