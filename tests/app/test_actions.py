"""What a visitor can ask for, without a browser: seeds, morphs, files, hostile values."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from facegan_ref.app import actions, markup
from facegan_ref.app.checkpoints import CannotShow, Checkpoints, offered
from facegan_ref.latents import faces_of, latents_of_seeds
from facegan_ref.morph import lerp
from facegan_ref.pictures import image_grid


@pytest.fixture(scope="module")
def loaded(runs):
    return Checkpoints(offered([runs / "normal"])).load("normal")


@pytest.fixture(scope="module")
def cube(runs):
    return Checkpoints(offered([runs / "uniform"])).load("uniform")


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("value", [0, 7, 7.0, "7", " 7 ", 2**32 - 1, "4294967295", 1e6])
def test_a_seed_is_a_whole_number(value):
    assert actions.read_seed(value) == int(float(value))


@pytest.mark.parametrize(
    "value",
    [
        None, "", "  ", "face", -1, -0.5, 0.5, "1,5", 2**32, 1e300, float("inf"), float("nan"),
        True, "9" * 400, "../../etc/passwd", [1], {"a": 1}, "<script>alert(1)</script>",
    ],
)  # fmt: skip
def test_anything_else_is_said_to_be_none(value):
    with pytest.raises(CannotShow, match="a whole number from 0 to 4294967295") as error:
        actions.read_seed(value, "Face 1's seed")
    assert str(error.value).startswith("Face 1's seed is") and len(str(error.value)) < 150
    assert "<script>" not in markup.message(str(error.value))


def test_a_morph_begins_and_ends_with_the_faces_of_its_seeds(loaded):
    made = actions.make_morph(loaded, 3, "14")
    faces = faces_of(loaded.generator, latents_of_seeds(loaded.recipe, [3, 14]))
    assert made.images.shape == (41, 3, 16, 16)
    assert torch.allclose(made.images[[0, -1]], faces, atol=1e-5)
    assert [made.index(percent) for percent in (0, 2.5, 50, 100)] == [0, 1, 20, 40]


def test_uniform_latents_morph_in_a_straight_line(cube):
    made = actions.make_morph(cube, 3, 14)
    z0, z1 = latents_of_seeds(cube.recipe, [3, 14])
    middle = faces_of(cube.generator, lerp(z0, z1, 0.5)[None])[0]
    assert torch.allclose(made.images[20], middle, atol=1e-5)
    assert "straight line" in markup.about(cube)


def test_large_faces_come_in_fewer_frames(loaded, small_recipe):
    from dataclasses import replace

    large = replace(loaded, recipe=small_recipe.override(image_size=128))
    assert actions.steps_of(large) == 21 and actions.steps_of(loaded) == 41


def test_pictures_keep_the_generators_own_range():
    grey = torch.full((3, 8, 8), -0.5)
    grey[:, 0, 0] = -0.4  # stretched to its own range it would be black and white
    data = pixels(actions.png_of(grey, 4))
    assert data.shape == (32, 32, 3) and data.min() == 64 and data.max() < 80


def test_a_hundred_faces_are_those_of_a_hundred_seeds(loaded):
    seeds, images = actions.make_hundred(loaded, 50)
    assert seeds == list(range(50, 150)) and images.shape == (100, 3, 16, 16)
    alone = faces_of(loaded.generator, latents_of_seeds(loaded.recipe, [77]))[0]
    assert torch.allclose(images[27], alone, atol=1e-5)
    assert actions.make_hundred(loaded, 2**32 - 100)[0][-1] == 2**32 - 1
    with pytest.raises(CannotShow, match="begin at 4294967196 or before"):
        actions.make_hundred(loaded, 2**32 - 99)


def test_sliders_move_along_their_own_directions_and_no_further_than_they_go(loaded):
    number, images = actions.make_changed(loaded, 4, [0, 0, 9, "ignored", None])
    assert number == 4 and torch.allclose(images[0], images[1], atol=1e-5)
    z = latents_of_seeds(loaded.recipe, [4])
    z[0, 2] += 1.5  # Wavy_Hair
    _, images = actions.make_changed(loaded, 4, [0, 1.5])
    assert torch.allclose(images[1], faces_of(loaded.generator, z)[0], atol=1e-5)
    for amount in (3.1, -99, None, "x", float("nan")):
        with pytest.raises(CannotShow, match="slider of Smiling"):
            actions.make_changed(loaded, 4, [amount, 0])


@pytest.mark.parametrize("percent", [-1, 101, None, "half", float("nan")])
def test_the_sliders_place_is_a_share(loaded, percent):
    with pytest.raises(CannotShow, match="slider's place"):
        actions.still_of(loaded, 1, 2, percent)


def test_files_hold_what_is_shown(loaded, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = actions.make_morph(loaded, 1, 2)
    name, data = actions.still_of(loaded, 1, 2, 25)
    assert name == "morph-1-2-at-25.png"
    assert np.array_equal(pixels(data)[::4, ::4], image_grid(made.images[10:11], 1))
    name, data = actions.strip_of(loaded, 1, 2)
    assert name == "morph-1-2.png" and pixels(data).shape == (64, 4 * (12 * 18 - 2), 3)
    name, data = actions.film_of(loaded, 1, 2)
    assert name == "morph-1-2.gif" and data[:6] == b"GIF89a"
    assert Image.open(io.BytesIO(data)).size == (64, 64)
    name, data = actions.sheet_of(loaded, 7)
    assert name == "faces-7-106.png" and data[1:4] == b"PNG"
    assert not list(tmp_path.iterdir())  # nothing stays on the server


def test_random_seeds_are_short_and_differ():
    seeds = {actions.another_seed() for _ in range(50)}
    assert len(seeds) > 40 and all(0 <= seed < 10_000 for seed in seeds)


def test_every_picture_says_what_it_shows(loaded):
    made = actions.make_morph(loaded, 1, 2)
    pages = [
        markup.face(made.images[0], 1, "Face 1"),
        markup.stage(made, 50),
        markup.sheet(*actions.make_hundred(loaded, 0)),
    ]
    for page in pages:
        images = re.findall(r"<img [^>]*>", page)
        assert images and all(re.search(r'alt="[^"]*\d', image) for image in images)
