"""From JPEGs in CelebA's shape to one array file."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from data_prep import celeba
from data_prep.__main__ import main
from data_prep.celeba import SourceError, list_images, prepare
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import ToyFaces

REAL = Path(__file__).resolve().parents[3] / "shared/data/celeba-10k/img_align_celeba.zip"
NAMES = [f"{i:06d}.jpg" for i in range(1, 7)]


def jpeg(picture):
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=92)
    return encoded.getvalue()


def aligned_jpegs(width, height):
    """Six drawn faces in the frame of CelebA's aligned set, as encoded bytes."""
    faces = ToyFaces(6, 218, seed=1).images.permute(0, 2, 3, 1).numpy()
    sized = (Image.fromarray(face[:, 20:198]).resize((width, height)) for face in faces)
    return [jpeg(np.array(picture)) for picture in sized]


@pytest.fixture(scope="module")
def full():
    return aligned_jpegs(178, 218)


@pytest.fixture(scope="module")
def half():
    return aligned_jpegs(89, 109)


def write_zip(path, contents, order=None):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("img_align_celeba/", b"")
        for name, content in sorted(contents.items(), reverse=order == "reversed"):
            archive.writestr(name, content)
    return path


@pytest.fixture
def source(tmp_path, half):
    contents = {f"img_align_celeba/{n}": data for n, data in zip(NAMES, half, strict=True)}
    return write_zip(tmp_path / "img_align_celeba.zip", contents)


# ---- pixels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["full", "half"])
@pytest.mark.parametrize(
    "crop, boxes",
    [
        ("centre-178", {"full": (0, 20, 178, 198), "half": (0, 10, 89, 99)}),
        ("centre-108", {"full": (35, 55, 143, 163), "half": (17, 27, 71, 81)}),
        ("squeeze", {"full": (0, 0, 178, 218), "half": (0, 0, 89, 109)}),
    ],
)
@pytest.mark.parametrize("size", [32, 64])
def test_pixels_are_those_of_pillow(request, tmp_path, scale, crop, boxes, size):
    encoded = request.getfixturevalue(scale)
    contents = dict(zip(NAMES, encoded, strict=True))
    prepare(write_zip(tmp_path / "a.zip", contents), tmp_path / "a.npy", crop, size)
    array = np.load(tmp_path / "a.npy").astype(float)
    assert array.shape == (6, size, size, 3)
    for mine, data in zip(array, encoded, strict=True):
        with Image.open(io.BytesIO(data)) as image:
            face = image.crop(boxes[scale])
            theirs = np.array(face.resize((size, size), Image.Resampling.BILINEAR))
        difference = np.abs(mine - theirs)
        # Rounding may differ by one; a crop off by a pixel differs by several on average.
        assert difference.mean() <= 0.1 and difference.max() <= 3


def test_a_crop_off_by_a_pixel_would_be_noticed(half):
    with Image.open(io.BytesIO(half[0])) as image:
        one, other = (
            np.array(image.resize((64, 64), Image.Resampling.BILINEAR, box=(0, top, 89, top + 89)))
            for top in (10, 11)
        )
    assert np.abs(one.astype(float) - other).mean() > 1


def test_grey_and_png_pictures_become_rgb(tmp_path):
    grey = Image.linear_gradient("L").resize((89, 109))
    see_through = Image.merge("RGBA", [grey, grey, grey, grey])
    contents = {}
    for name, image in (("000001.jpg", grey), ("000002.png", see_through)):
        encoded = io.BytesIO()
        image.save(encoded, "PNG" if name.endswith("png") else "JPEG")
        contents[name] = encoded.getvalue()
    manifest = prepare(write_zip(tmp_path / "a.zip", contents), tmp_path / "a.npy")
    assert manifest["shape"] == [2, 64, 64, 3] and not manifest["rejected"]
    array = np.load(tmp_path / "a.npy")
    assert (array == array[..., :1]).all()


# ---- sources --------------------------------------------------------------------------------


def test_zip_and_nested_folder_give_the_same_bytes(tmp_path, source, half):
    deep = tmp_path / "Download" / "celeba" / "img_align_celeba"
    deep.mkdir(parents=True)
    for name, data in reversed(list(zip(NAMES, half, strict=True))):
        (deep / name).write_bytes(data)
    (tmp_path / "Download" / "README.txt").write_text("no picture")
    backwards = {f"x/{n}": data for n, data in zip(NAMES, half, strict=True)}
    other = write_zip(tmp_path / "other.zip", backwards, order="reversed")
    results = []
    for i, place in enumerate((source, tmp_path / "Download", other)):
        manifest = prepare(place, tmp_path / f"{i}.npy")
        results.append(((tmp_path / f"{i}.npy").read_bytes(), manifest["names"]))
    assert results[0] == results[1] == results[2]
    assert results[0][1] == NAMES


