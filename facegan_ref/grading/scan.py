"""Read a hand-in before it is run, for what could forge a result or take the reference's answers.

Nothing of the student's is run here. The sandbox stops what it can while the code runs; this finds
what can be seen from outside, with the reason, and hands it to a person: a finding that could act
during a check takes the automatic points of its task until an instructor has looked at it, all
others are only shown to the instructor. How it reads is in the package `scanning`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from nbformat import NotebookNode
from nbgrader.preprocessors.base import NbGraderPreprocessor
from nbgrader.utils import is_locked
from traitlets.log import get_logger

from facegan_ref.grading.execute import check_mark, what_may_be_imported
from facegan_ref.grading.feedback.notes import add_note, cell_label, grading_data
from facegan_ref.grading.gradebook import open_gradebook
from facegan_ref.grading.marks import read_mark
from facegan_ref.grading.scanning.call_rules import CallRules
from facegan_ref.grading.scanning.findings import KINDS, Allowance, Found
from facegan_ref.grading.scanning.flow import Flow
from facegan_ref.grading.scanning.scopes import Place
from facegan_ref.grading.scanning.text import MAX_CHARS, Unreadable, instructors_tree, parse_cell

ALL_TASKS = "*"
MAX_SHOWN = 20
"""Findings of one notebook that an instructor is shown."""

_IMPORTABLE: dict[str, tuple[set[str], set[str]]] = {}  # of the instructor's cells of a lesson


@dataclass(frozen=True)
class Finding:
    """Something that an instructor should see.

    Args:
        cell: "the answer to task 3.1" or "cell number 12".
        task: "3.1" for an answer cell, None for a scratch cell.
        line: its line in the cell.
        reason: what the cell does, in words, e.g. "uses the reference package (…)".
        tasks: the tasks that get no automatic points because of it; ("*",) for all of them.
    """

    cell: str
    task: str | None
    line: int
    reason: str
    tasks: tuple[str, ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether it takes points; if not, it is only shown to the instructor."""
        return bool(self.tasks)

    @property
    def where(self) -> str:
        return f"{self.cell[:1].upper()}{self.cell[1:]}, line {self.line}"

    @property
    def verdict(self) -> str:
        """What it means for the student."""
        what = "any task" if ALL_TASKS in self.tasks else _listed(self.tasks)
        return (
            f"{self.where}: it {self.reason}. So there are no automatic points for {what}; your "
            "instructor will look at it"
        )


def _listed(tasks: tuple[str, ...]) -> str:
    if len(tasks) == 1:
        return f"task {tasks[0]}"
    return f"tasks {', '.join(tasks[:-1])} and {tasks[-1]}"


def scan_code(
    source: str, allowed: Collection[str] = (), answer: bool = True, graded: Collection[str] = ()
) -> list[Finding]:
    """Scan one cell by itself, an answer to "the task" or a scratch cell; see `scan_notebook`."""
    found = _find([(Place(0, answer), source)], Allowance(allowed, graded))
    task = "the task" if answer else None
    findings = []
    for one in found:
        own = task is not None and not KINDS[one.kind].lasting
        tasks = (task if own else ALL_TASKS,) if one.refuses else ()
        findings.append(Finding("the cell", task, one.line, one.says, tasks))
    return findings


def scan_notebook(
    nb: NotebookNode, allowed: Collection[str] | None = None, graded: Collection[str] | None = None
) -> list[Finding]:
    """Scan a notebook whose locked cells are the instructor's.

    Args:
        nb: a notebook as `RestoreCells` leaves it.
        allowed: what may be imported of the reference package (default: `importable`).
        graded: names that the tasks ask for, which may come from nowhere else.

    Returns:
        The findings in the order of the cells.
    """
    if allowed is None or graded is None:
        allowed, graded = importable(nb)
    cells, labels = [], {}
    lessons_own = {cell.source.strip() for cell in nb.cells if is_locked(cell)}
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        mark = read_mark(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        task = mark.task if mark and mark.kind == "task" else None
        labels[index] = cell_label(cell, index), task
        copied = cell.source.strip() in lessons_own  # a pasted copy accuses nobody
        place = Place(index, task is not None, is_locked(cell) or copied, is_demo(cell))
        cells.append((place, cell.source))
    checks = _Checks(nb)
    findings = []
    for found in _find(cells, Allowance(allowed, graded)):
        label, task = labels[found.cell]
        tasks: tuple[str, ...] = ()
        if found.refuses:
            own = task is not None and not KINDS[found.kind].lasting
            tasks = checks.of(task) if own else checks.after(found.cell)
        findings.append(Finding(label, task, found.line, found.says, tasks))
    return findings


class _Checks:
    """Which tasks a notebook checks, from what place on, and on which names."""

    def __init__(self, nb: NotebookNode) -> None:
        self._last: dict[str, int] = {}
        self._names: dict[str, set[str]] = {}
        for index, cell in enumerate(nb.cells):
            if cell.cell_type == "code" and (mark := check_mark(cell)):
                self._last[mark.task] = index
                tree = instructors_tree(cell.source)
                named = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} if tree else set()
                self._names.setdefault(mark.task, set()).update(named - {"grade", "grade_fresh"})

    def of(self, task: str) -> tuple[str, ...]:
        """Return `task` and the tasks that check its answer again, together with others."""
        names = self._names.get(task, set())
        again = [other for other, theirs in self._names.items() if other != task and names & theirs]
        return (task, *again)

    def after(self, cell: int) -> tuple[str, ...]:
        """Return the tasks that are checked after a cell, ("*",) when these are all."""
        later = tuple(task for task, index in self._last.items() if index > cell)
        return (ALL_TASKS,) if later and len(later) == len(self._last) else later


