"""No hand-in changes a grade, looks or reaches out, stops the batch, or loses honest work."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from html.parser import HTMLParser

import nbformat
import pytest
from catalogue import GRADED, SUSPECTED
from hand_ins import HandIn
from hostile_class import HostileClass
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader.handlers import template_path
from scripts import TOKEN

from facegan_ref.grading.config import load_config
from facegan_ref.grading.running.table import class_table, what_to_look_at, write_csv

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def chosen(wanted: Callable[[HandIn], object]) -> list[str]:
    """Return the names of the hand-ins which are `wanted`."""
    return [name for name, hand_in in GRADED.items() if wanted(hand_in)]


ALL_OF_THEM = tuple(GRADED)
ATTACKS = chosen(lambda hand_in: hand_in.kind == "attack")
HONEST = chosen(lambda hand_in: hand_in.kind != "attack" and hand_in.name not in SUSPECTED)


@pytest.mark.parametrize("student", ALL_OF_THEM)
def test_points_are_those_deserved(hostile: dict[str, HostileClass], student: str) -> None:
    graded, hand_in = hostile[student], GRADED[student]
    row, points = graded.rows[student], graded.points(student)
    if hand_in.kind == "attack" and not any(points.values()):
        return  # nothing is right, too: an attack may cost what its answer earns without it
    assert points == hand_in.points(graded.kit), f"{row.status}: {row.notes} {row.suspicious}"
    assert row.points == sum(points.values())


def test_everybody_is_graded(hostile: dict[str, HostileClass]) -> None:
    rows = {student: hostile[student].rows[student] for student in ALL_OF_THEM}
    assert {name: row.notes for name, row in rows.items() if row.status == "failed"} == {}
    assert [name for name, row in rows.items() if not (row.reason and row.feedback)] == []
    expected = {name: GRADED[name].status for name in ALL_OF_THEM if GRADED[name].status}
    assert {name: rows[name].status for name in expected} == expected


def test_feedback_says_why(hostile: dict[str, HostileClass]) -> None:
    silent = {
        name: GRADED[name].says
        for name in ALL_OF_THEM
        if GRADED[name].says not in hostile[name].feedback(name)
    }
    assert silent == {}


def test_the_instructor_is_told(hostile: dict[str, HostileClass]) -> None:
    for student in chosen(lambda hand_in: hand_in.listed):
        row = hostile[student].rows[student]
        assert row.suspicious or row.status == "refused", student
        assert f"suspicious or refused (1):\n  {student} " in what_to_look_at([row])


def test_nobody_honest_is_suspected(hostile: dict[str, HostileClass]) -> None:
    rows = {name: hostile[name].rows[name] for name in HONEST}
    assert {name: row.suspicious for name, row in rows.items() if row.suspicious} == {}
    assert {row.status for row in rows.values()} == {"graded"}


def test_no_attack_gets_through(hostile: dict[str, HostileClass]) -> None:
    breaches = {name: hostile[name].breaches(name) for name in ATTACKS}
    assert {name: found for name, found in breaches.items() if found} == {}


def test_no_secret_is_told(hostile: dict[str, HostileClass]) -> None:
    told = {
        name: hostile[name].world.secrets_in(
            hostile[name].graded_text(name) + hostile[name].feedback(name)
        )
        for name in ALL_OF_THEM
    }
    assert {name: found for name, found in told.items() if found} == {"neighbour": ["neighbour"]}


def test_hidden_checks_stay_hidden(hostile: dict[str, HostileClass]) -> None:
    for name in ALL_OF_THEM:
        page = html.unescape(re.sub(r"<[^>]*>", "", hostile[name].feedback(name)))
        for text in (page, hostile[name].outputs[name].replace('\\"', '"')):
            assert 'grade_fresh("3' not in text and "HIDDEN TESTS" not in text, name


def test_nothing_is_left_behind(hostile: dict[str, HostileClass]) -> None:
    for graded in _classes(hostile):
        assert graded.traces == []


def test_what_was_handed_in_is_not_changed(hostile: dict[str, HostileClass]) -> None:
    for graded in _classes(hostile):
        assert graded.changed == []


def test_the_gradebook_has_nothing_but_the_checks_scores(hostile: dict[str, HostileClass]) -> None:
    for graded in _classes(hostile):
        totals = dict.fromkeys(graded.rows, 0.0)
        for student, cell, automatic, by_hand, extra in graded.gradebook:
            assert by_hand is None and not extra, (student, cell)
            totals[student] += automatic or 0.0
        assert totals == {student: row.points for student, row in graded.rows.items()}


def test_terminal_and_table_get_plain_text(hostile: dict[str, HostileClass], tmp_path) -> None:
    for graded in _classes(hostile):
        rows = list(graded.rows.values())
        write_csv(tmp_path / "grades.csv", rows, graded.world.course)
        table = (tmp_path / "grades.csv").read_text(encoding="utf-8")
        for text in (class_table(rows), what_to_look_at(rows), table):
            assert not CONTROL.search(text.replace("\r\n", "\n"))
        cells = re.findall(r'(?:^|,)"?([^",\n]*)', table, re.MULTILINE)
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-", "\t"))]


class _Active(HTMLParser):
    """Finds what a browser would do, rather than show, with the text `TOKEN`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in ("script", "style") else self._inside
        for name, value in attrs:
            picture = tag == "img" and name == "src" and str(value).startswith("data:image/")
            if TOKEN in str(value) and not picture:
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside and TOKEN in data:
            self.found.append(f"<{self._inside}>{data[:80]}")


def require_nothing_active(page: str) -> None:
    assert TOKEN in page, "what was written is shown as text, or the test says nothing"
    reader = _Active()
    reader.feed(page)
    assert reader.found == []


@pytest.mark.parametrize("student", chosen(lambda hand_in: hand_in.name.startswith("script-")))
def test_feedback_runs_no_script(hostile: dict[str, HostileClass], student: str) -> None:
    page = hostile[student].feedback(student)
    require_nothing_active(page)


@pytest.mark.parametrize("student", chosen(lambda hand_in: hand_in.name.startswith("script-")))
def test_formgrader_runs_no_script(hostile: dict[str, HostileClass], student: str) -> None:
    """Rendered as nbgrader's `FormgradeExtension` and `SubmissionHandler` do."""
    graded = hostile[student]
    config = load_config(graded.world.course)
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [template_path]
    names = ("assignment_id", "notebook_id", "submission_id", "notebook_path", "base_url")
    resources = dict.fromkeys(names, "here") | {"index": 0, "total": 1}
    notebook = nbformat.reads(graded.graded_text(student), as_version=4)
    page, _ = HTMLExporter(config=config).from_notebook_node(notebook, resources=resources)
    require_nothing_active(page)


def _classes(hostile: dict[str, HostileClass]) -> list[HostileClass]:
    return list({id(graded): graded for graded in hostile.values()}.values())
