"""`facegan collect`: whose, which lesson, which attempt; nothing lost, nothing out of its place."""

from __future__ import annotations

import os
import unicodedata
from datetime import timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from graded_class import LESSON, REPOSITORY, fingerprints
from lms_exports import folder, marker, notebook, with_raw_names, zip_file, zipped

from facegan_ref.cli import cli
from facegan_ref.grading.collecting.collect import Collection, collect
from facegan_ref.grading.sample_kit import LessonKit, make_course

OTHER = "04_mlp_gan"
A, B = notebook("a"), notebook("b")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    make_course(REPOSITORY, tmp_path / "course", [LESSON, OTHER])
    return tmp_path / "course"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> LessonKit:
    root = tmp_path_factory.mktemp("kit")
    make_course(REPOSITORY, root, [LESSON])
    return LessonKit(root, LESSON)


def submitted(course: Path) -> dict[str, str]:
    """{STUDENT/LESSON: marker} of what was collected; nothing else may lie there."""
    root = course / ".grading" / "submitted"
    found = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        student, lesson, file = path.relative_to(root).parts
        assert file in (f"{lesson}.ipynb", "timestamp.txt"), path
        if file != "timestamp.txt":
            found[f"{student}/{lesson}"] = marker(path)
    return found


def timestamp(course: Path, student: str, lesson: str = LESSON) -> str:
    path = course / ".grading" / "submitted" / student / lesson / "timestamp.txt"
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def reasons(found: Collection) -> dict[str, str]:
    """{file: reason} of what was not taken."""
    return {row.file: row.done for row in found.rows if not row.taken}


def put(course: Path, name: str, files, **options) -> Collection:
    source = zip_file(course.parent / f"{name}.zip", files)
    return collect(course, source, zone=timezone.utc, **options)


MOODLE = "Ada Lovelace_11_assignsubmission_file_", "Bob_12_assignsubmission_file"
LAYOUTS = {
    "Moodle, folders": (
        {f"{MOODLE[0]}/{LESSON}.ipynb": A, f"{MOODLE[1]}/x/y.ipynb": B},
        ("Ada Lovelace", "Bob"),
    ),
    "Moodle, flat, with the course's folder": (
        {f"GAN-7/{MOODLE[0]}{LESSON}.ipynb": A, f"GAN-7/{MOODLE[1]}_y_z.ipynb": B},
        ("Ada Lovelace", "Bob"),
    ),
    "Canvas": (
        {f"lovelaceada_LATE_123_4567_{LESSON}-1.ipynb": A, "bob_124_4568_my_work_1_2.ipynb": B},
        ("lovelaceada", "bob"),
    ),
    "Canvas, anonymous": (
        {"anon_x5fG2_4567_x.ipynb": A, "LATE_anon_y5fG2_4568_x.ipynb": B},
        ("anon_x5fG2", "anon_y5fG2"),
    ),
    "Sakai": (
        {
            "L3/grades.csv": "x",
            "L3/Lovelace, Ada(ada)/timestamp.txt": "20261122100000123",
            f"L3/Lovelace, Ada(ada)/Submission attachment(s)/{LESSON}.ipynb": A,
            f"L3/Bob, B(bob)/Submission attachment(s)/{LESSON}.ipynb": B,
        },
        ("ada", "bob"),
    ),
    "nbgrader's exchange": (
        {
            f"inbound/ada+{LESSON}+2026-11-22 10:00:00.000000 UTC+0a1b/{LESSON}.ipynb": A,
            f"inbound/ada+{LESSON}+2026-11-21 10:00:00.000000 UTC/{LESSON}.ipynb": B,
            f"inbound/bob+{LESSON}+2026-11-22 11:00:00.000000 UTC/{LESSON}.ipynb": B,
        },
        ("ada", "bob"),
    ),
    "nbgrader's folders": (
        {f"submitted/ada/{LESSON}/{LESSON}.ipynb": A, f"submitted/bob/{LESSON}/{LESSON}.ipynb": B},
        ("ada", "bob"),
    ),
    "a folder for each": ({"ada/x.ipynb": A, "bob/deep/er/y.ipynb": B}, ("ada", "bob")),
    "lessons first": (
        {f"{LESSON}/ada/x.ipynb": A, f"{LESSON}/bob/{LESSON}.ipynb": B},
        ("ada", "bob"),
    ),
    "a ZIP for each": (
        {"ada.zip": zipped({"w/x.ipynb": A}), "bob.zip": zipped({"x.ipynb": B})},
        ("ada", "bob"),
    ),
    "a file for each": ({f"{LESSON}_ada.ipynb": A, f"bob - {LESSON}.ipynb": B}, ("ada", "bob")),
    "a file for each in a folder": ({"in/ada.ipynb": A, "in/bob.ipynb.txt": B}, ("ada", "bob")),
}


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(course: Path, tmp_path: Path, name: str, packed: bool) -> None:
    files, students = LAYOUTS[name]
    make = zip_file if packed else folder
    found = collect(course, make(tmp_path / "export.zip", files), zone=timezone.utc)
    expected = dict(zip((f"{s}/{LESSON}" for s in students), "ab", strict=False))
    assert {k: v for k, v in submitted(course).items() if k in expected} == expected, found
    assert name.startswith(found.layout) or found.layout == "folders"
    if name in ("Sakai", "nbgrader's exchange"):
        assert timestamp(course, "ada") == "2026-11-22 10:00:00.000000 UTC"
        assert "timestamp.txt" not in str(reasons(found))


