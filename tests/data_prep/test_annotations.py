"""CelebA's text files, wherever they lie around the pictures, in both of their forms."""

import zipfile

import numpy as np
import pytest
from celeba_like import NAMES, write_folder, write_zip

from data_prep.errors import SourceError
from data_prep.prepare import prepare
from facegan_ref.data.faces import FaceArray

LABELS = ("Bald", "Smiling", "Young")
VALUES = np.array([[1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]], bool)
PEOPLE = [2880, 7, 2880, 12, 10177, 1]
PARTS = [0, 0, 1, 2, 2, 0]


def official():
    """The three files in the official form; they know more pictures than there are."""
    rows = [*zip(NAMES, VALUES, strict=True), ("000999.jpg", VALUES[0])]
    lines = [f"{name} " + " ".join(f"{1 if v else -1:2d}" for v in row) for name, row in rows]
    attributes = "\n".join([str(len(rows)), " ".join(LABELS) + " ", *lines]) + "\n"
    people = "".join(f"{name} {person}\n" for name, person in zip(NAMES, PEOPLE, strict=True))
    parts = "".join(f"{name} {part}\n" for name, part in zip(NAMES, PARTS, strict=True))
    return {
        "list_attr_celeba.txt": attributes.encode(),
        "identity_CelebA.txt": people.encode(),
        "list_eval_partition.txt": parts.encode(),
    }


def kaggle():
    """Two files with commas; Kaggle's copy knows no identities."""
    lines = [
        ",".join([name, *("1" if v else "-1" for v in row)])
        for name, row in zip(NAMES, VALUES, strict=True)
    ]
    attributes = "\r\n".join([",".join(["image_id", *LABELS]), *lines])
    parts = [f"{name},{part}" for name, part in zip(NAMES, PARTS, strict=True)]
    return {
        "list_attr_celeba.csv": attributes.encode(),
        "list_eval_partition.csv": "\n".join(["image_id,partition", *parts]).encode(),
    }


@pytest.fixture
def pictures(half):
    return {f"img_align_celeba/{n}": data for n, data in zip(NAMES, half, strict=True)}


def check(faces, people=True):
    assert faces.attributes.names == LABELS
    assert np.array_equal(faces.attributes.values.numpy(), VALUES)
    assert faces.split.tolist() == PARTS
    if people:
        assert faces.identities.tolist() == PEOPLE
    else:
        assert faces.identities is None


def within(folder, texts):
    return {f"{folder}/{name}": content for name, content in texts.items()}


@pytest.mark.parametrize("place", ["beside", "official", "in the folder", "in the zip", "deep"])
def test_the_official_files_are_found(tmp_path, pictures, place):
    texts = official()
    split_up = {
        **within("Anno", {k: v for k, v in texts.items() if "eval" not in k}),
        **within("Eval", {k: v for k, v in texts.items() if "eval" in k}),
    }
    root = tmp_path / "CelebA"
    if place == "beside":
        write_folder(root, texts)
        source = write_zip(root / "img_align_celeba.zip", pictures)
    elif place == "official":
        write_folder(root, split_up)
        (root / "Img").mkdir()
        source = write_zip(root / "Img" / "img_align_celeba.zip", pictures)
    elif place == "in the folder":
        source = write_folder(root, {**within("Img", pictures), **split_up})
    elif place == "in the zip":
        source = write_zip(
            tmp_path / "a.zip", {**pictures, **split_up}, method=zipfile.ZIP_DEFLATED
        )
    else:
        write_folder(root, texts)
        write_folder(root, within("img_align_celeba", pictures))
        source = root / "img_align_celeba" / "img_align_celeba"
    manifest = prepare(source, tmp_path / "out" / "a.npy", size=16)
    assert manifest["annotations_from"] == [
        "identity_CelebA",
        "list_attr_celeba",
        "list_eval_partition",
    ]
    check(FaceArray.open(tmp_path / "out" / "a.npy"))


@pytest.mark.parametrize("place", ["folder", "zip"])
def test_kaggles_files_are_found(tmp_path, pictures, place):
    contents = {**within("img_align_celeba", pictures), **kaggle()}
    source = (
        write_folder(tmp_path / "archive", contents)
        if place == "folder"
        else write_zip(tmp_path / "archive.zip", contents)
    )
    prepare(source, tmp_path / "a.npy", size=16)
    check(FaceArray.open(tmp_path / "a.npy"), people=False)


