"""Decorators that collect wrong answers, and right answers in other styles, for the checks' tests.

The decorated function or class is the answer itself and its name is the answer's name. For a task
of several names it is a function without arguments that returns them in the task's order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """An answer to a task: wrong if it names the check that must reject it, else right."""

    task: str
    name: str
    thing: object
    rejected_by: str | None = None
    says: str | None = None

    def objects(self, names: tuple[str, ...]) -> tuple[object, ...]:
        """The answer's objects in the order of the task's names."""
        return (self.thing,) if len(names) == 1 else tuple(self.thing())


ANSWERS: list[Answer] = []


def right(task: str) -> Callable:
    """This answer is right, though different: it gets full points."""

    def add(thing):
        ANSWERS.append(Answer(task, thing.__name__, thing))
        return thing

    return add


def wrong(task: str, rejected_by: str, says: str) -> Callable:
    """This answer is wrong: the named check rejects it with a message that contains `says`."""

    def add(thing):
        ANSWERS.append(Answer(task, thing.__name__, thing, rejected_by, says))
        return thing

    return add
