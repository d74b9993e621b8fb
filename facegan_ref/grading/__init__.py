"""Releasing the lessons and grading a class with nbgrader, through its own extension points.

- Before: `config` holds the settings, `release` makes `lessons/` from `solutions/`,
  `student_edition` what students get, `collect` brings their hand-ins here.
- One hand-in: `classroom` grades it; `submissions` judges the file before nbgrader sees it,
  `converters`, `quick`, `gradebook` and `pages` are nbgrader's steps, for many in one process.
- A class: `batch` finds what changed (`state`), `engines` do it in `worker` processes, job by job
  (`jobs`); `results` and `table` say what came of it.
- `cells`, `scan`, `execute` (in the `sandbox`), `scores`, `notes` and `publish` are nbgrader
  preprocessors, so that `nbgrader autograde` by hand and formgrader give the same scores.

Needs the extra `[course]`; no module of it imports torch, but those that run in the sandbox.
"""
