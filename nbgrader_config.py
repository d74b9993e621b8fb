"""nbgrader's settings; they are written, with their reasons, in facegan_ref/grading/config.py."""

from pathlib import Path

from facegan_ref.grading.config import course_config, prepare

root = Path(__file__).resolve().parent
prepare(root)

c = get_config()  # noqa: F821 - nbgrader defines it
c.merge(course_config(root))
# Settings of your own go below, e.g. c.GuardedExecute.cell_seconds = 30
