"""Mirrors in parquet files: the same bytes as from the zip, attributes from the columns."""

import builtins

import numpy as np
import pytest
from celeba_like import NAMES, encode, write_zip
from PIL import Image

from data_prep.errors import SourceError
from data_prep.prepare import prepare
from facegan_ref.data.faces import FaceArray

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet")

SMILING = [True, False, True, True, False, False]
MALE = [-1, 1, 1, -1, -1, 1]
PEOPLE = [5, 5, 9, 12, 1, 3]


def cells(half, paths=NAMES):
    return [{"bytes": data, "path": path} for data, path in zip(half, paths, strict=True)]


@pytest.fixture
def expected(tmp_path, half):
    source = write_zip(tmp_path / "zip.zip", dict(zip(NAMES, half, strict=True)))
    prepare(source, tmp_path / "zip.npy")
    return (tmp_path / "zip.npy").read_bytes()


def write(path, table, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(table), path, **options)
    return path


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_structs_of_bytes_and_path(tmp_path, half, expected, rows):
    """In any order, in row groups of any size, in several files; the order is that of the names."""
    order = [3, 0, 5, 1, 4, 2]
    every = cells(half)
    table = {
        "image": [every[i] for i in order],
        "celeb_id": [PEOPLE[i] for i in order],
        "Smiling": [SMILING[i] for i in order],
        "Male": [MALE[i] for i in order],
        "width": [89] * 6,
        "caption": ["a face"] * 6,
    }
    for name, part in (("train-0.parquet", slice(0, 4)), ("test-0.parquet", slice(4, 6))):
        one = {key: values[part] for key, values in table.items()}
        write(tmp_path / "mirror" / "data" / name, one, row_group_size=rows)
    manifest = prepare(tmp_path / "mirror", tmp_path / "a.npy")
    assert (tmp_path / "a.npy").read_bytes() == expected
    assert manifest["names"] == NAMES and manifest["annotations_from"] == ["columns"]
    faces = FaceArray.open(tmp_path / "a.npy")
    assert faces.attributes.names == ("Smiling", "Male")
    assert faces.attributes.values[:, 0].tolist() == SMILING
    assert faces.attributes.values[:, 1].tolist() == [value > 0 for value in MALE]
    assert faces.identities.tolist() == PEOPLE
    assert faces.split.tolist() == [0, 0, 2, 0, 2, 0]


def test_plain_bytes_in_one_file(tmp_path, half, expected):
    path = write(tmp_path / "celeba.parquet", {"id": list(range(6)), "jpg": list(half)})
    manifest = prepare(path, tmp_path / "a.npy")
    assert (tmp_path / "a.npy").read_bytes() == expected
    assert manifest["names"][0] == "celeba.parquet#000000"
    assert manifest["attributes"] is None and manifest["split"] is None
    assert manifest["source_sha256"]


@pytest.mark.parametrize("paths", [[None] * 6, ["image.jpg"] * 6], ids=["none", "all alike"])
def test_paths_that_name_nothing_leave_the_order_of_the_rows(tmp_path, half, expected, paths):
    path = write(tmp_path / "train-00000-of-00001.parquet", {"image": cells(half, paths)})
    manifest = prepare(path, tmp_path / "a.npy")
    assert manifest["names"] == [f"{path.name}#{row:06d}" for row in range(6)]
    assert (tmp_path / "a.npy").read_bytes() == expected
    assert FaceArray.open(tmp_path / "a.npy").split is None  # one part is no split


def test_the_official_lists_beside_a_mirror_are_taken(tmp_path, half):
    write(tmp_path / "mirror" / "a.parquet", {"image": cells(half)})
    lines = "".join(f"{name} {i}\n" for i, name in enumerate(NAMES))
    (tmp_path / "mirror" / "identity_CelebA.txt").write_text(lines)
    prepare(tmp_path / "mirror", tmp_path / "a.npy", size=16)
    assert FaceArray.open(tmp_path / "a.npy").identities.tolist() == list(range(6))


def test_bad_rows_are_left_out_with_the_reason(tmp_path, half):
    images = cells(half)
    images[1]["bytes"] = None
    images[2]["bytes"] = b""
    images[4] = {"bytes": half[4][:300], "path": NAMES[4]}
    path = write(tmp_path / "a.parquet", {"image": images, "Smiling": SMILING})
    manifest = prepare(path, tmp_path / "a.npy", size=16)
    assert manifest["names"] == [NAMES[i] for i in (0, 3, 5)]
    assert list(manifest["rejected"]) == [
        "a.parquet#000001",
        "a.parquet#000002",
        "a.parquet#000004",
    ]
    assert manifest["rejected"]["a.parquet#000001"] == "the row has no picture's bytes"
    faces = FaceArray.open(tmp_path / "a.npy")
    assert faces.attributes.values[:, 0].tolist() == [True, True, False]


def test_a_damaged_part_of_a_file_is_left_out(tmp_path, half):
    path = write(
        tmp_path / "a.parquet",
        {"image": list(half)},
        row_group_size=2,
        compression="zstd",
        use_dictionary=False,
        write_page_checksum=True,
    )
    data = bytearray(path.read_bytes())
    place = data.index(half[2][-300:-200]) if half[2][-300:-200] in data else len(data) // 2
    data[place : place + 60] = bytes(60)
    path.write_bytes(data)
    manifest = prepare(path, tmp_path / "a.npy", size=16)
    assert 2 <= len(manifest["rejected"]) <= 4
    assert all("damaged within the file" in r for r in manifest["rejected"].values())


@pytest.mark.parametrize(
    "content, phrase",
    [
        (b"<html>", r"a\.parquet: not a readable parquet file"),
        (b"PAR1" + bytes(50), r"a\.parquet: not a readable parquet file"),
        (b"", r"a\.parquet: not a readable parquet file"),
    ],
    ids=["web page", "cut", "empty"],
)
def test_what_is_no_parquet_file_is_named(tmp_path, content, phrase):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=phrase):
        prepare(tmp_path / "a.parquet", tmp_path / "a.npy")


def test_a_file_without_pictures_says_what_was_looked_for(tmp_path):
    path = write(tmp_path / "a.parquet", {"id": [1, 2], "caption": ["a", "b"]})
    with pytest.raises(SourceError, match=r"no column of pictures; .*among id, caption"):
        prepare(path, tmp_path / "a.npy")
    empty = write(tmp_path / "b.parquet", {"image": pyarrow.array([], pyarrow.binary())})
    with pytest.raises(SourceError, match="have no rows"):
        prepare(empty, tmp_path / "a.npy")


def test_any_faces_from_parquet(tmp_path):
    picture = encode(Image.effect_noise((50, 40), 90).convert("RGB"))
    table = {"image": [{"bytes": picture, "path": f"{folder}/1.jpg"} for folder in "ba"]}
    manifest = prepare(write(tmp_path / "a.parquet", table), tmp_path / "a.npy", kind="faces")
    assert manifest["names"] == ["a/1.jpg", "b/1.jpg"]
    assert np.load(tmp_path / "a.npy").shape == (2, 64, 64, 3)


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, half, monkeypatch):
    path = write(tmp_path / "a.parquet", {"image": list(half)})
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SourceError, match=r"need pyarrow.*pip install 'facegan-course\[data\]'"):
        prepare(path, tmp_path / "a.npy")