def test_names_are_found_at_any_depth_and_in_any_case(tmp_path):
    contents = dict.fromkeys(
        ["b/000003.JPG", "a/000010.jpeg", "000002.png", "__MACOSX/a/._000010.jpeg", "a/list.txt"],
        b"x",
    )
    path = write_zip(tmp_path / "a.zip", contents)
    assert list_images(path) == ["000002.png", "b/000003.JPG", "a/000010.jpeg"]


@pytest.mark.parametrize(
    "content, phrase",
    [
        (
            b"<!DOCTYPE html><html><head>Google Drive - Quota",
            "a web page: the download met a quota",
        ),
        (b"\n <HTML>", "a web page"),
        (b"PK\x03\x04" + b"\x00" * 500, "the download is not complete"),
        (b"Rar!\x1a\x07", "a.zip: not a zip file"),
        (b"", "a.zip: not a zip file"),
    ],
    ids=["web page", "shouted web page", "cut short", "rar", "nothing"],
)
def test_what_is_no_zip_is_named(tmp_path, content, phrase):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SourceError, match=phrase):
        prepare(tmp_path / "a.zip", tmp_path / "a.npy")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_cut_short_is_named(tmp_path, source):
    source.write_bytes(source.read_bytes()[:-200])
    with pytest.raises(SourceError, match="the download is not complete"):
        prepare(source, tmp_path / "a.npy")


def test_a_source_without_pictures_says_what_was_looked_for(tmp_path):
    write_zip(tmp_path / "a.zip", {"list_attr_celeba.txt": b"x"})
    (tmp_path / "folder").mkdir()
    for place, count in ((tmp_path / "a.zip", 2), (tmp_path / "folder", 0)):
        with pytest.raises(SourceError, match=rf"no picture in it; .*\.jpg.* among {count} names"):
            prepare(place, tmp_path / "a.npy")


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.zip: no such file or folder"):
        prepare(tmp_path / "none.zip", tmp_path / "a.npy")


# ---- pictures that are left out -------------------------------------------------------------


def test_bad_pictures_are_left_out_with_the_reason(tmp_path, half):
    contents = dict(zip(NAMES, half, strict=True))
    contents["000002.jpg"] = b""
    contents["000004.jpg"] = b"no JPEG at all, but long enough to look at"
    contents["000005.jpg"] = half[4][:100]
    manifest = prepare(write_zip(tmp_path / "a.zip", contents), tmp_path / "a.npy")
    assert set(manifest["rejected"]) == {"000002.jpg", "000004.jpg", "000005.jpg"}
    assert manifest["rejected"]["000002.jpg"] == "the file is empty"
    assert all(manifest["rejected"].values())
    assert manifest["names"] == ["000001.jpg", "000003.jpg", "000006.jpg"]
    assert manifest["shape"] == [3, 64, 64, 3]
    good = {name: contents[name] for name in manifest["names"]}
    prepare(write_zip(tmp_path / "b.zip", good), tmp_path / "b.npy")
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert len(FaceArray.open(tmp_path / "a.npy")) == 3
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.shorter"))


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


def test_a_folder_with_the_name_of_a_picture_is_left_out(tmp_path, half):
    (tmp_path / "in" / "000002.jpg").mkdir(parents=True)
    (tmp_path / "in" / "000001.jpg").write_bytes(half[0])
    manifest = prepare(tmp_path / "in", tmp_path / "a.npy")
    assert list(manifest["rejected"]) == ["000002.jpg"] and manifest["shape"][0] == 1


def test_nothing_is_written_when_no_picture_can_be_used(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"000001.jpg": b"x", "000002.jpg": b""})
    with pytest.raises(SourceError, match=r"none of its 2 pictures could be decoded.*000001\.jpg"):
        prepare(path, tmp_path / "out" / "a.npy")
    assert list((tmp_path / "out").iterdir()) == []


# ---- the result -----------------------------------------------------------------------------


