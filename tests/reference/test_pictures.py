"""Grids pixel by pixel, GIFs and PNGs as another program reads them."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from facegan_ref.pictures import image_grid, load_png, save_curves, save_gif, save_png, smooth


def plain(value, size=(4, 6), channels=3):
    """An image of one colour, given as a byte."""
    return torch.full((channels, *size), value / 127.5 - 1)


def coloured(*colour, size=(12, 10)):
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (*size, 3)).copy()


# ---- grids ----------------------------------------------------------------------------------


def test_grid_is_right_to_the_pixel():
    images = torch.stack([plain(v) for v in (10, 20, 30, 40, 50)])
    grid = image_grid(images, 3)
    expected = np.full((4 * 2 + 2, 6 * 3 + 2 * 2, 3), 255, dtype=np.uint8)
    for value, top, left in ((10, 0, 0), (20, 0, 8), (30, 0, 16), (40, 6, 0), (50, 6, 8)):
        expected[top : top + 4, left : left + 6] = value
    assert grid.dtype == np.uint8 and np.array_equal(grid, expected)


def test_grid_keeps_pixels_and_colours_in_their_places():
    image = torch.randint(0, 256, (3, 5, 7), generator=torch.Generator().manual_seed(0))
    grid = image_grid((image / 127.5 - 1)[None], 1)
    assert np.array_equal(grid, image.permute(1, 2, 0).numpy())


def test_grey_images_become_grey_pictures():
    grid = image_grid(torch.stack([plain(0, channels=1), plain(99, channels=1)]), 2)
    assert grid.shape == (4, 14, 3)
    assert (grid[:, :6] == 0).all() and (grid[:, 8:] == 99).all() and (grid[:, 6:8] == 255).all()


def test_grid_clips_what_lies_outside_and_takes_any_float():
    images = torch.stack([torch.full((3, 2, 2), v) for v in (-1.5, -1.0, 0.0, 1.0, 7.0)])
    grid = image_grid(images.to(torch.bfloat16).requires_grad_(), 5)
    assert [int(grid[0, 4 * i, 0]) for i in range(5)] == [0, 0, 128, 255, 255]


def test_more_columns_than_images_leave_white_space():
    grid = image_grid(plain(10)[None], 3)
    assert grid.shape == (4, 22, 3) and (grid[:, 6:] == 255).all()


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 4, 4, 3), (2, 2, 4, 4), (0, 3, 4, 4), (5,)])
def test_what_is_no_batch_of_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"images have shape .* expected \(N, 3, H, W\)"):
        image_grid(torch.zeros(shape), 2)


def test_columns_must_be_there():
    with pytest.raises(ValueError, match="columns is 0"):
        image_grid(torch.zeros(1, 3, 4, 4), 0)


# ---- PNG ------------------------------------------------------------------------------------


def test_png_comes_back_as_it_was(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    save_png(picture, tmp_path / "new" / "a.png")
    assert np.array_equal(load_png(tmp_path / "new" / "a.png"), picture)
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert image.format == "PNG" and image.size == (13, 9)


def test_png_enlarges_each_pixel_to_a_square(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    save_png(picture, tmp_path / "a.png", scale=4)
    assert np.array_equal(load_png(tmp_path / "a.png"), picture.repeat(4, axis=0).repeat(4, axis=1))


# ---- GIF ------------------------------------------------------------------------------------


def read_gif(path):
    with Image.open(path) as image:
        assert image.format == "GIF"
        frames = [
            (np.array(frame.convert("RGB")), frame.info["duration"])
            for frame in ImageSequence.Iterator(image)
        ]
        return frames, image.info.get("loop")


def test_gif_has_its_frames_size_time_and_never_ends(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (7, 100, 200), (250, 250, 3)]
    save_gif([coloured(*c) for c in colours], tmp_path / "new" / "a.gif", fps=4)
    frames, loop = read_gif(tmp_path / "new" / "a.gif")
    assert len(frames) == 5 and loop == 0
    for (pixels, duration), colour in zip(frames, colours, strict=True):
        assert pixels.shape == (12, 10, 3) and duration == 250
        assert np.array_equal(pixels, coloured(*colour))  # also of frames in the middle


def test_gif_comes_close_to_many_colours(tmp_path):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    one = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(128)), axis=-1)
    two = one[::-1, :, ::-1].copy()
    save_gif([one, two], tmp_path / "a.gif", fps=10)
    frames, _ = read_gif(tmp_path / "a.gif")
    for (pixels, _), frame in zip(frames, (one, two), strict=True):
        assert np.abs(pixels.astype(int) - frame).mean() < 8


def test_gif_shows_a_repeated_frame_longer(tmp_path):
    red, blue = coloured(255, 0, 0), coloured(0, 0, 255)
    save_gif([red, red, blue, blue, blue, red], tmp_path / "a.gif", fps=10)
    frames, _ = read_gif(tmp_path / "a.gif")
    assert [duration for _, duration in frames] == [200, 300, 100]
    assert [tuple(pixels[0, 0]) for pixels, _ in frames] == [(255, 0, 0), (0, 0, 255), (255, 0, 0)]


def test_gif_of_one_frame(tmp_path):
    save_gif([coloured(1, 2, 3)], tmp_path / "a.gif", fps=1)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 1 and image.convert("RGB").getpixel((0, 0)) == (1, 2, 3)


def test_gif_of_more_pixels_than_its_palette_looks_at(tmp_path):
    frames = [np.random.default_rng(i).integers(0, 2, (640, 640, 3), dtype=np.uint8) * 255
              for i in range(3)]  # fmt: skip
    save_gif(frames, tmp_path / "a.gif", fps=5)
    read, _ = read_gif(tmp_path / "a.gif")
    assert all(np.array_equal(p, f) for (p, _), f in zip(read, frames, strict=True))


@pytest.mark.parametrize(
    "frames, fps, phrase",
    [
        ([], 4, "0 frames"),
        ([coloured(0, 0, 0), coloured(0, 0, 0, size=(12, 11))], 4, "all of one size"),
        ([coloured(0, 0, 0)], 0, "more than 0 frames a second"),
        ([coloured(0, 0, 0)], math.nan, "more than 0 frames a second"),
    ],
)
def test_gif_refuses_what_it_can_not_show(tmp_path, frames, fps, phrase):
    with pytest.raises(ValueError, match=phrase):
        save_gif(frames, tmp_path / "a.gif", fps)
    assert not (tmp_path / "a.gif").exists()


# ---- curves ---------------------------------------------------------------------------------


def history(steps, loss=1.0):
    return [
        {
            "step": s, "loss_d": loss, "loss_g": 2 * loss, "d_real": 0.7, "d_fake": 0.3,
            "acc_real": 0.9, "acc_fake": 0.6,
        }
        for s in range(1, steps + 1)
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [1, 7, 500])
def test_curves_are_a_picture_with_something_in_it(tmp_path, steps):
    save_curves(history(steps), tmp_path / "new" / "curves.png")
    picture = load_png(tmp_path / "new" / "curves.png")
    assert picture.shape == (440, 1650, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # blue and orange, in each panel
        found = np.abs(picture.astype(int) - colour).sum(axis=2) < 30
        assert all(found[:, 550 * i : 550 * (i + 1)].sum() > 10 for i in range(3))


def test_losses_below_zero_are_shown_too(tmp_path):
    """As in the minimax and the Wasserstein game; without a chance there are no dotted lines."""
    for name, chance in (("a.png", None), ("b.png", (1.4, -0.7))):
        save_curves(history(50, loss=-3.0), tmp_path / name, at_chance=chance)
        picture = load_png(tmp_path / name)[30:380, 60:540].astype(int)
        for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
            found = np.abs(picture - colour).sum(axis=2) < 30
            assert found.sum(axis=1).max() > 100  # a line across the panel


def test_curves_show_different_histories_differently(tmp_path):
    save_curves(history(50, loss=0.5), tmp_path / "a.png")
    save_curves(history(50, loss=0.8), tmp_path / "b.png")
    assert not np.array_equal(load_png(tmp_path / "a.png"), load_png(tmp_path / "b.png"))


def test_curves_leave_matplotlibs_state_alone(tmp_path):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    save_curves(history(3), tmp_path / "a.png")
    assert pyplot.get_fignums() == before


def test_running_mean():
    assert smooth([4.0, 2.0, 6.0, 0.0], 2).tolist() == [4, 3, 4, 3]
    assert smooth([4.0, 2.0, 6.0], 1).tolist() == [4, 2, 6]
    assert smooth([4.0, 2.0, 6.0], 10).tolist() == [4, 3, 4]
