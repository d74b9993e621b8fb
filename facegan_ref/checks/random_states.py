"""The global random states, which belong to everybody."""

from __future__ import annotations

import random

import numpy as np
import torch


def global_states() -> dict[str, object]:
    """The random states that belong to everybody, by the name of their owner."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": repr(np.random.get_state()),
        "Python's random": random.getstate(),
    }


def changed(before: dict[str, object]) -> str | None:
    """Whose global random state differs from before, or None."""
    now = global_states()
    return next((name for name in before if before[name] != now[name]), None)
