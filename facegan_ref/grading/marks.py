"""The names of the cells: `task-3-1` is the answer to task 3.1, `grade-3-1` its check …"""

from __future__ import annotations

import re
from typing import NamedTuple


class Mark(NamedTuple):
    """What a `grade_id` says: the `kind` of cell and its `task`, e.g. ("grade", "3.1")."""

    kind: str
    task: str


KINDS = {
    "task": "the answer to task",
    "grade": "the check of task",
    "fresh": "the fresh check of task",
    "question": "question",
}


def read_mark(grade_id: str) -> Mark | None:
    """Read `grade_id`; None when it is not one of the four kinds.

    nbgrader allows only letters, digits, `-` and `_`, so the dot of "3.1" is written as one of
    these two.
    """
    match = re.fullmatch(rf"({'|'.join(KINDS)})-(\d+)[-_](\w+)", grade_id)
    return Mark(match[1], f"{match[2]}.{match[3]}") if match else None