def test_blackboard_with_its_receipts(course: Path) -> None:
    attempt = LESSON + "_{}_attempt_2026-11-{}-10-00-00"
    files = {}
    for user, day, content in (("ada_l", 20, B), ("ada_l", 22, A), ("bob_l", 21, B)):
        name = attempt.format(user, day)
        files[f"{name}.txt"] = f"Name: Ada L ({user})\nAssignment: {LESSON}\n\nComments: (eve)\n"
        files[f"{name}_my work.ipynb"] = content
    source = zip_file(course.parent / "gradebook.zip", files)
    found = collect(course, source, zone=ZoneInfo("Europe/Paris"))
    assert submitted(course) == {f"ada_l/{LESSON}": "a", f"bob_l/{LESSON}": "b"}
    assert timestamp(course, "ada_l") == "2026-11-22 09:00:00.000000 UTC"
    assert found.noise == 3 and len(reasons(found)) == 1
    assert "an earlier attempt, 2026-11-20 09:00" in str(reasons(found))


def test_blackboard_users_with_an_underscore_and_no_receipts(course: Path) -> None:
    attempt = LESSON + "_{}_attempt_2026-11-22-10-00-00_x.ipynb"
    put(course, "x", {attempt.format("ada_l"): A, attempt.format("bob_l"): B})
    assert submitted(course) == {f"ada_l/{LESSON}": "a", f"bob_l/{LESSON}": "b"}


@pytest.mark.parametrize("flat", [True, False])
def test_brightspace(course: Path, flat: bool) -> None:
    names = ("39-64 - Ada Lovelace - Nov 22, 2026 922 AM", "40-64 - Bob- 22 November, 2026 1000 PM")
    files = {f"{name}{' - ' if flat else '/'}x.ipynb": nb for name, nb in zip(names, (A, B))}  # noqa: B905
    put(course, "x", {**files, "index.html": "x"})
    assert submitted(course) == {f"Ada Lovelace/{LESSON}": "a", f"Bob/{LESSON}": "b"}
    assert timestamp(course, "Ada Lovelace") == "2026-11-22 09:22:00.000000 UTC"
    assert timestamp(course, "Bob") == "2026-11-22 22:00:00.000000 UTC"


def test_a_pattern_as_nbgraders(course: Path, tmp_path: Path) -> None:
    files = {"2026-11-22-10-00-00 by ada.ipynb": A, "2026-11-23-10-00-00 by ada.ipynb": B}
    with (course / "nbgrader_config.py").open("a") as file:
        regexp = r".*/(?P<timestamp>[0-9-]+) by (?P<student_id>\w+)"
        file.write(f"\nc.FileNameCollectorPlugin.named_regexp = r'{regexp}'\n")
    put(course, "x", files)
    assert submitted(course) == {f"ada/{LESSON}": "b"}
    assert timestamp(course, "ada").startswith("2026-11-23 10:00")
    with pytest.raises(ValueError, match="no regular expression"):
        put(course, "x", files, pattern="(")


