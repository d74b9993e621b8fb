"""One course folder with a graded class, made once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from graded_class import LESSON, REPOSITORY, SETTINGS, GradedClass, fingerprints

from facegan_ref.grading.classroom import Classroom, grade_class
from facegan_ref.grading.sample_class import STUDENTS, build_sample_class
from facegan_ref.grading.sample_kit import make_course


@pytest.fixture(scope="session")
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("FACEGAN_CHECK_SEED", "7")
        paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> Path:
    """Return a course folder with the lesson, and nobody in it."""
    folder = tmp_path_factory.mktemp("grading") / "course"
    make_course(REPOSITORY, folder, [LESSON], SETTINGS)
    return folder


@pytest.fixture(scope="session")
def graded(course: Path) -> GradedClass:
    """Return the whole sample class, graded in one batch, with files that belong to nobody."""
    samples = build_sample_class(course, LESSON, STUDENTS)
    submitted = course / ".grading" / "submitted"
    (submitted / "stray.ipynb").write_text("{}", encoding="utf-8")
    (submitted / "handed-in-nothing").mkdir()
    before = fingerprints(submitted)
    rows = grade_class(course, "03", progress=False)
    return GradedClass(
        course,
        {sample.student: sample for sample in samples},
        {row.student: row for row in rows},
        before,
        fingerprints(submitted),
    )


@pytest.fixture
def classroom(tmp_path: Path, _one_thread: None) -> Classroom:
    """Return an empty classroom of its own, for tests that change things."""
    make_course(REPOSITORY, tmp_path / "course", [LESSON], SETTINGS)
    build_sample_class(tmp_path / "course", LESSON, ["perfect"])
    return Classroom(tmp_path / "course", LESSON)
