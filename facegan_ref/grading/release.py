"""Make `lessons/` from `solutions/`: the same bytes on every run, replaced only when all went well.

The README's table of lessons is brought up to date with it.

python -m facegan_ref.grading.release            # write what changed
python -m facegan_ref.grading.release --check    # show the difference, exit 1 if there is one
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import logging
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory

from facegan_ref.grading.config import RELEASE, SOURCE, load_config
from facegan_ref.grading.contents import with_lessons_table
from facegan_ref.grading.marks import Mark, read_mark
from facegan_ref.grading.submissions import visible_files


class ReleaseError(ValueError):
    """A source notebook cannot be released; the message names the notebook and the fault."""


def lesson_names(root: Path) -> list[str]:
    """Return the lessons below `root`/solutions, e.g. `03_losses`, in order."""
    return sorted(path.parent.name for path in (root / SOURCE).glob("*/*.ipynb"))


def find_lesson(root: Path, lesson: str) -> str:
    """Return the one lesson which `lesson` ("03" or "03_losses") means.

    Raises:
        ReleaseError: when no lesson, or more than one, starts so.
    """
    names = lesson_names(root)
    found = [name for name in names if name == lesson or name.startswith(f"{lesson}_")]
    if len(found) != 1:
        known = ", ".join(names) or "none"
        raise ReleaseError(f"No lesson '{lesson}' in {root / SOURCE} (there are: {known}).")
    return found[0]


def source_problems(path: Path) -> list[str]:
    """Return what is wrong with a source notebook, one sentence each; empty when it is right."""
    nb = json.loads(path.read_text(encoding="utf-8"))
    problems = []
    if (nb.get("nbformat"), nb.get("nbformat_minor", 0)) < (4, 5):
        problems.append("nbformat is below 4.5: cells need ids")
    if nb["metadata"].get("kernelspec", {}).get("name") != "python3":
        problems.append("kernelspec is not python3")
    for what, ids in (
        ("cell id", [cell.get("id") for cell in nb["cells"]]),
        ("grade_id", [i for c in nb["cells"] if (i := _marks(c).get("grade_id"))]),
    ):
        twice = [str(i) for i, count in Counter(ids).items() if count > 1]
        if twice:
            problems.append(f"{what} used twice: {', '.join(twice)}")
    for cell in nb["cells"]:
        if cell.get("outputs") or cell.get("execution_count"):
            problems.append(f"cell {cell.get('id')}: outputs or an execution count are stored")
        if "execution" in cell["metadata"]:
            problems.append(f"cell {cell.get('id')}: execution times are stored")
    return problems + _point_problems(nb["cells"])


def _marks(cell: dict) -> dict:
    return cell["metadata"].get("nbgrader", {})


def _point_problems(cells: list[dict]) -> list[str]:
    """Each task of P points has a check cell of P-1 and a fresh check of 1."""
    problems = []
    points: dict[Mark, float] = {}
    for cell in cells:
        grade_id = _marks(cell).get("grade_id", "")
        if not re.fullmatch(r"[a-zA-Z0-9_-]*", grade_id):
            problems.append(f"{grade_id}: nbgrader allows letters, digits, - and _ in a grade_id")
        elif _marks(cell).get("grade"):
            mark = read_mark(grade_id)
            if mark is None or mark.kind == "task":
                problems.append(f"{grade_id}: a graded cell is grade-, fresh- or question-N-M")
            else:
                points[mark] = float(_marks(cell)["points"])
    for mark, value in points.items():
        if mark.kind == "grade" and points.get(Mark("fresh", mark.task)) != 1:
            problems.append(f"task {mark.task} has no fresh check of 1 point")
        if mark.kind == "question" and value != 0:
            problems.append(f"question {mark.task} carries {value} points, not 0")
    return problems


def lesson_points(path: Path) -> dict[str, float]:
    """Return the points of each task of the notebook at `path`, e.g. {"3.1": 5.0, …}."""
    tasks: dict[str, float] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        mark = read_mark(_marks(cell).get("grade_id", ""))
        if mark and mark.kind in ("grade", "fresh"):
            tasks[mark.task] = tasks.get(mark.task, 0.0) + float(_marks(cell)["points"])
    return tasks


def build(
    root: Path,
    target: Path,
    names: Iterable[str],
    *,
    database: bool = False,
    repository: str = "",
) -> None:
    """Generate the lessons `names` into the folder `target` with nbgrader.

    Args:
        database: also write the cells into the course's gradebook, as grading needs it.
        repository: the address OWNER/NAME to write; default: that of the course's settings.

    Raises:
        ReleaseError: when a source breaks a rule, or nbgrader refuses it.
    """
    for name in names:
        path = root / SOURCE / name / f"{name}.ipynb"
        if not path.is_file():
            raise ReleaseError(f"{path.parent}: the notebook must be called {path.name}.")
        problems = source_problems(path)
        if problems:
            raise ReleaseError(f"{path}: " + "; ".join(problems))

        config = load_config(root)
        config.CourseDirectory.release_directory = str(target.resolve())
        config.CourseDirectory.assignment_id = name
        config.BaseConverter.force = True
        if repository:
            config.WriteAddress.repository = repository
        if not database:
            config.GenerateAssignment.no_database = True
            config.SaveCells.enabled = False
        converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
        with _captured_log(converter.log) as lines:
            try:
                converter.start()
            except NbGraderException as error:
                raise ReleaseError(f"{path}: nbgrader says: {'; '.join(lines)}") from error
        _check_released(target / name / path.name)


class _captured_log(logging.Handler):
    """Collect the exceptions that a logger reports, for our message instead of the terminal."""

    def __init__(self, log: logging.Logger) -> None:
        super().__init__(logging.ERROR)
        self.log, self.lines = log, []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().strip()
        if message.startswith("Traceback"):
            self.lines.append(message.splitlines()[-1])

    def __enter__(self) -> list[str]:
        self.propagated, self.log.propagate = self.log.propagate, False
        self.log.addHandler(self)
        return self.lines

    def __exit__(self, *_: object) -> None:
        self.log.removeHandler(self)
        self.log.propagate = self.propagated


def _check_released(path: Path) -> None:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if any(word in source for word in ("BEGIN SOLUTION", "BEGIN HIDDEN", "END HIDDEN")):
            raise ReleaseError(f"{path.name}, cell {cell['id']}: a solution or hidden test is left")
        if cell["cell_type"] == "code" and not source.lstrip().startswith(("%", "!")):
            try:
                ast.parse(source)
            except SyntaxError as error:
                raise ReleaseError(
                    f"{path.name}, cell {cell['id']}: not Python: {error}"
                ) from error


README = "README.md"


def differences(fresh: Path, released: Path) -> dict[str, tuple[bytes | None, bytes | None]]:
    """Return {relative path: (old, new) contents} of the files which differ; None for no file.

    Of what lies in `released` only lessons count, `NAME/NAME.ipynb`: other files are somebody's.
    """
    files = {str(path.relative_to(fresh)) for path in visible_files(fresh)}
    lessons = (path for path in released.glob("*/*.ipynb") if path.stem == path.parent.name)
    files |= {str(path.relative_to(released)) for path in lessons}

    def content(path: Path) -> bytes | None:
        return path.read_bytes() if path.is_file() else None

    pairs = {name: (content(released / name), content(fresh / name)) for name in sorted(files)}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def readme_difference(root: Path) -> tuple[bytes, bytes] | None:
    """Return the README's (old, new) contents when its table of lessons is out of date."""
    path = root / README
    if not path.is_file():
        return None
    old = path.read_text(encoding="utf-8")
    new = with_lessons_table(old, lesson_names(root))
    return None if old == new else (old.encode(), new.encode())


