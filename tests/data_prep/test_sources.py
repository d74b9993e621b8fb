"""The same bytes from every form in which CelebA comes; what is no source is named."""

import os
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from celeba_like import NAMES, encode, write_folder, write_zip
from PIL import Image

from data_prep.errors import SourceError
from data_prep.prepare import list_source, prepare
from facegan_ref.data.faces import FaceArray

QUOTA_PAGE = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry, "
    b"you can't view or download this file at this time. Too many users have viewed or downloaded "
    b"this file recently.</body></html>"
)


@pytest.fixture
def contents(half):
    return dict(zip(NAMES, half, strict=True))


def under(folder, contents):
    return {f"{folder}/{name}": content for name, content in contents.items()}


# ---- forms ----------------------------------------------------------------------------------


def forms(tmp_path, contents):
    """CelebA as people have it: name of the form to SOURCE."""
    backwards = dict(reversed(contents.items()))
    one = {f"{'ab'[i % 2]}/{name}": data for i, (name, data) in enumerate(contents.items())}
    folder = tmp_path / "linked"
    folder.mkdir()
    os.symlink(tmp_path / "plain", folder / "img_align_celeba")
    return {
        "plain folder": write_folder(tmp_path / "plain", backwards),
        "kaggle's double folder": write_folder(
            tmp_path / "kaggle", under("img_align_celeba/img_align_celeba", backwards)
        ),
        "ImageFolder": write_folder(tmp_path / "image_folder", under("train/celeba", contents)),
        "ImageFolder of two classes": write_folder(tmp_path / "classes", one),
        "a folder with a link": folder,
        "official zip": write_zip(
            tmp_path / "img_align_celeba.zip", under("img_align_celeba", contents)
        ),
        "kaggle's zip": write_zip(
            tmp_path / "archive.zip",
            under("img_align_celeba/img_align_celeba", contents),
            order="reversed",
            method=zipfile.ZIP_DEFLATED,
        ),
        "folder with the zip": write_zip(
            (write_folder(tmp_path / "zipped", {"README.txt": b""}) / "celeba.zip"), contents
        ).parent,
    }


def test_every_form_gives_the_same_bytes(tmp_path, contents):
    results = {}
    for form, source in forms(tmp_path, contents).items():
        manifest = prepare(source, tmp_path / "out" / "a.npy")
        assert manifest["names"] == NAMES, form
        results[form] = (
            (tmp_path / "out" / "a.npy").read_bytes(),
            manifest["pictures_sha256"],
            manifest["array_sha256"],
        )
    assert len(set(results.values())) == 1, results.keys()


def test_any_faces_are_named_by_their_place_below_the_common_folder(tmp_path):
    picture = encode(Image.effect_noise((50, 40), 90).convert("RGB"))
    contents = {"me/1.jpg": picture, "me/deep/2.PNG": picture, "you/1.jpg": picture}
    names = ["me/1.jpg", "me/deep/2.PNG", "you/1.jpg"]
    sources = (
        write_folder(tmp_path / "flat", contents),
        write_folder(tmp_path / "nested", under("a/b", contents)),
        write_zip(tmp_path / "a.zip", under("album", contents)),
    )
    results = set()
    for source in sources:
        manifest = prepare(source, tmp_path / "a.npy", kind="faces", size=16)
        assert manifest["names"] == names and manifest["crop"] == "centre-square"
        results.add((tmp_path / "a.npy").read_bytes())
    assert len(results) == 1
    alone = prepare(
        write_folder(tmp_path / "one", {"x/1.jpg": picture}), tmp_path / "a.npy", kind="faces"
    )
    assert alone["names"] == ["1.jpg"]


def test_pictures_of_any_size_and_kind_become_faces(tmp_path):
    noise = Image.effect_noise((300, 200), 90).convert("RGB")
    contents = {
        "wide.jpg": encode(noise),
        "tall.png": encode(noise.resize((31, 77)), "PNG"),
        "tiny.gif": encode(noise.resize((9, 9)), "GIF"),
        "web.webp": encode(noise, "WEBP", lossless=True),
        "old.bmp": encode(noise, "BMP"),
        "print.tif": encode(noise.convert("CMYK"), "TIFF"),
        "notes.txt": b"no picture",
    }
    source = write_folder(tmp_path / "in", contents)
    manifest = prepare(source, tmp_path / "a.npy", size=48, kind="faces")
    assert manifest["shape"] == [6, 48, 48, 3] and not manifest["rejected"]
    assert manifest["other_files"] == {"count": 1, "first": ["notes.txt"]}
    array = np.load(tmp_path / "a.npy").astype(float)
    expected = np.asarray(noise.crop((50, 0, 250, 200)).resize((48, 48), Image.Resampling.BILINEAR))
    at = manifest["names"].index("web.webp")
    assert np.abs(array[at] - expected).max() <= 1


