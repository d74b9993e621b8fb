"""A small class of sample hand-ins, from perfect to broken: for `make demo` and for the tests.

Each sample is made from the lesson itself, so that it stays true when the lesson changes: right
answers come out of `solutions/`, blank ones out of `lessons/`.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from facegan_ref.grading.config import PRIVATE
from facegan_ref.grading.marks import read_mark
from facegan_ref.grading.release import find_lesson
from facegan_ref.grading.sample_kit import LessonKit, function_name, grade_id


@dataclass(frozen=True)
class Sample:
    """One student: what was done, the points it deserves, and what the feedback has to say."""

    student: str
    story: str
    points: dict[str, float]
    says: str

    @property
    def total(self) -> float:
        return sum(self.points.values())


Builder = Callable[[LessonKit, Path], dict[str, float]]
_BUILDERS: dict[str, tuple[str, str, Builder]] = {}


def _sample(student: str, story: str, says: str = "") -> Callable[[Builder], Builder]:
    def register(builder: Builder) -> Builder:
        _BUILDERS[student] = (story, says, builder)
        return builder

    return register


@_sample("perfect", "all tasks right")
def _perfect(kit: LessonKit, folder: Path) -> dict[str, float]:
    kit.write(folder, kit.solved())
    return kit.lost()


@_sample("blank", "nothing done", says="your code goes here")
def _blank(kit: LessonKit, folder: Path) -> dict[str, float]:
    kit.write(folder, kit.blank())
    return kit.nothing()


@_sample("half-right", "the first half of the tasks, right")
def _half_right(kit: LessonKit, folder: Path) -> dict[str, float]:
    tasks = list(kit.answers)
    done, left = tasks[: len(tasks) // 2], tasks[len(tasks) // 2 :]
    kit.write(folder, kit.solved(done))
    return kit.lost(*left)


@_sample("noisy", "right, but warns, writes to stderr, prints 30 MB", says="a harmless remark")
def _noisy(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    name = function_name(kit.answers[task])
    noise = (
        f"\n\nimport os, sys, warnings\n_right = {name}\n\n"
        f"def {name}(*arguments, **settings):\n"
        '    warnings.warn("a harmless remark")\n'
        '    print("on stderr", file=sys.stderr)\n'
        '    os.write(2, b"on stderr, as a C library does it")\n'
        "    return _right(*arguments, **settings)\n\n"
        'warnings.warn("a harmless remark")\n'
        'print("x" * 30_000_000)'
    )
    kit.answer(nb, task, kit.answers[task] + noise)
    kit.write(folder, nb)
    return kit.lost()


@_sample("syntax-error", "a bracket is missing in one answer", says="SyntaxError")
def _syntax_error(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    kit.answer(nb, task, f"def {function_name(kit.answers[task])}(:\n    return 0")
    kit.write(folder, nb)
    return kit.lost(task)


@_sample("deleted-check", "right; set-up and both checks of a task deleted", says="put back")
def _deleted_check(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    gone = [kit.cell(nb, "grade", task), kit.cell(nb, "fresh", task)]
    gone += [cell for cell in nb["cells"] if grade_id(cell) == "setup"]
    nb["cells"] = [cell for cell in nb["cells"] if cell not in gone]
    kit.write(folder, nb)
    return kit.lost()


@_sample("edited-check", "blank, with the checks replaced by numbers", says="the original was used")
def _edited_check(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb = kit.blank()
    for cell in nb["cells"]:
        mark = read_mark(grade_id(cell))
        if mark and mark.kind in ("grade", "fresh"):
            cell["source"] = str(float(cell["metadata"]["nbgrader"]["points"]))
            cell["metadata"]["tags"] = ["skip-execution"]
    kit.write(folder, nb)
    return kit.nothing()


@_sample("endless-loop", "one answer cell never ends", says="did not end within")
def _endless_loop(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    kit.answer(nb, task, "while True:\n    pass")
    kit.write(folder, nb)
    return kit.lost(task)


@_sample("kernel-exit", "the last function ends Python itself", says="Python itself stopped")
def _kernel_exit(kit: LessonKit, folder: Path) -> dict[str, float]:
    task = kit.functions[-1]
    kit.write(folder, kit.with_body(task, "__import__('os')._exit(1)"))
    later = list(kit.points)[list(kit.points).index(task) :]
    return kit.lost(*later)


@_sample("broken-json", "the file was cut off", says="not valid JSON")
def _broken_json(kit: LessonKit, folder: Path) -> dict[str, float]:
    kit.write(folder, json.dumps(kit.solved(), indent=1)[:-200])
    return kit.nothing()


@_sample("merge-markers", "git left its markers", says="merge markers")
def _merge_markers(kit: LessonKit, folder: Path) -> dict[str, float]:
    text = json.dumps(kit.solved(), indent=1)
    kit.write(folder, text.replace('"cells"', '<<<<<<< HEAD\n "cells"', 1))
    return kit.nothing()


@_sample("missing-notebook", "a folder without a notebook", says="is missing")
def _missing_notebook(kit: LessonKit, folder: Path) -> dict[str, float]:
    folder.mkdir(parents=True)
    (folder / "readme.txt").write_text("I will hand it in tomorrow.\n", encoding="utf-8")
    return kit.nothing()


@_sample("renamed", "right, but the browser renamed the file", says="was graded as")
def _renamed(kit: LessonKit, folder: Path) -> dict[str, float]:
    kit.write(folder, kit.solved(), f"{kit.lesson} (1).ipynb")
    return kit.lost()


@_sample("shadow-package", "blank, beside a facegan_ref of its own", says="not used")
def _shadow_package(kit: LessonKit, folder: Path) -> dict[str, float]:
    kit.write(folder, kit.blank())
    checks = folder / "facegan_ref" / "checks"
    checks.mkdir(parents=True)
    (folder / "facegan_ref" / "__init__.py").touch()
    (checks / "__init__.py").write_text(
        "grade = lambda task, *answers: 2.0\ngrade_fresh = lambda task, *answers: 1.0\n"
    )
    (folder / "torch.py").write_text("raise RuntimeError('the wrong torch')\n")
    return kit.nothing()


@_sample(
    "copied-cells", "right; an answer and its check are there twice", says="the last one counts"
)
def _copied_cells(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    for kind in ("task", "grade"):
        cell = kit.cell(nb, kind, task)
        twin = {**copy.deepcopy(cell), "id": f"copy-of-{cell['id']}"[:64]}
        nb["cells"].insert(nb["cells"].index(cell) + 1, twin)
    kit.write(folder, nb)
    return kit.lost()


@_sample("lost-metadata", "right, but a tool stripped all metadata", says="marks were lost")
def _lost_metadata(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb = kit.solved()
    for cell in nb["cells"]:
        cell["metadata"] = {}
    kit.write(folder, nb)
    return kit.lost()


STUDENTS = tuple(_BUILDERS)
DEMO_STUDENTS = ("perfect", "half-right", "syntax-error", "broken-json", "blank")


def build_sample_class(
    course_dir: Path, lesson: str, students: Iterable[str] = STUDENTS
) -> list[Sample]:
    """Write the hand-ins of `students` for a lesson into the course's `submitted/`.

    Args:
        course_dir: a folder made by `make_course`.
        lesson: "03" or "03_losses".
        students: some of `STUDENTS`.

    Returns:
        What each of them deserves.
    """
    kit = LessonKit(course_dir, find_lesson(course_dir, lesson))
    samples = []
    for student in students:
        story, says, builder = _BUILDERS[student]
        folder = course_dir / PRIVATE / "submitted" / student / kit.lesson
        if folder.exists():
            shutil.rmtree(folder)
        samples.append(Sample(student, story, builder(kit, folder), says))
    return samples
