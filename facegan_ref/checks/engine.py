"""The check engine: lessons are made of tasks, tasks of checks; a check is written once.

A check is a function that takes the student's objects under their taught names, and a `Probe` for
sizes and random numbers. It returns when the answer is right and calls `fail` when it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import torch
from torch import Tensor

from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.guard import TimeLimitExceeded, no_trace, time_limit
from facegan_ref.checks.results import (
    FRESH,
    FRESH_POINTS,
    HINT_LEVELS,
    CheckResult,
    TaskResult,
)

T = TypeVar("T")

VISIBLE_SEED = 0
CHECK_SECONDS = 10.0  # of processor time for one check; the reference needs well under one
LONGEST = 2000  # characters of a line that a student's exception may fill
GIVEN_EVERYWHERE = {
    "math": "math",
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "Tensor": "torch:Tensor",
}


class CheckFailed(Exception):
    """A requirement that the student's object does not meet."""

    def __init__(self, expected: str, came: str, likely: str | None = None):
        super().__init__(expected, came, likely)
        self.expected, self.came, self.likely = expected, came, likely


def fail(expected: str, came: str, likely: str | None = None) -> NoReturn:
    """Fail the running check: what was expected, what came instead, and the likely mistake."""
    raise CheckFailed(expected, came, likely)


def require_type(came: T, kind: type[T], expected: str, likely: str) -> T:
    """`came` if it is a `kind`; else the check fails, of None because the return is missing."""
    if came is None:
        fail(expected, "None", "the return is missing")
    if not isinstance(came, kind):
        fail(expected, f"a {type(came).__name__}", likely)
    return came


