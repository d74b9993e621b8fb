"""Grade hand-ins in a world of their own, and keep all that came of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from graded_class import REPOSITORY, fingerprints
from hand_ins import HandIn
from world import BREACH, World, gradebook_rows, surroundings

from facegan_ref.grading.release import find_lesson
from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.running.batch import carry_out, make_plan
from facegan_ref.grading.running.engines import LocalEngine
from facegan_ref.grading.sample_kit import LessonKit, make_course
from facegan_ref.grading.sandbox import warm_process


@dataclass
class HostileClass:
    """What some students handed in, deserve, and got; what they changed and left behind."""

    world: World
    kit: LessonKit
    rows: dict[str, GradeResult]
    changed: list[str]
    traces: list[str]

    def points(self, student: str) -> dict[str, float]:
        return {task.task: task.points for task in self.rows[student].tasks}

    def feedback(self, student: str) -> str:
        page = self.rows[student].feedback
        return page.read_text(encoding="utf-8") if page else ""

    def graded_text(self, student: str) -> str:
        """Return the graded notebook as text."""
        folder = self.world.course / ".grading" / "autograded" / student / self.kit.lesson
        return (folder / f"{self.kit.lesson}.ipynb").read_text(encoding="utf-8")

    @cached_property
    def outputs(self) -> dict[str, str]:
        """What the cells of each student showed, as text."""
        return {
            student: "\n".join(
                json.dumps(cell.get("outputs"), ensure_ascii=False)
                for cell in json.loads(self.graded_text(student))["cells"]
            )
            for student in self.rows
        }

    @cached_property
    def gradebook(self) -> list[tuple]:
        return gradebook_rows(self.world.gradebook)

    def breaches(self, student: str) -> list[str]:
        """Return the lines in which an attack says that it got somewhere."""
        lines = self.outputs[student].replace("\\n", "\n").splitlines()
        return [line[line.index(BREACH) :] for line in lines if BREACH in line]


def grade_hand_ins(folder: Path, settings: str, hand_ins: list[HandIn]) -> HostileClass:
    """Write hand-ins of one lesson, grade them in a world of their own, note what they left."""
    lesson = find_lesson(REPOSITORY, hand_ins[0].lesson)
    course = folder / "course"
    make_course(REPOSITORY, course, [lesson], settings)
    kit = LessonKit(course, lesson)
    warm_process().stop()  # the next one starts in the world, with a secret in the environment
    with surroundings(course, lesson, folder / "outside") as world:
        for hand_in in hand_ins:
            hand_in.write(kit, world, world.hand_in(hand_in.name))
        before = plain_files(course / ".grading" / "submitted")
        done = carry_out(make_plan(course, [lesson]), lambda: LocalEngine(2), progress=False)
        after = plain_files(course / ".grading" / "submitted")
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    return HostileClass(world, kit, {row.student: row for row in done}, changed, world.traces())


def plain_files(folder: Path) -> dict[str, str]:
    """Return the checksums of all that may be read and is small enough."""

    def is_plain(path: Path) -> bool:
        readable = not path.is_symlink() and os.access(path, os.R_OK)
        return readable and path.stat().st_size < 2**24

    return fingerprints(folder, is_plain)
