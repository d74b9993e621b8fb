"""Hand-in folders and notebook files that are broken, enormous, or not what they seem."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hand_ins import attack, honest

from facegan_ref.grading.sample_kit import LessonKit

if TYPE_CHECKING:
    from world import World


def _link(target: str):
    def fill(kit: LessonKit, world: World, folder: Path) -> None:
        folder.mkdir(parents=True)
        place = world.words.get(target, target)
        (folder / f"{kit.lesson}.ipynb").symlink_to(place)

    return fill


def _link_to_solutions(kit: LessonKit, world: World, folder: Path) -> None:
    folder.mkdir(parents=True)
    source = world.course / "solutions" / kit.lesson / f"{kit.lesson}.ipynb"
    (folder / f"{kit.lesson}.ipynb").symlink_to(source)


def _folder_is_a_link(kit: LessonKit, world: World, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.symlink_to(world.hand_in("neighbour"))


def _links_beside(kit: LessonKit, world: World, folder: Path) -> None:
    kit.write(folder, kit.solved())
    places = ("gradebook", "solutions", "home", "notes", "neighbour")
    for place in places:
        (folder / f"{place}.txt").symlink_to(world.words[place])
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere").symlink_to(folder / "missing")


def _fifo(kit: LessonKit, world: World, folder: Path) -> None:
    folder.mkdir(parents=True)
    os.mkfifo(folder / f"{kit.lesson}.ipynb")


def _odd_files(kit: LessonKit, world: World, folder: Path) -> None:
    kit.write(folder, kit.solved())
    os.mkfifo(folder / "data.fifo")
    (folder / "sparse.bin").touch()
    os.truncate(folder / "sparse.bin", 2**40)
    (folder / "locked.txt").write_text("x")
    (folder / "locked.txt").chmod(0)
    (folder / "a\nb\x1b[31m <b>.txt").write_text("x")
    (folder / os.fsdecode(b"\xff\xfe.txt")).write_text("x")
    deep = folder
    for _ in range(60):
        deep = deep / "deeper"
    deep.mkdir(parents=True)
    (deep / "end.txt").write_text("x")


def _notebook_is_a_folder(kit: LessonKit, world: World, folder: Path) -> None:
    (folder / f"{kit.lesson}.ipynb").mkdir(parents=True)


def _sparse_notebook(kit: LessonKit, world: World, folder: Path) -> None:
    kit.write(folder, "{}")
    os.truncate(folder / f"{kit.lesson}.ipynb", 2**40)


def _many_files(kit: LessonKit, world: World, folder: Path) -> None:
    kit.write(folder, kit.solved())
    for number in range(3000):
        (folder / f"frame-{number}.txt").write_text("x")


def _packages(kit: LessonKit, world: World, folder: Path) -> None:
    """Modules, bytecode and settings with which Python or IPython would start."""
    kit.write(folder, kit.blank())
    forged = "grade = lambda *_: 4.0\ngrade_fresh = lambda *_: 1.0\nhint = print\n"
    for name in ("facegan_ref/checks/__init__.py", "facegan_ref/__init__.py", "torch.py",
                 "sitecustomize.py", "usercustomize.py", "signal.py", "__pycache__/torch.py",
                 "facegan_ref/checks/engine.py", "IPython/__init__.py", "nbgrader_config.py",
                 "ipython_config.py", ".ipython/profile_default/startup/00.py",
                 "conftest.py", "facegan_ref.pth", "pyvenv.cfg"):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(forged)


def _text(text: str):
    def fill(kit: LessonKit, world: World, folder: Path) -> None:
        kit.write(folder, text)

    return fill


def _bytes(data: bytes):
    def fill(kit: LessonKit, world: World, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / f"{kit.lesson}.ipynb").write_bytes(data)

    return fill


DEEP = '{"cells": ' + "[" * 200_000 + "]" * 200_000 + "}"
for name, story, fill, says in (
    ("file-empty", "an empty file", _text(""), "is empty"),
    ("file-deep", "JSON that is 200 000 levels deep", _text(DEEP), ""),
    ("file-list", "a list in place of a notebook", _text("[1, 2]"), "not a Jupyter notebook"),
    ("file-number", "a number in place of a notebook", _text("4.0"), "not a Jupyter notebook"),
    ("file-nothing", "`null` in place of a notebook", _text("null"), "not a Jupyter notebook"),
    ("file-huge-number", "a number of a million digits", _text("1" * 1_000_000), ""),
    ("file-binary", "a zip file in place of a notebook", _bytes(b"PK\x03\x04\xff" * 99), "UTF-8"),
    ("file-utf16", "a notebook in UTF-16", _bytes('{"cells": []}'.encode("utf-16")), "UTF-8"),
    ("file-no-cells", "a notebook without cells", _text('{"nbformat": 4, "metadata": {}}'), ""),
    ("file-fifo", "a pipe in place of a notebook", _fifo, ""),
    ("file-folder", "a folder in place of a notebook", _notebook_is_a_folder, ""),
    ("file-sparse", "a notebook of a terabyte", _sparse_notebook, "MB"),
    ("file-link-neighbour", "a link to a neighbour's notebook", _link("neighbour"), "link"),
    ("file-link-solutions", "a link to the solutions", _link_to_solutions, "link"),
    ("file-link-endless", "a link to an endless device", _link("/dev/zero"), "link"),
    ("folder-link-neighbour", "a link to a neighbour's folder", _folder_is_a_link, "link"),
):
    attack(name, story, fill=fill, says=says, status="problem")

attack("packages-of-its-own", "blank, beside modules of all kinds", fill=_packages, says="not used")
honest("links-beside", "right, beside links to everything", fill=_links_beside)
honest("odd-files-beside", "right, beside pipes, huge, locked and odd files", fill=_odd_files)
honest("many-files-beside", "right, beside 3000 files", fill=_many_files)
