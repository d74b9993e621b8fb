"""Put a hand-in, in a clean form, where nbgrader finds it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

from facegan_ref.grading.feedback.notes import grading_data
from facegan_ref.grading.submissions import Submission


def stage(found: Submission, folder: Path, target: Path) -> None:
    """Write what nbgrader shall grade: the clean notebook with its notes, harmless files.

    Args:
        found: what was handed in; an empty notebook takes the place of what cannot be graded.
        folder: where it lies.
        target: the notebook's new place; the files go beside it.
    """
    target.parent.mkdir(parents=True)
    nb = found.notebook or nbformat.v4.new_notebook()
    data = grading_data(nb)
    data.notes = [*([found.problem] if found.problem else []), *found.notes]
    data.problem = found.problem
    target.write_text(json.dumps(nb), encoding="utf-8")
    for path in found.extra_files:
        if path.name == "timestamp.txt" and not _is_timestamp(path):
            continue
        place = target.parent / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _is_timestamp(path: Path) -> bool:
    try:
        parse_utc(path.read_text(encoding="utf-8").strip())
    except (ValueError, OverflowError, TypeError):
        return False
    return True
