"""Seconds of processor time that each task's checks take on the course's own answers.

    OMP_NUM_THREADS=1 python benchmarks/checks.py --rounds 5

The lessons take turns, so that whatever else the machine does falls on all alike. Reported are
medians over the rounds and their ratio to what a student is promised to wait at most: 2 seconds
for a task, 10 for a lesson.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)
TASK_SECONDS, LESSON_SECONDS = 2.0, 10.0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds

    from facegan_ref.checks import LESSONS, find_lesson
    from facegan_ref.checks.answer_file import run_answer
    from facegan_ref.checks.engine import run_task

    lessons = [find_lesson(number) for number in LESSONS]
    answers = {
        lesson.number: run_answer(
            ROOT / "solutions" / lesson.folder / f"{lesson.folder}.ipynb", lesson
        )
        for lesson in lessons
    }
    seconds: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for lesson in lessons:
            for task in lesson.tasks.values():
                objects = [answers[lesson.number].find(name) for name in task.names]
                before = time.process_time()
                result = run_task(task, objects, seed=number)
                if number:  # the first round warms up
                    seconds[task.id].append(time.process_time() - before)
                if not result.passed:
                    sys.exit(f"task {task.id}: the course's own answer fails at seed {number}")
    print(f"processor seconds, medians of {rounds} rounds; ratio to the most that is promised")
    for lesson in lessons:
        medians = {name: statistics.median(seconds[name]) for name in lesson.tasks}
        total = sum(medians.values())
        print(
            f"lesson {lesson.number}  {total:6.2f}  {total / LESSON_SECONDS:5.2f}  {lesson.title}"
        )
        for name, median in medians.items():
            print(f"  {name:<7}  {median:6.2f}  {median / TASK_SECONDS:5.2f}")


if __name__ == "__main__":
    main()
