"""Sixty students get exactly the points they deserve: twice, in any order, with 1 and 2 jobs."""

from __future__ import annotations

import inspect
import json
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from graded_class import LESSON, REPOSITORY, fingerprints

from facegan_ref.checks import find_task
from facegan_ref.checks.engine import run_fresh, run_task
from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.running.batch import carry_out, make_plan
from facegan_ref.grading.running.engines import LocalEngine
from facegan_ref.grading.running.table import write_csv
from facegan_ref.grading.sample_class import build_sample_class
from facegan_ref.grading.sample_kit import LessonKit, function_name, make_course
from facegan_ref.grading.sandbox import isolation_problem

sys.path.insert(0, str(REPOSITORY / "tests" / "wrong_answers"))
sys.path.insert(0, str(Path(__file__).parent / "attacks"))
import lesson03
from bank import ANSWERS, Answer
from catalogue import HAND_INS
from world import surroundings

SEED = 7  # of the fresh checks: FACEGAN_CHECK_SEED, which the fixture `_one_thread` sets
IMPORTS = "import math\nimport numpy as np\nimport torch.nn as nn\n\n"
BROKEN = (
    "blank", "broken-json", "copied-cells", "deleted-check", "edited-check", "kernel-exit",
    "lost-metadata", "merge-markers", "missing-notebook", "renamed", "shadow-package",
    "syntax-error",
)  # fmt: skip
HOSTILE = (
    "ast-transformer", "copy-frames", "copy-imported", "copy-neighbour", "copy-solutions",
    "daemon", "gradebook-by-path", "input-transformer", "kills", "lying-tensor", "memory",
    "overwrites-a-neighbour", "patch-by-mock", "patch-during-the-call", "redefined-grade",
    "skip-tags", "packages-of-its-own", "output-of-one-line",
)  # fmt: skip
RIGHT, WRONG, PARTIAL = 6, 18, 6


@dataclass
class Round:
    """One time that the class was graded."""

    rows: dict[str, GradeResult]
    csv: str
    gradebook: list[tuple]
    pages: dict[str, str]


@dataclass
class ClassOf60:
    deserved: dict[str, dict[str, float]]
    rounds: list[Round]


def source_of(answer: Answer, name: str) -> str:
    """Return the answer's text, as a student would write it under the taught name."""
    lines = inspect.getsource(answer.thing).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(("def ", "class ")))
    text = "\n".join(lines[start:])
    return IMPORTS + text.replace(f"{answer.name}(", f"{name}(", 1)


def points_of(answer: Answer) -> float:
    """Return what the checks say, visible and fresh."""
    task = find_task(answer.task)
    seen, fresh = run_task(task, [answer.thing]), run_fresh(task, [answer.thing], SEED)
    return seen.points + fresh.points


def answer_sheets(kit: LessonKit) -> Iterator[tuple[str, dict[str, Answer | None]]]:
    """Yield names and answers by task: right, wrong, and some of both with gaps."""
    rng = random.Random(60)
    bank = {
        (task, bool(answer.rejected_by)): []
        for task in kit.functions
        for answer in ANSWERS
        if answer.task == task
    }
    for answer in ANSWERS:
        if answer.task in kit.functions and inspect.getmodule(answer.thing) is lesson03:
            bank[answer.task, bool(answer.rejected_by)].append(answer)
    for answers in bank.values():
        rng.shuffle(answers)

    def pick(number: int, task: str, wrong: bool) -> Answer:
        return bank[task, wrong][number % len(bank[task, wrong])]

    for number in range(RIGHT):
        yield f"right-{number}", {task: pick(number, task, False) for task in kit.functions}
    for number in range(WRONG):
        yield f"wrong-{number:02}", {task: pick(number, task, True) for task in kit.functions}
    for number in range(PARTIAL):
        kinds = [False, True, None][number % 3 :] + [False, True, None][: number % 3]
        yield (
            f"partial-{number}",
            {
                task: None if kind is None else pick(number + 7, task, kind)
                for task, kind in zip(kit.functions, kinds, strict=True)
            },
        )


