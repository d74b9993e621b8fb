"""Write what students get: released lessons, the package and its checks, the tools to run them.

No solution, hidden test, wrong answer, gradebook or setting of the grading gets in. The package
does, with the reference code that the checks compare with and later lessons build on; it cannot be
left out, and so it is public (grading does not let an answer import it).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from facegan_ref.grading.config import RELEASE, load_config
from facegan_ref.grading.contents import lessons_table
from facegan_ref.grading.publish import WriteAddress
from facegan_ref.grading.release import build, lesson_names
from facegan_ref.grading.student_readme import GITIGNORE, MAKEFILE, README
from facegan_ref.grading.submissions import visible_files

COPIED = (
    "facegan_ref", "data_prep", "docs", "tests/lessons", "tests/conftest.py", "LICENSE",
    "environment.yml", "pyproject.toml",
)  # fmt: skip
LEFT_OUT = ("facegan_ref/grading/", "docs/instructors.md")
MANIFEST = ".student-edition.json"


@dataclass
class Edition:
    """What was done to the folder, by the files' paths in it.

    Attributes:
        kept: somebody changed them, and the new edition has others: these were not touched.
        address: where the lessons' badges lead.
    """

    address: str
    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def write_student_edition(
    course_dir: Path, target: Path, *, repository: str = "", force: bool = False
) -> Edition:
    """Write, or bring up to date, the student edition of a course in the folder `target`.

    Args:
        course_dir: the course repository.
        target: an empty folder, one with only a fresh `.git`, or an earlier edition.
        repository: the edition's own place on GitHub, OWNER/NAME, for Colab; the default is the
            earlier edition's, or else `c.WriteAddress.repository` of the course's settings.
        force: also replace files that somebody changed.

    Raises:
        ValueError: a folder or the address cannot be used; nothing was written then.
    """
    root, target = Path(course_dir).resolve(), Path(target).resolve()
    if repository and not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"{repository}: a repository is OWNER/NAME, such as my-school/face-gans")
    before, earlier = _earlier(root, target)
    default = WriteAddress.repository.default()
    address = repository or earlier or load_config(root).WriteAddress.get("repository", default)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside its destination: moving a file within a file system is atomic.
    with tempfile.TemporaryDirectory(prefix=".edition-", dir=target.parent) as folder:
        fresh = Path(folder)
        _gather(root, fresh, address)
        return _bring_up_to_date(fresh, target, before, Edition(address), force)


def _earlier(root: Path, target: Path) -> tuple[dict[str, str], str]:
    """Return {path: SHA-256} and the address of the edition that is there.

    Raises:
        ValueError: it is no place for an edition.
    """
    inside = [root / name for name in (*COPIED, "solutions", RELEASE, ".grading")]
    if target == root or target in root.parents or {target, *target.parents} & set(inside):
        raise ValueError(
            f"{target}: choose a folder outside of the course, such as ../for-students"
        )
    for name in ("facegan_ref", "pyproject.toml", "solutions"):
        if not (root / name).exists():
            raise ValueError(f"{root} is no course repository: it has no {name}; give --course")
    if target.exists() and not target.is_dir():
        raise ValueError(f"{target} is a file, not a folder")
    manifest = target / MANIFEST
    if manifest.is_file():
        try:
            facts = json.loads(manifest.read_text(encoding="utf-8"))
            files = {str(name): str(digest) for name, digest in facts["files"].items()}
            return files, str(facts["repository"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{manifest} cannot be read: {error}; choose another folder"
            ) from error
    found = sorted(p.name for p in target.iterdir() if p.name != ".git") if target.exists() else []
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise ValueError(
            f"{target} is neither empty nor an earlier edition: it has {', '.join(found[:5])}{more}"
        )
    return {}, ""


def _gather(root: Path, fresh: Path, address: str) -> None:
    """Put the whole edition together in an empty folder."""
    for name in _course_files(root):
        copy = fresh / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((root / name).read_bytes())
    names = lesson_names(root)
    build(root, fresh / RELEASE, names, repository=address)
    for name, text in (
        ("README.md", README.format(table=lessons_table(names))),
        ("Makefile", MAKEFILE),
        (".gitignore", GITIGNORE),
    ):
        (fresh / name).write_text(text, encoding="utf-8")


def _course_files(root: Path) -> Iterable[str]:
    """Yield the files to copy: those that git knows, or would add; all visible ones without git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others",
               "--exclude-standard", "--", *COPIED]  # fmt: skip
    try:
        listed = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        names = sorted(set(filter(None, listed.stdout.split("\0"))))
    except OSError:  # git is not installed
        names = []
    if not names:
        paths = [path for name in COPIED for path in _visible(root / name)]
        names = [path.relative_to(root).as_posix() for path in paths]
    for name in names:
        path = root / name
        if not name.startswith(LEFT_OUT) and path.is_file() and not path.is_symlink():
            yield name


def _visible(path: Path) -> Iterable[Path]:
    return [path] if path.is_file() else visible_files(path)


def _bring_up_to_date(
    fresh: Path, target: Path, before: dict[str, str], edition: Edition, force: bool
) -> Edition:
    now = {path.relative_to(fresh).as_posix(): path for path in sorted(fresh.rglob("*"))
           if path.is_file()}  # fmt: skip
    after = {}
    for name, path in now.items():
        place, digest = target / name, _digest(path)
        there = _digest(place)
        untouched = there is None or there == before.get(name)
        after[name] = digest
        if there == digest:
            edition.same.append(name)
        elif _leads_out(place, target) or not (untouched or force):
            # Somebody's work; when the edition has nothing new for it, there is nothing to say.
            if before.get(name) != digest:
                edition.kept.append(name)
            after[name] = before.get(name, "")
        else:
            (edition.new if there is None else edition.updated).append(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, place)
    for name in sorted(set(before) - set(now)):
        place = target / name
        if _leads_out(place, target) or not place.is_file():
            continue
        if _digest(place) == before[name] or force:
            edition.removed.append(name)
            place.unlink()
            _remove_empty(place.parent, target)
        else:
            edition.kept.append(name)
    facts = {"made_by": "facegan student-edition", "repository": edition.address, "files": after}
    (fresh / MANIFEST).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh / MANIFEST, target / MANIFEST)
    return edition


def _digest(path: Path) -> str | None:
    """The SHA-256 of a file; None when there is nothing, "" for what is no plain file."""
    if not os.path.lexists(path):
        return None
    plain = path.is_file() and not path.is_symlink()
    return hashlib.sha256(path.read_bytes()).hexdigest() if plain else ""


def _leads_out(place: Path, target: Path) -> bool:
    parent = place.parent.resolve()
    return ".." in PurePosixPath(place).parts or not {parent, *parent.parents} & {target}


def _remove_empty(folder: Path, target: Path) -> None:
    while folder != target and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