def show(name: str, old: bytes | None, new: bytes | None, max_lines: int = 40) -> str:
    """Return a unified diff of a generated file."""
    lines = difflib.unified_diff(
        (old or b"").decode("utf-8", "replace").splitlines(),
        (new or b"").decode("utf-8", "replace").splitlines(),
        name,
        f"{name} (from {SOURCE}/)",
        lineterm="",
    )
    shown = list(lines)
    more = [f"… {len(shown) - max_lines} lines more"] if len(shown) > max_lines else []
    return "\n".join(shown[:max_lines] + more)


def holds_work(content: bytes | None) -> bool:
    """Whether a notebook in `lessons/` was run, so that somebody's answers may be in it."""
    try:
        cells = json.loads(content or b"{}").get("cells", [])
    except ValueError:
        return False
    return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def release(root: Path, *, check: bool = False, force: bool = False) -> list[str]:
    """Bring `root`/lessons, and the README's table of lessons, up to date with `root`/solutions.

    Args:
        check: change nothing, only print the differences.
        force: replace notebooks of `lessons/` although they were run.

    Returns:
        The files which differed.
    """
    root = Path(root).resolve()
    target = root / RELEASE
    # Beside its destination: moving a file within a file system is atomic.
    with tempfile.TemporaryDirectory(prefix=".release-", dir=root) as folder:
        fresh = Path(folder)
        build(root, fresh, lesson_names(root))
        changed = differences(fresh, target)
        readme = readme_difference(root)
        found = [f"{RELEASE}/{name}" for name in changed] + [README] * (readme is not None)
        if check:
            for name, (old, new) in changed.items():
                print(show(f"{RELEASE}/{name}", old, new))
            if readme:
                print(show(README, *readme))
            return found
        for name, (old, _) in changed.items():
            if holds_work(old) and not force:
                raise ReleaseError(
                    f"{RELEASE}/{name} was run and may hold somebody's answers: move it away, or "
                    "give --force to replace it."
                )
        for name, (_, new) in changed.items():
            if new is None:
                (target / name).unlink()
            else:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(fresh / name, target / name)
        if readme:
            (fresh / README).write_bytes(readme[1])
            os.replace(fresh / README, root / README)
        return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, 1 when `--check` finds a difference, 2 for an error."""
    parser = argparse.ArgumentParser(prog="python -m facegan_ref.grading.release")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    parser.add_argument("--check", action="store_true", help="only show what is out of date")
    parser.add_argument("--force", action="store_true", help="replace notebooks that were run")
    options = parser.parse_args(arguments)
    try:
        changed = release(options.root, check=options.check, force=options.force)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 2
    if options.check and changed:
        print(f"{' and '.join(changed)} out of date: run `make release`.", file=sys.stderr)
        return 1
    print("\n".join(f"wrote {name}" for name in changed) or f"{RELEASE}/ is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
