"""The command that grades a class."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facegan_ref.commands.options import FILE

if TYPE_CHECKING:
    from facegan_ref.grading.results import GradeResult


@click.command()
@click.argument("lesson")
@click.option("--students", default="", help="only these, separated by commas")
@click.option(
    "--jobs", type=click.IntRange(1), help="how many processes; default: one for each core"
)
@click.option("--force", is_flag=True, help="grade also what did not change since it was graded")
@click.option(
    "--scheduler", metavar="ADDRESS", help="of a Dask cluster that grades, such as tcp://host:8786"
)
@click.option(
    "--no-sandbox",
    is_flag=True,
    help="run the hand-ins with all rights of this account, where they cannot be isolated",
)
@click.option("--csv", "csv_file", type=FILE, help="default: .grading/grades-LESSON.csv")
@click.option("--course", type=FILE, default=".", help="the course folder; default: this one")
def grade(
    lesson: str,
    students: str,
    jobs: int | None,
    force: bool,
    scheduler: str | None,
    no_sandbox: bool,
    csv_file: Path | None,
    course: Path,
) -> None:
    """Grade the hand-ins of LESSON (such as 03, or all) in .grading/submitted with nbgrader.

    Only what changed since the last time is graded. Exit status: 0 when everybody was graded, 1
    when grading itself failed for somebody, 2 when nothing could be graded.
    """
    from facegan_ref.grading.running.startup import quick_imports
    from facegan_ref.grading.sandbox import warm_process

    if not scheduler:
        warm_process()  # loads torch while this process loads nbgrader
    with quick_imports():
        from facegan_ref.grading.running import batch
        from facegan_ref.grading.running.engines import CannotGrade, DaskEngine, LocalEngine

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave as after Ctrl-C
    isolation = "none" if no_sandbox else None
    lessons = batch.chosen_lessons(course, lesson)
    names = [name.strip() for name in students.split(",") if name.strip()]

    def engine() -> DaskEngine | LocalEngine:
        if scheduler:
            return DaskEngine(scheduler)
        return LocalEngine(jobs or available_cores(), isolate=batch.isolates(course, isolation))

    done: list[GradeResult] = []
    try:
        with batch.only_here(course, lessons):
            plan = batch.make_plan(
                course, lessons, students=names, force=force, isolation=isolation
            )
            rows = batch.carry_out(
                plan, engine, progress=sys.stderr.isatty(), on_result=done.append
            )
    except CannotGrade as error:
        raise ValueError(str(error)) from error
    except KeyboardInterrupt:
        click.echo(f"\nstopped after {len(done)} hand-ins; the same command goes on", err=True)
        raise
    _report(rows, lessons, csv_file, course.resolve())
    click.echo(f"{len(done)} graded, {len(plan.unchanged)} unchanged since they were")
    raise SystemExit(1 if any(row.status == "failed" for row in rows) else 0)


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _report(rows: list[GradeResult], lessons: list[str], csv_file: Path | None, root: Path) -> None:
    from facegan_ref.grading.config import PRIVATE
    from facegan_ref.grading.running.table import class_table, what_to_look_at, write_csv

    files = [] if csv_file is None else [csv_file]
    for lesson in lessons:
        of_lesson = [row for row in rows if row.lesson == lesson]
        click.echo(class_table(of_lesson) + "\n")
        if csv_file is None:
            files.append(root / PRIVATE / f"grades-{lesson}.csv")
            write_csv(files[-1], of_lesson, root)
    if csv_file is not None:
        write_csv(csv_file, rows, root)
    lists = what_to_look_at(rows)
    if lists:
        click.echo(f"{lists}\n")
    for file in files:
        click.echo(f"grades    {file}")
    click.echo(f"feedback  {root / PRIVATE / 'feedback'}/STUDENT/LESSON/LESSON.html\n")
