"""What a page cannot show in a reasonable time is shown in part; nothing honest is touched."""

from __future__ import annotations

import copy

import nbformat
from nbformat import NotebookNode

from facegan_ref.grading.feedback.legible import SHOWN, LimitMarkup
from facegan_ref.grading.feedback.notes import grading_data


def limited(*cells: NotebookNode, **limits: int) -> NotebookNode:
    nb = nbformat.v4.new_notebook(cells=list(cells))
    return LimitMarkup(**limits).preprocess(nb, {})[0]


def shown(data: dict, **limits: int) -> dict:
    """Return what remains of the data that the second of two cells displays."""
    cells = [
        nbformat.v4.new_code_cell(
            "x", outputs=[nbformat.v4.new_output("display_data", copy.deepcopy(data))]
        )
        for _ in range(2)
    ]
    return limited(*cells, **limits).cells[1].outputs[0].data


def test_an_honest_notebook_is_left_as_it_is() -> None:
    cells = [
        nbformat.v4.new_code_cell(
            f"number = {i}\n" * 100,
            outputs=[
                nbformat.v4.new_output("stream", text="loss\n" * 1000),
                nbformat.v4.new_output("display_data", {"image/png": "A" * 20_000}),
            ],
        )
        for i in range(50)
    ] + [nbformat.v4.new_markdown_cell("What I think. " * 300) for _ in range(20)]
    before = copy.deepcopy(cells)
    assert limited(*cells).cells == before


def test_what_takes_for_ever_is_cut() -> None:
    nb = limited(
        nbformat.v4.new_markdown_cell("[" * 1_000_000),
        nbformat.v4.new_code_cell("a.b" * 100_000),
        nbformat.v4.new_code_cell("1 + 1"),
    )
    assert all(len(cell.source) < SHOWN + 20 for cell in nb.cells)
    assert nb.cells[2].source == "1 + 1"
    notes = grading_data(nb).notes
    assert len(notes) == 2 and "cell number 1 has 1,000,000 characters" in notes[0]


def test_many_long_cells_are_cut_as_well() -> None:
    cells = [nbformat.v4.new_markdown_cell("[" * 20_000) for _ in range(10)]
    lengths = [len(cell.source) for cell in limited(*cells).cells]
    assert lengths[:2] == [20_000] * 2 and max(lengths[2:]) < SHOWN + 20


def test_the_instructors_cells_cost_nothing() -> None:
    marks = {"nbgrader": {"locked": True, "grade": False, "solution": False, "grade_id": "a"}}
    locked = nbformat.v4.new_markdown_cell("x" * 40_000, metadata=marks)
    own = nbformat.v4.new_markdown_cell("y" * 29_000)
    assert [len(cell.source) for cell in limited(locked, own).cells] == [40_000, 29_000]


def test_outputs_lose_what_is_too_much() -> None:
    data = {"text/html": "<p>" * 500, "text/plain": "short"}
    assert shown(data, all_outputs=3_000) == {"text/plain": "short"}
    assert shown(data) == data
    assert shown({"image/png": "A" * 1500}, all_outputs=3_000) == {
        "text/plain": "[output left out: too much]"
    }
    markdown = {"text/markdown": "[" * 25_000, "text/plain": "it"}
    assert shown(markdown) == {"text/plain": "it"}
    streams = [nbformat.v4.new_output("stream", text="x" * 900) for _ in range(3)]
    cell = nbformat.v4.new_code_cell("x", outputs=streams)
    texts = [output.text for output in limited(cell, all_outputs=2_700).cells[0].outputs]
    assert texts == ["x" * 900, "x" * 900, "[output left out: too much]\n"]


def test_a_score_stays_whatever_comes_before() -> None:
    flood = nbformat.v4.new_output("stream", text="x" * 900)
    score = nbformat.v4.new_output("execute_result", {"text/plain": "4.0"}, execution_count=1)
    cell = nbformat.v4.new_code_cell("grade()", outputs=[flood, flood, score])
    assert limited(cell, all_outputs=100).cells[0].outputs[-1].data == {"text/plain": "4.0"}
