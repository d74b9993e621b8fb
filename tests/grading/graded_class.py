"""What the tests of grading share: the graded class, and nbgrader's command."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.sample_class import Sample

REPOSITORY = Path(__file__).resolve().parents[2]
LESSON = "03_losses"
SETTINGS = "c.Execute.timeout = 20\nc.Execute.iopub_timeout = 15"


@dataclass
class GradedClass:
    """A course folder, what its students deserve and got, submitted/ before and after."""

    course: Path
    samples: dict[str, Sample]
    rows: dict[str, GradeResult]
    before: dict[str, str]
    after: dict[str, str]

    def feedback(self, student: str) -> str:
        return self.rows[student].feedback.read_text(encoding="utf-8")


def fingerprints(
    folder: Path, wanted: Callable[[Path], bool] = lambda path: True
) -> dict[str, str]:
    """Return the checksum of each file below `folder`, or of those that are `wanted`."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and wanted(path)
    }


def nbgrader(course: Path, *arguments: str) -> str:
    """Run the command as an instructor does, in the course folder; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr
