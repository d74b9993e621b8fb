"""Keep a graded notebook to what a page can show: nbconvert takes hours for some texts.

The time to colour code and to read Markdown can grow with the square of a text's length. What an
honest notebook shows is far below the limits; what goes beyond is shown in part, and says so. What
was run, and what was handed in, is not changed.
"""

from __future__ import annotations

from nbformat import NotebookNode
from nbgrader.preprocessors.base import NbGraderPreprocessor
from nbgrader.utils import is_locked
from traitlets import Integer

from facegan_ref.grading.feedback.notes import add_note, cell_label

SHOWN = 2_000
"""Characters that remain of a cell that is too long."""
SHORT = 200
"""Characters of a plain result that stays, whatever comes before."""
OUTPUT_COST = 400
"""What an output costs besides its characters."""
_SQUARE = ("text/markdown",)


class LimitMarkup(NbGraderPreprocessor):
    """Shorten what would take too long to be shown."""

    longest_text = Integer(
        30_000, help="Characters of a cell of code or text; less for one of many long cells."
    ).tag(config=True)

    all_outputs = Integer(2_000_000, help="Characters that all outputs may have.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Go through the cells until the room is used up, and shorten the others."""
        self._square, self._straight = self.longest_text**2, self.all_outputs
        for index, cell in enumerate(nb.cells):
            if not is_locked(cell) and not self._reads_quickly(cell.source):
                add_note(
                    nb,
                    f"The text of {cell_label(cell, index)} has {len(cell.source):,} characters: "
                    "the page shows its beginning.",
                )
                cell.source = f"{cell.source[:SHOWN]}\n… (cut here)"
            if cell.cell_type == "code":
                cell.outputs = [self._shown(output) for output in cell.outputs]
        return nb, resources

    def _reads_quickly(self, text: str) -> bool:
        """Whether there is room for code or Markdown; take it."""
        if len(text) ** 2 > self._square:
            return False
        self._square -= len(text) ** 2
        return True

    def _fits(self, text: str) -> bool:
        if len(text) + OUTPUT_COST > self._straight:
            return False
        self._straight -= len(text) + OUTPUT_COST
        return True

    def _shown(self, output: NotebookNode) -> NotebookNode:
        if output.output_type == "stream":
            if not self._fits(output.text):
                output.text = "[output left out: too much]\n"
        elif "data" in output:
            for kind, content in list(output.data.items()):
                if kind == "text/plain" and len(str(content)) <= SHORT:
                    continue  # it may be a score
                fits = self._fits(str(content))
                if not fits or (kind in _SQUARE and not self._reads_quickly(str(content))):
                    del output.data[kind]
            if not output.data:
                output.data["text/plain"] = "[output left out: too much]"
        return output
