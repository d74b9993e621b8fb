"""Judge what a student handed in before nbgrader sees it: nothing here runs student code.

A folder may hold a broken file, a renamed one, a module that would shadow the checks, or nothing.
`inspect_folder` finds the notebook to grade and says, in words for the student, what is wrong.
"""

from __future__ import annotations

import fnmatch
import html
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

UNUSED_PATTERNS = ("*.py", "*.pyc", "*.pyd", "*.pyx", "*.so", "*.dll", "*.dylib", "*.pth")
"""Files beside a notebook that Python could import: never copied to where it runs."""

MAX_NOTEBOOK_BYTES = 64 * 2**20
MAX_FILE_BYTES = 16 * 2**20
MAX_FILES = 100
MAX_CELLS = 1000
"""A lesson has fewer than a hundred; each one costs time in many steps of grading."""
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_MERGE_MARKER = re.compile(r"^\s*\"?(<{7} |={7}(\\n\",?)?\s*$|>{7} )", re.MULTILINE)


class UnreadableNotebook(Exception):
    """The file is not a notebook that can be graded; the message tells the student why."""


@dataclass
class Submission:
    """What `inspect_folder` found: the notebook to grade, or the `problem` which forbids it."""

    notebook: NotebookNode | None = None
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    extra_files: list[Path] = field(default_factory=list)


def code(text: object) -> str:
    """Return student-given `text` as inline code that can do nothing in a feedback page."""
    return f"<code>{html.escape(str(text)[:300])}</code>"