def test_annotations_follow_the_pictures_that_are_kept(tmp_path, pictures):
    pictures["img_align_celeba/000002.jpg"] = b""
    pictures["img_align_celeba/000005.jpg"] = b"no picture"
    source = write_folder(tmp_path / "in", {**pictures, **official()})
    prepare(source, tmp_path / "a.npy", size=16)
    faces = FaceArray.open(tmp_path / "a.npy")
    kept = [0, 2, 3, 5]
    assert np.array_equal(faces.attributes.values.numpy(), VALUES[kept])
    assert faces.identities.tolist() == [PEOPLE[i] for i in kept]
    assert faces.split.tolist() == [PARTS[i] for i in kept]


def test_any_faces_take_no_annotations_of_celeba(tmp_path, pictures):
    source = write_folder(tmp_path / "in", {**pictures, **official()})
    manifest = prepare(source, tmp_path / "a.npy", size=16, kind="faces")
    assert manifest["attributes"] is None and manifest["identities"] is None


def test_other_names_for_the_same_picture_match(tmp_path, pictures):
    """The lossless set's pictures end in .png, the lists say .jpg."""
    import io

    from celeba_like import encode
    from PIL import Image

    lossless = {
        name.replace(".jpg", ".png"): encode(Image.open(io.BytesIO(data)), "PNG")
        for name, data in pictures.items()
    }
    source = write_folder(tmp_path / "in", {**lossless, **official()})
    prepare(source, tmp_path / "a.npy", size=16)
    check(FaceArray.open(tmp_path / "a.npy"))


@pytest.mark.parametrize(
    "name, change, phrase",
    [
        (
            "list_attr_celeba.txt",
            lambda text: text.replace(b"000004", b"000044"),
            r"list_attr_celeba: has no row for 1 of 6 pictures, the first 000004\.jpg",
        ),
        (
            "list_attr_celeba.txt",
            lambda text: text[:-30],
            r"list_attr_celeba: says 7 rows and has 6: not complete",
        ),
        (
            "list_attr_celeba.txt",
            lambda text: text.replace(b"000002.jpg -1", b"000002.jpg  2"),
            r"list_attr_celeba: the row of 000002\.jpg is damaged: 2",
        ),
        (
            "list_attr_celeba.txt",
            lambda text: text.replace(b"000002.jpg -1", b"000002.jpg"),
            r"the row of 000002\.jpg is damaged: 2 values, expected 3",
        ),
        ("list_attr_celeba.txt", lambda text: b"<!DOCTYPE html>", "not the list but a web page"),
        ("list_attr_celeba.txt", lambda text: b"\xff\xfe\x00", "not a text file"),
        ("list_attr_celeba.txt", lambda text: b"", "no names of attributes at its head"),
        ("identity_CelebA.txt", lambda text: text[:32], "has no row for 4 of 6"),
        (
            "identity_CelebA.txt",
            lambda text: text.replace(b" 7\n", b" seven\n"),
            r"identity_CelebA: the row of 000002\.jpg is damaged: .*seven",
        ),
        (
            "list_eval_partition.txt",
            lambda text: text.replace(b".jpg 1", b".jpg 3"),
            r"list_eval_partition: the row of 000003\.jpg is damaged: 3",
        ),
    ],
)
def test_damaged_lists_are_named_before_the_work_begins(tmp_path, pictures, name, change, phrase):
    texts = official()
    texts[name] = change(texts[name])
    source = write_folder(tmp_path / "in", {**pictures, **texts})
    with pytest.raises(SourceError, match=phrase):
        prepare(source, tmp_path / "out" / "a.npy")
    assert not (tmp_path / "out").exists()


def test_an_unreadable_list_within_a_zip_is_named(tmp_path, pictures):
    source = write_zip(tmp_path / "a.zip", {**pictures, **official()})
    data = bytearray(source.read_bytes())
    place = data.index(b"2880\n000002")
    data[place] = ord("9")
    source.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.zip: identity_CelebA\.txt within it can't be read"):
        prepare(source, tmp_path / "a.npy")