def test_names_are_found_at_any_depth_and_in_any_case(tmp_path):
    contents = dict.fromkeys(
        [
            "b/000003.JPG",
            "a/000010.jpeg",
            "000002.png",
            "__MACOSX/a/._000010.jpeg",
            "__MACOSX/7.jpg",
            "a/list.txt",
        ],
        b"x",
    )
    for source in (
        write_zip(tmp_path / "a.zip", contents),
        write_folder(tmp_path / "folder", contents),
    ):
        _, listing = list_source(source, "celeba")
        assert listing.names == ["000002.png", "000003.JPG", "000010.jpeg"]
        assert listing.members == ["000002.png", "b/000003.JPG", "a/000010.jpeg"]
        assert listing.others == ["__MACOSX/7.jpg", "__MACOSX/a/._000010.jpeg", "a/list.txt"]


def test_a_picture_that_is_there_twice_is_refused(tmp_path, contents):
    both = {**under("img_align_celeba", contents), **under("img_celeba", contents)}
    with pytest.raises(SourceError, match=r"000001\.jpg is there twice, as img_align_celeba/0000"):
        prepare(write_folder(tmp_path / "in", both), tmp_path / "a.npy")


def test_a_folder_that_links_to_itself_ends(tmp_path, contents):
    folder = write_folder(tmp_path / "in", contents)
    os.symlink(folder, folder / "again")
    assert prepare(folder, tmp_path / "a.npy")["names"] == NAMES


# ---- what is no source ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, phrase",
    [
        (QUOTA_PAGE, "not a zip file but a web page: the download met Google Drive's quota"),
        (b"\n <HTML>", "a web page"),
        (b"PK\x03\x04" + b"\x00" * 500, "the download is not complete"),
        (b"Rar!\x1a\x07", r"img_align_celeba\.zip: not a zip file: it begins b'Rar!"),
        (b"", "it is empty"),
    ],
    ids=["quota page", "shouted web page", "cut short", "rar", "nothing"],
)
def test_what_is_no_zip_is_named(tmp_path, content, phrase):
    (tmp_path / "img_align_celeba.zip").write_bytes(content)
    with pytest.raises(SourceError, match=phrase) as caught:
        prepare(tmp_path / "img_align_celeba.zip", tmp_path / "a.npy")
    assert [p.name for p in tmp_path.iterdir()] == ["img_align_celeba.zip"]
    if "web page" in phrase:
        for way in ("mmlab.ie.cuhk.edu.hk", "Kaggle", "parquet"):
            assert way in str(caught.value)


def test_a_zip_cut_short_is_named(tmp_path, source):
    source.write_bytes(source.read_bytes()[:-200])
    with pytest.raises(SourceError, match="the download is not complete"):
        prepare(source, tmp_path / "a.npy")


def test_a_source_without_pictures_says_what_was_looked_for(tmp_path):
    write_zip(tmp_path / "a.zip", {"list_attr_celeba.txt": b"x"})
    (tmp_path / "folder").mkdir()
    for place, count in ((tmp_path / "a.zip", 1), (tmp_path / "folder", 0)):
        with pytest.raises(
            SourceError, match=rf"no picture in it; .*\.jpg.*\.parquet.* among {count} names"
        ):
            prepare(place, tmp_path / "a.npy")


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.zip: no such file or folder"):
        prepare(tmp_path / "none.zip", tmp_path / "a.npy")


# ---- pictures that are left out -------------------------------------------------------------


def test_bad_pictures_are_left_out_with_the_reason(tmp_path, contents, half):
    good = {name: contents[name] for name in ("000001.jpg", "000003.jpg", "000006.jpg")}
    contents["000002.jpg"] = b""
    contents["000004.jpg"] = b"no JPEG at all, but long enough to look at"
    contents["000005.jpg"] = half[4][:100]
    for source in (
        write_zip(tmp_path / "a.zip", contents),
        write_folder(tmp_path / "in", contents),
    ):
        manifest = prepare(source, tmp_path / "a.npy")
        assert list(manifest["rejected"]) == ["000002.jpg", "000004.jpg", "000005.jpg"]
        assert manifest["rejected"]["000002.jpg"] == "the file is empty"
        assert all(manifest["rejected"].values())
        assert manifest["names"] == list(good) and manifest["shape"] == [3, 64, 64, 3]
        prepare(write_zip(tmp_path / "b.zip", good), tmp_path / "b.npy")
        assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
        assert FaceArray.open(tmp_path / "a.npy").manifest == manifest
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name or "journal" in p.name]


