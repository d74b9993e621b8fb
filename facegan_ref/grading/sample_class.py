"""A small class of sample hand-ins, from perfect to broken: for `make demo` and for the tests.

Each sample is made from the lesson itself, so that it stays true when the lesson changes: right
answers come out of `solutions/`, blank ones out of `lessons/`.
"""

from __future__ import annotations

import ast
import copy
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from facegan_ref.grading.config import PRIVATE, RELEASE, SOURCE
from facegan_ref.grading.marks import read_mark
from facegan_ref.grading.release import build, find_lesson, lesson_points


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


class LessonKit:
    """The parts of one lesson from which hand-ins are made.

    Args:
        course_dir: a folder with `solutions/LESSON/`.
        lesson: the lesson's full name, e.g. "03_losses".
    """

    def __init__(self, course_dir: Path, lesson: str) -> None:
        self.lesson = lesson
        source = course_dir / SOURCE / lesson / f"{lesson}.ipynb"
        build(course_dir, course_dir / RELEASE, [lesson])
        self.released = _read(course_dir / RELEASE / lesson / f"{lesson}.ipynb")
        self.points = lesson_points(source)
        self.answers = {
            read_mark(_grade_id(cell)).task: _without_markers("".join(cell["source"]))
            for cell in _read(source)["cells"]
            if _grade_id(cell).startswith("task-")
        }
        self.functions = [task for task, text in self.answers.items() if _function_name(text)]

    def blank(self) -> dict:
        """Return the released notebook, untouched."""
        return copy.deepcopy(self.released)

    def solved(self, tasks: Iterable[str] | None = None) -> dict:
        """Return a notebook with the right answers to `tasks` (default: all)."""
        nb = self.blank()
        for task in self.answers if tasks is None else tasks:
            self.answer(nb, task, self.answers[task])
        return nb

    def answer(self, nb: dict, task: str, source: str) -> None:
        """Write `source` into the answer cell of `task`."""
        self.cell(nb, "task", task)["source"] = source

    def with_body(self, task: str, body: str, nb: dict | None = None) -> dict:
        """Return a solved notebook whose function of `task` has the one-line `body` instead."""
        nb = self.solved() if nb is None else nb
        name = _function_name(self.answers[task])
        self.answer(nb, task, f"def {name}(*arguments, **settings):\n    {body}")
        return nb

    def cell(self, nb: dict, kind: str, task: str) -> dict:
        """Return the cell of this kind ("task", "grade", "fresh") and task."""
        return next(cell for cell in nb["cells"] if read_mark(_grade_id(cell)) == (kind, task))

    def lost(self, *tasks: str) -> dict[str, float]:
        """Return the points that remain without `tasks` and without what builds on all tasks."""
        lost = set(tasks)
        if lost:
            lost |= set(self.points) - set(self.answers)
        return {task: 0.0 if task in lost else points for task, points in self.points.items()}

    def nothing(self) -> dict[str, float]:
        """Return zero points for each task."""
        return dict.fromkeys(self.points, 0.0)

    def write(self, folder: Path, nb: dict | str, name: str | None = None) -> None:
        """Write a notebook, or broken text, into a hand-in folder."""
        folder.mkdir(parents=True, exist_ok=True)
        text = nb if isinstance(nb, str) else json.dumps(nb, indent=1)
        (folder / (name or f"{self.lesson}.ipynb")).write_text(text, encoding="utf-8")


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _grade_id(cell: dict) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def _without_markers(source: str) -> str:
    lines = source.splitlines()
    return "\n".join(line for line in lines if "### BEGIN" not in line and "### END" not in line)


def _function_name(source: str) -> str:
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return names[0] if names else ""


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


@_sample("stderr-warning", "right, but warns and writes to stderr", says="a harmless remark")
def _stderr_warning(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    name = _function_name(kit.answers[task])
    noisy = (
        f"\n\nimport sys, warnings\n_right = {name}\n\n"
        f"def {name}(*arguments, **settings):\n"
        '    warnings.warn("a harmless remark")\n'
        '    print("more on stderr", file=sys.stderr)\n'
        "    return _right(*arguments, **settings)"
    )
    kit.answer(nb, task, kit.answers[task] + noisy)
    kit.write(folder, nb)
    return kit.lost()


@_sample("syntax-error", "a bracket is missing in one answer", says="SyntaxError")
def _syntax_error(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    kit.answer(nb, task, f"def {_function_name(kit.answers[task])}(:\n    return 0")
    kit.write(folder, nb)
    return kit.lost(task)


@_sample("deleted-check", "right; set-up and both checks of a task deleted", says="put back")
def _deleted_check(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    gone = [kit.cell(nb, "grade", task), kit.cell(nb, "fresh", task)]
    gone += [cell for cell in nb["cells"] if _grade_id(cell) == "setup"]
    nb["cells"] = [cell for cell in nb["cells"] if cell not in gone]
    kit.write(folder, nb)
    return kit.lost()


@_sample("edited-check", "blank, with the checks replaced by numbers", says="the original was used")
def _edited_check(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb = kit.blank()
    for cell in nb["cells"]:
        mark = read_mark(_grade_id(cell))
        if mark and mark.kind in ("grade", "fresh"):
            cell["source"] = str(float(cell["metadata"]["nbgrader"]["points"]))
            cell["metadata"]["tags"] = ["skip-execution"]
    kit.write(folder, nb)
    return kit.nothing()


@_sample("endless-loop", "one answer never returns", says="did not end within")
def _endless_loop(kit: LessonKit, folder: Path) -> dict[str, float]:
    task = kit.functions[0]
    kit.write(folder, kit.with_body(task, "while True: pass"))
    return kit.lost(task)


@_sample("kernel-exit", "the last function ends Python itself", says="Python itself stopped")
def _kernel_exit(kit: LessonKit, folder: Path) -> dict[str, float]:
    task = kit.functions[-1]
    kit.write(folder, kit.with_body(task, "__import__('os')._exit(1)"))
    later = list(kit.points)[list(kit.points).index(task) :]
    return kit.lost(*later)


@_sample("huge-output", "right, but prints 30 MB", says="output clipped")
def _huge_output(kit: LessonKit, folder: Path) -> dict[str, float]:
    nb, task = kit.solved(), kit.functions[0]
    kit.answer(nb, task, kit.answers[task] + "\n\nprint('x' * 30_000_000)")
    kit.write(folder, nb)
    return kit.lost()


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


def make_course(root: Path, course_dir: Path, lessons: Iterable[str], settings: str = "") -> None:
    """Make a course folder of its own, with the `lessons` of the repository `root`.

    Args:
        settings: lines to add to its `nbgrader_config.py`, e.g. "c.Execute.timeout = 20".
    """
    course_dir.mkdir(parents=True, exist_ok=True)
    config = (root / "nbgrader_config.py").read_text(encoding="utf-8")
    (course_dir / "nbgrader_config.py").write_text(f"{config}\n{settings}\n", encoding="utf-8")
    for lesson in lessons:
        name = find_lesson(root, lesson)
        shutil.copytree(root / SOURCE / name, course_dir / SOURCE / name, dirs_exist_ok=True)


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
