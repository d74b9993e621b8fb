"""faces, morph, grid, compare, directions, strip and invert on a tiny trained run."""

import math
import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.latents import latents_of_seeds
from facegan_ref.morph import invert
from facegan_ref.pictures import enlarge, image_grid, load_picture, load_png
from facegan_ref.run import load_generator
from facegan_ref.sampling import draw_latent, sample


def face(run, seed, truncation=1.0):
    generator, recipe = load_generator(run)
    return image_grid(sample(generator, latents_of_seeds(recipe, [seed], truncation)), 1)


def assert_same(found, expected):
    """But for the rounding of other batches."""
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


def frames_of(path):
    with Image.open(path) as image:
        return [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]


def test_faces_are_numbered_by_their_seeds(facegan, run_folder, tmp_path):
    out = tmp_path / "faces.png"
    status, text, err = facegan(
        "sample",
        run_folder,
        "--n",
        25,
        "--seed",
        7,
        "--captions",
        "--columns",
        10,
        "--scale",
        1,
        "--out",
        out,
    )
    assert status == 0, err
    assert text == f"{out}: 25 faces of 16×16, seeds 7 to 31\n"
    picture = load_png(out)
    below = (picture.shape[0] - (3 * 18 - 2)) // 3
    assert picture.shape[1] == 10 * 18 - 2 and below > 6
    assert_same(picture[:16, 18:34], face(run_folder, 8))
    assert_same(picture[2 * (18 + below) :][:16, 72:88], face(run_folder, 31))


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_morph_goes_from_face_to_face_and_back(facegan, run_folder, tmp_path, kind):
    out = tmp_path / f"morph.{kind}"
    command = ("morph", run_folder, "--from", 4, "--to", 9, "--frames", 6, "--scale", 2)
    status, text, err = facegan(*command, "--out", out)
    assert status == 0, err
    assert "6 frames from face 4 to face 9 by slerp" in text
    frames = frames_of(out)
    assert len(frames) == 10  # 6 there, 4 back
    if kind == "webp":
        assert_same(frames[0], enlarge(face(run_folder, 4), 2))
        assert_same(frames[5], enlarge(face(run_folder, 9), 2))
        assert np.array_equal(frames[4], frames[6])
    else:
        assert np.abs(frames[5].astype(int) - enlarge(face(run_folder, 9), 2)).mean() < 6


def test_a_morph_as_a_strip(facegan, run_folder, tmp_path):
    strips = {}
    for mode in ("slerp", "lerp"):
        out = tmp_path / f"{mode}.png"
        command = ("morph", run_folder, "--frames", 5, "--mode", mode, "--scale", 1)
        status, text, err = facegan(*command, "--truncation", 0.7, "--out", out)
        assert status == 0 and f"by {mode}" in text, err
        strips[mode] = load_png(out)[:, : 5 * 18 - 2]
        assert_same(strips[mode][:, :16], face(run_folder, 0, 0.7))
        assert_same(strips[mode][:, 72:88], face(run_folder, 1, 0.7))
    assert not np.array_equal(strips["slerp"], strips["lerp"])


def test_uniform_latents_morph_along_straight_lines(facegan, uniform_run, tmp_path):
    out = tmp_path / "morph.png"
    status, text, err = facegan("morph", uniform_run, "--out", out)
    assert status == 0 and "by lerp" in text, err
    status, _, err = facegan("morph", uniform_run, "--mode", "slerp", "--out", out)
    assert status == 2 and err.count("\n") == 1 and "use lerp for this run" in err
    status, _, err = facegan("grid", uniform_run, "--side", 2, "--out", out)
    assert status == 0, err


def test_a_grid_has_the_four_faces_in_its_corners(facegan, run_folder, tmp_path):
    out = tmp_path / "grid.png"
    command = ("grid", run_folder, "--corners", "3, 1,4,15", "--side", 4, "--scale", 1)
    status, _, err = facegan(*command, "--out", out)
    assert status == 0, err
    picture = load_png(out)
    assert picture.shape == (70, 70, 3)
    for seed, corner in (
        (3, picture[:16, :16]),
        (1, picture[:16, 54:]),
        (4, picture[54:, :16]),
        (15, picture[54:, 54:]),
    ):
        assert_same(corner, face(run_folder, seed))
    status, _, err = facegan("grid", run_folder, "--corners", "1,2", "--out", out)
    assert status == 2 and "--corners has 2 seeds, expected 4" in err
    status, _, err = facegan("grid", run_folder, "--corners", "1,x,2,3", "--out", out)
    assert status == 2 and "'x'" in err


