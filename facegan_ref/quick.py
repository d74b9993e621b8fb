"""The switch FACEGAN_QUICK=1: trainings of a few steps, where only the code is to be tried."""

from __future__ import annotations

import os

QUICK = os.environ.get("FACEGAN_QUICK") == "1"


def shorten(n: int, quick: int) -> int:
    """`n`, or at most `quick` where FACEGAN_QUICK=1 is set."""
    return min(n, quick) if QUICK else n
