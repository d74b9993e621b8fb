"""The static scan: honest cells are never refused, cells that forge or copy are, and why.

The cells are in `scan_cells/`: honest ones, honest ones that an instructor is shown, and hostile
ones by what they may lose: `everywhere` all tasks, `patches` and `taken` that of their answer cell.
"""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from graded_class import LESSON, REPOSITORY
from nbformat import NotebookNode

from facegan_ref.grading.feedback.notes import KEY
from facegan_ref.grading.results import plain
from facegan_ref.grading.scan import ScanAnswers, refused, scan_code, scan_notebook

SET_UP = """
import importlib.util, subprocess, sys
import torch
import torch.nn.functional as F
from torch import Tensor
from facegan_ref.checks import grade, hint
"""
FIGURES = (
    "from facegan_ref.data import faces as reference\nfrom facegan_ref import losses as theirs"
)


def cells(name: str) -> list[str]:
    text = (Path(__file__).parent / "scan_cells" / f"{name}.txt").read_text(encoding="utf-8")
    return text.rstrip("\n").split("\n# ----\n")


def cell(source: str, grade_id: str = "", tags: tuple[str, ...] = ()) -> NotebookNode:
    """Return a cell; one with an id is the instructor's, unless it is an answer."""
    made = nbformat.v4.new_code_cell(source)
    if grade_id:
        kind = grade_id.split("-")[0]
        marks = {"grade": kind in ("grade", "fresh"), "solution": kind == "task", "points": 1}
        marks |= {"grade_id": grade_id, "locked": kind != "task", "schema_version": 3}
        made.metadata = NotebookNode(nbgrader=NotebookNode(marks), tags=list(tags))
    return made


def notebook(answer: str = "", scratch: str = "", second: str = "", end: str = "") -> NotebookNode:
    """Return a lesson of two tasks, and a third that puts both together."""
    return nbformat.v4.new_notebook(
        cells=[
            cell(SET_UP, "setup"),
            cell(FIGURES, "figures", tags=("demo",)),
            cell(answer, "task-3-1"),
            cell(scratch),
            cell('grade("3.1", discriminator_loss)', "grade-3-1"),
            cell(second, "task-3-2"),
            cell('grade("3.2", generator_loss)', "grade-3-2"),
            cell('grade("3.3", discriminator_loss, generator_loss)', "grade-3-3"),
            cell(end),
        ]
    )


def lost(nb: NotebookNode) -> set[str]:
    """Return the tasks that get no automatic points."""
    return set(refused(scan_notebook(nb)))


def reasons(nb: NotebookNode) -> list[str]:
    return [plain(finding.reason) for finding in scan_notebook(nb)]


@pytest.mark.parametrize("source", cells("honest"))
def test_of_honest_cells_nothing_is_said(source: str) -> None:
    assert scan_notebook(notebook(answer=source)) == []
    assert scan_notebook(notebook(scratch=source)) == []


@pytest.mark.parametrize("source", cells("shown"))
def test_some_honest_cells_are_shown_to_the_instructor(source: str) -> None:
    for nb in (notebook(answer=source), notebook(scratch=source)):
        assert scan_notebook(nb) and not lost(nb)


@pytest.mark.parametrize("source", cells("everywhere"))
def test_what_reaches_all_checks_is_refused_everywhere(source: str) -> None:
    assert lost(notebook(scratch=source)) == {"*"}
    assert lost(notebook(answer=source)) & {"3.1", "*"}


@pytest.mark.parametrize("source", cells("patches"))
def test_patches_are_refused_in_answers_and_shown_elsewhere(source: str) -> None:
    assert "3.1" in lost(notebook(answer=source))
    shown = scan_notebook(notebook(scratch=source))
    assert shown and not any(finding.refuses for finding in shown)