def test_the_same_file_again_is_not_later(course: Path) -> None:
    name = "L_ada_attempt_2026-11-{}-10-00-00_x.ipynb"
    found = put(course, "x", {name.format(20): A, name.format(29): A})
    assert timestamp(course, "ada").startswith("2026-11-20") and "again" in str(reasons(found))


def test_lessons_are_told_by_their_cells(course: Path, kit: LessonKit) -> None:
    stripped = kit.solved()
    for cell in stripped["cells"]:
        cell["metadata"] = {}
    kit.write(course.parent / "ada", stripped, "homework (2).ipynb")
    kit.write(course.parent / "ada", notebook("mlp", OTHER), f"{LESSON}.ipynb")
    files = {
        "eve/a.ipynb": (course.parent / "ada" / "homework (2).ipynb").read_bytes(),
        "eve/b.ipynb": (course.parent / "ada" / f"{LESSON}.ipynb").read_bytes(),
        "bob/cut off.ipynb": A[:-200],
        "pat/merge.ipynb": A.replace('"cells"', '<<<<<<< HEAD\n "cells"', 1),
        "sam/any.ipynb": '{"cells": [], "nbformat": 4}',
        f"tim/{LESSON}.ipynb": "",
    }
    found = put(course, "x", files)
    places = {
        f"{s}/{p.name}" for s in ("eve", "bob", "pat", "sam", "tim")
        for p in (course / ".grading" / "submitted" / s).glob("*")
    }  # fmt: skip
    assert places == {f"{s}/{LESSON}" for s in ("eve", "bob", "pat", "tim")} | {f"eve/{OTHER}"}
    assert reasons(found) == {"sam/any.ipynb": "not taken: its cells show no lesson: give --lesson"}
    assert found.without == ["sam"]
    there = course / ".grading" / "submitted"
    assert (there / "bob" / LESSON / f"{LESSON}.ipynb").read_text() == A[:-200]


def test_one_lesson_only(course: Path) -> None:
    other, empty = notebook("other", OTHER), '{"cells": [], "nbformat": 4}'
    files = {"ada/x.ipynb": other, "ada/y.ipynb": A, "ada/z.ipynb": empty, "bob/x.ipynb": empty}
    found = put(course, "x", files, lesson="03")
    there = course / ".grading" / "submitted"
    assert marker(there / "ada" / LESSON / f"{LESSON}.ipynb") == "a"
    assert (there / "bob" / LESSON / f"{LESSON}.ipynb").read_text() == empty
    assert not (there / "ada" / OTHER).exists()
    assert reasons(found) == {
        "ada/x.ipynb": f"not taken: it is lesson {OTHER}",
        "ada/z.ipynb": "not taken: its cells show no lesson, another one's do",
    }
    with pytest.raises(ValueError, match="No lesson '99'"):
        put(course, "x", files, lesson="99")


def test_canvas_takes_the_newest_attachment(course: Path) -> None:
    put(course, "x", {"ada_12_9001_x.ipynb": A, "ada_12_1002_x-1.ipynb": B})
    assert submitted(course) == {f"ada/{LESSON}": "a"}


def test_of_two_in_one_folder_the_lessons_name_counts(course: Path) -> None:
    one = "Ada_1_assignsubmission_file"
    found = put(course, "x", {f"{one}/{LESSON}.ipynb": A, f"{one}/{LESSON}-Copy1.ipynb": B})
    assert submitted(course) == {f"Ada/{LESSON}": "a"}
    copy = f"{one}/{LESSON}-Copy1.ipynb"
    assert reasons(found) == {copy: f"not taken: {LESSON}.ipynb was taken"}
    put(course, "y", {copy: B, f"{one}/experiments.ipynb": A})
    assert submitted(course) == {f"Ada/{LESSON}": "b"}


