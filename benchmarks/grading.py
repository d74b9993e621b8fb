"""Hand-ins graded a minute: plain `nbgrader autograde` against `facegan grade` with feedback.

    OMP_NUM_THREADS=1 python benchmarks/grading.py --submissions 20 --rounds 3 --jobs 2

Each hand-in of lesson 3 is another one: some tasks are right, some wrong, some not attempted. They
lie in two course folders, each with the lesson in its gradebook. In one, nbgrader has its own
settings and its own `Execute`, which starts a Jupyter kernel for each notebook, in the other it has
this course's. The lesson's demonstration cells are run in neither. The two take turns, so that
whatever else the machine does falls on both, each time from the start of the command to its end.
All points must be the same, cell by cell.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)
LESSON = "03_losses"
PLAIN = """
c = get_config()
c.CourseDirectory.course_id = "facegan"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.submitted_directory = ".grading/submitted"
c.CourseDirectory.db_url = "sqlite:///.grading/gradebook.db"
c.ClearSolutions.text_stub = "*Write your answer here.*"
c.Execute.skip_cells_with_tag = "demo"
"""
"""nbgrader's own settings, but for where things lie and what an unanswered question looks like."""
PHASES = ("inspect", "stage", "sanitize", "execute", "save", "feedback", "result")


def make_courses(folder: Path, number: int) -> tuple[Path, Path]:
    """Make the two course folders with `number` hand-ins each; return plain nbgrader's and ours."""
    from facegan_ref.grading.classroom import Classroom
    from facegan_ref.grading.sample_kit import LessonKit, make_course

    ours, plain = folder / "facegan", folder / "plain"
    make_course(ROOT, ours, ["03"])
    kit = LessonKit(ours, LESSON)
    submitted = ours / ".grading" / "submitted"
    for student in range(number):
        nb = kit.blank()
        for place, task in enumerate(kit.answers):
            choice = student // 3**place % 3  # right, wrong, not attempted
            if choice == 1 and task in kit.functions:
                kit.with_body(task, f"return arguments[0].sum() * {student}.0", nb)
            elif choice == 0 and kit.answers[task]:
                kit.answer(nb, task, f"# Hand-in {student}\n{kit.answers[task]}")
        kit.write(submitted / f"student-{student:03}" / LESSON, nb)
    shutil.copytree(ours / "solutions", plain / "solutions")
    shutil.copytree(submitted, plain / ".grading" / "submitted")
    (plain / "nbgrader_config.py").write_text(PLAIN, encoding="utf-8")
    run(plain, "nbgrader", "generate_assignment", LESSON)
    Classroom(ours, LESSON).enter_lesson()
    return plain, ours


def run(course: Path, *command: str) -> tuple[float, float]:
    """Run a command of this Python in the course folder; return its seconds, and the processor's.

    The processor's are those of all processes that it waited for.
    """
    scripts = os.path.dirname(sys.executable)
    environment = {
        **os.environ,
        "PATH": scripts + os.pathsep + os.environ.get("PATH", ""),  # nbgrader calls alembic
        "PYTHONPATH": str(ROOT),
        "FACEGAN_CHECK_SEED": "7",
    }
    start, used = time.perf_counter(), processor_seconds()
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start, processor_seconds() - used
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return seconds


def processor_seconds() -> float:
    """Return what this process's ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def points(course: Path) -> dict[tuple[str, str], float]:
    """Return the automatic points of each student's cells."""
    query = (
        "SELECT submitted_assignment.student_id, base_cell.name, grade.auto_score FROM grade"
        " JOIN base_cell ON base_cell.id = grade.cell_id"
        " JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id"
        " JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id"
    )
    with closing(sqlite3.connect(course / ".grading" / "gradebook.db")) as gradebook:
        return {(student, cell): score for student, cell, score in gradebook.execute(query)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seconds: dict[str, list[tuple[float, float]]] = {
        "autograde": [],
        "with feedback": [],
        "facegan": [],
    }
    phases: dict[str, list[float]] = {name: [] for name in PHASES}
    with tempfile.TemporaryDirectory(prefix="facegan-benchmark-") as folder:
        plain, ours = make_courses(Path(folder), options.submissions)

        def by_nbgrader() -> None:
            seconds["autograde"].append(run(plain, "nbgrader", "autograde", LESSON, "--force"))
            feedback = run(plain, "nbgrader", "generate_feedback", LESSON, "--force")
            both = (a + b for a, b in zip(seconds["autograde"][-1], feedback, strict=True))
            seconds["with feedback"].append(tuple(both))

        def by_facegan() -> None:
            command = ("facegan_ref", "grade", "03", "--force", "--jobs", str(options.jobs))
            seconds["facegan"].append(run(ours, *command))
            for state in (ours / ".grading" / "state" / LESSON).glob("student-*.json"):
                for name, value in json.loads(state.read_text())["phases"].items():
                    phases[name].append(value)

        turns: list[Callable[[], None]] = [by_nbgrader, by_facegan]
        for _ in range(options.rounds):
            for turn in turns:
                turn()
            turns.reverse()
            wanted, came = points(plain), points(ours)
            if wanted != came:
                differ = sorted(key for key in wanted | came if wanted.get(key) != came.get(key))
                sys.exit(f"the points differ: {differ[:10]}")
    report(options, seconds, phases, len(wanted))


def report(
    options: argparse.Namespace,
    seconds: dict[str, list[tuple[float, float]]],
    phases: dict[str, list[float]],
    cells: int,
) -> None:
    """Print the medians, and their ratios."""
    print(
        f"{options.submissions} hand-ins of {LESSON}, {cells} graded cells with the same points; "
        f"medians of {options.rounds} rounds"
    )
    labels = {
        "autograde": "nbgrader autograde",
        "with feedback": "nbgrader autograde, generate_feedback",
        "facegan": f"facegan grade --jobs {options.jobs} (with feedback)",
    }
    medians = {
        name: [statistics.median(values) for values in zip(*pairs, strict=True)]
        for name, pairs in seconds.items()
    }
    ours = medians["facegan"]
    print(f"{'':<38}  hand-ins/minute  facegan is faster by  processor s a hand-in  less by")
    for name, (wall, processor) in medians.items():
        print(
            f"{labels[name]:<38} {60 * options.submissions / wall:16.1f}"
            f" {wall / ours[0]:15.1f} times {processor / options.submissions:21.2f}"
            f" {processor / ours[1]:8.1f} times"
        )
    print("\nfacegan grade, milliseconds a hand-in by the clock of its process, medians:")
    for name in PHASES:
        print(f"  {name:<9} {1000 * statistics.median(phases[name]):7.0f}")


if __name__ == "__main__":
    main()