def read_notebook(path: Path) -> NotebookNode:
    """Read `path` into a clean nbformat 4.5 notebook without outputs.

    Raises:
        UnreadableNotebook: with a sentence that says what to do about it.
    """
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        raise UnreadableNotebook(
            f"it has {path.stat().st_size / 2**20:.0f} MB (at most {MAX_NOTEBOOK_BYTES >> 20} MB "
            "can be read): clear all outputs in JupyterLab, save, and hand it in again"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableNotebook(
            "it is not UTF-8 text: open it in JupyterLab, save it, and hand it in again"
        ) from error
    if not text.strip():
        raise UnreadableNotebook("it is empty: save your notebook and hand it in again")
    cells = text.count('"cell_type"')
    if cells > MAX_CELLS:
        raise UnreadableNotebook(
            f"it has about {cells:,} cells (at most {MAX_CELLS:,} can be graded): delete those "
            "that are not the lesson's, and hand it in again"
        )
    try:
        content = json.loads(text)
        if _HALF_CHARACTER.search(text):  # no file can hold such text
            whole = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
            content = json.loads(whole)
    except (ValueError, RecursionError) as error:
        raise UnreadableNotebook(_why_no_json(text, error)) from error
    try:
        return _clean(content)
    except Exception as error:
        raise UnreadableNotebook(
            "it is JSON, but not a Jupyter notebook: hand in the .ipynb file that JupyterLab saves"
        ) from error


def _why_no_json(text: str, error: Exception) -> str:
    marker = _MERGE_MARKER.search(text)
    if marker:
        line = text.count("\n", 0, marker.start(1)) + 1
        return (
            f"git left merge markers in it (line {line}): resolve the conflict, see that "
            "JupyterLab opens the notebook, and hand it in again"
        )
    where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
    return (
        f"it is not valid JSON{where}, so JupyterLab cannot open it either: hand in a copy that "
        "JupyterLab opens"
    )


_CELL_ID = re.compile(r"[a-zA-Z0-9-_]{1,64}")


def _clean(content: dict[str, Any]) -> NotebookNode:
    if content.get("nbformat", 4) < 4:
        content = nbformat.convert(nbformat.from_dict(content), 4)
    cells: list[NotebookNode] = []
    ids: set[str] = {"grading-notes"}  # which the notes will have (`notes.WriteNotes`)
    for cell in content["cells"]:
        source = cell["source"]
        source = "".join(source) if isinstance(source, list) else str(source)
        kind = cell["cell_type"] if cell["cell_type"] in ("code", "markdown") else "raw"
        new = NotebookNode(id="", cell_type=kind, metadata=NotebookNode(), source=source)
        if kind == "code":
            new.update(execution_count=None, outputs=[])
        # Known ids make the same hand-in the same page each time.
        given = cell.get("id")
        known = isinstance(given, str) and _CELL_ID.fullmatch(given) and given not in ids
        new["id"] = given if known else f"handed-in-{len(cells) + 1}"
        ids.add(new["id"])
        nbgrader = cell.get("metadata", {}).get("nbgrader")
        if isinstance(nbgrader, dict) and isinstance(nbgrader.get("grade_id"), str):
            new.metadata["nbgrader"] = NotebookNode(grade_id=nbgrader["grade_id"])
        if kind == "markdown" and isinstance(cell.get("attachments"), dict):
            new["attachments"] = cell["attachments"]
        cells.append(new)
    return nbformat.v4.new_notebook(cells=cells)


def grade_ids(nb: NotebookNode) -> set[str]:
    """Return the nbgrader ids that the cells of `nb` carry."""
    return {c.metadata.nbgrader["grade_id"] for c in nb.cells if "nbgrader" in c.metadata}


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder`, without hidden ones and caches, in a fixed order."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(p.startswith(".") or p == "__pycache__" for p in parts):
            yield path


def is_importable(path: Path) -> bool:
    """Whether Python could import `path`, which the settings keep from being copied."""
    return any(fnmatch.fnmatch(path.name, pattern) for pattern in UNUSED_PATTERNS)


def unused_note(names: list[str]) -> str:
    """Say that files which could shadow a module were left out."""
    listed = ", ".join(code(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
    return (
        f"Found beside the notebook and not used: {listed}. Only the notebook is graded; it runs "
        "with the course's own modules."
    )


def inspect_folder(folder: Path, name: str, known_ids: set[str]) -> Submission:
    """Find the notebook `name`.ipynb in `folder`, or a renamed copy, which has `known_ids`.

    Args:
        folder: what one student handed in for one lesson; it need not exist.
        name: the notebook's released name, without the ending.
        known_ids: the nbgrader ids of the lesson, by which a renamed notebook is recognised.
    """
    for place in (folder.parent, folder):
        if place.is_symlink():  # as a notebook's: it may lead to a neighbour's work
            return Submission(
                problem=f"{code(place.name)} is only a link: hand in the folder itself."
            )
    if not folder.is_dir():
        return Submission(problem="Nothing was handed in for this lesson.")
    files = list(visible_files(folder))
    expected = folder / f"{name}.ipynb"
    candidates = [p for p in files if p.suffix == ".ipynb"]
    candidates.sort(key=lambda p: (p != expected, -p.stat().st_mtime))

    found, unreadable, foreign = Submission(), [], []
    chosen: Path | None = None
    for path in candidates:
        if path.is_symlink():  # it may lead to anything that this account can read
            unreadable.append(f"{code(path.name)} is only a link: hand in the file itself.")
            continue
        try:
            nb = read_notebook(path)
        except UnreadableNotebook as error:
            unreadable.append(f"{code(path.name)} cannot be read: {error}.")
            continue
        if path == expected or grade_ids(nb) & known_ids:
            chosen, found.notebook = path, nb
            break
        foreign.append(path.name)

    if found.notebook is None:
        found.problem = " ".join(unreadable) or _nothing_fits(name, foreign)
    else:
        found.notes += unreadable
        if chosen != expected:
            found.notes.append(
                f"{code(chosen.name)} was graded as {code(expected.name)}: please keep the name."
            )
        others = [p.name for p in candidates if p != chosen]
        if others:
            listed = ", ".join(map(code, others))
            found.notes.append(f"More than one notebook was handed in; not graded: {listed}.")
    _sort_extra_files(found, folder, [p for p in files if p not in candidates])
    return found


def _nothing_fits(name: str, foreign: list[str]) -> str:
    if foreign:
        listed = ", ".join(map(code, foreign))
        return f"No notebook of this lesson ({name}.ipynb) was handed in, only {listed}."
    return f"The notebook {name}.ipynb is missing from what was handed in."


def _sort_extra_files(found: Submission, folder: Path, files: list[Path]) -> None:
    unused = [str(p.relative_to(folder)) for p in files if is_importable(p)]
    if unused:
        found.notes.append(unused_note(unused))
    for path in files:
        if is_importable(path):
            continue
        readable = not path.is_symlink() and os.access(path, os.R_OK)
        if not readable or path.stat().st_size > MAX_FILE_BYTES:
            name = code(path.relative_to(folder))
            why = "it is a link, cannot be read, or is above 16 MB"
            found.notes.append(f"{name} was not used: {why}.")
        elif len(found.extra_files) < MAX_FILES:
            found.extra_files.append(path)
    if len(found.extra_files) == MAX_FILES:
        found.notes.append(f"Beside the notebook at most {MAX_FILES} files are used.")
