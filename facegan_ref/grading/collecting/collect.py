"""Bring hand-ins from an LMS's export, or a folder, to where nbgrader looks for them.

Whose a file is, its name says (`lms_names`); which lesson it is, its cells say (`recognise`). What
cannot be taken is named with the reason and stays where it is. Nothing here runs student code.
"""

from __future__ import annotations

import filecmp
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone, tzinfo
from pathlib import Path

from facegan_ref.grading.collecting.archives import Entry, read_source
from facegan_ref.grading.collecting.class_list import ClassList, identity, name_students
from facegan_ref.grading.collecting.lms_names import PLAIN, Layout, Origin, likeness
from facegan_ref.grading.collecting.recognise import LessonFinder
from facegan_ref.grading.collecting.submitted import (
    OLDER,
    REPLACED,
    UNCHANGED,
    NewHandIn,
    SubmittedFolder,
)
from facegan_ref.grading.config import PRIVATE, load_config
from facegan_ref.grading.release import find_lesson

_SAYS = {
    REPLACED: "replaced; the old one is in .grading/superseded",
    UNCHANGED: "unchanged",
    OLDER: "not taken: what is there was handed in later",
}
_NOBODY = "its name does not say whose it is"


@dataclass(frozen=True)
class Row:
    """One file: whose, what, and what became of it."""

    student: str
    lesson: str
    file: str
    done: str
    taken: bool = True


@dataclass
class Collection:
    """What `collect` found and did.

    Attributes:
        layout: the LMS whose names the files have, or "folders".
        noise: how many files were left out that no student made: by macOS, Jupyter, the LMS.
        without: who handed in something, but nothing that could be taken.
    """

    layout: str
    rows: list[Row] = field(default_factory=list)
    noise: int = 0
    without: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _HandIn:
    entry: Entry
    origin: Origin
    student: str
    lesson: str
    recognised: bool
    position: int
    direct: bool
    note: str

    def rank(self) -> tuple:
        """What of two notebooks of one student for one lesson is the newer one."""
        earliest = datetime.min.replace(tzinfo=timezone.utc)
        return (
            self.recognised,
            self.origin.when or earliest,
            self.origin.order,
            self.direct,
            self.entry.modified or datetime.min,
            likeness(self.origin.file, self.lesson),
            self.position,
        )


def collect(
    course_dir: Path,
    source: Path,
    *,
    lesson: str = "",
    names: Path | None = None,
    pattern: str = "",
    zone: tzinfo | None = None,
    dry_run: bool = False,
) -> Collection:
    """Collect the notebooks of `source` into the course's folder of hand-ins.

    Args:
        course_dir: holds `solutions/` and `nbgrader_config.py`.
        source: the ZIP that an LMS exported, or a folder.
        lesson: "03" or "03_losses": take this one only. Notebooks that show no lesson are then
            taken for it.
        names: a CSV, see `ClassList`.
        pattern: how paths say whose a file is, when it is in no known way; see `Layout`. The
            default is `c.FileNameCollectorPlugin.named_regexp` of the course's settings.
        zone: the time zone of the LMS; this machine's when None.
        dry_run: only say what would be done.

    Raises:
        ValueError: `source`, `names` or `lesson` cannot be used; nothing was done then.
    """
    root = Path(course_dir).resolve()
    finder = LessonFinder(root)
    only = find_lesson(root, lesson) if lesson else ""
    people = ClassList(names)
    config = load_config(root)
    pattern = pattern or config.FileNameCollectorPlugin.get("named_regexp", "")
    folder = SubmittedFolder(root / config.CourseDirectory.submitted_directory, root / PRIVATE)
    inside = folder.submitted.resolve()
    if inside in (source.resolve(), *source.resolve().parents):
        raise ValueError(f"{source}: hand-ins in {folder.submitted} are collected already")

    parent = None if dry_run else folder.submitted.parent
    with tempfile.TemporaryDirectory(prefix=".collect-", dir=parent) as temporary:
        copies = Path(temporary)
        entries = list(read_source(source, copies))
        job = _Collecting(entries, finder, only, people, folder, pattern, zone)
        result = job.sort(str(source.name))
        for i, plan in enumerate(job.plans):
            result.rows += job.carry_out(plan, None if dry_run else copies / f"new-{i}")
    with_something = {row.student for row in result.rows if row.student}
    result.without = sorted(with_something - {row.student for row in result.rows if row.taken})
    result.rows.sort(key=lambda row: (not row.taken, row.student.casefold(), row.lesson, row.file))
    return result