def is_demo(cell: NotebookNode) -> bool:
    """Whether a cell of the instructor's only shows something; it is not run while grading."""
    return is_locked(cell) and "demo" in cell.metadata.get("tags", [])


def importable(nb: NotebookNode) -> tuple[set[str], set[str]]:
    """Return what a student's cells may import of the package, and the names that are graded."""
    key = "\0".join(c.source for c in nb.cells if c.cell_type == "code" and is_locked(c))
    if key not in _IMPORTABLE:
        if len(_IMPORTABLE) > 50:
            _IMPORTABLE.clear()
        _IMPORTABLE[key] = what_may_be_imported(nb)
    return _IMPORTABLE[key]


def _find(cells: Iterable[tuple[Place, str]], allowance: Allowance) -> list[Found]:
    rules = CallRules(allowance)
    flow = Flow(rules)
    read: list[tuple[Place, ast.Module]] = []
    chars = 0
    with _deep_recursion():
        for place, source in cells:
            flow.place = place
            try:
                if place.locked:
                    tree = instructors_tree(source)
                elif (chars := chars + len(source)) > MAX_CHARS:
                    raise Unreadable
                else:
                    tree, place.offset = parse_cell(source)
            except Unreadable:
                rules.report(ast.Pass(), "unreadable", "", plain=True)
                continue
            if tree is not None:
                read.append((place, tree))
        try:
            flow.read(read)
        except (Unreadable, RecursionError):
            rules.give_up()
        except Exception:  # what cannot be read is looked at by a person
            get_logger().exception("The scan of cell %s broke off", flow.place.cell)
            rules.give_up()
    found = {*rules.found.values(), *rules.together()}
    order = sorted(found, key=lambda f: (f.cell, f.line, not f.refuses, f.kind, f.bare))
    following = dict(pairwise(order))
    return [f for f in order if f not in following or not f.is_part_of(following[f])]


@contextmanager
def _deep_recursion() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 4000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def refused(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the tasks ("*" for all) that get no automatic points, each with the reason."""
    reasons: dict[str, str] = {}
    for finding in findings:
        for task in finding.tasks:
            reasons.setdefault(task, finding.verdict)
    return reasons


class ScanAnswers(NbGraderPreprocessor):
    """Scan the cells before they are run; see `refused` and `suspicious` in `notes`."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Write the findings into the notebook, over what it may have brought along as such."""
        data = grading_data(nb)
        findings = [] if data.problem else scan_notebook(nb)
        data.refused = NotebookNode(refused(findings))
        data.suspicious = [f"{f.where}: {f.reason}." for f in findings[:MAX_SHOWN]]
        if len(findings) > MAX_SHOWN:
            data.suspicious.append(f"And {len(findings) - MAX_SHOWN} more of the kind.")
        for reason in data.refused.values():
            add_note(
                nb,
                f"{reason}. Write it without that and hand in again, or tell your instructor what "
                "it is for.",
            )
        return nb, resources


class MarkRefused(NbGraderPreprocessor):
    """Let the gradebook say that a person has to look at the checks of refused tasks."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Set the score of these checks to 0, and mark them as to be graded by hand."""
        reasons = grading_data(nb).get("refused", {})
        if not reasons:
            return nb, resources
        ids = resources["nbgrader"]
        with open_gradebook(ids["db_url"], save=True) as gradebook:
            submitted = gradebook.find_submission_notebook(
                ids["notebook"], ids["assignment"], ids["student"]
            )
            for grade in submitted.grades:
                mark = read_mark(grade.name)
                if mark and mark.kind in ("grade", "fresh") and {mark.task, ALL_TASKS} & {*reasons}:
                    grade.auto_score = 0.0
                    grade.needs_manual_grade = True
        return nb, resources
