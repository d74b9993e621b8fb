"""Options and settings that all tests share."""

from __future__ import annotations

import os

# Before torch is imported: tests run side by side, and threads that wait for each other are slow.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_addoption(parser):
    parser.addoption(
        "--notebooks",
        choices=("lessons", "solutions"),
        default="lessons",
        help="which notebooks tests/lessons checks: yours in lessons/, or the course's own",
    )