class Probe:
    """Sizes and random tensors for one check; the same seed gives the same ones."""

    def __init__(self, seed: int):
        self.seed = seed
        self.rng = torch.Generator().manual_seed(seed)

    def randn(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Standard normal numbers of the given shape."""
        return torch.randn(*shape, generator=self.rng, dtype=dtype)

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.rng))


@dataclass(frozen=True)
class Check:
    """One requirement: its name, its points and the function that tests it."""

    name: str
    points: float
    requirement: str
    run: Callable[..., None]
    seconds: float = CHECK_SECONDS


@dataclass
class Task:
    """What a student writes: the taught names, the points, the ladder of hints, the checks.

    Its points are those of the visible checks plus one for all of them on fresh sizes and seeds.
    """

    id: str
    title: str
    names: tuple[str, ...]
    points: float
    hints: tuple[str, ...]
    checks: list[Check] = field(default_factory=list)

    @property
    def visible_points(self) -> float:
        return self.points - FRESH_POINTS


class Lesson:
    """A numbered lesson and its tasks.

    Args:
        number: two digits, "03".
        slug: the rest of the folder's name, "losses".
        title: for people.
        builds: what the student builds, for the table of lessons.
        minutes: how long it takes, for the table of lessons.
        given: names that the lesson's locked cells import for the student, each with the place
            that it comes from: `{"nn": "torch.nn", "loss": "package.module:loss"}`.
    """

    def __init__(
        self,
        number: str,
        slug: str,
        title: str,
        builds: str,
        minutes: int,
        given: dict[str, str] | None = None,
    ):
        self.number, self.slug, self.title = number, slug, title
        self.builds, self.minutes = builds, minutes
        self.given = {**GIVEN_EVERYWHERE, **(given or {})}
        self.tasks: dict[str, Task] = {}

    @property
    def folder(self) -> str:
        return f"{self.number}_{self.slug}"

    @property
    def points(self) -> float:
        return sum(task.points for task in self.tasks.values())

    def task(
        self, id: str, title: str, names: Sequence[str], points: float, hints: Sequence[str]
    ) -> None:
        """Declare a task; `hints` has one text for each of the four levels."""
        if len(hints) != len(HINT_LEVELS):
            raise ValueError(f"task {id} has {len(hints)} hints, expected {len(HINT_LEVELS)}")
        self.tasks[id] = Task(id, title, tuple(names), points, tuple(hints))

    def check(self, task: str, points: float, seconds: float = CHECK_SECONDS) -> Callable:
        """Decorator that adds a check to a task; its docstring is the requirement, in one line.

        `seconds` is the processor time after which the student's code is stopped.
        """

        def add(function: Callable) -> Callable:
            requirement = " ".join((function.__doc__ or "").split())
            check = Check(function.__name__, points, requirement, function, seconds)
            self.tasks[task].checks.append(check)
            return function

        return add


def iter_checks(
    task: Task, objects: Sequence[object], seed: int = VISIBLE_SEED
) -> Iterator[CheckResult]:
    """The results of a task's checks, one after the other; objects in the order of `task.names`."""
    stopped: CheckResult | None = None
    for check in task.checks:
        if stopped is not None:
            # Each further check would wait for its time limit too.
            yield CheckResult(check.name, 0.0, check.points, False, stopped.message)
            continue
        result, timed_out = run_check(check, objects, seed)
        stopped = result if timed_out else None
        yield result


def run_task(task: Task, objects: Sequence[object], seed: int = VISIBLE_SEED) -> TaskResult:
    """Run all checks of a task on the student's objects and leave no trace of it."""
    with no_trace() as printed:
        results = tuple(iter_checks(task, objects, seed))
    return TaskResult(task.id, task.title, results, printed.getvalue())


def run_fresh(task: Task, objects: Sequence[object], seed: int) -> TaskResult:
    """All checks of a task again with another seed, as one result worth one point."""
    again = run_task(task, objects, seed)
    failed = next((check for check in again.checks if not check.passed), None)
    message = "" if failed is None else f"{failed.name} (seed {seed}): {failed.message}"
    passed = failed is None
    result = CheckResult(
        FRESH, float(FRESH_POINTS) * passed, FRESH_POINTS, passed, message, again.attempted
    )
    return TaskResult(task.id, task.title, (result,), again.printed)


def _seed(seed: int) -> None:
    """`torch.manual_seed`, which takes 3 ms where CUDA is built in and absent."""
    if torch.cuda.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def run_check(check: Check, objects: Sequence[object], seed: int) -> tuple[CheckResult, bool]:
    """Run one check; the second value says whether it met the time limit."""
    message, attempted, timed_out = "", True, False
    try:
        torch.set_grad_enabled(True)
        _seed(seed)
        for thing in objects:
            require_own(thing)
        with time_limit(check.seconds):
            check.run(*objects, Probe(seed))
    except CheckFailed as failure:
        message = compose(check.requirement, failure.expected, failure.came, failure.likely)
    except TimeLimitExceeded:
        timed_out = True
        message = compose(
            check.requirement,
            f"an answer within {check.seconds:g} seconds of computing",
            "none: your code was still running and was stopped",
            "a loop that never ends",
        )
    except NotImplementedError as error:
        if str(error).startswith("Module ["):
            message = compose(
                check.requirement,
                "a module with a forward method",
                str(error).splitlines()[0],
                "forward is missing, misspelt or indented wrongly",
            )
        elif "aten::" in str(error):  # torch's own: an operation that this device has not
            came, likely = explain_exception(error)
            message = compose(check.requirement, "no exception", came, likely)
        else:
            message, attempted = f"not attempted: {error or 'raises NotImplementedError'}", False
    except (Exception, SystemExit) as error:
        came, likely = explain_exception(error)
        message = compose(check.requirement, "no exception", came, likely)
    passed = not message
    points = float(check.points) if passed else 0.0
    return CheckResult(check.name, points, check.points, passed, message, attempted), timed_out


def compose(requirement: str, expected: str, came: str, likely: str | None) -> str:
    """The message of a failed check: requirement, expectation, finding, likely mistake."""
    lines = [requirement, f"Expected: {expected}.", f"Got: {came}."]
    if likely:
        lines.append(f"Likely mistake: {likely}.")
    return "\n".join(line if len(line) < LONGEST else f"{line[:LONGEST]} …" for line in lines)


def require_own(thing: object) -> None:
    """Fail when an answer is the reference's own object, or inherits from it."""
    kinds = thing.__mro__ if isinstance(thing, type) else (thing,)
    for kind in kinds:
        module = getattr(kind, "__module__", None) or ""
        if module == "facegan_ref" or module.startswith("facegan_ref."):
            fail(
                "code of your own",
                f"`{getattr(kind, '__name__', kind)}` of the reference package ({module})",
                "an import in the answer cell replaces your definition: delete it",
            )


def number(value: float) -> str:
    """A number as people read it: four significant digits, `nan` and `inf` as such."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.4g}"
