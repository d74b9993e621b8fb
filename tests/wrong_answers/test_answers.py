"""Checks are judged by answers: each wrong one is rejected by name, each right one accepted."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from facegan_ref.checks import LESSONS, find_lesson, find_task
from facegan_ref.checks.engine import VISIBLE_SEED, run_check, run_task
from facegan_ref.checks.guard import no_trace

sys.path.insert(0, str(Path(__file__).parent))
from bank import ANSWERS, Answer

for number in LESSONS:
    __import__(f"lesson{number}")

SEEDS = (VISIBLE_SEED, 11)
TRAINS = {"4.5"}  # tasks whose checks train
WRONG = [answer for answer in ANSWERS if answer.rejected_by]
RIGHT = [answer for answer in ANSWERS if not answer.rejected_by]


def seeds(answer: Answer) -> tuple[int, ...]:
    """The seeds at which an answer is judged: a right one at all, a wrong one at one of them.

    Neighbours are judged at different ones. Tasks that train take long: there all count as wrong.
    """
    if answer.rejected_by is None and answer.task not in TRAINS:
        return SEEDS
    number = [other for other in ANSWERS if other.task == answer.task].index(answer)
    return (SEEDS[number % len(SEEDS)],)


def label(answer: Answer) -> str:
    return f"{answer.task}-{answer.name}"


@pytest.mark.parametrize("answer", WRONG, ids=label)
def test_wrong_answer_is_rejected_by_the_check_that_names_it(answer):
    task = find_task(answer.task)
    check = {check.name: check for check in task.checks}[answer.rejected_by]
    for seed in seeds(answer):
        with no_trace():
            found, _ = run_check(check, answer.objects(task.names), seed)
        assert not found.passed, f"seed {seed}: {answer.rejected_by} accepts it"
        assert answer.says.lower() in found.message.lower(), f"seed {seed}:\n{found.message}"


@pytest.mark.parametrize("answer", RIGHT, ids=label)
def test_right_answer_gets_full_points(answer):
    task = find_task(answer.task)
    for seed in seeds(answer):
        result = run_task(task, answer.objects(task.names), seed)
        failed = [f"{check.name}: {check.message}" for check in result.checks if not check.passed]
        assert not failed, f"seed {seed}:\n" + "\n".join(failed)
        assert result.points == task.visible_points


@pytest.mark.parametrize("number", LESSONS)
def test_each_check_rejects_a_wrong_answer(number):
    """A check that no wrong answer fails does not count as written."""
    rejecting = {(answer.task, answer.rejected_by) for answer in WRONG}
    checks = {
        (task.id, check.name)
        for task in find_lesson(number).tasks.values()
        for check in task.checks
    }
    assert not checks - rejecting


@pytest.mark.parametrize("number", LESSONS)
def test_each_task_has_enough_answers(number):
    wrong = Counter(answer.task for answer in WRONG)
    right = Counter(answer.task for answer in RIGHT)
    for task in find_lesson(number).tasks.values():
        assert wrong[task.id] >= 6 and right[task.id] >= 4, (task.id, wrong, right)
