"""docs/instructors.md says what is so: its commands, their options, settings and limits."""

from __future__ import annotations

import re
import shlex

import pytest
from graded_class import REPOSITORY
from nbgrader import preprocessors
from nbgrader.apps import NbGraderApp
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from facegan_ref.cli import cli
from facegan_ref.grading.collecting.class_list import ClassList
from facegan_ref.grading.execute import GuardedExecute
from facegan_ref.grading.publish import WriteAddress
from facegan_ref.grading.sandbox import Limits
from facegan_ref.grading.sandbox.keeper import TICK_S

PAGE = (REPOSITORY / "docs" / "instructors.md").read_text(encoding="utf-8")
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
         for line in block.splitlines()]  # fmt: skip
COMMANDS = [
    " ".join(text.split())
    for text in SHELL + re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))
    if text.startswith(("facegan ", "nbgrader "))
]


def test_there_are_commands() -> None:
    names = {tuple(command.split()[:2]) for command in COMMANDS}
    for needed in ("student-edition", "collect", "grade", "doctor"):
        assert ("facegan", needed) in names


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command: str) -> None:
    program, name, *words = shlex.split(command)
    if program == "facegan":
        command = cli.commands[name]
        if words:
            command.make_context(name, list(words))
        return
    app = NbGraderApp()
    path = [name, *words]
    while path and path[0] in app.subcommands:
        app = app.subcommands[path.pop(0)][0]()
    assert path != [name, *words]
    flags = {word.split("=")[0].lstrip("-") for word in path if word.startswith("--")}
    assert flags <= {*app.aliases, *app.flags}


def test_settings_are_known() -> None:
    c = Config()
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, {"c": c})
    known = {kind.__name__: kind for kind in (WriteAddress, GuardedExecute, CourseDirectory)}
    known["AssignLatePenalties"] = preprocessors.AssignLatePenalties
    assert set(c) == set(known)
    for section, settings in c.items():
        for name, value in settings.items():
            made = known[section](**{name: value})
            assert getattr(made, name) == value
    penalty = c.AssignLatePenalties.plugin_class().late_submission_penalty
    assert [penalty("ada", 10.0, s) for s in (1, 86400, 10**9)] == [1.0, 2.0, 10.0]


def test_the_class_list_names_students(tmp_path) -> None:
    (tmp_path / "students.csv").write_text(re.search(r"<<'END'\n(.*?)END\n", PAGE, re.DOTALL)[1])
    people = ClassList(tmp_path / "students.csv")
    assert people.find("Pat O'Brien") == people.find("12346") == people.find("obrienpat") == "pat"


def test_limits_are_the_defaults() -> None:
    said = re.search(
        r"(\d+) s of processor time for a cell, (\d+) s\s+for a notebook, (\d+) GB of memory, "
        r"(\d+) processes", PAGE,
    )  # fmt: skip
    limits, settings = Limits(), GuardedExecute()
    assert [int(number) for number in said.groups()] == [
        settings.cell_seconds, settings.total_seconds, settings.memory_mb / 1024, limits.processes
    ]  # fmt: skip
    assert limits.memory == settings.memory_mb << 20
    assert f"looked at {round(1 / TICK_S)} times a second" in PAGE
