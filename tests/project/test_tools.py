"""`facegan doctor`, `grade` and `demo` as their users call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facegan_ref.doctor import examine
from facegan_ref.grading.results import GradeResult, TaskPoints
from facegan_ref.grading.running.table import class_table

ROOT = Path(__file__).parents[2]
FACEGAN = (
    "import sys; sys.path[:1] = [p for p in sys.path[:1] if p]; "
    "from facegan_ref.cli import main; main()"
)


def facegan(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", FACEGAN, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )


def test_doctor_reports_versions_devices_and_the_course():
    found = {line.name: line for line in examine(ROOT)}
    import torch

    assert found["torch"].finding.split("+")[0] == torch.__version__.split("+")[0]
    assert {"Python", "nbgrader", "CUDA", "MPS", "a convolution", "lessons"} <= set(found)
    assert found["a convolution"].ok
    lessons = len(list((ROOT / "lessons").glob("*/*.ipynb")))
    assert found["lessons"].finding == f"{lessons} notebooks"


def test_doctor_points_at_a_damaged_array(tmp_path):
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "faces.npy", np.zeros((2, 8, 8, 3), np.uint8))
    found = {line.name: line for line in examine(tmp_path)}
    assert not found["faces.npy"].ok
    assert "the manifest of faces.npy is missing" in found["faces.npy"].finding


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("grade", "03"), "No lesson '03'"),
        (("demo",), "no nbgrader_config.py here"),
    ],
)
def test_outside_a_course_the_tools_say_so_in_one_line(tmp_path, arguments, says):
    done = facegan(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_demo_touches_no_folder_that_it_did_not_make(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine\n")
    done = facegan("demo", "--out", str(tmp_path), cwd=ROOT)
    assert done.returncode == 2 and "was not made by the demo" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine\n"


def test_the_class_table_has_a_row_for_each_student():
    rows = [
        GradeResult("ada", "03_losses", 7.5, 15, tasks=[TaskPoints("3.1", 5, 5),
                                                        TaskPoints("3.2", 2.5, 10)]),
        GradeResult("bo", "03_losses", 0, 15, status="problem", notes=["no notebook " * 20]),
    ]  # fmt: skip
    lines = class_table(rows).splitlines()
    assert lines[0].split() == ["student", "lesson", "3.1", "3.2", "points", "what", "happened"]
    assert "7.5 of 15" in lines[2] and "checks failed: 3.2" in lines[2]
    assert lines[3].startswith("bo") and lines[3].endswith("…")


def test_released_notebooks_are_in_the_format_that_jupyter_opens():
    import nbformat

    for path in [*ROOT.glob("lessons/*/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")]:
        nbformat.validate(json.loads(path.read_text(encoding="utf-8")))
