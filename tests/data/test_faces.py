"""The face array: bytes to [-1, 1] and back, files that are mapped, files that are refused."""

import hashlib
import json

import numpy as np
import pytest
import torch

from facegan_ref.data.faces import FaceArray, from_tanh_range, to_tanh_range
from facegan_ref.data.manifest import manifest_path


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def path(tmp_path, pixels):
    return write(tmp_path / "faces.npy", pixels)


def write(path, pixels, **changes):
    np.save(path, pixels)
    manifest = {"format": "facegan-faces-1", "shape": list(pixels.shape), "source": "the test"}
    manifest_path(path).write_text(json.dumps({**manifest, **changes}))
    return path


# ---- ranges ---------------------------------------------------------------------------------


def test_all_bytes_survive_the_way_there_and_back():
    every = torch.arange(256).to(torch.uint8)
    there = to_tanh_range(every)
    assert there.dtype == torch.float32
    assert there[0] == -1 and there[255] == 1 and (there.diff() > 0).all()
    assert torch.allclose(there, torch.linspace(-1, 1, 256), atol=1e-6)
    back = from_tanh_range(there)
    assert back.dtype == torch.uint8 and torch.equal(back, every)


def test_floats_are_rounded_and_clipped():
    floats = torch.tensor([-9.0, -1.0001, -1 + 0.6 / 127.5, -1 + 1.4 / 127.5, 1.0001, 9.0])
    assert from_tanh_range(floats).tolist() == [0, 0, 1, 1, 255, 255]


# ---- open -----------------------------------------------------------------------------------


def test_an_opened_file_hands_out_its_images(path, pixels):
    faces = FaceArray.open(path)
    assert (len(faces), faces.image_size) == (7, 8)
    assert faces.manifest["source"] == "the test"
    for i in (0, 6, -1):
        expected = torch.from_numpy(pixels[i]).permute(2, 0, 1)
        assert faces[i].shape == (3, 8, 8) and torch.equal(from_tanh_range(faces[i]), expected)
    assert FaceArray.open(str(path)).images.equal(faces.images)


def test_a_batch_is_its_images(path):
    faces = FaceArray.open(path)
    batch = faces.batch(torch.tensor([5, 0, 5]))
    assert batch.shape == (3, 3, 8, 8) and batch.dtype == torch.float32
    assert torch.equal(batch, torch.stack([faces[5], faces[0], faces[5]]))
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_an_array_in_memory_hands_out_the_same(path, pixels):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    indices = torch.tensor([3, 1])
    in_memory = FaceArray(images)
    assert torch.equal(in_memory.batch(indices), FaceArray.open(path).batch(indices))
    assert in_memory.manifest == {}


def test_a_face_array_is_a_torch_data_set(path):
    loader = torch.utils.data.DataLoader(FaceArray.open(path), batch_size=4)
    assert [len(batch) for batch in loader] == [4, 3]


def test_the_file_is_mapped_and_never_changed(path, pixels):
    before = path.read_bytes()
    faces = FaceArray.open(path)
    faces.batch(torch.arange(7)).zero_()
    faces.images.zero_()  # even who writes into the map writes into memory only
    assert faces.images.sum() == 0
    del faces
    assert path.read_bytes() == before
    assert np.array_equal(np.load(path), pixels)


# ---- fingerprint ----------------------------------------------------------------------------


def test_the_fingerprint_is_the_files_hash_wherever_the_images_lie(path, pixels):
    whole = hashlib.sha256(path.read_bytes()).hexdigest()
    write(path, pixels, array_sha256=whole)
    in_memory = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    for images in (in_memory, in_memory.contiguous()):
        assert FaceArray(images).fingerprint == whole[:16]
    assert FaceArray.open(path).fingerprint == whole[:16]
    write(path, pixels)  # a manifest without the hash
    assert FaceArray.open(path).fingerprint == whole[:16]


def test_other_images_have_another_fingerprint(pixels):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    changed = images.clone()
    changed[6, 2, 7, 7] ^= 1
    variants = (images, changed, images.flip(0), images[:6], images[:, :, :4])
    assert len({FaceArray(variant).fingerprint for variant in variants}) == len(variants)


# ---- refusals -------------------------------------------------------------------------------


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npy: no such file.*python -m data_prep"):
        FaceArray.open(tmp_path / "none.npy")


def test_a_missing_manifest_is_named(path):
    manifest_path(path).unlink()
    with pytest.raises(FileNotFoundError, match=r"faces\.json: the manifest of faces\.npy"):
        FaceArray.open(path)


@pytest.mark.parametrize(
    "text, phrase",
    [
        ("{", "not readable as JSON"),
        ("[]", "no manifest with"),
        ("{}", "no manifest with"),
        ('{"format": "other"}', "no manifest with"),
        ('{"format": "facegan-faces-1"}', "shape None, but faces.npy has"),
    ],
)
def test_a_manifest_that_is_none_is_refused(path, text, phrase):
    manifest_path(path).write_text(text)
    with pytest.raises(ValueError, match=phrase) as caught:
        FaceArray.open(path)
    assert "faces.json" in str(caught.value)


def test_a_manifest_in_a_strange_encoding_is_refused(path):
    manifest_path(path).write_bytes(b'{"source": "\xff\xfe"}')
    with pytest.raises(ValueError, match=r"faces\.json: not readable as JSON"):
        FaceArray.open(path)


def test_a_manifest_of_another_array_is_refused(path, pixels):
    np.save(path, pixels[:5])
    with pytest.raises(ValueError, match=r"\[7, 8, 8, 3\], but faces.npy has \[5, 8, 8, 3\]"):
        FaceArray.open(path)


@pytest.mark.parametrize("kept", [0, 5, 60, 200, -1])
def test_a_truncated_array_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"faces\.npy: not a complete \.npy array.*data_prep"):
        FaceArray.open(path)


def test_a_foreign_file_is_refused(path, pixels):
    np.savez(path.with_name("a.npz"), pixels)
    foreign = (
        path.with_name("a.npz").read_bytes(),
        b"<html>quota exceeded</html>",
        b"\x80\x04\x95pickle",
    )
    for content in foreign:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"faces\.npy: not a complete \.npy array"):
            FaceArray.open(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((2, 8, 8, 3), np.int8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 3, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
        np.zeros((2, 8, 6, 3), np.uint8),
    ],
    ids=["float", "signed", "one image", "channels first", "four channels", "not square"],
)
def test_an_array_of_another_form_is_refused(tmp_path, array):
    path = write(tmp_path / "faces.npy", array)
    with pytest.raises(ValueError, match=rf"faces\.npy: holds {array.dtype} .*expected uint8"):
        FaceArray.open(path)


def test_pickled_objects_are_refused_and_not_loaded(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"faces\.npy"):
        FaceArray.open(path)


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8)], ids=str
)
def test_tensors_of_another_form_are_refused(images):
    with pytest.raises(ValueError, match=r"expected torch.uint8 of shape \(N, C, H, W\)"):
        FaceArray(images)
