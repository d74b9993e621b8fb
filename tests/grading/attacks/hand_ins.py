"""Hostile, unlucky and odd hand-ins as data: what each does, deserves, and must leave untouched.

A hand-in is the lesson's own notebook with some cells filled in. In the text of a cell, `$name` is
the function that the cell's task asks for, and the other `$` words are places outside of the
sandbox that `world.World` has prepared (`$gradebook`, `$marks` …). An attack that gets
somewhere prints the word `$breach`, which the test looks for; a good one also leaves a trace that
the test finds in its world.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import nbformat

from facegan_ref.grading.sample_kit import LessonKit

if TYPE_CHECKING:
    from world import World

ALL, NOTHING = "all", "nothing"
Edit = Callable[[LessonKit, dict], None]
Fill = Callable[[LessonKit, "World", Path], None]


@dataclass(frozen=True)
class HandIn:
    """One student of the class.

    Args:
        kind: "attack" (starts from a notebook that answers nothing), "accident" or "honest".
        solved: the tasks that are answered rightly before the cells are written.
        cells: text by place: "first" and "last" are new cells, "everywhere" each answer cell,
            "3.1" the answer to that task, "scratch" the free cell below it, "question" the answer
            in words.
        edit: changes the notebook after that.
        fill: writes the hand-in folder instead of the notebook alone.
        deserves: `ALL`, `NOTHING`, the tasks that are lost, or a function that tells the points.
        says: must stand in the feedback.
        listed: must stand in the instructor's list of suspicious hand-ins.
        status: what the row says.
        lesson: what is handed in, "03" or "06".
        hurried: graded in the class with a second for each cell, because it uses up its time.
    """

    name: str
    kind: str
    story: str
    solved: str | tuple[str, ...] = NOTHING
    cells: Mapping[str, str] = field(default_factory=dict)
    edit: Edit | None = None
    fill: Fill | None = None
    deserves: str | tuple[str, ...] | Callable[[LessonKit], dict[str, float]] = NOTHING
    says: str = ""
    listed: bool = False
    status: str | None = None
    lesson: str = "03"
    hurried: bool = False

    def points(self, kit: LessonKit) -> dict[str, float]:
        """Return the points that it deserves, by task."""
        if callable(self.deserves):
            return self.deserves(kit)
        if self.deserves == NOTHING:
            return kit.nothing()
        return kit.lost(*(() if self.deserves == ALL else self.deserves))

    def notebook(self, kit: LessonKit, world: World) -> dict:
        """Return the notebook that is handed in."""
        nb = {ALL: kit.solved, NOTHING: kit.blank}.get(
            self.solved, lambda: kit.solved(self.solved)
        )()
        for place, text in self.cells.items():
            write_cell(kit, nb, place, text, world.words)
        if self.edit:
            self.edit(kit, nb)
        return nb

    def write(self, kit: LessonKit, world: World, folder: Path) -> None:
        """Write the hand-in folder."""
        if self.fill:
            self.fill(kit, world, folder)
        else:
            kit.write(folder, self.notebook(kit, world))


HAND_INS: dict[str, HandIn] = {}


def _register(hand_in: HandIn) -> HandIn:
    if hand_in.name in HAND_INS:
        raise ValueError(f"two hand-ins are called {hand_in.name}")
    HAND_INS[hand_in.name] = hand_in
    return hand_in


def attack(name: str, story: str, **settings: object) -> HandIn:
    """Register a hostile hand-in, which deserves nothing unless it says otherwise."""
    return _register(HandIn(name, "attack", story, **settings))


def accident(name: str, story: str, **settings: object) -> HandIn:
    """Register an unlucky hand-in: right answers, of which something breaks a few."""
    return _register(HandIn(name, "accident", story, **{"solved": ALL, **settings}))


def honest(name: str, story: str, **settings: object) -> HandIn:
    """Register an odd but honest hand-in, which deserves all points and no suspicion."""
    return _register(HandIn(name, "honest", story, **{"solved": ALL, "deserves": ALL, **settings}))


def write_cell(
    kit: LessonKit, nb: dict, place: str, text: str, words: Mapping[str, str] = {}
) -> None:
    """Write `text` at a place of the notebook; see `HandIn.cells`."""
    if place == "everywhere":
        for task in kit.answers:
            write_cell(kit, nb, task, text, words)
        return
    name = taught_name(kit.answers.get(place, ""))
    text = Template(text).safe_substitute(words, name=name).strip("\n")
    if place == "first":
        nb["cells"].insert(0, new_cell(text))
    elif place == "last":
        nb["cells"].append(new_cell(text))
    elif place in ("scratch", "question"):
        cell_id = {"scratch": "scratch-3-1", "question": "question-3-a"}[place]
        next(cell for cell in nb["cells"] if cell["id"] == cell_id)["source"] = text
    else:
        kit.answer(nb, place, text)


def taught_name(answer: str) -> str:
    """Return the function or class that an answer defines, or an empty string."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    names = [node.name for node in ast.parse(answer).body if isinstance(node, kinds)]
    return names[0] if names else ""


def new_cell(text: str) -> dict:
    """Return a code cell of the student's own."""
    return dict(nbformat.v4.new_code_cell(text))
