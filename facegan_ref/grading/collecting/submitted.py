"""The folder of hand-ins, `.grading/submitted/STUDENT/LESSON/`: put in, replaced, never lost."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from nbgrader.utils import parse_utc

COLLECTED, REPLACED, UNCHANGED, OLDER = "collected", "replaced", "unchanged", "older"
_LEDGER_FIELDS = (
    "collected_at", "done", "student", "lesson", "person", "number", "system", "file", "source",
    "sha256",
)  # fmt: skip


@dataclass(frozen=True)
class NewHandIn:
    """A notebook that wants in.

    Attributes:
        copy: where it lies now.
        when: when it was handed in; None when nobody says.
        facts: what the ledger notes of where it came from: person, number, system, file, source.
    """

    student: str
    lesson: str
    copy: Path
    when: datetime | None
    facts: dict[str, str]


class SubmittedFolder:
    """What was handed in, and beside it what it replaced and a ledger of it all.

    Args:
        submitted: holds STUDENT/LESSON/LESSON.ipynb.
        private: holds `superseded/STUDENT/LESSON/TIME/`, and `collected.csv`.
    """

    def __init__(self, submitted: Path, private: Path) -> None:
        self.submitted = submitted
        self.superseded = private / "superseded"
        self.ledger = private / "collected.csv"

    def students(self) -> dict[str, str]:
        """Return the students' ids as they are spelled here, by their casefolded form."""
        folders = (path for path in self.submitted.glob("*") if path.is_dir())
        return {path.name.casefold(): path.name for path in folders}

    def known(self) -> list[dict[str, str]]:
        """Return the rows of the ledger."""
        if not self.ledger.is_file():
            return []
        with self.ledger.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def compare(self, new: NewHandIn) -> str:
        """Say what `put` would do with it.

        Raises:
            ValueError: the place is taken by something that is no folder.
        """
        student, lesson = self.submitted / new.student, self.submitted / new.student / new.lesson
        for folder in (student, lesson):
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise ValueError(f"{folder} is a link or a file, not a folder: move it away")
        if not lesson.exists() or not any(lesson.iterdir()):
            return COLLECTED
        notebook = lesson / f"{new.lesson}.ipynb"
        same = notebook.is_file() and notebook.read_bytes() == new.copy.read_bytes()
        there = _time_of(lesson)
        if same and (new.when is None or there is not None):
            return UNCHANGED
        if new.when and there and new.when < there:
            return OLDER
        return REPLACED

    def put(self, hand_ins: Sequence[NewHandIn], stage: Path) -> list[str]:
        """Put in all hand-ins of one student, or none when one of them cannot be put in.

        Args:
            stage: an empty folder on the same file system.

        Returns:
            What was done with each.
        """
        done = [self.compare(new) for new in hand_ins]
        moves: list[tuple[Path, Path]] = []
        for i, (new, action) in enumerate(zip(hand_ins, done, strict=True)):
            if action in (UNCHANGED, OLDER):
                continue
            fresh = stage / str(i)
            fresh.mkdir(parents=True)
            shutil.copyfile(new.copy, fresh / f"{new.lesson}.ipynb")
            if new.when:
                stamp = new.when.astimezone(timezone.utc)
                text = f"{stamp:%Y-%m-%d %H:%M:%S.%f} UTC\n"
                (fresh / "timestamp.txt").write_text(text, encoding="utf-8")
            place = self.submitted / new.student / new.lesson
            if action == REPLACED:
                moves.append((place, self._place_for_old(place, new)))
            elif place.exists():
                place.rmdir()
            moves.append((fresh, place))
        _move_all(moves)
        self._note(hand_ins, done)
        return done

    def _place_for_old(self, place: Path, new: NewHandIn) -> Path:
        when = _time_of(place) or datetime.fromtimestamp(place.stat().st_mtime, timezone.utc)
        folder = self.superseded / new.student / new.lesson
        name = f"{when:%Y-%m-%dT%H-%M-%SZ}"
        count = 1
        while (folder / name).exists():
            count += 1
            name = f"{when:%Y-%m-%dT%H-%M-%SZ}-{count}"
        return folder / name

    def _note(self, hand_ins: Sequence[NewHandIn], done: Sequence[str]) -> None:
        is_new = not self.ledger.exists()
        now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
        with self.ledger.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _LEDGER_FIELDS)
            if is_new:
                writer.writeheader()
            for new, action in zip(hand_ins, done, strict=True):
                digest = hashlib.sha256(new.copy.read_bytes()).hexdigest()
                writer.writerow(
                    {"collected_at": now, "done": action, "student": new.student,
                     "lesson": new.lesson, "sha256": digest, **new.facts}
                )  # fmt: skip


def _move_all(moves: Sequence[tuple[Path, Path]]) -> None:
    """Rename each, or none: what went before is taken back when one fails."""
    finished: list[tuple[Path, Path]] = []
    try:
        for old, new in moves:
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
            finished.append((old, new))
    except OSError:
        for old, new in reversed(finished):
            new.rename(old)
        raise


def _time_of(folder: Path) -> datetime | None:
    try:
        text = (folder / "timestamp.txt").read_text(encoding="utf-8").strip()
        return parse_utc(text).replace(tzinfo=timezone.utc)
    except (OSError, ValueError, OverflowError, TypeError):
        return None