def test_names_in_old_encodings(course: Path) -> None:
    moodle = "{}_1_assignsubmission_file_/x.ipynb"
    people = {"JxrgCP": "Jürg".encode("cp437") + b"CP", "xxutf8": "Çutf8".encode(),
              "RxneWI": "René".encode("cp1252")[:4] + b"WI"}  # fmt: skip
    names = {f"{k}_1_": v + b"_1_" for k, v in people.items()}
    data = zipped({moodle.format(name): A for name in people})
    (course.parent / "x.zip").write_bytes(with_raw_names(data, names))
    collect(course, course.parent / "x.zip")
    assert {key.split("/")[0] for key in submitted(course)} == {"JürgCP", "Çutf8", "RenéWI"}


def test_letters_are_composed(course: Path) -> None:
    apart = unicodedata.normalize("NFD", "Jürgen Müller")
    put(course, "x", {f"{apart}_1_assignsubmission_file_/x.ipynb": A})
    put(course, "y", {"Jürgen Müller_9_assignsubmission_file_/x.ipynb": B})
    assert submitted(course) == {f"Jürgen Müller/{LESSON}": "b"}


@pytest.mark.parametrize(
    ("person", "student"),
    [
        ("O'Brien, Pat", "O-Brien-Pat"),
        ("..", ""),
        ("*", ""),
        ("a" * 99, "a" * 64),
        ("王 芳", "王 芳"),
    ],
)
def test_ids_that_nbgrader_can_take(course: Path, person: str, student: str) -> None:
    found = put(course, "x", {f"{person}_1_assignsubmission_file_/x.ipynb": A})
    assert submitted(course) == ({f"{student}/{LESSON}": "a"} if student else {})
    if student and student != person:
        assert f"handed in as {person}" in found.rows[0].done
        assert person in (course / ".grading" / "collected.csv").read_text(encoding="utf-8")


TWINS = {f"Kim_{n}_assignsubmission_file_/x.ipynb": nb for n, nb in ((1, A), (2, B))}
KAY = {"Kay_3_assignsubmission_file_/x.ipynb": A}


def test_two_of_one_name_are_not_mixed_up(course: Path, tmp_path: Path) -> None:
    found = put(course, "x", {**TWINS, **KAY})
    assert submitted(course) == {f"Kay/{LESSON}": "a"}
    assert set(reasons(found).values()) == {
        "not taken: Kim 1, Kim 2 would share this id: tell them apart with --names"
    }
    names = tmp_path / "class.csv"
    names.write_text("id,first_name,last_name,number\nkim-a,Kim,,1\nkim-b,,,2\nk,Kay,,\n")
    put(course, "y", {**TWINS, **KAY}, names=names)
    assert submitted(course) == {
        f"Kay/{LESSON}": "a", f"kim-a/{LESSON}": "a", f"kim-b/{LESSON}": "b"
    }  # fmt: skip


def test_somebody_elses_id_is_not_taken(course: Path) -> None:
    put(course, "x", {"kim_11_4001_x.ipynb": A})
    found = put(course, "y", {"kim_12_4002_x.ipynb": B, "ada_13_4003_x.ipynb": B})
    assert submitted(course) == {f"kim/{LESSON}": "a", f"ada/{LESSON}": "b"}
    assert "kim 11 has this id already" in str(reasons(found))


def test_blind_marking(course: Path) -> None:
    name = "Participant_{}_assignsubmission_file_/x.ipynb"
    put(course, "x", {name.format(7): A, name.format(8): B})
    assert submitted(course) == {f"Participant-7/{LESSON}": "a", f"Participant-8/{LESSON}": "b"}


def test_class_lists(course: Path, tmp_path: Path) -> None:
    names = tmp_path / "class.csv"
    names.write_text("\ufeffid;first_name;last_name;user\nada01;Ada;Lovelace;al\n", "utf-8")
    put(course, "x", {"Ada LOVELACE_1_assignsubmission_file_/x.ipynb": A}, names=names)
    put(course, "y", {"lovelaceada_12_4001_y.ipynb": B}, names=names)
    assert submitted(course) == {f"ada01/{LESSON}": "b"}
    names.write_text("name\nAda\n")
    with pytest.raises(ValueError, match="no column `id`"):
        put(course, "z", {}, names=names)
    names.write_text("id,name\na,Kim\nb,Kim\n")
    with pytest.raises(ValueError, match="line 3: Kim means b here and a further up"):
        put(course, "z", {}, names=names)


