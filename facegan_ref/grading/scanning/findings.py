"""What a finding is: its kinds, and what the student's cells may use of the reference package."""

from __future__ import annotations

import html
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from facegan_ref.grading.scanning.consts import GAP

PACKAGE = "facegan_ref"


class Kind(NamedTuple):
    """A sort of finding: its sentence, and whether it refuses.

    `refuses` has three letters, "R" or "-": in an answer cell, in a scratch cell, and there inside
    of a function or class, where it could run during a check. `lasting`: what one cell does
    reaches the checks of other tasks.
    """

    says: str
    refuses: str
    lasting: bool = False


KINDS = {
    # the reference's answers
    "reference": Kind("uses the reference package ({})", "R--"),
    "within": Kind("uses the reference package ({})", "R-R"),  # past the guard of imports
    "detour": Kind("imports the reference package by a detour ({})", "RRR", True),
    "import": Kind("imports a module whose name cannot be read ({})", "RRR", True),
    "files": Kind("reads files of the course ({})", "R-R"),
    # what checks rely on
    "patch": Kind("changes {}, which the checks rely on", "R-R"),
    "mild": Kind("changes {}", "---"),
    "kernel": Kind("changes how notebooks are run ({})", "RRR", True),
    "inside": Kind("looks into the running Python ({})", "RRR", True),
    "curious": Kind("looks into the running Python ({})", "R--"),
    "memory": Kind("reaches past Python into the memory ({})", "RRR", True),
    "hooks": Kind("changes how torch computes everywhere ({})", "RRR", True),
    "forged": Kind("makes numbers that compare as they like ({})", "RRR"),
    "identity": Kind("passes one thing off as another ({})", "RRR", True),
    "mock": Kind("puts stand-ins in the place of other objects ({})", "R--"),
    # what cannot be read
    "text": Kind("runs code from text that cannot be read here ({})", "R--"),
    "hidden": Kind("runs code from disguised text ({})", "RRR", True),
    "package": Kind("writes a module of its own ({})", "R--"),
    "carried": Kind("carries a module that cannot be read here ({})", "RRR", True),
    "unreadable": Kind("is too long or too deeply nested to be read{}", "RRR", True),
    # the world outside
    "process": Kind("starts programs that cannot be read here ({})", "R--"),
    "program": Kind("starts other programs ({})", "---"),
    "python": Kind("starts a Python of its own ({})", "R-R"),
    "aside": Kind("starts code that runs beside the notebook ({})", "R--"),
    "network": Kind("opens network connections ({})", "R--"),
    "tools": Kind("uses the tools of grading ({})", "R--"),
    "noted": Kind("uses {}", "---"),
    "odd": Kind("{}", "---"),
}


def shown(text: object) -> str:
    """Return student-given text as short inline code."""
    plain = str(text).replace(GAP, "…").replace("\n", " ")
    plain = plain.replace("IPython.get_ipython", "get_ipython")
    return f"<code>{html.escape(plain if len(plain) <= 60 else plain[:57] + '…')}</code>"


@dataclass(frozen=True)
class Found:
    """A finding before it is put into words: where it is, its kind and what it is about."""

    cell: int
    line: int
    kind: str
    what: str
    answer: bool
    inside: bool

    @property
    def refuses(self) -> bool:
        letters = KINDS[self.kind].refuses
        return letters[0 if self.answer else 2 if self.inside else 1] == "R"

    @property
    def says(self) -> str:
        return KINDS[self.kind].says.format(self.what)

    @property
    def bare(self) -> str:
        """What it is about, to be sorted and compared."""
        return self.what.removesuffix("</code>")

    def is_part_of(self, other: Found) -> bool:
        """Whether it says less than `other`: `unittest.mock` beside `unittest.mock.patch`."""
        same = (self.cell, self.line, self.kind) == (other.cell, other.line, other.kind)
        return same and other.bare.startswith(f"{self.bare}.")


class Allowance:
    """What the student's cells may use of the reference package.

    Args:
        allowed: modules ("facegan_ref.figures", and "facegan_ref.data.*" with all below) and names
            ("facegan_ref.models:weights_init").
        graded: names that the tasks ask for, which may come from no module.
    """

    def __init__(self, allowed: Collection[str], graded: Collection[str]) -> None:
        self.names = {entry.replace(":", ".") for entry in allowed if ":" in entry}
        self.modules = {entry.removesuffix(".*") for entry in allowed if ":" not in entry}
        self.graded = frozenset(graded)

    def covers(self, path: str) -> bool:
        """Whether `path`, a dotted name of the package, may be used."""
        parts = path.removesuffix("[]").split(".")
        starts = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
        if starts & self.names or parts == [PACKAGE]:
            return True
        if self.graded & set(parts):
            return False
        return bool(starts & self.modules) or any(m.startswith(f"{path}.") for m in self.modules)
