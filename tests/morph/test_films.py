"""Films, captions, and pictures that people bring, written and read back."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.pictures import (
    captioned_grid,
    enlarge,
    image_grid,
    load_picture,
    save_animation,
    there_and_back,
)


def plain(value):
    return np.full((8, 10, 3), value, np.uint8)


def read(path):
    with Image.open(path) as image:
        frames = []
        for frame in ImageSequence.Iterator(image):
            frame.load()  # a WebP's frame has its duration only then
            frames.append((np.array(frame.convert("RGB")), frame.info["duration"]))
        return frames, image.info["loop"]


def test_a_film_goes_there_and_back_and_rests_at_both_ends():
    frames = [plain(v) for v in (0, 80, 160, 240)]
    film = there_and_back(frames, hold=3)
    assert [int(f[0, 0, 0]) for f in film] == [0, 0, 0, 80, 160, 240, 240, 240, 160, 80]
    assert [int(f[0, 0, 0]) for f in there_and_back(frames[:2], hold=1)] == [0, 80]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_film_is_read_back_with_its_frames_and_times(tmp_path, kind):
    film = there_and_back([plain(v) for v in (10, 90, 170, 250)], hold=3)
    save_animation(film, tmp_path / "new" / f"film.{kind}", fps=10)
    frames, loop = read(tmp_path / "new" / f"film.{kind}")
    assert loop == 0 and sum(duration for _, duration in frames) == 1000
    # Frames that stand still may be one long one or several.
    shown = [int(f[0, 0, 0]) for f, duration in frames for _ in range(duration // 100)]
    assert shown == [10, 10, 10, 90, 170, 250, 250, 250, 170, 90]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_no_frame_is_stretched_to_its_own_range(tmp_path, kind):
    """A dark, a grey and a bright frame of little contrast come back as such."""
    noise = np.random.default_rng(0).integers(0, 9, (3, 8, 10, 3))
    film = [(noise[i] + low).astype(np.uint8) for i, low in enumerate((20, 120, 220))]
    save_animation(film, tmp_path / f"film.{kind}", fps=5)
    frames, _ = read(tmp_path / f"film.{kind}")
    for (found, _), frame in zip(frames, film, strict=True):
        limit = 0 if kind == "webp" else 6
        assert np.abs(found.astype(int) - frame).max() <= limit


@pytest.mark.parametrize(
    "name, frames, fps, phrase",
    [
        ("film.mp4", [plain(0)], 5, "expected .gif or .webp"),
        ("film.webp", [], 5, "0 frames"),
        ("film.webp", [plain(0), plain(0)[1:]], 5, "all of one size"),
        ("film.webp", [plain(0)], 0, "more than 0 frames a second"),
        ("film.gif", [], 5, "0 frames"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path, name, frames, fps, phrase):
    with pytest.raises(ValueError, match=phrase):
        save_animation(frames, tmp_path / name, fps)
    assert not (tmp_path / name).exists()


def test_enlarged_pixels_are_squares():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = enlarge(picture, 3)
    assert large.shape == (6, 6, 3) and np.array_equal(large[1::3, 2::3], picture)
    assert (large[:3, 3:] == picture[0, 1]).all()


def test_captions_stand_under_their_images_and_names_left_of_their_rows():
    images = torch.zeros(5, 3, 20, 24)
    bare = captioned_grid(images, 3, scale=2)
    assert np.array_equal(bare, enlarge(image_grid(images, 3), 2))
    picture = captioned_grid(images, 3, 2, ["7", "", "", "", "8"], ["real", "made"])
    height, width = bare.shape[:2]
    left, below = picture.shape[1] - width, (picture.shape[0] - height) // 2
    assert left > 15 and below > 6
    first, second = picture[:40, left:], picture[44 + below : 84 + below, left:]
    assert np.array_equal(first, bare[:40]) and np.array_equal(second, bare[44:84])
    text = (picture[:, :, 0] < 100) & (picture[:, :, 1] < 100)  # black on white
    assert text[:40, :left].any() and text[44 + below :, :left].any()
    under = text[40 : 40 + below, left:]
    assert under[:, :48].any() and not under[:, 52:].any()
    under = text[84 + below :, left:]
    assert under[:, 52:100].any() and not under[:, :48].any()
    for captions, rows in ((["7"], ()), ((), ["real"])):
        with pytest.raises(ValueError, match="expected one for each, or none"):
            captioned_grid(images, 3, 2, captions, rows)


# ---- a picture that somebody brings ---------------------------------------------------------


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(ToyFaces(1, 64, seed=3).images[0].permute(1, 2, 0).numpy())


def test_a_picture_of_the_right_size_comes_as_it_is(tmp_path, portrait):
    Image.fromarray(portrait).save(tmp_path / "a.png")
    loaded = load_picture(tmp_path / "a.png", 64)
    assert loaded.shape == (3, 64, 64) and loaded.dtype == torch.float32
    assert np.array_equal(image_grid(loaded[None], 1), portrait)


def test_the_middle_square_of_a_photograph_is_taken_and_made_smaller(tmp_path, portrait):
    wide = np.full((64, 100, 3), 9, np.uint8)
    wide[:, 18:82] = portrait
    Image.fromarray(wide).resize((400, 256), Image.Resampling.NEAREST).save(
        tmp_path / "a.jpg", quality=98
    )
    loaded = image_grid(load_picture(tmp_path / "a.jpg", 32)[None], 1).astype(int)
    small = portrait.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(loaded - small).mean() < 6  # a box and a triangle as filters


def test_pictures_of_all_modes_stand_upright(tmp_path, portrait):
    upright = Image.fromarray(portrait)
    expected = load_grid(upright, tmp_path / "plain.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise when shown
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(image_grid(load_picture(tmp_path / "turned.png", 64)[None], 1), expected)
    grey = load_grid(upright.convert("L"), tmp_path / "grey.png")
    assert (grey[..., 0] == grey[..., 1]).all() and np.abs(grey.astype(int) - expected).mean() < 40
    cmyk = load_grid(upright.convert("CMYK"), tmp_path / "cmyk.jpg")
    assert np.abs(cmyk.astype(int) - expected).mean() < 12


def load_grid(image, path):
    image.save(path)
    return image_grid(load_picture(path, 64)[None], 1)


def test_what_is_no_picture_is_refused(tmp_path, portrait):
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg: no such picture"):
        load_picture(tmp_path / "gone.jpg", 16)
    (tmp_path / "page.jpg").write_text("<html>quota</html>")
    Image.fromarray(portrait).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    for name in ("page.jpg", "half.jpg"):
        with pytest.raises(ValueError, match=f"{name}: not a whole picture"):
            load_picture(tmp_path / name, 16)
