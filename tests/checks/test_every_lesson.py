"""What holds for the checks of each lesson, tried with the course's own answers."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facegan_ref.checks import LESSONS, find_lesson
from facegan_ref.checks.answer_file import Answer, run_answer
from facegan_ref.checks.engine import Task, run_check, run_task
from facegan_ref.checks.guard import no_trace
from facegan_ref.checks.report import as_text

ROOT = Path(__file__).parents[2]
TASKS = [
    pytest.param(task, id=task.id)
    for number in LESSONS
    for task in find_lesson(number).tasks.values()
]


def notebook(number: str, folder: str = "solutions") -> Path:
    name = find_lesson(number).folder
    return ROOT / folder / name / f"{name}.ipynb"


@lru_cache
def answers(number: str) -> Answer:
    with no_trace():
        found = run_answer(notebook(number), find_lesson(number))
    assert not found.problems
    return found


def objects_of(task: Task) -> list[object]:
    lesson = task.id.split(".")[0].zfill(2)
    return [answers(lesson).find(name) for name in task.names]


def state() -> tuple:
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_anomaly_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
        list(warnings.filters),
        os.getcwd(),
    )


@pytest.mark.parametrize("number", LESSONS)
def test_visible_checks_add_up_to_the_tasks_points_less_one(number):
    for task in find_lesson(number).tasks.values():
        assert sum(check.points for check in task.checks) == task.visible_points, task.id
        assert all(check.requirement for check in task.checks)
        assert len(task.hints) == 4 and all(task.hints)


@pytest.mark.parametrize("task", TASKS)
def test_right_in_any_order_twice_at_other_seeds_and_without_a_trace(task, tmp_path, monkeypatch):
    things = objects_of(task)
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = state()
    result = run_task(task, things, seed=0)
    assert result.passed, as_text(result)
    shuffled = random.Random(task.id).sample(task.checks, len(task.checks))
    for seed in (0, 77):
        for check in shuffled:
            with no_trace():
                found, _ = run_check(check, things, seed)
            assert found.passed, f"seed {seed}: {found.name}: {found.message}"
    assert state() == before
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
    left = [path.name for path in scratch.iterdir()]
    # The folder of torch's compiler, which some optimizers import.
    assert all(name.startswith("torchinductor") for name in left), f"left behind: {left}"


class Nothing(nn.Module):
    """Takes anything, and is wrong in each way."""

    def __init__(self, *_, **__):
        super().__init__()

    def forward(self, *_, **__):
        return None


def returns(value):
    return lambda *_, **__: value


def fails(*_, **__):
    raise ValueError("as a tired student's code does")


GARBAGE = {
    "None": None,
    "a number": 3,
    "returns None": returns(None),
    "returns a string": returns("faces"),
    "returns nan": returns(torch.tensor(float("nan"))),
    "returns numpy": returns(np.zeros((2, 3))),
    "returns a tuple": returns((torch.zeros(1), None)),
    "raises": fails,
    "a module that returns None": Nothing,
    "takes no arguments": lambda: torch.zeros(()),
}


@pytest.mark.parametrize("task", TASKS)
def test_garbage_gets_a_message_from_each_task(task):
    for name, thing in GARBAGE.items():
        result = run_task(task, [thing] * len(task.names))
        failed = [check for check in result.checks if not check.passed]
        assert failed and result.attempted, f"{name} passes"
        for check in failed:
            assert "Expected: " in check.message and "Got: " in check.message, check.message
            # An assertion or a slip of the check's own would name one of its files.
            assert "facegan_ref" not in check.message, f"{name}: {check.message}"


@pytest.mark.parametrize("number", LESSONS)
def test_a_plain_file_with_some_names_gets_points_for_these(number, tmp_path):
    """The file has the answer to one task, with the imports of the notebook's set-up."""
    lesson = find_lesson(number)
    task = next(iter(lesson.tasks.values()))
    cells = json.loads(notebook(number).read_text(encoding="utf-8"))["cells"]
    sources = {
        cell["metadata"].get("nbgrader", {}).get("grade_id"): "".join(cell["source"])
        for cell in cells
    }
    answer = tmp_path / "answer.py"
    answer.write_text(
        f"import math\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"
        f"{sources['task-' + task.id.replace('.', '-')]}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "facegan_ref", "check", number, "--from", str(answer), "--json"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    found = {part["task"]: part for part in json.loads(done.stdout)["tasks"]}
    assert found[task.id]["points"] == task.points, found[task.id]
    defined = {
        node.name
        for node in ast.parse(answer.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    for other in lesson.tasks.values():
        if not set(other.names) <= defined:
            assert not found[other.id]["attempted"] and found[other.id]["points"] == 0
            assert "is not defined" in found[other.id]["checks"][0]["message"]


@pytest.mark.parametrize("number", LESSONS)
def test_an_untouched_lesson_is_not_attempted(number):
    released = run_answer(notebook(number, "lessons"), find_lesson(number))
    for task in find_lesson(number).tasks.values():
        result = run_task(task, [released.find(name) for name in task.names])
        assert result.points == 0 and not result.attempted, as_text(result)
