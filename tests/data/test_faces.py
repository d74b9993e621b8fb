"""The face array: bytes to [-1, 1] and back, files that are mapped, files that are refused."""

import hashlib
import json
import mmap

import numpy as np
import pytest
import torch

from facegan_ref.data.faces import Attributes, FaceArray, from_tanh_range, to_tanh_range
from facegan_ref.data.manifest import manifest_path, pack_bits, sample_sha256, unpack_bits


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


# ---- what is known of the images ------------------------------------------------------------


def known(n=7):
    values = np.arange(n * 3).reshape(n, 3) % 2 == 0
    values[0] = (True, False, False)
    return values, {
        "attributes": {"names": ["a", "b", "c"], "bits": pack_bits(values)},
        "identities": list(range(100, 100 + n)),
        "split": "0012210"[:n],
    }


def test_attributes_identities_and_split_come_with_the_file(path, pixels):
    values, entries = known()
    write(path, pixels, format="facegan-faces-2", **entries)
    faces = FaceArray.open(path)
    assert faces.attributes.names == ("a", "b", "c")
    assert torch.equal(faces.attributes.values, torch.from_numpy(values))
    assert faces.identities.dtype == torch.int64
    assert faces.identities.tolist() == [100, 101, 102, 103, 104, 105, 106]
    assert faces.split.tolist() == [0, 0, 1, 2, 2, 1, 0]


def test_what_is_not_known_is_none(path):
    faces = FaceArray.open(path)
    assert faces.attributes is None and faces.identities is None and faces.split is None


@pytest.mark.parametrize(
    "entry, value",
    [
        ("attributes", {"names": ["a", "b", "c"], "bits": "AA=="}),
        ("attributes", {"names": ["a", "b", "c"], "bits": "no base64!"}),
        ("attributes", {"names": ["a", "b", "c"]}),
        ("attributes", "yes"),
        ("identities", ["one"] * 7),
        ("identities", [1, 2, 3]),
        ("split", "001"),
        ("split", 5),
        ("split", "0012219"),
    ],
    ids=str,
)
def test_damaged_attributes_identities_or_split_are_named(path, pixels, entry, value):
    write(path, pixels, format="facegan-faces-2", **{**known()[1], entry: value})
    with pytest.raises(ValueError, match=rf"faces\.json: its .*{entry}.* damaged .*data_prep"):
        FaceArray.open(path)


@pytest.mark.parametrize("bits", [1, 8, 13])
def test_bits_are_packed_and_unpacked(bits):
    values = np.random.default_rng(bits).random((5, bits)) < 0.5
    assert np.array_equal(unpack_bits(pack_bits(values), values.shape), values)


@pytest.mark.parametrize("name", ["attributes", "identities", "split"])
def test_what_belongs_to_other_images_is_refused(pixels, name):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    others = {
        "attributes": Attributes(("a",), torch.zeros(6, 1, dtype=torch.bool)),
        "identities": torch.arange(6),
        "split": torch.zeros(6, dtype=torch.uint8),
    }
    with pytest.raises(ValueError, match=rf"7 images have {name} for 6: the two do not belong"):
        FaceArray(images, **{name: others[name]})


# ---- array and manifest belong together -----------------------------------------------------


def test_a_manifest_of_as_many_other_images_is_refused(path, pixels):
    write(path, pixels, format="facegan-faces-2", sample_sha256=sample_sha256(pixels))
    FaceArray.open(path)
    pixels[3, 0, 0, 0] ^= 1
    np.save(path, pixels)
    with pytest.raises(ValueError, match=r"faces\.json: describes other images than faces\.npy"):
        FaceArray.open(path)


def test_the_sample_spreads_over_a_large_array():
    array = np.zeros((1000, 2, 2, 3), np.uint8)
    before = sample_sha256(array)
    changed = []
    for index in (0, 999, *range(300, 340)):
        array[index] = 1
        changed.append(sample_sha256(array) != before)
        array[index] = 0
    assert changed[0] and changed[1] and sum(changed[2:]) >= 2


def test_bytes_too_many_are_refused(path):
    with open(path, "ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match=r"faces\.npy: \d+ bytes, expected \d+ for its shape"):
        FaceArray.open(path)


# ---- speed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["channels last", "channels first", "flipped"])
def test_a_batch_is_the_same_from_every_layout(pixels, layout):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    if layout != "channels last":
        images = images.contiguous()
    faces = FaceArray(images.flip(0).flip(0) if layout == "flipped" else images)
    batch = faces.batch(torch.tensor([6, 2]))
    assert torch.equal(batch, torch.stack([faces[6], faces[2]]))
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_never_changes_the_images(pixels):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    FaceArray(images).batch(torch.arange(7)).zero_()
    assert images.any()
    floats = torch.ones(3)
    to_tanh_range(floats)
    assert torch.equal(floats, torch.ones(3))


def test_a_moved_array_keeps_what_is_known(path, pixels):
    write(path, pixels, format="facegan-faces-2", array_sha256="f" * 64, **known()[1])
    faces = FaceArray.open(path)
    moved = faces.to("cpu")
    assert torch.equal(moved.images, faces.images) and moved.manifest == faces.manifest
    assert moved.fingerprint == "f" * 16
    assert torch.equal(moved.attributes.values, faces.attributes.values)
    assert torch.equal(moved.identities, faces.identities)
    assert torch.equal(moved.split, faces.split)
    indices = torch.tensor([4, 1])
    assert torch.equal(moved.batch(indices), faces.batch(indices))


@pytest.mark.skipif(not hasattr(mmap, "MADV_WILLNEED"), reason="this system has no madvise")
def test_a_batch_of_a_mapped_file_asks_for_its_images_and_no_others(tmp_path):
    pixels = np.zeros((40, 64, 64, 3), np.uint8)
    faces = FaceArray.open(write(tmp_path / "faces.npy", pixels))
    asked = []

    class Watched(np.memmap):
        @property
        def base(self):
            return watched

    class Map(mmap.mmap):
        def madvise(self, option, start, length):
            asked.append((option, start, length))
            return super().madvise(option, start, length)

    with open(tmp_path / "faces.npy", "rb") as file:
        watched = Map(file.fileno(), 0, access=mmap.ACCESS_COPY)
    faces._file = faces._file.view(Watched)
    faces.batch(torch.tensor([39, 0, 7]))
    for index, (option, start, length) in zip((39, 0, 7), asked, strict=True):
        begin = 128 + index * 12288
        assert option == mmap.MADV_WILLNEED and start % mmap.PAGESIZE == 0
        assert begin - mmap.PAGESIZE < start <= begin and start + length == begin + 12288


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