def test_nothing_is_written_when_no_picture_can_be_used(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"000001.jpg": b"x", "000002.jpg": b""})
    with pytest.raises(SourceError, match=r"none of its 2 pictures can be used.*000001\.jpg"):
        prepare(path, tmp_path / "out" / "a.npy")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_lies_in_a_folder_under_a_pictures_name_is_left_out(tmp_path, contents):
    folder = write_folder(tmp_path / "in", contents)
    os.symlink(tmp_path / "nowhere", folder / "000007.jpg")
    os.mkfifo(folder / "000008.jpg")
    with open(folder / "000009.jpg", "wb") as file:
        file.truncate(65 << 20)
    manifest = prepare(folder, tmp_path / "a.npy")
    assert manifest["names"] == NAMES
    assert manifest["rejected"] == {
        "000007.jpg": "can't be read: No such file or directory",
        "000008.jpg": "not a regular file",
        "000009.jpg": "68157440 bytes; at most 67108864 are read",
    }


def test_a_member_damaged_within_the_zip_is_left_out(tmp_path, source, half):
    data = bytearray(source.read_bytes())
    place = data.find(half[2][-400:-360])
    assert place > 0
    data[place : place + 4] = b"\x00\x00\x00\x00"
    source.write_bytes(data)
    manifest = prepare(source, tmp_path / "a.npy")
    assert list(manifest["rejected"]) == ["img_align_celeba/000003.jpg"]
    assert "CRC" in manifest["rejected"]["img_align_celeba/000003.jpg"]
    assert manifest["shape"][0] == 5


def test_members_that_lead_out_of_the_archive_are_not_touched(tmp_path, contents):
    evil = {
        "../../000007.jpg": contents["000001.jpg"],
        "/etc/000008.jpg": contents["000001.jpg"],
        "C:\\000009.jpg": contents["000001.jpg"],
        "a\\..\\..\\000010.jpg": contents["000001.jpg"],
    }
    source = write_zip(tmp_path / "a.zip", {**contents, **evil})
    manifest = prepare(source, tmp_path / "deep" / "out" / "a.npy")
    assert manifest["names"] == NAMES and set(manifest["rejected"]) == set(evil)
    assert set(manifest["rejected"].values()) == {"its path leads out of the archive"}
    assert not list(tmp_path.rglob("0000*"))


def test_a_zip_of_nothing_but_evil_members_says_so(tmp_path, half):
    source = write_zip(tmp_path / "a.zip", {"../000007.jpg": half[0]})
    with pytest.raises(SourceError, match=r"no picture to be used; .*\.\./000007\.jpg: its path"):
        prepare(source, tmp_path / "a.npy")


def patch_directory(path, name, **fields):
    """Change what a zip's directory says of a member."""
    data = bytearray(path.read_bytes())
    place = data.rindex(name.encode()) - 46  # of the entry in the central directory
    assert data[place : place + 4] == b"PK\x01\x02"
    offsets = {"flags": (8, "<H"), "method": (10, "<H"), "size": (24, "<I")}
    for field, value in fields.items():
        at, form = offsets[field]
        struct.pack_into(form, data, place + at, value)
    path.write_bytes(data)


def test_bombs_in_a_zip_are_left_out_in_little_memory(tmp_path, contents):
    """One says how large it is; one says that it is small; one is a picture of 100 megapixels."""
    zeros = bytes(65 << 20)
    contents["000007.jpg"] = contents["000008.jpg"] = zeros
    source = write_zip(tmp_path / "a.zip", contents, method=zipfile.ZIP_DEFLATED)
    assert source.stat().st_size < 1 << 20
    patch_directory(source, "000008.jpg", size=5000)
    del zeros
    tracemalloc.start()
    manifest = prepare(source, tmp_path / "a.npy", size=16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert manifest["names"] == NAMES
    assert manifest["rejected"] == {
        "000007.jpg": "68157440 bytes when unpacked; at most 67108864 are read",
        "000008.jpg": "damaged within the zip: its checksum (CRC) is another",
    }
    assert peak < 20 << 20


def test_members_of_other_kinds_are_left_out(tmp_path, contents):
    source = write_zip(tmp_path / "a.zip", contents)
    patch_directory(source, "000002.jpg", flags=1)
    patch_directory(source, "000003.jpg", method=99)
    manifest = prepare(source, tmp_path / "a.npy")
    assert manifest["rejected"] == {
        "000002.jpg": "encrypted",
        "000003.jpg": "packed by method 99, neither stored nor deflated",
    }


def test_a_deflated_member_with_a_broken_stream_is_left_out(tmp_path, contents):
    source = write_zip(tmp_path / "a.zip", contents, method=zipfile.ZIP_DEFLATED)
    packed = zlib.compress(contents["000004.jpg"])[20:60]
    data = bytearray(source.read_bytes())
    place = data.find(packed)
    assert place > 0
    data[place - 18 : place + 40] = b"\xff" * 58
    source.write_bytes(data)
    manifest = prepare(source, tmp_path / "a.npy")
    assert list(manifest["rejected"]) == ["000004.jpg"]
    assert "damaged within the zip" in manifest["rejected"]["000004.jpg"]
