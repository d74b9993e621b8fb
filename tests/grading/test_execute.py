"""Running cells: what breaks one of them costs no more than that one. No lesson, no torch."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from traitlets.config import Config

from facegan_ref.grading.config import course_config
from facegan_ref.grading.execute import GuardedExecute

LOCKED = {"grade": False, "solution": False, "locked": True, "schema_version": 3}


def code(source: str, grade_id: str | None = None, **metadata: object) -> NotebookNode:
    if grade_id:
        graded = grade_id.startswith(("grade", "fresh"))
        metadata["nbgrader"] = {**LOCKED, "grade": graded, "grade_id": grade_id, "points": 4}
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def run(folder: Path, *cells: NotebookNode, **settings: object) -> list[str]:
    """Run the cells in `folder`; return the last result or error name of each, "" for none."""
    config: Config = course_config(folder)
    config.GuardedExecute.cell_seconds = config.GuardedExecute.check_seconds = 1.0
    config.GuardedExecute.update(settings)
    nb = nbformat.v4.new_notebook(cells=list(cells))
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nb, _ = GuardedExecute(config=config).preprocess(nb, {"metadata": {"path": str(folder)}})
    said = []
    for cell in nb.cells:
        outputs = [o for o in cell.outputs if o.output_type in ("error", "execute_result")]
        last = outputs[-1] if outputs else {}
        said.append(last.get("ename") or last.get("data", {}).get("text/plain", ""))
    return said


def test_an_endless_cell_is_interrupted_and_the_rest_is_run(tmp_path: Path) -> None:
    cells = (code("while True: pass"), code("1 + 1"))
    assert run(tmp_path, *cells) == ["CellTimeoutError", "2"]
    assert cells[0].outputs[-1].evalue.startswith("this cell did not end within 1 s")


def test_a_fresh_check_is_not_awaited_when_its_check_was_endless(tmp_path: Path) -> None:
    cells = [
        code("while True: pass", "grade-3-1"),
        code("1.0", "fresh-3-1"),
        code("1.0", "fresh-3-2"),
    ]
    assert run(tmp_path, *cells) == ["CellTimeoutError", "NotRun", "1.0"]


@pytest.mark.parametrize(
    "killer",
    [
        "import os; os._exit(1)",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    ],
)
def test_what_ends_python_costs_only_its_own_cell(tmp_path: Path, killer: str) -> None:
    cells = (code("x = 4.0\nprint('once')"), code(killer), code("x"))
    assert run(tmp_path, *cells) == ["", "KernelStopped", "4.0"]
    assert cells[0].outputs[0].text == "once\n"
    assert "in this cell" in cells[1].outputs[-1].evalue


def test_after_too_many_ends_the_rest_is_left(tmp_path: Path) -> None:
    cells = [code("import os; os._exit(1)") for _ in range(3)]
    ends = ["KernelStopped", "KernelStopped", "NotRun"]
    assert run(tmp_path, *cells, max_restarts=1) == ends


def test_modules_beside_the_notebook_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("it = 1")
    assert run(tmp_path, code("import beside"), code("1")) == ["ModuleNotFoundError", "1"]


def test_relative_module_paths_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", ".")
    (tmp_path / "beside.py").write_text("it = 1")
    assert run(tmp_path, code("import beside")) == ["ModuleNotFoundError"]


def test_only_the_lessons_own_demo_cells_are_left_out(tmp_path: Path) -> None:
    cells = [
        code("'figure'", "figure-1", tags=["demo"]),
        code("'mine'", tags=["demo"]),
        code("4.0", "grade-3-1", tags=["demo", "skip-execution"]),
    ]
    assert run(tmp_path, *cells) == ["", "'mine'", "4.0"]


def test_output_is_clipped_but_the_score_stays(tmp_path: Path) -> None:
    flood = (
        "from IPython.display import HTML, display\n"
        "for _ in range(300): display(HTML('x' * 50))\n"
        "print('y' * 5000); print('z' * 5000); print('w')\n"
        "3.5"
    )
    cell = code(flood, "grade-3-1")
    limits = {"max_output_chars": 6000, "max_picture_chars": 2000}
    assert run(tmp_path, cell, **limits) == ["3.5"]
    size = len(json.dumps(cell))
    assert 6000 < size < 25_000
    assert "[output clipped after 6000 characters]" in json.dumps(cell)


def test_a_long_error_is_shortened(tmp_path: Path) -> None:
    cell = code("raise ValueError('x' * 1_000_000)", "task-3-1")
    assert run(tmp_path, cell) == ["ValueError"]
    assert len(json.dumps(cell)) < 10_000
