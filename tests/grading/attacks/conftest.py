"""The hostile class, graded once for all tests of this folder."""

from __future__ import annotations

import pytest
from catalogue import GRADED
from hand_ins import HandIn
from hostile_class import HostileClass, grade_hand_ins

from facegan_ref.grading.sandbox import isolation_problem

PATIENT = """
c.GuardedExecute.cell_seconds = 5.0
c.GuardedExecute.total_seconds = 60.0
c.GuardedExecute.memory_mb = 1024
"""
HURRIED = """
c.GuardedExecute.cell_seconds = 0.6
c.GuardedExecute.check_seconds = 1.5
c.GuardedExecute.total_seconds = 4.0
c.GuardedExecute.memory_mb = 1024
"""


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> dict[str, HostileClass]:
    """Grade the whole catalogue; nothing of it runs without isolation."""
    problem = isolation_problem()
    if problem:
        pytest.skip(f"hand-ins cannot be isolated here: {problem}")
    classes: dict[tuple[str, bool], list[HandIn]] = {}
    for hand_in in GRADED.values():
        classes.setdefault((hand_in.lesson, hand_in.hurried), []).append(hand_in)
    found = {}
    for (lesson, hurried), chosen in classes.items():
        folder = tmp_path_factory.mktemp(f"{'hurried' if hurried else 'patient'}-{lesson}")
        graded = grade_hand_ins(folder, HURRIED if hurried else PATIENT, chosen)
        found |= dict.fromkeys(graded.rows, graded)
    return found