def test_the_manifest_tells_all(tmp_path, source):
    manifest = prepare(source, tmp_path / "new" / "a.npy", "centre-108", 16)
    out = tmp_path / "new" / "a.npy"
    assert manifest == {
        "format": "facegan-faces-1",
        "source": "img_align_celeba.zip",
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "crop": "centre-108",
        "resize": "bilinear, antialiased",
        "shape": [6, 16, 16, 3],
        "array_sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "rejected": {},
        "names": NAMES,
    }
    assert json.loads(out.with_suffix(".json").read_text()) == manifest
    assert FaceArray.open(out).manifest == manifest
    assert sorted(p.name for p in out.parent.iterdir()) == ["a.json", "a.npy"]


@pytest.mark.parametrize("when", ["while writing", "before the manifest"])
def test_a_crash_leaves_no_array_that_could_be_taken_for_another(
    tmp_path, source, monkeypatch, when
):
    out = tmp_path / "a.npy"
    prepare(source, out, "squeeze")
    before = out.read_bytes()

    def crash(*_, **__):
        raise KeyboardInterrupt

    if when == "while writing":
        monkeypatch.setattr(celeba, "prepare_image", crash)
    else:
        monkeypatch.setattr(celeba.json, "dumps", crash)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, out, "centre-178")
    monkeypatch.undo()
    if when == "while writing":
        assert out.read_bytes() == before
        assert FaceArray.open(out).manifest["crop"] == "squeeze"
    else:  # never the new array with the old manifest
        with pytest.raises(FileNotFoundError, match="manifest"):
            FaceArray.open(out)


def test_wrong_arguments_are_refused(tmp_path, source):
    with pytest.raises(ValueError, match="no crop 'top'; there are: centre-178"):
        prepare(source, tmp_path / "a.npy", "top")
    with pytest.raises(ValueError, match=r"a\.npz: the array file's name must end in \.npy"):
        prepare(source, tmp_path / "a.npz")


# ---- the command ----------------------------------------------------------------------------


def test_the_command_reports_what_it_did(tmp_path, half):
    contents = {"000001.jpg": half[0], "000002.jpg": b""}
    path = write_zip(tmp_path / "a.zip", contents)
    out = tmp_path / "a.npy"
    arguments = ["celeba", str(path), "--out", str(out), "--size", "32"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert f"{out}: 1 images of 32×32, crop centre-178" in result.output
    assert "left out 000002.jpg: the file is empty" in result.output
    assert FaceArray.open(out).image_size == 32


def test_mistakes_end_without_traceback(tmp_path, source):
    (tmp_path / "page.zip").write_text("<html></html>")
    (tmp_path / "file").write_text("")
    for arguments, phrase in (
        ([tmp_path / "none.zip", "--out", tmp_path / "a.npy"], "none.zip: no such file"),
        ([tmp_path / "page.zip", "--out", tmp_path / "a.npy"], "a web page"),
        ([source, "--out", tmp_path / "a.npz"], "must end in .npy"),
        ([source, "--out", tmp_path / "file" / "a.npy"], "file"),
        ([source, "--out", tmp_path / "a.npy", "--size", "7"], "--size"),
        ([source, "--out", tmp_path / "a.npy", "--crop", "top"], "--crop"),
    ):
        result = CliRunner().invoke(main, ["celeba", *map(str, arguments)])
        assert result.exit_code in (1, 2) and isinstance(result.exception, SystemExit)
        assert phrase in result.output


def test_the_module_is_a_command(tmp_path):
    command = [sys.executable, "-m", "data_prep", "celeba", "none.zip", "--out", "a.npy"]
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1 and result.stderr == "Error: none.zip: no such file or folder\n"


# ---- real pictures --------------------------------------------------------------------------


@pytest.mark.skipif(
    not REAL.is_file(), reason="no development copy of CelebA beside the repository"
)
def test_real_pictures_of_celeba(tmp_path):
    names = list_images(REAL)
    assert len(names) >= 1000 and names == sorted(names)
    with zipfile.ZipFile(REAL) as archive:
        contents = {name: archive.read(name) for name in names[:40]}
    manifest = prepare(write_zip(tmp_path / "few.zip", contents), tmp_path / "few.npy")
    assert manifest["shape"] == [40, 64, 64, 3] and not manifest["rejected"]
    faces = FaceArray.open(tmp_path / "few.npy")
    batch = faces.batch(torch.arange(40))
    # Skin in the middle is redder than blue; faces differ from each other.
    middle = batch[:, :, 24:40, 24:40].mean(dim=(2, 3))
    assert (middle[:, 0] > middle[:, 2]).float().mean() > 0.9
    assert batch.std(dim=0).mean() > 0.2
