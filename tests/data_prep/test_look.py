"""Preview and stats: what they show is what is in the file."""

import io

import numpy as np
import pytest
import torch
from celeba_like import NAMES, aligned_pictures, encode, write_folder, write_zip
from click.testing import CliRunner
from PIL import Image

from data_prep.__main__ import main
from data_prep.look import _caption, difference_hash, duplicates, save_preview
from data_prep.prepare import prepare
from facegan_ref.data.faces import Attributes, FaceArray

TEXTS = {
    "list_attr_celeba.txt": "6\nBald 5_o_Clock_Shadow\n"
    + "".join(
        f"{name} {1 if i < 3 else -1} {1 if i == 0 else -1}\n" for i, name in enumerate(NAMES)
    ),
    "identity_CelebA.txt": "".join(f"{name} {i // 2}\n" for i, name in enumerate(NAMES)),
    "list_eval_partition.txt": "".join(f"{name} {i // 3}\n" for i, name in enumerate(NAMES)),
}


@pytest.fixture
def made(tmp_path, half):
    contents = dict(zip(NAMES, half, strict=True))
    contents["000007.jpg"] = b""
    texts = {
        name: (text + ("" if "attr" in name else "000007.jpg 1\n")).encode()
        for name, text in TEXTS.items()
    }
    attributes = texts["list_attr_celeba.txt"].replace(b"6\n", b"7\n", 1) + b"000007.jpg 1 1\n"
    texts["list_attr_celeba.txt"] = attributes
    source = write_folder(tmp_path / "in", {**contents, **texts})
    prepare(source, tmp_path / "a.npy")
    return tmp_path / "a.npy"


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


# ---- stats ----------------------------------------------------------------------------------


def test_stats_tell_what_is_in_the_file(made):
    result = invoke("stats", made)
    assert result.exit_code == 0
    pixels = np.load(made).reshape(-1, 3).astype(float)
    mean, deviation = pixels.mean(0), pixels.std(0)
    for phrase in (
        f"{made}: 6 images of 64×64, 0.1 MB",
        "made from in (celeba), crop centre-178, bilinear, antialiased",
        "every byte is as the manifest says, SHA-256 ",
        "left out: 1\n  1 × the file is empty",
        f"red {mean[0]:.1f} ± {deviation[0]:.1f}, green {mean[1]:.1f} ± {deviation[1]:.1f}",
        "split: train 3, valid 3, test 0",
        "people: 3, with 1 to 2 images each",
        "attributes: 2, present in",
        "50.0% Bald",
        "16.7% 5_o_Clock_Shadow",
        "duplicates by perceptual hash: 0 images, in 0 groups",
    ):
        assert phrase in result.output


def test_stats_notice_a_changed_byte_that_opening_may_not(tmp_path, many):
    """Opening compares 64 images, stats all."""
    source = write_zip(tmp_path / "a.zip", dict(list(many.items())[:200]))
    prepare(source, tmp_path / "a.npy", size=16)
    array = np.load(tmp_path / "a.npy", mmap_mode="r+")
    looked_at = set(np.linspace(0, 199, 64).round().astype(int))
    other = next(i for i in range(200) if i not in looked_at)
    array[other, 3, 3, 1] ^= 1
    array.flush()
    FaceArray.open(tmp_path / "a.npy")
    result = invoke("stats", tmp_path / "a.npy")
    assert isinstance(result.exception, ValueError)
    assert "its bytes are not those that a.json describes" in str(result.exception)


def test_an_older_file_has_stats_too(tmp_path, made):
    import json

    manifest = json.loads(made.with_suffix(".json").read_text())
    older = {key: manifest[key] for key in ("source", "crop", "resize", "shape", "array_sha256")}
    older |= {"format": "facegan-faces-1", "rejected": {}, "names": manifest["names"]}
    made.with_suffix(".json").write_text(json.dumps(older))
    result = invoke("stats", made)
    assert result.exit_code == 0 and "6 images" in result.output


# ---- duplicates -----------------------------------------------------------------------------


def test_copies_of_a_picture_are_found_however_they_were_saved(tmp_path):
    pictures = aligned_pictures(40, 178, 218, seed=9)
    saved_again = encode(pictures[3], "JPEG", subsampling=2)
    smaller = pictures[7].resize((89, 109), Image.Resampling.LANCZOS)
    contents = {f"{i:06d}.jpg": encode(picture) for i, picture in enumerate(pictures)}
    contents["000100.jpg"] = saved_again
    contents["000101.jpg"] = contents["000003.jpg"]
    contents["000102.png"] = encode(smaller, "PNG")
    prepare(write_zip(tmp_path / "a.zip", contents), tmp_path / "a.npy")
    result = invoke("stats", tmp_path / "a.npy")
    assert "duplicates by perceptual hash: 3 images, in 2 groups" in result.output
    assert "000003.jpg = 000100.jpg = 000101.jpg" in result.output
    assert "000007.jpg = 000102.png" in result.output


