"""Which student of the gradebook is meant by the names and numbers of an LMS?"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from facegan_ref.grading.collecting.lms_names import Origin, safe_id

_BLIND = "participant"


class ClassList:
    """Students' ids, found by whatever else stands in their row.

    Args:
        path: a CSV file with a column `id`, the students' ids in the gradebook. Each other value
            of a row may be what the LMS calls this student: a name, a user, a number. With
            `first_name` and `last_name` both orders count. So it can be the file for
            `nbgrader db student import`. None is an empty list.

    Raises:
        ValueError: there is no such column, or one value means two students.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._ids: dict[str, str] = {}
        if path is None:
            return
        with path.open(encoding="utf-8-sig", newline="") as file:
            sample = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=";" if sample.count(";") else ",")
            names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            if "id" not in names:
                found = ", ".join(names) or "nothing"
                raise ValueError(
                    f"{path}: the first line has no column `id` (found: {found}); write for "
                    "example `id,name`, and below `ada,Ada Lovelace`"
                )
            reader.fieldnames = names
            for row in reader:
                self._add(path, reader.line_num, row)

    def _add(self, path: Path, line: int, row: dict[str, str | None]) -> None:
        values = {key: str(value).strip() for key, value in row.items() if key and value}
        student = values.get("id", "")
        if not student:
            return
        first, last = values.get("first_name", ""), values.get("last_name", "")
        run_together = re.sub(r"\W", "", last + first)  # as Canvas writes it
        both = [f"{first} {last}", f"{last} {first}", f"{last}, {first}", run_together]
        single = {"first_name", "last_name"}
        aliases = [value for key, value in values.items() if key not in single]
        for alias in [*aliases, *(both if first and last else [])]:
            known = self._ids.setdefault(_key(alias), student)
            if known != student:
                raise ValueError(
                    f"{path}, line {line}: {alias} means {student} here and {known} further up; "
                    "give the number that the LMS writes into the file's name as well"
                )

    def find(self, *names: str) -> str:
        """Return the student whom one of `names` means, the first that is known; "" if none is."""
        return next((self._ids[key] for name in names if (key := _key(name)) in self._ids), "")


def _key(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def identity(origin: Origin) -> tuple[str, str]:
    """Who it is to the LMS: two of one name differ in their numbers."""
    return origin.person, origin.number


def name_students(
    origins: Sequence[Origin],
    system: str,
    people: ClassList,
    spelled: dict[str, str],
    known: Sequence[dict[str, str]],
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """Give everybody a student's id, and refuse to guess where two people would share one.

    Args:
        origins: everybody who handed in something.
        system: the LMS.
        people: the class list, which goes before all else.
        spelled: the ids there are, by their casefolded form.
        known: who was collected before, the rows of the ledger.

    Returns:
        {identity: id}, and {identity: why the id cannot be used}.
    """
    everybody = {identity(origin): origin for origin in origins}
    names = {person.casefold() for person, _ in everybody}
    blind = system == "Moodle" and (names <= {_BLIND} or (len(names) == 1 and len(everybody) > 1))
    students: dict[tuple[str, str], str] = {}
    refused: dict[tuple[str, str], str] = {}
    sharing: dict[str, list[Origin]] = defaultdict(list)
    unlisted: set[tuple[str, str]] = set()
    for key, origin in everybody.items():
        listed = people.find(origin.number, f"{origin.person} {origin.number}", origin.person)
        name = f"{origin.person}-{origin.number}" if blind else origin.person
        student = safe_id(listed or name)
        student = students[key] = spelled.get(student.casefold(), student)
        sharing[student.casefold()].append(origin)
        if not student:
            refused[key] = f"{origin.person} cannot be an id in nbgrader: give --names"
        elif not listed:
            unlisted.add(key)
            if other := _known_as_another(student, origin, system, known):
                refused[key] = f"{other} has this id already: tell them apart with --names"
    for same in sharing.values():
        who = ", ".join(sorted(f"{o.person} {o.number}".strip() for o in same))
        reason = f"{who} would share this id: tell them apart with --names"
        refused |= {identity(o): reason for o in same if len(same) > 1 and identity(o) in unlisted}
    return students, refused


def _known_as_another(
    student: str, origin: Origin, system: str, known: Sequence[dict[str, str]]
) -> str:
    """Return whom the id belongs to, when that is somebody else of the same LMS."""
    for row in known:
        if row["student"] != student or row["system"] != system:
            continue
        # The other systems' numbers belong to the hand-in, not to the person.
        number = origin.number if system in ("Canvas", "Brightspace") else row["number"]
        if row["person"].casefold() != origin.person.casefold() or row["number"] != number:
            return f"{row['person']} {row['number']}".strip()
    return ""