class _Collecting:
    def __init__(
        self,
        entries: Sequence[Entry],
        finder: LessonFinder,
        only: str,
        people: ClassList,
        folder: SubmittedFolder,
        pattern: str,
        zone: tzinfo | None,
    ) -> None:
        self.entries = [entry for entry in entries if not entry.noise]
        self.finder, self.only, self.people = finder, only, people
        self.folder, self.zone = folder, zone
        self.layout = Layout([entry.parts for entry in self.entries], finder.names, pattern)
        for entry in self.entries:
            if entry.text is not None:
                self.layout.learn(entry.parts, entry.text)
        self.entries = [e for e in self.entries if e.notebook or not self.layout.wrote(e.parts)]
        self.noise = len(entries) - len(self.entries)
        self.plans: list[list[tuple[_HandIn, NewHandIn]]] = []

    def sort(self, source: str) -> Collection:
        """Find out whose and what each file is; make the plans, one a student."""
        result = Collection(self.layout.name, noise=self.noise)
        origins = [self._origin(entry) for entry in self.entries]
        students, refused = name_students(
            [origin for origin in origins if origin],
            self.layout.name,
            self.people,
            self.folder.students(),
            self.folder.known(),
        )
        best: dict[tuple[str, str], list[_HandIn]] = defaultdict(list)
        for i, (entry, origin) in enumerate(zip(self.entries, origins, strict=True)):
            student = students[identity(origin)] if origin else ""
            unclear = refused.get(identity(origin)) if origin else _NOBODY
            reason = entry.reason or unclear
            if not reason and origin and entry.notebook:
                lesson, recognised, reason = self._lesson(entry)
            if reason:
                result.rows.append(Row(student, "", entry.shown, f"not taken: {reason}", False))
                continue
            note = "" if student == origin.person else f"; handed in as {origin.person}"
            note += "; late, says Canvas" if origin.late else ""
            nested = any(part.lower().endswith(".zip") for part in entry.parts[:-1])
            if self.layout.name != PLAIN and not nested:
                entry = replace(entry, modified=None)  # the time of the download
            best[student, lesson].append(
                _HandIn(entry, origin, student, lesson, recognised, i, not nested, note)
            )
        plans: dict[str, list[tuple[_HandIn, NewHandIn]]] = defaultdict(list)
        for (student, lesson), found in sorted(best.items()):
            found.sort(key=_HandIn.rank, reverse=True)
            winner = found[0]
            same = [hand_in for hand_in in found if _same_bytes(hand_in, winner)]
            # Who hands in the same file once more is not later for that.
            times = [hand_in.origin.when for hand_in in same if hand_in.origin.when]
            result.rows += [_loser(hand_in, winner, hand_in in same) for hand_in in found[1:]]
            facts = {"person": winner.origin.person, "number": winner.origin.number,
                     "system": self.layout.name, "file": winner.entry.shown,
                     "source": source}  # fmt: skip
            when = min(times, default=None)
            new = NewHandIn(student, lesson, winner.entry.notebook, when, facts)
            plans[student].append((winner, new))
        self.plans = list(plans.values())
        return result

    def carry_out(
        self, plan: Sequence[tuple[_HandIn, NewHandIn]], stage: Path | None
    ) -> Iterable[Row]:
        """Put in what one student handed in; only say so when there is no `stage`."""
        new = [item for _, item in plan]
        try:
            if stage:
                done = self.folder.put(new, stage)
            else:
                done = [self.folder.compare(item) for item in new]
        except (OSError, ValueError) as error:
            return [Row(i.student, i.lesson, i.entry.shown, f"not taken: {error}", False)
                    for i, _ in plan]  # fmt: skip
        return [
            Row(
                item.student,
                item.lesson,
                item.entry.shown,
                _SAYS.get(action, action) + item.note,
            )
            for (item, _), action in zip(plan, done, strict=True)
        ]

    def _origin(self, entry: Entry) -> Origin | None:
        origin = self.layout.origin(entry.parts)
        if origin and origin.when and origin.when.tzinfo is None:
            when = origin.when.replace(tzinfo=self.zone) if self.zone else origin.when.astimezone()
            origin = replace(origin, when=when.astimezone(timezone.utc))
        return origin

    def _lesson(self, entry: Entry) -> tuple[str, bool, str]:
        """Return the lesson, whether the cells show it, and why it cannot be taken."""
        found = self.finder.by_content(entry.notebook.read_bytes())
        if not found:
            named = self.only or self.finder.by_name(entry.shown)
            return named, False, "" if named else "its cells show no lesson: give --lesson"
        if self.only and found != self.only:
            return found, True, f"it is lesson {found}"
        return found, True, ""


def _same_bytes(one: _HandIn, other: _HandIn) -> bool:
    return filecmp.cmp(one.entry.notebook, other.entry.notebook, shallow=False)


def _loser(hand_in: _HandIn, winner: _HandIn, same: bool) -> Row:
    if same:
        reason = "the same file again"
    elif not hand_in.recognised and winner.recognised:
        reason = "its cells show no lesson, another one's do"
    elif hand_in.origin.when != winner.origin.when:
        reason = f"an earlier attempt, {hand_in.origin.when:%Y-%m-%d %H:%M} UTC"
    else:
        reason = f"{winner.entry.name} was taken"
    return Row(hand_in.student, hand_in.lesson, hand_in.entry.shown, f"not taken: {reason}", False)
