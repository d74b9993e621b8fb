"""What lessons show is a picture with words, in a real kernel and as a page."""

from __future__ import annotations

import base64
import io

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

from facegan_ref import figures

CELLS = (
    "import numpy as np\nimport torch\nimport matplotlib.pyplot as plt\n"
    "from facegan_ref.figures import *\n"
    "pictures = [np.full((8, 12, 3), shade, np.uint8) for shade in (0, 120, 255)]",
    "figure, axes = plt.subplots()\naxes.plot([1, 2])\nshow(figure, alt='a rising <line>')",
    "show_picture(pictures[1], alt='grey')",
    "show_rows({'one': torch.zeros(3, 3, 8, 8), 'two': torch.ones(3, 3, 8, 8)}, alt='two rows')",
    "show_film(pictures, fps=4, alt='brighter and brighter')",
    "explore(pictures, (0.0, 0.5, 1.0), 'grey', alt='three greys')",
    "def draw():\n    raise NotImplementedError\nwhen_done(show, 'task 9.9', draw, alt='never')",
    "when_done(show, 'task 9.9', lambda: 1 / 0, alt='never')",
)


@pytest.fixture(scope="module", params=[False, True], ids=["nobody looks", "in JupyterLab"])
def outputs(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEGAN_STRICT", raising=False)
        patch.delenv("JPY_SESSION_NAME", raising=False)
        if request.param:
            patch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(text) for text in CELLS]
        )
        NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    return notebook, request.param


def data(notebook, cell: int, output: int = 0) -> dict:
    return notebook.cells[cell].outputs[output]["data"]


def test_each_picture_is_there_once_as_itself_and_with_its_words(outputs):
    notebook, _ = outputs
    for cell, kind, alt in (
        (1, "image/png", "a rising &lt;line&gt;"),
        (2, "image/png", "grey"),
        (3, "image/png", "two rows"),
        (4, "image/gif", "brighter and brighter"),
        (5, "image/png", "three greys"),
    ):
        found = data(notebook, cell)
        assert f'alt="{alt}"' in found["text/html"]
        Image.open(io.BytesIO(base64.b64decode(found[kind]))).verify()
    assert [len(cell.outputs) for cell in notebook.cells[:5]] == [0, 1, 1, 1, 1]
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert page.count("<img") == 5 and "No description" not in page


def test_pixels_arrive_unchanged(outputs):
    picture = Image.open(io.BytesIO(base64.b64decode(data(outputs[0], 2)["image/png"])))
    assert np.array_equal(np.array(picture), np.full((8, 12, 3), 120))


def test_a_slider_is_there_only_where_somebody_can_move_it(outputs):
    notebook, somebody = outputs
    kinds = [set(output["data"]) for output in notebook.cells[5].outputs]
    widgets = [kind for kind in kinds if "application/vnd.jupyter.widget-view+json" in kind]
    assert len(widgets) == somebody and "image/png" in kinds[0]


def test_what_is_not_done_says_so_in_one_line(outputs):
    notebook, _ = outputs
    undone, broken = (notebook.cells[i].outputs[0]["text"] for i in (6, 7))
    assert undone == "Finish task 9.9 to see this.\n"
    assert broken == "Mend task 9.9 to see this. ZeroDivisionError: division by zero\n"


def test_moving_the_slider_changes_the_picture(monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    shown = []
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
    monkeypatch.setattr(figures, "display", lambda thing, **_: shown.append(thing))
    pictures = [np.full((8, 12, 3), shade, np.uint8) for shade in (0, 255)]
    figures.explore(pictures, ("dark", "light"), "shade")
    slider, picture = shown[-1].children
    assert isinstance(slider, ipywidgets.SelectionSlider)
    slider.value = 1
    assert np.array_equal(np.array(Image.open(io.BytesIO(picture.value))), pictures[1])


def test_in_strict_mode_a_broken_figure_is_an_error(monkeypatch):
    monkeypatch.setenv("FACEGAN_STRICT", "1")
    with pytest.raises(ZeroDivisionError):
        figures.when_done(figures.show, "task 9.9", lambda: 1 / 0)


def test_rows_and_values_must_fit():
    import torch

    with pytest.raises(ValueError, match="one length"):
        figures.show_rows({"a": torch.zeros(2, 3, 8, 8), "b": torch.zeros(1, 3, 8, 8)})
    with pytest.raises(ValueError, match="one for each"):
        figures.explore([np.zeros((8, 8, 3), np.uint8)], (1, 2), "x")
