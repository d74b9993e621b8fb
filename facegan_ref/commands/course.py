"""The course's commands: check an answer, the demonstration, the doctor."""

from __future__ import annotations

from pathlib import Path

import click

from facegan_ref.commands.options import FILE


@click.command()
@click.argument("lesson")
@click.option(
    "--from", "file", type=FILE, required=True, help="a notebook (.ipynb) or Python file (.py)"
)
@click.option("--json", "as_json", is_flag=True, help="print JSON for other programs")
def check(lesson: str, file: Path, as_json: bool) -> None:
    """Check the answers to LESSON (such as 03) that a file defines.

    Exit status: 0 all passed, 1 some failed or were not attempted, 2 the file can't be used.
    """
    import json

    from facegan_ref.checks.file_check import check_file
    from facegan_ref.checks.report import as_text

    result = check_file(file, lesson)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
    else:
        for task in result.tasks:
            click.echo(as_text(task) + "\n")
        click.echo(f"Lesson {result.lesson}: {result.points:g} of {result.max_points:g}")
    raise SystemExit(0 if result.passed else 1)


@click.command()
@click.option("--out", type=FILE, default="demo", show_default=True, help="where to put it all")
def demo(out: Path) -> None:
    """Train briefly on the embedded faces, release the lessons, grade a sample class."""
    from facegan_ref.demo import run_demo

    run_demo(Path.cwd(), out)


@click.command()
def doctor() -> None:
    """Print versions, devices, data and nbgrader's state, to paste into a bug report."""
    from facegan_ref.doctor import examine

    healthy = True
    for line in examine():
        healthy = healthy and line.ok
        click.echo(f"{'ok  ' if line.ok else 'LOOK'} {line.name:<22} {line.finding}")
    raise SystemExit(0 if healthy else 1)
