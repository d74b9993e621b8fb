"""Every other lesson through the same cycle, in short: all points for the solutions, 0 for none."""

from __future__ import annotations

from pathlib import Path

import pytest
from graded_class import LESSON, REPOSITORY

from facegan_ref.grading.classroom import grade_class
from facegan_ref.grading.release import lesson_names
from facegan_ref.grading.sample_class import build_sample_class
from facegan_ref.grading.sample_kit import make_course

OTHERS = [name for name in lesson_names(REPOSITORY) if name != LESSON]


@pytest.mark.parametrize("lesson", OTHERS)
def test_solutions_get_all_points_and_blanks_none(
    lesson: str, tmp_path: Path, _one_thread: None
) -> None:
    make_course(REPOSITORY, tmp_path, [lesson])
    samples = build_sample_class(tmp_path, lesson, ["perfect", "blank"])
    rows = {row.student: row for row in grade_class(tmp_path, lesson, progress=False)}
    for sample in samples:
        row = rows[sample.student]
        assert {task.task: task.points for task in row.tasks} == sample.points, row.notes
    assert rows["perfect"].points == rows["perfect"].max_points
    assert rows["blank"].reason == "not attempted"
