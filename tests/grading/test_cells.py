"""The instructor's cells come back by their id, whatever was done to them; only scores count."""

from __future__ import annotations

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.utils import determine_grade

from facegan_ref.grading.cells import MasterCell, restore_cells
from facegan_ref.grading.execute import error_output
from facegan_ref.grading.feedback.notes import error_note
from facegan_ref.grading.marks import read_mark
from facegan_ref.grading.publish import HideHiddenTests
from facegan_ref.grading.scores import RequireScore

HIDDEN = "# Run when graded.\n### BEGIN HIDDEN TESTS\nsecret()\n### END HIDDEN TESTS"


def master(grade_id: str, source: str = "", kind: str = "code", tags: tuple = ()) -> MasterCell:
    mark = read_mark(grade_id)
    graded = bool(mark) and mark.kind != "task"
    solution = bool(mark) and mark.kind in ("task", "question")
    marks = {
        "grade": graded,
        "solution": solution,
        "locked": not solution,
        "grade_id": grade_id,
        "schema_version": 3,
        "task": False,
    }
    if graded:
        marks["points"] = 4
    return MasterCell(grade_id, kind, source or f"# {grade_id}", marks, list(tags))


MASTERS = [
    master("setup", "import torch"),
    master("figure-1", "draw()", tags=("demo",)),
    master("task-3-1", "stub"),
    master("grade-3-1", "grade(1)"),
    master("fresh-3-1", HIDDEN),
    master("text", "## Next", kind="markdown"),
    master("task-3-2", "stub"),
    master("grade-3-2", "grade(2)"),
    master("question-3-a", "Why?", kind="markdown"),
]


def handed_in() -> NotebookNode:
    """Return the released notebook with answers."""
    cells = [m.as_cell() for m in MASTERS]
    for cell in cells:
        cell.source = cell.source.replace("stub", "answer").replace(HIDDEN, "# Run when graded.")
    return nbformat.v4.new_notebook(cells=cells)


def ids(nb: NotebookNode) -> list[str | None]:
    return [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]


ALL = [m.grade_id for m in MASTERS]


def test_an_honest_notebook_only_gets_its_hidden_tests_back() -> None:
    nb = handed_in()
    assert restore_cells(nb, MASTERS) == []
    assert ids(nb) == ALL
    assert [c.source for c in nb.cells] == [m.source.replace("stub", "answer") for m in MASTERS]


def test_deleted_cells_come_back_where_they_belong() -> None:
    nb = handed_in()
    nb.cells = [c for c in nb.cells if c.source.startswith(("answer", "## Next"))]
    notes = restore_cells(nb, MASTERS)
    assert ids(nb) == [i for i in ALL if i != "figure-1"]
    assert "Missing, and put back: the check of task 3.1." in notes
    assert "Missing, and put back: question 3.a." in notes


def test_locked_cells_that_lost_their_marks_are_known_by_their_text() -> None:
    nb = handed_in()
    for cell in nb.cells:
        cell.metadata = NotebookNode()
    assert restore_cells(nb, MASTERS) == ["Missing, and put back: question 3.a."]
    locked = [i for i in ALL if i not in ("task-3-1", "task-3-2", "question-3-a")]
    assert [i for i in ids(nb) if i and i != "question-3-a"] == locked
    assert [c.source for c in nb.cells if not c.metadata] == ["answer", "answer", "Why?"]


def test_checks_come_after_answers_that_lost_their_metadata() -> None:
    nb = handed_in()
    for cell in nb.cells:
        cell.metadata = NotebookNode()
        cell.source = cell.source.replace("# Run", "# Rerun").replace("grade(", "check(")
    restore_cells(nb, MASTERS)
    order = [cell.source for cell in nb.cells]
    first, second = (i for i, s in enumerate(order) if s == "answer")
    assert first < order.index(HIDDEN) < second < order.index("grade(2)")
    assert ids(nb)[0] == "setup"


def test_edited_checks_are_restored_and_named() -> None:
    nb = handed_in()
    nb.cells[3].source = "4.0"
    nb.cells[3].metadata.tags = ["skip-execution"]
    nb.cells[3].metadata.nbgrader.update(points=100, locked=False, solution=True)
    notes = restore_cells(nb, MASTERS)
    assert notes == ["Changed: the check of task 3.1; the original was used."]
    assert nb.cells[3].source == "grade(1)"
    assert nb.cells[3].metadata == {"nbgrader": MASTERS[3].metadata}


