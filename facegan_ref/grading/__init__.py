"""Releasing the lessons and grading a class with nbgrader, through its own extension points.

- Before: `config` holds the settings, `release` makes `lessons/` from `solutions/`,
  `student_edition` what students get, `collect` brings their hand-ins here.
- One hand-in: `classroom` grades it; `submissions` judges the file before nbgrader sees it,
  `converters`, `quick` and `gradebook` are nbgrader's steps, for many in one process, and
  `results` what came of it.
- `cells`, `scan`, `execute` (in the `sandbox`), `scores` and `publish` are nbgrader preprocessors,
  so that `nbgrader autograde` by hand and formgrader give the same scores.
- `feedback`: what is read of a graded notebook, its notes, rubrics and pages.
- `running`, a class: `batch` finds what changed (`state`), `engines` do it in `worker` processes,
  job by job (`jobs`); `table` says what came of it.

Needs the extra `[course]`; no module of it imports torch, but those that run in the sandbox.
"""