@pytest.mark.parametrize("source", cells("taken"))
def test_what_takes_an_answer_is_refused_in_answers(source: str) -> None:
    assert "3.1" in lost(notebook(answer=source))
    shown = scan_notebook(notebook(scratch=source))
    assert shown and not any(finding.refuses for finding in shown)


def bank() -> list[tuple[str, str]]:
    """Return the code of each right and wrong answer that the checks are tested with."""
    found = []
    for path in sorted((REPOSITORY / "tests" / "wrong_answers").glob("lesson*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.parse("\n".join(lines)).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                source = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                found.append((f"{path.stem}:{node.name}", source))
    return found


def test_no_known_answer_is_refused_right_or_wrong() -> None:
    answers = bank()
    assert len(answers) > 1000
    found = {name: scan_code(source, ["facegan_ref.checkpoint"]) for name, source in answers}
    assert {name for name, findings in found.items() if findings} == set()


@pytest.mark.parametrize(
    "path", sorted(REPOSITORY.glob("solutions/*/*.ipynb")), ids=lambda p: p.stem
)
def test_nothing_is_said_of_a_solved_lesson(path: Path) -> None:
    assert scan_notebook(nbformat.read(path, 4)) == []


def test_a_lesson_pasted_twice_accuses_nobody() -> None:
    nb = nbformat.read(str(REPOSITORY / "solutions" / LESSON / f"{LESSON}.ipynb"), 4)
    for cell in list(nb.cells):
        copy = nbformat.from_dict({**cell, "metadata": {}})
        nb.cells.append(copy)
    assert scan_notebook(nb) == []


def test_the_lessons_own_imports_are_free_and_graded_names_are_not() -> None:
    nb = notebook("from facegan_ref.losses import generator_loss, discriminator_loss")
    assert reasons(nb)[0].startswith("uses the reference package")
    nb.cells[0].source += "\nfrom facegan_ref.losses import smooth"
    nb.cells[2].source = "from facegan_ref.losses import smooth"
    assert scan_notebook(nb) == []
    nb.cells[2].source = "from facegan_ref.data.faces import discriminator_loss"
    assert lost(nb) == {"3.1", "3.3"}


def test_what_a_demonstration_imports_whole_is_not_free() -> None:
    assert "3.1" in lost(notebook("from facegan_ref import losses as theirs"))
    assert "3.1" in lost(notebook("f = reference.discriminator_loss"))
    assert "3.1" in lost(notebook("def f(x): return theirs.discriminator_loss(x)"))
    own = "theirs = Losses()\ndef f(x): return theirs.discriminator_loss(x)"
    assert not lost(notebook(own))
    assert not lost(notebook("from facegan_ref.data import faces\nx = faces.to_tanh_range"))


def test_the_reference_behind_the_bare_package_is_no_help() -> None:
    """The name alone may be imported; what hangs on it has been loaded by the checks."""
    wrapped = "def f(x): return facegan_ref.losses.discriminator_loss(x)"
    assert lost(notebook(scratch=f"import facegan_ref\n{wrapped}")) == {"*"}
    assert not lost(
        notebook(scratch="import facegan_ref\nfacegan_ref.losses.discriminator_loss(x)")
    )


def test_an_answer_costs_its_task_and_those_that_check_it_again() -> None:
    bad = "from facegan_ref.losses import x"
    assert lost(notebook(answer=bad)) == {"3.1", "3.3"}
    assert lost(notebook(second=bad)) == {"3.2", "3.3"}


def test_what_lasts_costs_the_checks_that_come_after_it() -> None:
    bad = "import ctypes"
    assert lost(notebook(answer=bad)) == {"*"}
    assert lost(notebook(second=bad)) == {"3.2", "3.3"}
    assert lost(notebook(end=bad)) == set()
    assert reasons(notebook(end=bad)) == ["reaches past Python into the memory ('ctypes')"]


def test_names_are_followed_from_cell_to_cell() -> None:
    nb = notebook(scratch="t = torch\ndef change(module):\n    module.allclose = print")
    assert scan_notebook(nb) == []
    nb.cells[5].source = "change(t)"
    found = scan_notebook(nb)
    assert [(f.cell, f.line) for f in found] == [("cell number 4", 3)]
    assert lost(nb) == {"*"}


def test_two_harmless_things_together() -> None:
    read, run = 'text = open("/x/facegan_ref/losses.py").read()', "exec(text)"
    assert not lost(notebook(scratch=read)) and not lost(notebook(scratch=run))
    assert lost(notebook(scratch=f"{read}\n{run}")) == {"*"}


def test_what_does_not_run_is_no_finding() -> None:
    assert scan_code("torch.allclose = print\nx = (") == []
    assert scan_code("# import ctypes\n'import ctypes'") == []


def test_lines_are_those_of_the_cell() -> None:
    assert [f.line for f in scan_code("\n\nx = 1\nimport ctypes")] == [4]
    assert [f.line for f in scan_code("\n%%time\nx = 1\nimport ctypes")] == [4]
    assert [f.line for f in scan_code("x = 1\n%time import ctypes")] == [2]
    assert [f.line for f in scan_code("x = 1\nexec('\\n\\nimport ctypes')")] == [2]


NEST = "\n".join(" " * depth + f"for a{depth} in [1, 2]:" for depth in range(19))
LONG = {
    "too-long": "x = 1\n" * 80_000,
    "too-many-magics": "%time x = 1\n" * 5_000,
    "too-deep": "x = " + "+".join("1" * 20_000),
    "grows-as-text": "s = 'a' * 100_000\n" + "t = s.join([s] * 1000)\n" * 500,
    "calls-all": "\n".join(
        f"class C{n}(C{n - 1}):\n  t = torch\n  def f(self, x=torch): self.t.x = C{n}().f(self.t)"
        for n in range(1, 400)
    ),
}
SHORT = {
    "loops": NEST + "\n" + " " * 19 + "x = [torch, a1]",
    "tuples": "a = (1,) * 4000\n" + "a = (a, a, a, a)\n" * 30 + "x = '%s' % (a,)",
    "comprehension": "x = [[chr(i) for i in range(4000)] for j in range(4000)]",
    "blank-lines": "\n" * 300_000 + "x = 1",
    "bomb": "import zlib\nx = zlib.decompress(b'" + "x" * 1000 + "')",
}


@pytest.mark.parametrize("source", LONG.values(), ids=LONG)
def test_what_cannot_be_read_is_refused(source: str) -> None:
    assert lost(notebook(scratch=source)) == {"*"}


@pytest.mark.parametrize("source", SHORT.values(), ids=SHORT)
def test_what_looks_long_is_read(source: str) -> None:
    assert scan_notebook(notebook(scratch=source)) == []


def test_findings_of_another_cell_are_not_crowded_out() -> None:
    many = "\n".join(f"torch.name{n} = print" for n in range(200))
    nb = notebook(answer=many, second="torch.equal = print")
    assert {"3.1", "3.2"} <= lost(nb)
    assert len(scan_notebook(nb)) < 60


def test_metadata_that_a_notebook_brings_along_does_not_count() -> None:
    nb = notebook(answer="import facegan_ref.losses")
    nb.metadata[KEY] = NotebookNode(refused={"3.2": "mine"}, suspicious=["mine"])
    nb, _ = ScanAnswers().preprocess(nb, {})
    data = nb.metadata[KEY]
    assert set(data.refused) == {"3.1", "3.3"} and "mine" not in data.suspicious
    assert len(data.notes) == 1 and "Write it without that and hand in again" in data.notes[0]


def test_student_text_can_do_nothing_in_a_feedback_page() -> None:
    (finding,) = scan_code('import importlib\nimportlib.import_module("facegan_ref.<script>")')
    assert "&lt;script&gt;" in finding.reason and "<script>" not in finding.reason
