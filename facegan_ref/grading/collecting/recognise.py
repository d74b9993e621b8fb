"""Which lesson is this notebook? By its cells, not by what the file is called."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from facegan_ref.grading.config import SOURCE
from facegan_ref.grading.release import lesson_names
from facegan_ref.grading.submissions import grade_ids, read_notebook

# Read from the bytes: a notebook that was cut off, or has merge markers in it, still has them.
_GRADE_ID = re.compile(rb'"grade_id"\s*:\s*"([\w-]{1,100})"')
_CALL = re.compile(rb'\b(?:grade|grade_fresh|hint)\(\\?["\'](\d{1,3})\.')


class LessonFinder:
    """Tells the lessons of a course apart.

    Args:
        root: the course folder, with `solutions/`.

    Raises:
        ValueError: there are no lessons in it.
    """

    def __init__(self, root: Path) -> None:
        self.names = lesson_names(root)
        if not self.names:
            raise ValueError(f"no lessons in {root / SOURCE}: give --course, the course folder")
        ids = {n: grade_ids(read_notebook(root / SOURCE / n / f"{n}.ipynb")) for n in self.names}
        shared = Counter(i for known in ids.values() for i in known)
        self._lesson_of = {
            grade_id: name
            for name, known in ids.items()
            for grade_id in known
            if shared[grade_id] == 1
        }
        self._by_number = {int(name[:2]): name for name in self.names if name[:2].isdigit()}

    def by_content(self, content: bytes) -> str:
        """Return the lesson whose marks, or else whose calls of the checks, are in the notebook.

        An empty string when there are none: it is another notebook, or all was stripped.
        """
        ids = {match.decode() for match in _GRADE_ID.findall(content)}
        found = Counter(self._lesson_of[i] for i in ids if i in self._lesson_of)
        if not found:
            numbers = map(int, _CALL.findall(content))
            found = Counter(self._by_number[n] for n in numbers if n in self._by_number)
        return found.most_common(1)[0][0] if found else ""

    def by_name(self, path: str) -> str:
        """Return the one lesson whose name is in a file's path, or an empty string."""
        found = [name for name in self.names if name.lower() in path.lower()]
        return found[0] if len(found) == 1 else ""
