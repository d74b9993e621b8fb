"""One course folder with a graded class, made once for all tests of this folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from graded_class import LESSON, REPOSITORY, SETTINGS, GradedClass, fingerprints

from facegan_ref.checks import find_task
from facegan_ref.checks.engine import run_task
from facegan_ref.grading.classroom import Classroom
from facegan_ref.grading.running import batch
from facegan_ref.grading.running.engines import LocalEngine
from facegan_ref.grading.sample_class import STUDENTS, Sample, build_sample_class
from facegan_ref.grading.sample_kit import make_course


@pytest.fixture(scope="session")
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("FACEGAN_CHECK_SEED", "7")
        patch.delenv("FACEGAN_STRICT", raising=False)
        paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> Path:
    """Return a course folder with the lesson, and nobody in it."""
    folder = tmp_path_factory.mktemp("grading") / "course"
    make_course(REPOSITORY, folder, [LESSON], SETTINGS)
    return folder


def add_partial_answer(course: Path, half: Sample) -> Sample:
    """Give the half-right student a wrong answer to 3.2 that deserves some of its points."""
    wrong = (
        "def generator_loss_minimax(fake_logits):\n"
        "    return -torch.nn.functional.softplus(fake_logits).sum()"
    )
    path = course / ".grading" / "submitted" / half.student / LESSON / f"{LESSON}.ipynb"
    nb = json.loads(path.read_text(encoding="utf-8"))
    next(c for c in nb["cells"] if c["id"] == "task-3-2")["source"] = wrong
    path.write_text(json.dumps(nb), encoding="utf-8")
    names: dict = {"torch": torch}
    exec(wrong, names)
    points = run_task(find_task("3.2"), [names["generator_loss_minimax"]]).points
    assert 0 < points < 4
    return replace(half, points={**half.points, "3.2": points})


@pytest.fixture(scope="session")
def graded(course: Path) -> GradedClass:
    """Return the whole sample class, graded in one batch, with files that belong to nobody."""
    samples = {s.student: s for s in build_sample_class(course, LESSON, STUDENTS)}
    samples["half-right"] = add_partial_answer(course, samples["half-right"])
    submitted = course / ".grading" / "submitted"
    (submitted / "stray.ipynb").write_text("{}", encoding="utf-8")
    (submitted / "handed-in-nothing").mkdir()
    before = fingerprints(submitted)
    plan = batch.make_plan(course, [LESSON])
    graded = batch.carry_out(plan, lambda: LocalEngine(2), progress=False)
    rows = {row.student: row for row in graded}
    return GradedClass(course, samples, rows, before, fingerprints(submitted))


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> Classroom:
    """Return a classroom with one perfect student, for tests that change things."""
    folder = tmp_path_factory.mktemp("classroom") / "course"
    make_course(REPOSITORY, folder, [LESSON], SETTINGS)
    build_sample_class(folder, LESSON, ["perfect"])
    room = Classroom(folder, LESSON)
    room.enter_lesson()
    return room
