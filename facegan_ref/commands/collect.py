"""What goes out to students, and what comes back from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facegan_ref.commands.options import FILE

if TYPE_CHECKING:
    from facegan_ref.grading.collecting.collect import Collection

_FILE_WIDTH = 60


@click.command()
@click.argument("source", type=FILE)
@click.option("--lesson", default="", help="take this lesson only, such as 03")
@click.option("--course", type=FILE, default=".", help="the course folder; default: this one")
@click.option(
    "--names", type=FILE, help="a CSV with a column `id`, and what the LMS calls each student"
)
@click.option("--timezone", "zone", help="the LMS's, such as Europe/Paris; default: this machine's")
@click.option("--pattern", default="", help="nbgrader's named_regexp, for names that are unknown")
@click.option("--dry-run", is_flag=True, help="only say what would be done")
def collect(
    source: Path,
    lesson: str,
    course: Path,
    names: Path | None,
    zone: str | None,
    pattern: str,
    dry_run: bool,
) -> None:
    """Collect hand-ins from SOURCE: the ZIP that an LMS exports, or a folder.

    Moodle's, Canvas's, Blackboard's, Brightspace's and Sakai's names are known, and a folder for
    each student. Lessons are recognised by their cells. Of several attempts the newest counts; what
    is replaced is kept in .grading/superseded.

    Exit status: 0 all students' notebooks were taken, 1 somebody's were not, 2 nothing was done.
    """
    from facegan_ref.grading.collecting.collect import collect

    found = collect(
        course,
        source,
        lesson=lesson,
        names=names,
        pattern=pattern,
        zone=_zone(zone),
        dry_run=dry_run,
    )
    click.echo(as_text(found, dry_run))
    raise SystemExit(1 if found.without or not any(row.taken for row in found.rows) else 0)


def _zone(name: str | None):
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone {name}: write it as in Europe/Paris") from error


def as_text(found: Collection, dry_run: bool = False) -> str:
    """The table of what was found, and below it what needs a look."""
    head = ["student", "lesson", "file", "what was done"]
    rows = [[r.student, r.lesson, _short(r.file), _plain(r.done)] for r in found.rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    table = [head, ["-" * width for width in widths], *rows]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    taken = sum(row.taken for row in found.rows)
    students = len({row.student for row in found.rows if row.taken})
    lines.append(
        f"\nNames as in {found.layout}. Notebooks: {taken}, of students: {students}. "
        f"Files not taken: {len(found.rows) - taken}. Passed over, made by no student: "
        f"{found.noise}."
    )
    if found.without:
        lines.append(f"Nothing could be taken of: {', '.join(found.without)}.")
    if dry_run:
        lines.append("Nothing was done: this was a dry run.")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that a student wrote, without what would steer a terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _short(path: str) -> str:
    path = _plain(path)
    return path if len(path) <= _FILE_WIDTH else f"…{path[1 - _FILE_WIDTH :]}"


@click.command("student-edition")
@click.argument("folder", type=FILE)
@click.option("--repository", default="", help="the edition's own place on GitHub, OWNER/NAME")
@click.option("--course", type=FILE, default=".", help="the course folder; default: this one")
@click.option("--force", is_flag=True, help="also replace files that somebody changed")
def student_edition(folder: Path, repository: str, course: Path, force: bool) -> None:
    """Write what students get into FOLDER: lessons, package and checks, without solutions.

    A second run brings the folder up to date, and leaves alone what somebody changed in it.
    """
    from facegan_ref.grading.student_edition import write_student_edition

    done = write_student_edition(course, folder, repository=repository, force=force)
    for name in done.kept:
        click.echo(f"kept, though the edition has another one: {name}")
    counts = ("new", "updated", "same", "removed", "kept")
    said = ", ".join(f"{len(getattr(done, name))} {name}" for name in counts)
    click.echo(f"Student edition in {folder}: {said}.")
    click.echo(f"Colab's badges and the set-up cells lead to github.com/{done.address}.")
