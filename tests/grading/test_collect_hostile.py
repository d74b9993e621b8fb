"""`facegan collect` and archives that want to break out, to break it, or to be somebody else."""

from __future__ import annotations

import io
import os
import random
import zipfile
from pathlib import Path

import pytest
from graded_class import LESSON, REPOSITORY, fingerprints
from lms_exports import encrypted, folder, link, marker, notebook, zip_file, zipped

from facegan_ref.grading.collecting import archives
from facegan_ref.grading.collecting.archives import Limits
from facegan_ref.grading.collecting.collect import Collection, collect
from facegan_ref.grading.sample_kit import make_course

A, B = notebook("a"), notebook("b")
EVE, BOB = "Eve_1_assignsubmission_file_", "Bob_2_assignsubmission_file_"
HONEST = {f"{BOB}/{LESSON}.ipynb": B}


@pytest.fixture
def course(tmp_path: Path) -> Path:
    make_course(REPOSITORY, tmp_path / "course", [LESSON])
    (tmp_path / "outside.txt").write_text("mine")
    return tmp_path / "course"


def run(course: Path, files) -> tuple[dict[str, str], dict[str, str], Collection]:
    """Collect from a ZIP; return {student: marker}, {file: why not}, and the whole."""
    source = files
    if not isinstance(files, Path):
        source = zip_file(course.parent / "export.zip", files)
    around = {k: v for k, v in fingerprints(course.parent).items() if ".grading/" not in k}
    found = collect(course, source)
    after = {k: v for k, v in fingerprints(course.parent).items() if ".grading/" not in k}
    assert after == around
    private = course / ".grading"
    assert {p.name for p in private.iterdir()} <= {
        "submitted", "exchange", "superseded", "collected.csv"
    }  # fmt: skip
    taken = {path.parts[-3]: marker(path) for path in sorted(private.glob("submitted/*/*/*.ipynb"))}
    return taken, {r.file: r.done for r in found.rows if not r.taken}, found


@pytest.mark.parametrize(
    "name",
    [
        "../../../../outside.txt.ipynb",
        "/etc/x.ipynb",
        "C:/x.ipynb",
        r"..\..\x.ipynb",
        "a/../b.ipynb",
    ],
)
def test_paths_that_lead_out(course: Path, name: str) -> None:
    taken, why, _ = run(course, {**HONEST, f"{EVE}/w.zip": zipped({name: A, "y.ipynb": A})})
    assert taken == {"Bob": "b", "Eve": "a"} and len(why) == 1
    assert "leads out of the archive" in str(why)
    taken, why, _ = run(course, {**HONEST, name: A})
    assert "leads out" in str(why) and set(taken) == {"Bob", "Eve"}


def test_links_and_devices(course: Path, tmp_path: Path) -> None:
    inner = link("x.ipynb", "/etc/passwd")
    taken, why, found = run(course, {**HONEST, f"{EVE}/w.zip": inner})
    assert taken == {"Bob": "b"} and found.without == ["Eve"]
    assert why == {f"{EVE}/w.zip/x.ipynb": "not taken: it is a link or a device, not a file"}
    source = folder(tmp_path / "class", {"bob/x.ipynb": B, "eve/y.txt": "x"})
    (source / "eve" / "x.ipynb").symlink_to(source / "bob" / "x.ipynb")
    (source / "eve" / "all").symlink_to(source)
    os.mkfifo(source / "eve" / "pipe.ipynb")
    _, why, found = run(course, source)
    assert {file.split("/")[-1] for file in why} == {"x.ipynb", "all", "pipe.ipynb", "y.txt"}
    assert found.without == ["eve"]


def test_encrypted(course: Path) -> None:
    taken, why, _ = run(course, {**HONEST, f"{EVE}/w.zip": encrypted(zipped({"x.ipynb": A}))})
    assert taken == {"Bob": "b"}
    assert "it is encrypted: ask for one without a password" in str(why)