def test_alike_in_hash_only_is_no_duplicate():
    """Two pictures of the same gradients and another brightness."""
    ramp = np.broadcast_to(np.linspace(0, 120, 64).astype(np.uint8)[:, None], (64, 64, 3))
    images = torch.from_numpy(np.stack([ramp, ramp + 100])).permute(0, 3, 1, 2)
    hashes = difference_hash(np.stack([ramp, ramp + 100]).astype(np.float32))
    assert hashes[0] == hashes[1]
    assert duplicates(FaceArray(images), hashes) == []
    same = FaceArray(images[[0, 0, 1]])
    assert duplicates(same, hashes[[0, 0, 1]]) == [[0, 1]]


@pytest.mark.parametrize("bit", range(0, 64, 7))
def test_duplicates_are_found_whichever_bit_of_their_hash_differs(bit):
    rng = np.random.default_rng(bit)
    images = torch.from_numpy(rng.integers(0, 256, (300, 3, 8, 8), dtype=np.uint8))
    images[200] = images[100]
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64) * np.uint64(2)
    hashes[200] = hashes[100] ^ np.uint64(1 << bit)
    assert duplicates(FaceArray(images), hashes) == [[100, 200]]


def test_the_hash_says_where_it_grows_brighter():
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32)[None, :, None], (64, 64, 3))
    hashes = difference_hash(np.stack([ramp, ramp[:, ::-1]]))
    assert hashes.tolist() == [2**64 - 1, 0]
    half = np.where(np.arange(64)[:, None, None] < 32, ramp, ramp[:, ::-1])
    assert difference_hash(half[None]).tolist() == [0xFFFFFFFF00000000]


# ---- preview --------------------------------------------------------------------------------


def test_a_preview_shows_the_images(tmp_path, made):
    result = invoke("preview", made, "--n", 4)
    out = made.with_name("a-preview.png")
    assert result.exit_code == 0 and f"{out}: 4 images" in result.output
    shown = np.asarray(Image.open(out).convert("RGB")).astype(float)
    chosen = torch.randperm(6, generator=torch.Generator().manual_seed(0))[:4].sort()[0]
    pixels = np.load(made)
    dpi = 120
    for column, index in enumerate(chosen.tolist()):  # each face is drawn 1.4 inches wide
        left, top = round((0.1 + 3.4 * column) * dpi), round(0.5 * dpi)
        drawn = shown[top : top + 168, left : left + 168]
        face = Image.fromarray(pixels[index]).resize((168, 168), Image.Resampling.NEAREST)
        assert np.abs(drawn - np.asarray(face)).mean() < 6
        beside = shown[top : top + 168, left + 175 : left + 380]
        assert (beside < 128).any()  # there is text
    assert invoke("preview", made, "--n", 4, "--out", tmp_path / "b.png").exit_code == 0
    assert (tmp_path / "b.png").read_bytes() == out.read_bytes()


def test_captions_say_what_is_known(made):
    faces = FaceArray.open(made)
    assert _caption(faces, 0) == ("000001.jpg", "person 0 · train\nbald, 5 o clock shadow")
    assert _caption(faces, 5) == ("000006.jpg", "person 2 · valid\nnone of the attributes")


@pytest.mark.parametrize("n", [1, 5, 30])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_preview_of_any_array(tmp_path, n, channels):
    images = torch.randint(0, 256, (9, channels, 16, 16), dtype=torch.uint8)
    assert save_preview(FaceArray(images), tmp_path / "a.png", n) == min(n, 9)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width < 1400 and len(picture.convert("L").getcolors()) > 20


def test_long_captions_stay_beside_their_image(tmp_path):
    """All of forty attributes and a name from a deep folder end before the next image begins."""
    images = torch.full((2, 3, 16, 16), 128, dtype=torch.uint8)
    labels = tuple(f"Wearing_Something_{i}" for i in range(40))
    faces = FaceArray(
        images,
        {"names": ["folder/" * 9 + "1.jpg", "2.jpg"]},
        Attributes(labels, torch.ones(2, 40, dtype=torch.bool)),
    )
    save_preview(faces, tmp_path / "a.png")
    with Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())) as picture:
        pixels = np.asarray(picture.convert("L"))
    gap = round((0.1 + 3.4) * 120)
    assert (pixels[round(0.5 * 120) : round(1.9 * 120), gap - 8 : gap - 2] > 250).all()