def test_what_is_replaced_is_kept(course: Path) -> None:
    name = "L_ada_attempt_2026-11-{}-10-00-00_x.ipynb"
    put(course, "x", {name.format(22): A})
    extra = course / ".grading" / "submitted" / "ada" / LESSON / "picture.png"
    extra.write_bytes(b"x")
    (row,) = put(course, "x", {name.format(22): A}).rows
    assert row.done == "unchanged" and extra.exists()
    (row,) = put(course, "x", {name.format(21): B}).rows
    assert "was handed in later" in row.done and extra.exists()
    (row,) = put(course, "x", {name.format(23): B}).rows
    assert row.done.startswith("replaced")
    assert submitted(course) == {f"ada/{LESSON}": "b"}
    old = course / ".grading" / "superseded" / "ada" / LESSON / "2026-11-22T10-00-00Z"
    assert {p.name for p in old.iterdir()} == {f"{LESSON}.ipynb", "timestamp.txt", "picture.png"}
    assert marker(old / f"{LESSON}.ipynb") == "a"
    put(course, "x", {"ada/x.ipynb": A})  # nobody says when: what is collected now counts
    put(course, "x", {"ada/x.ipynb": B})
    kept = {marker(path) for path in old.parent.rglob("*.ipynb")}
    assert len(list(old.parent.iterdir())) == 3 and kept == {"a", "b"}


@pytest.mark.parametrize("place", ["submitted/ada/04_mlp_gan", "superseded"])
def test_all_of_a_student_or_nothing(course: Path, place: str) -> None:
    other = notebook("old", OTHER)
    if place == "superseded":
        put(course, "x", {"ada/y.ipynb": other, "bob/x.ipynb": B})
    blocked = course / ".grading" / place
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("in the way")
    files = {"ada/x.ipynb": A, "ada/y.ipynb": notebook("new", OTHER), "eve/x.ipynb": A}
    found = put(course, "x", files)
    assert not (course / ".grading" / "submitted" / "ada" / LESSON).exists()
    assert {row.student for row in found.rows if row.taken} == {"eve"} and found.without == ["ada"]
    if place == "superseded":
        assert submitted(course)[f"ada/{OTHER}"] == "old"
    assert not list((course / ".grading").glob(".collect-*"))


def test_the_command(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course)
    files = {f"{MOODLE[0]}/x.ipynb": A, f"{MOODLE[1]}/\x1b[2Jx.pdf": b"%PDF"}
    source = str(zip_file(course.parent / "x.zip", files))
    before = fingerprints(course)
    dry = CliRunner().invoke(cli, ["collect", source, "--dry-run"])
    assert dry.exit_code == 1 and fingerprints(course) == before
    assert "Nothing was done" in dry.output
    done = CliRunner().invoke(cli, ["collect", source])
    assert done.exit_code == 1
    table = [line.split(maxsplit=5) for line in done.output.splitlines()]
    assert table[2][:3] == ["Ada", "Lovelace", LESSON] and table[2][-1] == "collected"
    assert "�[2Jx.pdf" in done.output and "\x1b" not in done.output
    assert "Nothing could be taken of: Bob." in done.output
    source = str(zip_file(course.parent / "x.zip", {f"{MOODLE[0]}/x.ipynb": A}))
    again = CliRunner().invoke(cli, ["collect", source, "--timezone", "Europe/Paris"])
    assert again.exit_code == 0 and "unchanged" in again.output
    for words, message in (
        ([source, "--timezone", "Mars/Base"], "no time zone Mars/Base"),
        (["none.zip"], "no such file or folder"),
        ([".grading/submitted"], "collected already"),
        ([source, "--course", os.fspath(course.parent)], "no lessons in"),
    ):
        failed = CliRunner().invoke(cli, ["collect", *words])
        assert isinstance(failed.exception, ValueError) and message in str(failed.exception)
