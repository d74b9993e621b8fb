"""Releasing the lessons and grading a class with nbgrader, through its own extension points.

`config` holds the settings, `release` makes `lessons/` from `solutions/`, `classroom` grades every
folder of a class, `submissions` judges a file before nbgrader sees it, and `cells`, `execute`,
`scores`, `notes` and `publish` are nbgrader preprocessors, so that `nbgrader autograde` run by
hand and the formgrader give the same scores. Needs the extra `[course]`.
"""
