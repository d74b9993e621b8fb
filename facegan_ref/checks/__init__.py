"""Checks of the lessons' tasks, behind three doors: the notebook, pytest and nbgrader.

In a notebook::

    from facegan_ref.checks import grade, hint

    grade("3.1", discriminator_loss)   # a table of what is right and wrong, and the points
    hint("3.1", 1)                     # four levels, from a question to a failing case
"""

from __future__ import annotations

import importlib

# Where each public name lies. It is imported when it is asked for: programs that only start a
# check or show its results need no torch.
_PLACES = {
    "grade": "notebook",
    "grade_fresh": "notebook",
    "hint": "notebook",
    "LESSONS": "registry",
    "find_lesson": "registry",
    "find_task": "registry",
}
__all__ = sorted(_PLACES)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
