"""Run a student's notebook so that what breaks one cell costs no more than that cell."""

from __future__ import annotations

import ast
import os
import secrets
from dataclasses import replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_locked
from traitlets import Enum, Float, Integer, Unicode

from facegan_ref.checks.results import SEED_VARIABLE
from facegan_ref.grading.feedback.notes import grading_data
from facegan_ref.grading.marks import Mark, read_mark
from facegan_ref.grading.sandbox import Limits, Reply, SandboxLost, Session

PACKAGE = "facegan_ref"
ALWAYS_ALLOWED = (
    f"{PACKAGE}.figures",
    f"{PACKAGE}.data.*",
    f"{PACKAGE}.checks:grade",
    f"{PACKAGE}.checks:grade_fresh",
    f"{PACKAGE}.checks:hint",
)
"""What any cell may import from the package: figures, data, and the checks' own door."""

_LANGUAGE = {"name": "python", "pygments_lexer": "ipython3", "file_extension": ".py"}


def error_output(name: str, message: str) -> NotebookNode:
    """Return a cell output that nbgrader takes for a failure and the feedback shows."""
    return NotebookNode(
        output_type="error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )


class GuardedExecute(Execute):
    """Runs the cells in a sandbox instead of a kernel in the instructor's own account.

    It stands where nbgrader's `Execute` does. The checks are not evaluated as code among the
    student's: they are called, on what the student's cells have defined. A cell that does not end
    is interrupted; one that ends Python itself costs only itself, because the others are run again
    without it. The course's own demonstration cells are not run.
    """

    isolation = Enum(
        ["require", "none"],
        default_value="require",
        help="Whether hand-ins must be isolated from this account, its files and the network.",
    ).tag(config=True)

    cell_seconds = Float(
        10.0, help="Processor time after which a student's cell is interrupted."
    ).tag(config=True)

    check_seconds = Float(
        30.0, help="Processor time after which a check is interrupted, if it has not itself."
    ).tag(config=True)

    waiting_factor = Float(
        6.0, help="Seconds by the clock for each one of processor time: for cells that wait."
    ).tag(config=True)

    total_seconds = Float(120.0, help="Processor time for a whole notebook.").tag(config=True)

    memory_mb = Integer(2048, help="Memory that the notebook may use, beyond torch's own.").tag(
        config=True
    )

    max_output_chars = Integer(200_000, help="Characters that a cell may print.").tag(config=True)

    max_picture_chars = Integer(
        4_000_000, help="Characters that all pictures of a cell may take (base64)."
    ).tag(config=True)

    max_restarts = Integer(
        3, help="How many cells may end Python before the rest is left as it is."
    ).tag(config=True)

    demo_tag = Unicode(
        "demo", help="Locked cells of the lesson with this tag are not run; empty runs all."
    ).tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict, km: object = None
    ) -> tuple[NotebookNode, dict]:
        """Run the notebook's cells, or none when a problem was found before."""
        nb.metadata["language_info"] = NotebookNode(_LANGUAGE)
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        if grading_data(nb).problem:
            for cell in code:
                cell.outputs = [error_output("NotRun", "the notebook could not be graded")]
            return nb, resources
        path = (resources.get("metadata") or {}).get("path") or None
        run = _Run(self, nb, Path(path) if path else None)
        try:
            for cell in code:
                if not self._is_demo(cell) and _has_code(cell.source):
                    run.cell(cell)
        finally:
            run.close()
        return nb, resources

    def limits(self) -> Limits:
        """Return what a notebook may use."""
        return replace(
            Limits(),
            total_seconds=self.total_seconds,
            memory=self.memory_mb << 20,
            text=self.max_output_chars,
            pictures=self.max_picture_chars,
        )

    def _is_demo(self, cell: NotebookNode) -> bool:
        tagged = self.demo_tag and self.demo_tag in cell.metadata.get("tags", [])
        return bool(tagged) and is_locked(cell) and not is_grade(cell)


