"""A page put together from pieces is the page that nbconvert makes, whatever is in its cells."""

from __future__ import annotations

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from facegan_ref.grading.feedback.pages import PageExporter, open_elements

MARKDOWN = {
    "plain": "# A title\n\nSome *words*, `code`, $x < y$ and a [link](https://example.org).",
    "opened": "<div><b>never closed",
    "closed": "</div></div></section> never opened",
    "swapped": "</div><div>",
    "end": "</main></body></html>",
    "comment": "<!-- never closed",
    "script": "<script>var a = '<p>';",
    "cdata": "<![CDATA[ x <?php y",
    "broken tag": "<a href='x' title=\"y>",
    "broken attribute": "<p><a title='y",
    "half a tag": "<a",
    "half an end": "</div",
    "half an entity": "&am",
    "verbatim": "<pre>\n\n  \n<textarea>\n\n",
    "forged cell": '<div class="cell border-box-sizing text_cell rendered">\nNot a cell.',
    "forged mark": "<facegan-0123456789abcdef></facegan-0123456789abcdef>",
    "entities": "&amp;amp; &copy; &#65; &lt;b&gt; &nosuch; &",
    "pictures": '<img src="a.png"> <img alt="b" src="b.png">',
    "other template": '<div class="jp-Notebook"><div class="jp-Cell-inputWrapper"></div></div>',
    "control characters": "a\x0cb\r\nc\u2028d",
}


@pytest.fixture(scope="module")
def exporters() -> tuple[HTMLExporter, PageExporter]:
    """Return nbconvert's exporter, as feedback uses it, and the one for classes."""
    converter = GenerateFeedback(coursedir=CourseDirectory(), config=Config())
    theirs, ours = (
        kind(parent=converter, config=converter.config) for kind in (HTMLExporter, PageExporter)
    )
    return theirs, ours


def notebook(*cells: NotebookNode) -> NotebookNode:
    around = nbformat.v4.new_markdown_cell("Around it.", id="before")
    after = nbformat.v4.new_code_cell("print(1 < 2)", id="after", execution_count=2)
    after.outputs = [nbformat.v4.new_output("stream", text="True\x1b[31m & red\n")]
    last = nbformat.v4.new_markdown_cell("The end.", id="last")
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    return nbformat.v4.new_notebook(cells=[around, *cells, after, last], metadata=metadata)


def page(exporter: HTMLExporter, nb: NotebookNode, score: float = 1.0) -> str:
    ids = {"notebook": "nb", "score": score, "max_score": 3.0, "late_penalty": 0}
    return exporter.from_notebook_node(nb, {"nbgrader": ids})[0]


@pytest.mark.parametrize("source", MARKDOWN.values(), ids=MARKDOWN)
@pytest.mark.parametrize("kind", ["markdown", "raw", "output"])
def test_the_same_page(exporters, kind: str, source: str) -> None:
    theirs, ours = exporters
    if kind == "markdown":
        cell = nbformat.v4.new_markdown_cell(source, id="it")
    elif kind == "raw":
        cell = nbformat.v4.new_raw_cell(source, id="it", metadata={"raw_mimetype": "text/html"})
    else:
        output = nbformat.v4.new_output("display_data", {"text/html": source})
        cell = nbformat.v4.new_code_cell("show()", id="it", outputs=[output])
    expected = page(theirs, notebook(cell))
    assert page(ours, notebook(cell)) == expected
    assert page(ours, notebook(cell)) == expected, "from memory"


@pytest.mark.parametrize("source", MARKDOWN.values(), ids=MARKDOWN)
def test_the_same_page_with_it_before_all_cells(exporters, source: str) -> None:
    theirs, ours = exporters
    nb = notebook()
    broken = nbformat.v4.new_raw_cell(source, metadata={"raw_mimetype": "text/html"})
    nb.cells.insert(0, broken)
    assert page(ours, nb) == page(theirs, nb)


def test_no_cells_and_graded_cells(exporters) -> None:
    theirs, ours = exporters
    marks = {"grade": True, "solution": False, "grade_id": "g", "points": 2.0, "score": 1.0}
    graded = nbformat.v4.new_code_cell("1", id="g", metadata={"nbgrader": marks})
    for nb in (nbformat.v4.new_notebook(), notebook(graded)):
        assert page(ours, nb) == page(theirs, nb)


def test_attachments_belong_to_their_cell(exporters) -> None:
    theirs, ours = exporters
    for picture in ("aGVsbG8=", "d29ybGQ="):
        cell = nbformat.v4.new_markdown_cell("![it](attachment:it.png)", id="it")
        cell["attachments"] = {"it.png": {"image/png": picture}}
        found = page(ours, notebook(cell))
        assert found == page(theirs, notebook(cell)) and picture in found


class CountingExporter(PageExporter):
    """Counts the pieces that it tidies up."""

    pieces = 0

    def _tidied(self, text: str) -> str:
        self.pieces += 1
        return super()._tidied(text)


def test_cells_seen_before_are_not_tidied_again() -> None:
    converter = GenerateFeedback(coursedir=CourseDirectory(), config=Config())
    exporter = CountingExporter(parent=converter, config=converter.config)
    new = nbformat.v4.new_markdown_cell("One of my own.", id="own")
    page(exporter, notebook())
    assert exporter.pieces == 3 + 3, "the head, the frame, the seam, and each cell"
    page(exporter, notebook(), score=2.0)
    assert exporter.pieces == 6 + 1
    page(exporter, notebook(new))
    assert exporter.pieces == 7 + 2


def test_open_elements() -> None:
    assert open_elements("<a><b></b><c/><style><d></style><here></here></a>", "here") == ("a",)
    assert open_elements("<a><!-- <here></here> --></a>", "here") is None
