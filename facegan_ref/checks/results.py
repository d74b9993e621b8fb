"""What checks found, as data. Imports no torch: programs that only show results start at once."""

from __future__ import annotations

from dataclasses import dataclass

FRESH = "holds_on_fresh_sizes_and_seeds"
FRESH_POINTS = 1
WAITING_FACTOR = 12  # seconds by the clock for each allowed second of processor time
SEED_VARIABLE = "FACEGAN_CHECK_SEED"  # environment: a number fixes the seed of the fresh checks
HINT_LEVELS = ("a question", "the rule", "pseudo-code", "a failing case")


class UnusableFile(ValueError):
    """A student's file of which nothing can be run; the message is one line that says why."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found; `message` is empty when it passed."""

    name: str
    points: float
    max_points: float
    passed: bool
    message: str = ""
    attempted: bool = True


@dataclass(frozen=True)
class TaskResult:
    """What a task's checks found, and what the student's code printed meanwhile."""

    task: str
    title: str
    checks: tuple[CheckResult, ...]
    printed: str = ""

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    @property
    def max_points(self) -> float:
        return sum(check.max_points for check in self.checks)

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def attempted(self) -> bool:
        return any(check.attempted for check in self.checks)


def plain(points: float) -> float | int:
    """Points for JSON and tables: 3 rather than 3.0."""
    return int(points) if float(points).is_integer() else points