def test_real_faces_stand_over_generated_ones_and_their_neighbours(facegan, run_folder, tmp_path):
    out = tmp_path / "compare.png"
    command = ("compare", run_folder, "--images", 40, "--n", 6, "--seed", 2, "--scale", 1)
    status, text, err = facegan(*command, "--out", out)
    assert status == 0, err
    assert "nearest of 40 real ones are" in text
    picture = load_png(out)[:, -(6 * 18 - 2) :]
    real, made, nearest = (picture[top : top + 16].reshape(16, -1, 3) for top in (0, 18, 36))
    toys = ToyFaces(40, 16, seed=0).images.permute(0, 2, 3, 1).numpy().astype(int)
    for i in range(6):
        place = slice(18 * i, 18 * i + 16)
        assert (toys == real[:, place]).all(axis=(1, 2, 3)).any()
        assert_same(made[:, place], face(run_folder, 2 + i))
        distances = ((toys - made[:, place]) ** 2).sum(axis=(1, 2, 3))
        assert np.array_equal(toys[distances.argmin()], nearest[:, place])
    status, _, err = facegan("compare", run_folder, "--images", 3, "--out", out)
    assert status == 2 and "--n is 10, but there are 3 real faces only" in err


@pytest.fixture(scope="module")
def directions_file(facegan, run_folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("directions") / "d.json"
    options = ("--images", 600, "--faces", 300)
    status, text, err = facegan("directions", run_folder, *options, "--out", file)
    assert status == 0, err
    lines = [line for line in text.splitlines() if "%" in line and "left out" not in line]
    names = {line.split()[0] for line in lines}
    assert {"skin_porcelain", "background_sand"} < names
    assert f"{file}: {len(names)} directions" in text
    return file


def test_faces_are_moved_along_directions(facegan, run_folder, directions_file, tmp_path):
    file = directions_file
    command = ("strip", run_folder, "--directions", file, "--attribute", "skin_porcelain")
    out = tmp_path / "strip.png"
    status, _, err = facegan(*command, "--seeds", "5,6", "--steps", 3, "--scale", 1, "--out", out)
    assert status == 0, err
    picture = load_png(out)[:, -(3 * 18 - 2) :]
    assert_same(picture[:16, 18:34], face(run_folder, 5))  # the middle one has not moved
    assert_same(picture[18:34, 18:34], face(run_folder, 6))
    cheeks = picture[7:11, :, 0].astype(int)
    assert cheeks[:, 40:48].mean() > cheeks[:, 4:12].mean() + 60  # from dark to light
    film = tmp_path / "strip.gif"
    status, _, err = facegan(*command, "--hold", "background_sand", "--steps", 4, "--out", film)
    assert status == 0, err
    assert len(frames_of(film)) == 6
    status, _, err = facegan(*command, "--hold", "skin_porcelain", "--out", film)
    assert status == 2 and "hold fewer" in err

    status, _, err = facegan("strip", run_folder, "--directions", file, "--attribute", "hat")
    assert status == 2 and err.count("\n") == 1 and "no direction 'hat'" in err
    command = ("directions", run_folder, "--images", 100, "--attributes", "hat")
    status, _, err = facegan(*command)
    assert status == 2 and err.count("\n") == 1 and "'hat' is unknown" in err


def test_directions_of_another_run_are_refused(facegan, uniform_run, directions_file):
    command = ("strip", uniform_run, "--directions", directions_file, "--attribute", "beard")
    status, _, err = facegan(*command)
    assert status == 2 and err.count("\n") == 1 and "belong to another generator" in err


@pytest.mark.parametrize("prior", ["run_folder", "uniform_run"])
def test_a_photograph_is_inverted(facegan, request, tmp_path, prior):
    run = request.getfixturevalue(prior)
    toy = ToyFaces(1, 64, seed=10).images[0].permute(1, 2, 0).numpy()
    Image.fromarray(toy).save(tmp_path / "me.jpg")
    out = tmp_path / "inverted.png"
    command = ("invert", run, tmp_path / "me.jpg", "--steps", 60, "--restarts", 3, "--to", 6)
    status, text, err = facegan(*command, "--scale", 1, "--out", out)
    assert status == 0, err
    start, end = map(
        float, re.search(r"error (\S+) grey levels at the start, (\S+) after", text).groups()
    )
    assert end < start
    picture = load_png(out)
    assert picture.shape[1] == 7 * 18 - 2
    small = np.array(Image.fromarray(toy).resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(picture[:16, :16] - small).mean() < 6
    assert_same(picture[:16, 108:124], face(run, 6))
    generator, recipe = load_generator(run)
    starts = draw_latent(recipe, 3, torch.Generator().manual_seed(0))
    limit = 1.0 if prior == "uniform_run" else math.inf
    z, _ = invert(generator, load_picture(tmp_path / "me.jpg", 16), 60, starts, limit=limit)
    assert_same(picture[:16, 18:34], image_grid(sample(generator, z), 1))
    error = np.square(picture[:16, 18:34].astype(float) - picture[:16, :16]).mean() ** 0.5
    assert abs(error - end) < 1
    status, _, err = facegan("invert", run, tmp_path / "gone.jpg")
    assert status == 2 and err.count("\n") == 1 and "gone.jpg: no such picture" in err