def hand_in_sheets(kit: LessonKit, submitted: Path) -> dict[str, dict[str, float]]:
    """Write the honest hand-ins; return what they deserve."""
    deserved = {}
    for student, sheet in answer_sheets(kit):
        nb = kit.blank()
        for task, answer in sheet.items():
            if answer is not None:
                kit.answer(nb, task, source_of(answer, function_name(kit.answers[task])))
        kit.write(submitted / student / kit.lesson, nb)
        deserved[student] = {
            task: 0.0 if answer is None else points_of(answer) for task, answer in sheet.items()
        }
    return deserved


def contents(gradebook: Path) -> list[tuple]:
    """Return all grades and comments of the gradebook."""
    tables = {
        "grade": "auto_score, manual_score, extra_credit, needs_manual_grade",
        "comment": "auto_comment, manual_comment",
    }
    found = []
    with sqlite3.connect(f"file:{gradebook}?mode=ro", uri=True) as database:
        for table, columns in tables.items():
            found += database.execute(
                f"select student_id, base_cell.name, {columns} from {table} "
                f"join base_cell on base_cell.id = {table}.cell_id "
                f"join submitted_notebook on submitted_notebook.id = {table}.notebook_id "
                "join submitted_assignment "
                "on submitted_assignment.id = submitted_notebook.assignment_id"
            )
    return sorted(found, key=str)


def grade_round(course: Path, jobs: int, seed: int) -> Round:
    """Grade everybody anew, in an order of its own."""
    plan = make_plan(course, [LESSON], force=True)
    random.Random(seed).shuffle(plan.jobs)
    rows = carry_out(plan, lambda: LocalEngine(jobs), progress=False)
    private = course / ".grading"
    write_csv(private / "grades.csv", rows, course)
    return Round(
        {row.student: row for row in rows},
        (private / "grades.csv").read_text(encoding="utf-8"),
        contents(private / "gradebook.db"),
        fingerprints(private / "feedback"),
    )


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> ClassOf60:
    problem = isolation_problem()
    if problem:
        pytest.skip(f"hand-ins cannot be isolated here: {problem}")
    course = tmp_path_factory.mktemp("sixty") / "course"
    make_course(REPOSITORY, course, [LESSON], "c.GuardedExecute.memory_mb = 1024")
    kit = LessonKit(course, LESSON)
    deserved = hand_in_sheets(kit, course / ".grading" / "submitted")
    for sample in build_sample_class(course, LESSON, BROKEN):
        deserved[sample.student] = sample.points
    with surroundings(course, LESSON, tmp_path_factory.mktemp("around") / "world") as world:
        for name in HOSTILE:
            HAND_INS[name].write(kit, world, world.hand_in(name))
            deserved[name] = kit.nothing()
        rounds = [grade_round(course, jobs=1, seed=1), grade_round(course, jobs=2, seed=2)]
    return ClassOf60(deserved, rounds)


def test_the_class_is_as_mixed_as_a_class_can_be(graded: ClassOf60) -> None:
    assert len(graded.deserved) == 60
    totals = Counter(sum(points.values()) for points in graded.deserved.values())
    assert totals[15.0] >= RIGHT and totals[0.0] >= len(HOSTILE) and len(totals) >= 12


@pytest.mark.parametrize("number", [0, 1], ids=["one job", "two jobs"])
def test_everybody_gets_exactly_the_points_deserved(graded: ClassOf60, number: int) -> None:
    rows = graded.rounds[number].rows
    given = {s: {part.task: part.points for part in row.tasks} for s, row in rows.items()}
    assert given == graded.deserved


def test_order_and_number_of_jobs_change_nothing(graded: ClassOf60) -> None:
    one, two = graded.rounds
    assert one.csv == two.csv
    assert one.gradebook == two.gradebook
    assert _lasting(one.rows) == _lasting(two.rows)


def test_feedback_is_the_same_each_time(graded: ClassOf60) -> None:
    one, two = graded.rounds
    assert one.pages == two.pages


def test_honest_work_is_not_suspected(graded: ClassOf60) -> None:
    for student, row in graded.rounds[0].rows.items():
        if student not in HOSTILE:
            assert row.suspicious == [] and row.status in ("graded", "problem"), student


def _lasting(rows: dict[str, GradeResult]) -> dict[str, str]:
    """Return what does not depend on the time that grading took."""
    kept = {student: {**row.to_dict(), "seconds": 0, "phases": 0} for student, row in rows.items()}
    return {student: json.dumps(row, sort_keys=True) for student, row in kept.items()}