def test_unusual_packing(course: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.ipynb", A)
    taken, why, _ = run(course, {**HONEST, f"{EVE}/w.zip": packed.getvalue()})
    assert taken == {"Bob": "b"} and "ask for an ordinary ZIP" in str(why)


def test_names_that_are_there_twice(course: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        files = [*HONEST.items(), (f"{EVE}/x.ipynb", A), (f"{EVE}/x.ipynb", B)]
        taken, why, _ = run(course, files)
    assert taken == {"Bob": "b", "Eve": "b"} and len(why) == 1


def test_cut_off_and_damaged(course: Path) -> None:
    whole = zipped({"x.ipynb": A})
    wrong = bytearray(whole)
    wrong[200] ^= 0xFF
    files = {f"{EVE}/cut.zip": whole[:-50], f"{EVE}/wrong.zip": bytes(wrong),
             f"{EVE}/none.zip": b"PK", f"{EVE}/text.zip": b"Rar!"}  # fmt: skip
    taken, why, found = run(course, {**HONEST, **files})
    assert taken == {"Bob": "b"} and found.without == ["Eve"]
    assert len(why) == 4 and "no ZIP file, or was cut off" in str(why)
    assert "cannot be unpacked" in why[f"{EVE}/wrong.zip/x.ipynb"]


def test_an_export_that_is_cut_off_changes_nothing(course: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(zipped({**HONEST, f"{EVE}/x.ipynb": A})[:-90])
    before = fingerprints(course)
    with pytest.raises(ValueError, match="was cut off"):
        collect(course, tmp_path / "cut.zip")
    assert fingerprints(course) == before
    (tmp_path / "an.ipynb").write_text(A)
    with pytest.raises(ValueError, match="a folder for each student"):
        collect(course, tmp_path / "an.ipynb")


def test_bombs(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_NOTEBOOK_BYTES", 300_000)
    monkeypatch.setattr(archives, "MAX_NESTED_ZIP_BYTES", 100_000)
    monkeypatch.setattr(archives, "nested_limits", lambda: Limits(entries=50, bytes=900_000))
    large = b" " * 310_000
    liar = bytearray(zipped({"x.ipynb": large}))
    at = liar.find(b"PK\x01\x02") + 24
    liar[at : at + 4] = (1000).to_bytes(4, "little")  # says that it has 1000 bytes
    deep = zipped({"x.ipynb": A})
    for i in range(4):
        deep = zipped({f"{i}.zip": deep})
    files = {
        f"{EVE}/large.ipynb": large,
        f"{EVE}/large.zip": zipped({"x.ipynb": large}),
        f"{EVE}/liar.zip": bytes(liar),
        f"{EVE}/many.zip": zipped({f"{i}.txt": "x" for i in range(60)}),
        f"{EVE}/sum.zip": zipped({f"{i}.ipynb": b" " * 290_000 for i in range(8)}),
        f"{EVE}/nested.zip": zipped(
            {f"{i}.zip": zipped({f"{j}.txt": "x" for j in range(20)}) for i in range(9)}
        ),
        f"{EVE}/stored.zip": os.urandom(110_000),
        f"{EVE}/deep.zip": deep,
        f"{EVE}/x.7z": b"7z",
        f"{EVE}/zz.zip": zipped({"w/x.ipynb": A}),
    }
    taken, why, _ = run(course, {**files, **HONEST})
    assert taken == {"Bob": "b", "Eve": "a"}
    says = {file.removeprefix(EVE)[1:]: reason for file, reason in why.items()}
    assert "ask for a copy without outputs" in says["large.ipynb"] + says["large.zip/x.ipynb"]
    assert "cannot be unpacked" in says["liar.zip/x.ipynb"]
    assert "too many files" in says["many.zip"] and "7.zip" in str(says)
    assert "too large when unpacked" in says["sum.zip/7.ipynb"]
    assert "too many files" in says["nested.zip/8.zip"]
    assert "unpack it by hand" in says["stored.zip"] and "unpack it by hand" in says["x.7z"]
    assert "nested more than 3 deep" in says["deep.zip/3.zip/2.zip/1.zip"]


@pytest.mark.parametrize(
    "name",
    [
        "{bob}x.ipynb",
        "L_Bob_attempt_2030-01-01-00-00-00_x.ipynb",
        "w.zip",
    ],
)
def test_nobody_hands_in_as_somebody_else(course: Path, name: str) -> None:
    inside = {f"{BOB}/x.ipynb": A, "Bob/x.ipynb": A, f"Bob/{LESSON}/x.ipynb": A,
              f"../{BOB}/x.ipynb": A}  # fmt: skip
    content = zipped(inside) if name == "w.zip" else A
    name = name.format(bob=BOB)
    taken, _, found = run(course, {f"{EVE}/{name}": content, **HONEST})
    assert taken == {"Bob": "b", "Eve": "a"}, found
    taken, *_ = run(course, {f"Eve/{name}": content, f"Bob/{LESSON}.ipynb": B})
    assert taken == {"Bob": "b", "Eve": "a"}
    taken, *_ = run(course, {f"Eve_11_4001_{name}": content, f"Bob_12_4002_{LESSON}.ipynb": B})
    assert taken == {"Bob": "b", "Eve": "a"}
    many = [f"Eve_11_{i}_L_{who}_attempt_2030-01-01-00-00-00_x.ipynb"
            for i, who in ((4001, "Bob"), (4002, "Kim"))]  # fmt: skip
    taken, *_ = run(course, dict.fromkeys(many, A))
    assert taken == {"Bob": "b", "Eve": "a"}
    when = "_attempt_2026-11-22-10-00-00_"
    taken, *_ = run(course, {f"L_Eve{when}{name}": content, f"L_Bob{when}x.ipynb": B})
    assert taken == {"Bob": "b", "Eve": "a"}


def test_a_forged_timestamp_does_not_count(course: Path) -> None:
    early = "2020-01-01 00:00:00 UTC"
    run(course, {f"eve/{LESSON}/x.ipynb": A, f"eve/{LESSON}/timestamp.txt": early,
                 "bob/x.ipynb": B})  # fmt: skip
    assert not list((course / ".grading" / "submitted").rglob("timestamp.txt"))


def test_noise_is_counted_not_listed(course: Path) -> None:
    noise = {f"__MACOSX/{EVE}/._x.ipynb": b"\0", f"{EVE}/.DS_Store": b"",
             f"{EVE}/.ipynb_checkpoints/x-checkpoint.ipynb": A}  # fmt: skip
    taken, why, found = run(course, {**HONEST, **noise})
    assert taken == {"Bob": "b"} and not why and found.noise == 3


def test_a_folder_of_hand_ins_that_is_a_link(course: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (course / ".grading" / "submitted").mkdir(parents=True)
    (course / ".grading" / "submitted" / "Eve").symlink_to(elsewhere)
    taken, why, _ = run(course, {f"{EVE}/x.ipynb": A, **HONEST})
    assert taken == {"Bob": "b"} and "move it away" in str(why) and not list(elsewhere.iterdir())


def test_damage_of_any_kind_is_survived(tmp_path: Path) -> None:
    """Whatever a student's ZIP is like, the other student is collected."""
    whole = zipped({"a.ipynb": "{}" * 30, "b.txt": "y", "c.zip": zipped({"d.ipynb": "{}"})})
    random.seed(1)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(random.choice((1, 1, 3))):
            at = random.randrange(len(data))
            kind = random.choice(("change", "change", "cut", "add"))
            if kind == "change":
                data[at] = random.randrange(256)
            elif kind == "cut":
                del data[at : at + random.randrange(1, 200)]
            else:
                data[at:at] = random.randbytes(random.randrange(1, 9))
        (tmp_path / "export.zip").write_bytes(zipped({f"{EVE}/w.zip": bytes(data), **HONEST}))
        entries = list(archives.read_source(tmp_path / "export.zip", tmp_path))
        assert BOB in [entry.parts[0] for entry in entries if entry.notebook], bytes(data)
