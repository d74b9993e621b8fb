"""`facegan collect`: hand-ins from an LMS's export or a folder to `.grading/submitted/`.

`collect` is the way through: `archives` and `zip_names` read what may be hostile, `lms_names` says
whose a file is, `class_list` gives the student's id, `recognise` the lesson, `submitted` puts it in
its place without losing an older one.
"""
