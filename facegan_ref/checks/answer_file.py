"""Read a student's file, a notebook or plain Python, and run what it defines."""

from __future__ import annotations

import ast
import importlib
import json
import linecache
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.guard import TimeLimitExceeded, time_limit
from facegan_ref.checks.results import UnusableFile

MODULE = "answer"  # the name under which the file's code runs; never "__main__"
STATEMENT_SECONDS = 20.0
SKIPPED_TAG = "demo"
_MAGIC = re.compile(r"^\s*[%!?]|^\s*\w[\w.]*\?+\s*$")
_DEFINES = re.compile(r"^\s*(?:async\s+def|def|class)\s+(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """A piece of Python that stands by itself: a whole .py file or a notebook's cell."""

    place: str  # "answer.py" or "cell 7"
    text: str


@dataclass
class Answer:
    """What a file defined, and what failed on the way: problem texts by the names they concern."""

    module: types.ModuleType
    problems: dict[str, str]

    def find(self, name: str) -> object | None:
        """The object called `name`, or None."""
        return self.module.__dict__.get(name)


def read_sources(path: Path) -> list[Source]:
    """The pieces of Python in a .py or .ipynb file; UnusableFile when there are none."""
    if not path.is_file():
        raise UnusableFile(f"{path}: no such file")
    if path.suffix not in (".py", ".ipynb"):
        raise UnusableFile(f"{path}: expected a notebook (.ipynb) or a Python file (.py)")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableFile(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start})"
        ) from None
    if path.suffix == ".py":
        return [Source(path.name, text)]
    return list(_cells(path, text))


def _cells(path: Path, text: str) -> Iterator[Source]:
    try:
        notebook = json.loads(text)
    except ValueError as error:
        marker = " (merge markers of git are in the file)" if "<<<<<<<" in text else ""
        raise UnusableFile(f"{path}: not a notebook: broken JSON, {error}{marker}") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise UnusableFile(f"{path}: not a notebook of format 4: it has no list of cells")
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        metadata = cell.get("metadata") or {}
        nbgrader = metadata.get("nbgrader") or {}
        only_graded = nbgrader.get("grade") and not nbgrader.get("solution")
        if only_graded or SKIPPED_TAG in (metadata.get("tags") or ()):
            continue
        source = cell.get("source", "")
        source = source if isinstance(source, str) else "".join(source)
        if not source.lstrip().startswith("%%"):
            lines = ("" if _MAGIC.match(line) else line for line in source.split("\n"))
            yield Source(f"cell {number}", "\n".join(lines))


def run_answer(path: Path, lesson: Lesson) -> Answer:
    """Run a file's statements one by one; one that fails or takes too long is passed over.

    The names that the lesson's locked cells give are there from the start.

    Raises:
        UnusableFile: the file can't be read, or is a .py that is no Python.
    """
    sources = read_sources(path)
    module = types.ModuleType(MODULE)
    module.__file__ = str(path)
    for name, place in lesson.given.items():
        module_name, _, attribute = place.partition(":")
        given = importlib.import_module(module_name)
        module.__dict__[name] = getattr(given, attribute) if attribute else given
    sys.modules[MODULE] = module
    answer = Answer(module, {})
    for source in sources:
        _run_source(source, path, answer)
    return answer


def _run_source(source: Source, path: Path, answer: Answer) -> None:
    file = str(path) if path.suffix == ".py" else f"<{source.place}>"
    try:
        tree = ast.parse(source.text, filename=file)
    except (SyntaxError, ValueError) as error:
        problem = _syntax_problem(source, error)
        if path.suffix == ".py":
            raise UnusableFile(problem) from None
        for name in _DEFINES.findall(source.text):
            answer.problems[name] = problem
        return
    # So that messages can quote the student's line.
    lines = source.text.splitlines(keepends=True)
    linecache.cache[file] = (len(source.text), None, lines, file)
    for statement in tree.body:
        problem = _run_statement(statement, file, answer.module)
        for name in _names_bound_by(statement):
            if problem:
                answer.problems[name] = f"{source.place}, {problem}"
            else:
                answer.problems.pop(name, None)


def _run_statement(statement: ast.stmt, file: str, module: types.ModuleType) -> str | None:
    """Run one statement; what went wrong with it, or None."""
    where = f"line {statement.lineno}"
    code = compile(ast.Module([statement], []), file, "exec")
    try:
        with time_limit(STATEMENT_SECONDS):
            exec(code, module.__dict__)
    except TimeLimitExceeded:
        return f"{where}: did not end within {STATEMENT_SECONDS:g} seconds and was stopped"
    except (Exception, SystemExit) as error:
        came, _ = explain_exception(error)
        return f"{where}: {came}"
    return None


def _names_bound_by(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _syntax_problem(source: Source, error: Exception) -> str:
    line = getattr(error, "lineno", None)
    text = (getattr(error, "text", None) or "").strip()
    reason = getattr(error, "msg", None) or str(error)
    if text.startswith(("<<<<<<<", "=======", ">>>>>>>")):
        reason = "a merge marker of git is left in the file"
    place = source.place + (f", line {line}" if line else "")
    return f"{place}: syntax error: {reason}" + (f": {text}" if text else "")
