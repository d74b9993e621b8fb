"""`facegan check LESSON --from FILE`: files as students have them, and what they do to Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]

RIGHT_03 = """
import torch
import torch.nn.functional as F

def discriminator_loss(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()

def generator_loss_minimax(fake_logits):
    return -F.softplus(fake_logits).mean()

def generator_loss(fake_logits):
    return F.softplus(-fake_logits).mean()
"""


# As the installed `facegan` script starts: without the current folder on the path.
FACEGAN = (
    "import sys; sys.path[:1] = [p for p in sys.path[:1] if p]; "
    "from facegan_ref.cli import main; main()"
)


def check(lesson, file, *options, cwd=None):
    return subprocess.run(
        [sys.executable, "-c", FACEGAN, "check", lesson, "--from", str(file), *options],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
    )


def checked(lesson, file, cwd=None):
    done = check(lesson, file, "--json", cwd=cwd)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def tasks_of(result):
    return {task["task"]: task for task in result["tasks"]}


@pytest.fixture
def answer(tmp_path):
    def write(text, name="answer.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_right_answers_get_everything(answer):
    status, result = checked("03", answer(RIGHT_03))
    assert status == 0
    assert (result["lesson"], result["points"], result["max_points"]) == ("03", 15, 15)
    assert [task["max_points"] for task in result["tasks"]] == [5, 5, 5]
    assert all(task["attempted"] for task in result["tasks"])
    assert all(part["passed"] and part["message"] == "" for task in result["tasks"]
               for part in task["checks"])  # fmt: skip


def test_the_text_form_names_points_and_mistakes(answer):
    wrong = RIGHT_03.replace(
        "F.softplus(-real_logits).mean() +", "F.softplus(real_logits).mean() +"
    )
    done = check("3", answer(wrong))
    assert done.returncode == 1
    assert "both batches have the label 0: real is 1" in done.stdout
    assert "Task 3.2 generator_loss_minimax: 5 of 5 points" in done.stdout


def test_some_names_only(answer):
    only = "def generator_loss(fake_logits):\n    return F.softplus(-fake_logits).mean()\n"
    status, result = checked("03", answer(only))
    tasks = tasks_of(result)
    assert status == 1 and result["points"] == 5
    assert tasks["3.3"]["points"] == 5
    assert not tasks["3.1"]["attempted"] and not tasks["3.2"]["attempted"]


def test_other_statements_do_no_harm(answer):
    noisy = (
        "import sys, os\nimport no_such_module_here\nprint('x' * 100000)\n"
        "sys.stderr.write('y' * 100000)\nraise ValueError('top')\nsys.exit(5)\n"
        "data = open('/no/such/file')\nassert False\n" + RIGHT_03 + "\n1 / 0\n"
        "if __name__ == '__main__':\n    raise SystemExit('training')\n"
    )
    status, result = checked("03", answer(noisy))
    assert status == 0 and result["points"] == 15


def test_a_failing_definition_is_named_with_its_line(answer):
    text = RIGHT_03.replace("def generator_loss(", "@undefined_decorator\ndef generator_loss(")
    _, result = checked("03", answer(text))
    task = tasks_of(result)["3.3"]
    assert task["attempted"] and task["points"] == 0
    assert "undefined_decorator" in task["checks"][0]["message"]
    assert "line " in task["checks"][0]["message"]


def test_ending_python_costs_only_its_own_task(answer):
    text = RIGHT_03.replace(
        "    return -F.softplus(fake_logits).mean()", "    import os\n    os._exit(7)"
    )
    status, result = checked("03", answer(text))
    tasks = tasks_of(result)
    assert status == 1
    assert tasks["3.1"]["points"] == 5 and tasks["3.3"]["points"] == 5
    assert tasks["3.2"]["points"] == 0
    assert "exit status 7" in tasks["3.2"]["checks"][0]["message"]


def test_an_endless_loop_costs_only_its_own_task(answer):
    text = RIGHT_03.replace(
        "    return -F.softplus(fake_logits).mean()", "    while True:\n        pass"
    )
    _, result = checked("03", answer(text))
    tasks = tasks_of(result)
    assert tasks["3.1"]["points"] == 5 and tasks["3.3"]["points"] == 5
    assert "a loop that never ends" in tasks["3.2"]["checks"][0]["message"]


def test_what_students_print_or_forge_is_not_the_result(answer):
    text = RIGHT_03.replace("softplus(-fake", "softplus(+fake") + (
        "\nimport atexit, json\nprint(json.dumps({'lesson': '03', 'points': 15}))\n"
        "atexit.register(print, '{}')\n"
    )
    _, result = checked("03", answer(text))
    assert tasks_of(result)["3.3"]["points"] < 2


@pytest.mark.parametrize("shadow", ["facegan_ref", "torch"])
def test_a_package_beside_the_answer_hides_nothing(answer, tmp_path, shadow):
    folder = tmp_path / shadow
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    (tmp_path / "helpers.py").write_text("FACTOR = 1.0\n")
    text = "from helpers import FACTOR\n" + RIGHT_03.replace("return F.", "return FACTOR * F.")
    status, result = checked("03", answer(text), cwd=tmp_path)
    assert status == 0 and result["points"] == 15


def notebook(*cells):
    nb = nbformat.v4.new_notebook()
    for source, metadata in cells:
        nb.cells.append(nbformat.v4.new_code_cell(source, metadata=metadata))
    return nbformat.writes(nb)


def test_a_notebook_runs_without_magics_demos_and_checks(answer):
    text = notebook(
        ("%matplotlib inline\n!pip install nothing\nimport torch\n", {}),
        ("%%bash\nexit 3", {}),
        (RIGHT_03, {"nbgrader": {"grade": False, "solution": True}}),
        ("discriminator_loss = None", {"tags": ["demo"]}),
        ("generator_loss = None", {"nbgrader": {"grade": True, "solution": False}}),
    )
    status, result = checked("03", answer(text, "answer.ipynb"))
    assert status == 0 and result["points"] == 15


def test_a_cell_with_a_syntax_error_costs_only_its_own_task(answer):
    text = notebook((RIGHT_03, {}), ("def generator_loss(fake_logits:\n    return 0", {})).replace(
        "def generator_loss(fake_logits):", "def unused(fake_logits):"
    )
    _, result = checked("03", answer(text, "answer.ipynb"))
    tasks = tasks_of(result)
    assert tasks["3.1"]["points"] == 5
    assert tasks["3.3"]["attempted"]
    assert "cell 2, line 1: syntax error" in tasks["3.3"]["checks"][0]["message"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("answer.py", "def f(:\n    pass", "answer.py, line 1: syntax error"),
        ("answer.py", "x = 1\n<<<<<<< HEAD\ny = 2", "merge marker"),
        ("answer.ipynb", '{"cells": [', "broken JSON"),
        ("answer.ipynb", "[]", "no list of cells"),
        ("answer.txt", "x = 1", "expected a notebook"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_line_and_status_2(answer, name, text, says):
    done = check("03", answer(text, name))
    assert done.returncode == 2
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_missing_file_bytes_and_unknown_lesson(tmp_path):
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    for lesson, file, says in (
        ("03", tmp_path / "none.py", "no such file"),
        ("03", tmp_path / "latin.py", "not UTF-8"),
        ("99", tmp_path / "latin.py", "no checks for lesson"),
    ):
        done = check(lesson, file)
        assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_an_exception_that_nothing_catches_costs_only_its_own_task(answer):
    text = RIGHT_03.replace(
        "    return -F.softplus(fake_logits).mean()", "    raise KeyboardInterrupt('by me')"
    )
    status, result = checked("03", answer(text))
    tasks = tasks_of(result)
    assert status == 1
    assert tasks["3.1"]["points"] == 5 and tasks["3.3"]["points"] == 5
    assert "KeyboardInterrupt: by me" in tasks["3.2"]["checks"][0]["message"]


def test_ending_python_while_the_file_is_read(answer):
    done = check("03", answer("import os\nos._exit(0)\n" + RIGHT_03))
    assert done.returncode == 2
    assert "ended the Python process" in done.stderr


def test_the_released_lesson_is_not_attempted_and_the_solution_is_right():
    status, blank = checked("03", ROOT / "lessons" / "03_losses" / "03_losses.ipynb")
    assert status == 1 and blank["points"] == 0
    assert not any(task["attempted"] for task in blank["tasks"])
    status, solved = checked("03", ROOT / "solutions" / "03_losses" / "03_losses.ipynb")
    assert status == 0 and solved["points"] == solved["max_points"]