def test_a_check_turned_into_text_is_a_check_again() -> None:
    nb = handed_in()
    marks = nb.cells[3].metadata
    nb.cells[3] = nbformat.v4.new_markdown_cell("4.0", metadata=marks)
    restore_cells(nb, MASTERS)
    assert (nb.cells[3].cell_type, nb.cells[3].source) == ("code", "grade(1)")


def test_of_copies_the_last_one_counts() -> None:
    nb = handed_in()
    first = nbformat.v4.new_code_cell("older", metadata=nb.cells[2].metadata)
    nb.cells.insert(2, first)
    notes = restore_cells(nb, MASTERS)
    assert ids(nb) == [*ALL[:2], None, *ALL[2:]]
    assert notes == ["Several copies of the answer to task 3.1; the last one counts."]


def test_unknown_marks_are_dropped() -> None:
    nb = handed_in()
    nb.cells.append(master("grade-9-9").as_cell())
    restore_cells(nb, MASTERS)
    assert ids(nb) == [*ALL, None]


def result(text: str) -> NotebookNode:
    return nbformat.v4.new_output("execute_result", {"text/plain": text})


STDERR = nbformat.v4.new_output("stream", name="stderr", text="Warning")
ERROR = error_output("ValueError", "no")


@pytest.mark.parametrize(
    ("outputs", "score"),
    [
        ([result("2.5")], 2.5),
        ([result("0.0")], 0),
        ([STDERR, result("4.0")], 4),
        ([ERROR], 0),
        ([STDERR], 0),
        ([], 0),
        ([result("np.float64(4.0)")], 0),
        ([result("True")], 0),
        ([result("nan")], 0),
        ([result("-1.0")], 0),
        ([result("4.5")], 0),
        ([result("4.0"), result("4.0")], 0),
        ([result("2.0"), error_output("CellTimeoutError", "")], 2),
    ],
)
def test_only_one_number_in_range_is_a_score(outputs: list, score: float) -> None:
    cell = master("grade-3-1").as_cell()
    cell.outputs = outputs
    cell, _ = RequireScore().preprocess_cell(cell, {}, 0)
    assert determine_grade(cell) == (score, 4)


def test_hidden_tests_leave_no_trace_in_feedback() -> None:
    cell = master("fresh-3-1", HIDDEN).as_cell()
    cell.outputs = [
        nbformat.v4.new_output(
            "error", ename="NameError", evalue="no f", traceback=["----> 2 secret()"]
        )
    ]
    cell, _ = HideHiddenTests().preprocess_cell(cell, {}, 0)
    assert "secret" not in str(cell) and "HIDDEN" not in str(cell)
    assert cell.outputs[0].traceback == ["NameError: no f"]


def test_delimiters_in_an_answer_do_no_harm() -> None:
    cell = master("task-3-1", "### BEGIN HIDDEN TESTS\nmine = 1").as_cell()
    cell, _ = HideHiddenTests().preprocess_cell(cell, {}, 0)
    assert "mine = 1" in cell.source


@pytest.mark.parametrize(
    ("ename", "evalue", "trace", "note"),
    [
        (
            "SyntaxError",
            "odd (123.py, line 2)",
            "File \x1b[36m/kernel/123.py, line 2\x1b[39m",
            "In the answer to task 3.1 (line 2): <code>SyntaxError: odd</code>.",
        ),
        (
            "ZeroDivisionError",
            "division by zero",
            "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[4]\x1b[39m\x1b[32m, line 3\x1b[39m",
            "In the answer to task 3.1 (line 3): <code>ZeroDivisionError: division by zero</code>.",
        ),
        ("NotImplementedError", "Task 3.1: your code goes here", "", None),
        (
            "CellTimeoutError",
            "this cell did not end",
            "",
            "In the answer to task 3.1: this cell did not end.",
        ),
    ],
)
def test_errors_are_told_in_one_sentence(
    ename: str, evalue: str, trace: str, note: str | None
) -> None:
    cell = master("task-3-1").as_cell()
    cell.outputs = [nbformat.v4.new_output("error", ename=ename, evalue=evalue, traceback=[trace])]
    assert error_note(cell, 0) == note


@pytest.mark.parametrize(
    ("grade_id", "mark"),
    [
        ("task-3-1", ("task", "3.1")),
        ("grade-10-2", ("grade", "10.2")),
        ("fresh-3_1", ("fresh", "3.1")),
        ("question-3-a", ("question", "3.a")),
        ("task-3-1-text", None),
        ("setup", None),
    ],
)
def test_marks_are_read(grade_id: str, mark: tuple | None) -> None:
    assert read_mark(grade_id) == mark
