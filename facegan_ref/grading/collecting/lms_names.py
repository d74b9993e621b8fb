"""Whose file is it, and when was it handed in? Read from the names that an LMS gives its files.

The names were taken from the programs which write them, or from scripts that read them: Moodle
`mod/assign/classes/downloader.php`, Canvas `lib/content_zipper.rb`; Blackboard, Brightspace, Sakai
and nbgrader's exchange from what is found in the wild.

One export has one layout: the one that most of its first-level names have. So nobody can hand in a
file as somebody else, by giving it a name as another LMS would write it, or by a folder in a ZIP.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import NamedTuple


class System(NamedTuple):
    """How one LMS names the files (or folders) on the first level of what it exports."""

    name: str
    pattern: re.Pattern[str]
    times: tuple[str, ...] = ()
    utc: bool = False


_NUMBERS = r"(?P<number>\d+)"
SYSTEMS = (
    # Ada Lovelace_12345_assignsubmission_file_/x.ipynb, or flat: …_assignsubmission_file_x.ipynb
    System(
        "Moodle",
        re.compile(
            rf"(?P<person>.+?)(?:_{_NUMBERS})?_assignsubmission_[a-z]+(?:_(?P<file>.*))?", re.DOTALL
        ),
    ),
    # 03_losses_ada_attempt_2026-11-22-10-00-00_x.ipynb, and one without a file's name and with .txt
    System(
        "Blackboard",
        re.compile(
            r"(?P<work>.+?)_(?P<person>[^_]+)_attempt_(?P<when>\d{4}(?:-\d\d){5})"
            r"(?:_(?P<file>.+)|\.txt)"
        ),
        ("%Y-%m-%d-%H-%M-%S",),
    ),
    # 39786-640693 - Ada Lovelace - Oct 10, 2025 1022 AM/x.ipynb, or flat: … AM - x.ipynb
    System(
        "Brightspace",
        re.compile(
            rf"{_NUMBERS}-\d+ ?- (?P<person>.+?) ?- "
            r"(?P<when>\w+ \w+, \d{4} \d{3,4}(?: ?[AP]M)?)(?: ?- (?P<file>.+))?"
        ),
        ("%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p", "%d %B, %Y %I%M %p", "%d %B, %Y %H%M"),
    ),
    # Lovelace, Ada(ada)/Submission attachment(s)/x.ipynb
    System("Sakai", re.compile(r"[^()]+, ?[^()]*\((?P<person>[^()]+)\)")),
    # ada+03_losses+2026-11-22 10:00:00.000000 UTC+hash/03_losses.ipynb
    System(
        "nbgrader's exchange",
        re.compile(
            r"(?P<person>[^+]+)\+[^+]+\+(?P<when>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? UTC)"
            r"(?:\+.*)?"
        ),
        ("%Y-%m-%d %H:%M:%S.%f UTC", "%Y-%m-%d %H:%M:%S UTC"),
        utc=True,
    ),
    # LATE_anon_x5fG2_67890_x.ipynb
    System(
        "Canvas",
        re.compile(r"(?P<late>LATE_)?(?P<person>anon_[A-Za-z0-9]+)_(?P<order>\d{2,})_(?P<file>.+)"),
    ),
    # lovelaceada_LATE_12345_67890_x-1.ipynb
    System(
        "Canvas",
        re.compile(
            r"(?P<person>\w+?)_(?P<late>LATE_)?(?P<number>\d{2,})_(?P<order>\d{3,})_(?P<file>.+)"
        ),
    ),
)
PLAIN = "folders"


@dataclass(frozen=True)
class Origin:
    """What a name says of a file.

    Attributes:
        person: as the LMS calls whoever handed it in.
        number: the LMS's number of this person, or of this hand-in; may be empty.
        file: the file's own name.
        when: as the name says it; without a time zone it is the LMS's own time.
        order: of two hand-ins of one person the later has the higher one.
        late: the name says that it came too late.
    """

    person: str
    number: str = ""
    file: str = ""
    when: datetime | None = None
    order: int = 0
    late: bool = False


class Layout:
    """How the paths of one export say whose each file is.

    Args:
        paths: all files of the export in which a hand-in could be.
        lessons: the lessons' names: folders which are called so are no students.
        pattern: a regular expression for the whole path, as nbgrader's `named_regexp`, with the
            groups `student_id` and, if it likes, `file_id` and `timestamp`.
    """

    def __init__(
        self,
        paths: Sequence[tuple[str, ...]],
        lessons: Sequence[str],
        pattern: str = "",
    ) -> None:
        self.lessons = set(lessons)
        try:
            self.pattern = re.compile(pattern) if pattern else None
        except re.error as error:
            raise ValueError(f"{pattern} is no regular expression: {error}") from error
        self.depth = self._wrappers(paths)
        units = {path[self.depth] for path in paths if len(path) > self.depth}
        self.systems = _systems_of(units)
        if not self.systems:
            alone = len(units) == 1 and any(len(path) == self.depth + 1 for path in paths)
            if self.depth and (
                alone
                or not all(len(p) > self.depth + 1 or self._plain(p[self.depth], ()) for p in paths)
            ):
                self.depth -= 1  # one student's folder
        if self.pattern:
            self.systems = ()
        self.name = self.systems[0].name if self.systems else PLAIN
        self._work = _common([unit for unit in units if self.name == "Blackboard"])
        self._users: dict[str, str] = {}
        self._times: dict[str, datetime] = {}

    def _wrappers(self, paths: Sequence[tuple[str, ...]]) -> int:
        """The number of folders around everything."""
        depth = 0
        while paths and all(len(path) > depth + 1 for path in paths):
            first = {path[depth] for path in paths}
            if len(first) > 1 or first & self.lessons or any(map(_is_persons, first)):
                break
            depth += 1
        return depth

    def learn(self, path: tuple[str, ...], text: str) -> None:
        """Look at a text file that the LMS itself wrote, for what the names do not say."""
        unit, rest = path[self.depth], path[self.depth + 1 :]
        if self.name == "Blackboard" and not rest and unit.endswith(".txt"):
            # Its names mix up `03_losses` by `ada_l` with `03_losses_ada` by `l`.
            match = re.match(r"\ufeff?Name: .*\(([^()\n]+)\)\s*$", text, re.MULTILINE)
            attempt = unit.removesuffix(".txt")
            if match and f"_{match[1]}_attempt_" in attempt:
                self._users[attempt] = match[1]
        elif self.name == "Sakai" and rest == ("timestamp.txt",):
            when = _read_time(text.strip()[:14], ("%Y%m%d%H%M%S",))
            self._times |= {unit: when} if when else {}

    def wrote(self, path: tuple[str, ...]) -> bool:
        """Whether the LMS itself made this file."""
        unit, rest = path[self.depth], path[self.depth + 1 :]
        if self.name == "Blackboard":
            return not rest and re.fullmatch(r".*_attempt_[\d-]+\.txt", unit) is not None
        return self.name == "Sakai" and rest[:1] != ("Submission attachment(s)",)

    def origin(self, path: tuple[str, ...]) -> Origin | None:
        """Say whose `path` is; None when its names do not tell."""
        if self.pattern:
            return self._by_pattern(path)
        if len(path) <= self.depth:
            return None
        unit, rest = path[self.depth], path[self.depth + 1 :]
        for system in self.systems:
            if match := system.pattern.fullmatch(unit):
                groups = match.groupdict()
                if when := groups.get("when"):
                    attempt = unit[: unit.index(when) + len(when)]
                    more = (groups.get("work") or "").removeprefix(self._work).lstrip("_")
                    user = f"{more}_{groups['person']}" if self._work and more else None
                    groups["person"] = self._users.get(attempt) or user or groups["person"]
                found = _from_match(system, groups, rest)
                return replace(found, when=found.when or self._times.get(unit))
        return None if self.systems else self._plain(unit, rest)

    def _by_pattern(self, path: tuple[str, ...]) -> Origin | None:
        match = self.pattern.match("/" + "/".join(map(_stem, path[:-1])) + "/" + path[-1])
        groups = match.groupdict() if match else {}
        if not groups.get("student_id"):
            return None
        when = _read_time(groups.get("timestamp") or "", ("%Y-%m-%d-%H-%M-%S",))
        return Origin(groups["student_id"], file=groups.get("file_id") or path[-1], when=when)

    def _plain(self, unit: str, rest: tuple[str, ...]) -> Origin | None:
        """STUDENT/…/x.ipynb, STUDENT.zip, LESSON/STUDENT/…, or STUDENT.ipynb."""
        if unit in self.lessons and len(rest) > 1:
            return Origin(_stem(rest[0]), file=rest[-1])
        if rest:
            return None if unit in self.lessons else Origin(_stem(unit), file=rest[-1])
        person = _stem(unit)
        for lesson in self.lessons:
            person = re.sub(rf"(?i)(^|[ _-]+){re.escape(lesson)}($|[ _-]+)", "", person)
        person = person.strip(" _-")
        return Origin(person, file=unit) if re.search(r"[^\W\d_]", person) else None


def _systems_of(units: Collection[str]) -> tuple[System, ...]:
    """The system whose names most of the units have, at least half of them; () if there is none.

    The name which an LMS gives a flat file ends with the student's own name for it, and that may
    look like another LMS's. So of two that fit, the one counts that leaves more to the student.
    """
    found = []
    for name in dict.fromkeys(system.name for system in SYSTEMS):
        systems = tuple(system for system in SYSTEMS if system.name == name)
        matches = [m for unit in units for m in [_match(systems, unit)] if m]
        orders = [order for m in matches if (order := m.groupdict().get("order"))]
        if 2 * len(matches) < max(len(units), 1) or len(set(orders)) < len(orders):
            continue  # Canvas gives no number twice
        own = sum(len(m.groupdict().get("file") or "") for m in matches)
        found.append(((len(matches), own), systems))
    return max(found, key=lambda pair: pair[0])[1] if found else ()


def _match(systems: Sequence[System], unit: str) -> re.Match[str] | None:
    return next((m for system in systems if (m := system.pattern.fullmatch(unit))), None)


def _common(units: Sequence[str]) -> str:
    """The assignment's name in Blackboard's: what stands in front of all users."""
    matches = [match for unit in units for s in SYSTEMS if s.name == "Blackboard"
               if (match := s.pattern.fullmatch(unit))]  # fmt: skip
    words = [match["work"].split("_") for match in matches]
    same = zip(*words, strict=False) if words else ()
    count = next((i for i, column in enumerate(same) if len(set(column)) > 1), None)
    return "_".join(words[0][: count or min(map(len, words))]) if words and count != 0 else ""


def _is_persons(name: str) -> bool:
    return any(s.pattern.fullmatch(name) for s in SYSTEMS)


def _stem(name: str) -> str:
    return re.sub(r"(?i)(\.zip|\.ipynb(\.txt|\.json)?)$", "", name)


def _from_match(system: System, groups: dict, rest: tuple[str, ...]) -> Origin:
    return Origin(
        person=groups["person"],
        number=groups.get("number") or "",
        file=rest[-1] if rest else groups.get("file") or "",
        when=_read_time(groups.get("when") or "", system.times, system.utc),
        order=int(groups.get("order") or 0),
        late=bool(groups.get("late")),
    )


def _read_time(text: str, formats: Sequence[str], utc: bool = False) -> datetime | None:
    text = re.sub(r" (\d)(\d\d)(?= ?[AP]M|$)", r" 0\1\2", text)  # Brightspace writes 922 AM
    for form in formats:
        try:
            when = datetime.strptime(text, form)
        except ValueError:
            continue
        return when.replace(tzinfo=timezone.utc) if utc else when
    return None


def safe_id(person: str) -> str:
    """Turn a person's name into what nbgrader takes as a student's id; unchanged if it can be."""
    name = unicodedata.normalize("NFC", person).strip()
    if re.fullmatch(r"[\w@][\w@.+ -]*", name) and len(name) <= 64 and not name.endswith("."):
        return name
    return re.sub(r"[^\w@.+-]+", "-", name).strip("-.+")[:64].strip("-.+")


def likeness(file: str, lesson: str) -> int:
    """2 when a file is called as the lesson is, 1 when a browser or an LMS added to it, else 0."""
    stem = _stem(file)
    shorter = re.sub(r"( ?\(\d+\)|-\d+|-Copy\d+)$", "", stem)
    return 2 if stem == lesson else int(shorter == lesson)