class _Run:
    """One notebook's way through the sandbox, or through several when cells end Python."""

    def __init__(self, settings: GuardedExecute, nb: NotebookNode, files: Path | None) -> None:
        self.settings, self.files = settings, files
        self.data = grading_data(nb)
        self.refused: dict[str, str] = dict(self.data.get("refused", {}))
        self.allowed, self.graded = what_may_be_imported(nb)
        self.session: Session | None = None
        self.done: list[NotebookNode] = []  # to be run again in a new process, without outputs
        self.endless: set[str] = set()
        self.restarts = 0
        self.used = 0.0  # processor time of processes that have ended
        self.given_up = ""

    def cell(self, cell: NotebookNode) -> None:
        """Run a cell and give it its outputs."""
        mark = check_mark(cell)
        if mark and (reason := self.refused.get(mark.task) or self.refused.get("*")):
            cell.outputs = [error_output("Refused", reason)]
            return
        if self.given_up:
            cell.outputs = [error_output("NotRun", self.given_up)]
            return
        if mark and mark.kind == "fresh" and mark.task in self.endless:
            cell.outputs = [error_output("NotRun", "the check of this task did not end")]
            return
        seconds = self.settings.check_seconds if mark else self.settings.cell_seconds
        reply = self._send(cell, mark, seconds)
        cell.outputs = [nbformat.from_dict(output) for output in reply.outputs]
        cell.execution_count = reply.count
        if reply.direct:
            self._take_score(cell, reply)
        if reply.interrupted:
            self._interrupted(cell, mark, reply, seconds)
        elif not mark and not reply.stopped:
            self.done.append(cell)
        if reply.stopped:
            cell.outputs.append(error_output("KernelStopped", f"{reply.stopped} in this cell"))
            self._restart()
        self._report(cell, mark, reply)

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.used += self.session.used
            self.session = None

    @staticmethod
    def _take_score(cell: NotebookNode, reply: Reply) -> None:
        """Let the points that the check itself gave be the cell's one result."""
        cell.outputs = [o for o in cell.outputs if o.output_type != "execute_result"]
        if reply.points is not None:
            data = {"text/plain": repr(float(reply.points))}
            cell.outputs.append(
                nbformat.v4.new_output("execute_result", data, execution_count=reply.count)
            )

    def _report(self, cell: NotebookNode, mark: Mark | None, reply: Reply) -> None:
        """Tell the instructor what was replaced; refuse the task if that could matter."""
        suspicious = self.data.setdefault("suspicious", [])
        where = f"at the check of task {mark.task}" if mark else "in a cell"
        for found in reply.found:
            sentence = f"Replaced {where}, and put back: {found}."
            if sentence not in suspicious:
                suspicious.append(sentence)
        forged = next((o for o in cell.outputs if o.get("ename") == "Forged"), None)
        if forged is not None and mark:
            reason = f"{forged.evalue}; your instructor will look at it"
            self.data.setdefault("refused", {}).setdefault(mark.task, reason)

    def _send(self, cell: NotebookNode, mark: Mark | None, seconds: float) -> Reply:
        request: dict = {"kind": "locked" if is_locked(cell) else "cell", "source": cell.source}
        if mark:
            request = {
                "kind": "check",
                "source": cell.source,
                "task": mark.task,
                "fresh": mark.kind == "fresh",
                "seed": int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(2**31)),
                "points": float(cell.metadata.nbgrader["points"]),
            }
        if self.session is None:
            self.session = self._open()
        return self.session.run(request, seconds, seconds * self.settings.waiting_factor)

    def _open(self) -> Session:
        limits = self.settings.limits()
        arguments = {
            "isolate": self.settings.isolation == "require",
            "limits": replace(limits, total_seconds=limits.total_seconds - self.used),
            "files": self.files,
            "allowed": self.allowed,
            "denied": self.graded,
        }
        try:
            return Session(**arguments)
        except SandboxLost:
            return Session(**arguments)  # of a new warm process

    def _interrupted(
        self, cell: NotebookNode, mark: Mark | None, reply: Reply, seconds: float
    ) -> None:
        cell.outputs = [o for o in cell.outputs if o.get("ename") != "KeyboardInterrupt"]
        what = "of processor time" if reply.interrupted == "processor" else "of waiting"
        waited = reply.interrupted == "clock"
        limit = seconds * self.settings.waiting_factor if waited else seconds
        loop = "is there a loop without an end?" if not mark else "is there a loop in your answer?"
        message = f"this cell did not end within {limit:g} s {what} and was stopped ({loop})"
        cell.outputs.append(error_output("CellTimeoutError", message))
        if mark:
            self.endless.add(mark.task)

    def _restart(self) -> None:
        """Bring a new process to where the last one was, without the cell that ended it."""
        self.close()
        self.restarts += 1
        if self.restarts > self.settings.max_restarts:
            self.given_up = "Python had stopped in too many cells before"
            return
        if self.used > self.settings.total_seconds:
            self.given_up = "the notebook had used up its time"
            return
        for cell in list(self.done):
            reply = self._send(cell, None, self.settings.cell_seconds)
            if reply.stopped or reply.interrupted:  # it did not do so the first time
                self.close()
                self.given_up = "Python had stopped in an earlier cell"
                return


def _has_code(source: str) -> bool:
    try:
        return bool(ast.parse(source).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True  # a mistake to be shown, or IPython's own language


def check_mark(cell: NotebookNode) -> Mark | None:
    """Return the mark of a check cell of the course, None for all other cells."""
    if not (is_grade(cell) and is_locked(cell)):
        return None
    mark = read_mark(cell.metadata.nbgrader["grade_id"])
    return mark if mark and mark.kind in ("grade", "fresh") else None


def what_may_be_imported(nb: NotebookNode) -> tuple[set[str], set[str]]:
    """Return what a student's cells may import from the package, and the names that are graded.

    That is what the lesson's own cells import ("module" or "module:name"), figures and data.
    """
    allowed, graded = set(ALWAYS_ALLOWED), set()
    for cell in nb.cells:
        shown_only = "demo" in cell.metadata.get("tags", [])  # it is not run
        if cell.cell_type != "code" or not is_locked(cell) or shown_only:
            continue
        try:
            tree = ast.parse(cell.source)
        except (SyntaxError, ValueError):  # magics: no imports to be found
            continue
        graded |= _handed_over(tree) if check_mark(cell) else set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                allowed |= {f"{node.module}:{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                allowed |= {a.name for a in node.names if a.name.startswith(f"{PACKAGE}.")}
    return allowed, graded


def _handed_over(tree: ast.AST) -> set[str]:
    return {
        argument.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for argument in node.args
        if isinstance(argument, ast.Name)
    }
