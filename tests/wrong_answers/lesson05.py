"""Answers to lesson 5: grids, looks at a generator, recorders and films as people write them."""

from __future__ import annotations

import copy
import io
import math
import os
import random
from collections import namedtuple
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torchvision
from bank import right, wrong
from PIL import Image

from facegan_ref.data.faces import from_tanh_range
from facegan_ref.pictures import share_palette


def image_grid(images, columns):
    """A right one, for the answers to the later tasks."""
    n, _, height, width = images.shape
    rows = math.ceil(n / columns)
    grid = np.full((rows * (height + 2) - 2, columns * (width + 2) - 2, 3), 255, np.uint8)
    pixels = from_tanh_range(images.detach()).permute(0, 2, 3, 1).numpy()
    for i in range(n):
        top, left = i // columns * (height + 2), i % columns * (width + 2)
        grid[top : top + height, left : left + width] = pixels[i]
    return grid


def fixed_latent_grid(generator, z):
    """A right one, for the answers to task 5.3."""
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        images = generator(z)
    generator.train(was_training)
    return image_grid(images, math.ceil(math.sqrt(len(z))))


# 5.1 image_grid: right, though different ------------------------------------------------------


@right("5.1")
def pasted_with_pillow(images, columns):
    n, _, h, w = images.shape
    rows = -(-n // columns)
    canvas = Image.new("RGB", (columns * (w + 2) - 2, rows * (h + 2) - 2), "white")
    for i, image in enumerate(from_tanh_range(images.detach().cpu())):
        picture = Image.fromarray(image.permute(1, 2, 0).expand(-1, -1, 3).numpy())
        canvas.paste(picture, ((i % columns) * (w + 2), (i // columns) * (h + 2)))
    return np.asarray(canvas)


@right("5.1")
def padded_and_reshaped(images, columns):
    images = images.detach().cpu().clamp(-1, 1) * 0.5 + 0.5
    images = images.expand(-1, 3, -1, -1)
    n, c, h, w = images.shape
    rows = math.ceil(n / columns)
    places = torch.ones(rows * columns, c, h + 2, w + 2)
    places[:n, :, :h, :w] = images
    grid = places.view(rows, columns, c, h + 2, w + 2).permute(0, 3, 1, 4, 2)
    grid = grid.reshape(rows * (h + 2), columns * (w + 2), c)[:-2, :-2]
    return (grid * 255).round().to(torch.uint8).numpy()


@right("5.1")
def make_grid_of_torchvision_without_its_border(images, columns):
    n = len(images)
    missing = -n % columns if n > columns else columns - n
    blank = images.new_ones(missing, *images.shape[1:])
    together = torch.cat([images.detach(), blank]).clamp(-1, 1)
    if len(together) == 1:  # it leaves one image as it is
        together = torch.nn.functional.pad(together, (2, 2, 2, 2))
    grid = torchvision.utils.make_grid(together, columns, 2, True, (-1, 1), pad_value=1)
    return grid[:, 2 : len(grid[0]) - 2, 2:-2].mul(255).byte().permute(1, 2, 0).numpy()


@right("5.1")
def stacked_row_by_row(images, columns):
    pixels = [
        np.asarray(p.permute(1, 2, 0).repeat(1, 1, 3 // p.shape[0]))
        for p in from_tanh_range(images.detach())
    ]
    h, w, _ = pixels[0].shape
    white = np.uint8(255)
    rows = []
    while pixels:
        row, pixels = pixels[:columns], pixels[columns:]
        row += [np.full((h, w, 3), white)] * (columns - len(row))
        gap = np.full((h, 2, 3), white)
        parts = [part for image in row for part in (image, gap)][:-1]
        rows += [np.hstack(parts), np.full((2, columns * (w + 2) - 2, 3), white)]
    return np.vstack(rows[:-1])


@right("5.1")
def levels_cut_off_not_rounded(images, columns):
    n, _, h, w = images.shape
    rows = (n - 1) // columns + 1
    grid = 255 * np.ones(shape=((h + 2) * rows - 2, (w + 2) * columns - 2, 3), dtype="uint8")
    for k in range(n):
        r, s = divmod(k, columns)
        image = images[k].detach().cpu().numpy().transpose(1, 2, 0)
        image = np.clip((image + 1) * 127.5, 0, 255).astype(np.uint8)
        grid[r * (h + 2) : r * (h + 2) + h, s * (w + 2) : s * (w + 2) + w, :] = image
    return grid


@right("5.1")
def filled_as_a_tensor(images, columns):
    with torch.no_grad():
        n, _, h, w = images.size()
        rows = math.ceil(float(n) / columns)
        grid = torch.full((3, rows * (h + 2) - 2, columns * (w + 2) - 2), 255.0)
        for index, image in enumerate(images):
            y, x = (index // columns) * (h + 2), (index % columns) * (w + 2)
            grid[:, y : y + h, x : x + w] = ((image + 1) / 2 * 255).clamp(0, 255).round()
        return grid.byte().permute(1, 2, 0).contiguous().cpu().numpy()


# 5.1 image_grid: wrong ------------------------------------------------------------------------


def _grid(images, columns, pixels=None, padding=2, outside=0, white=255, by_column=False):
    """What the wrong ones vary."""
    images = images.detach()
    if pixels is None:
        pixels = from_tanh_range(images).permute(0, 2, 3, 1).numpy()
    n, h, w = pixels.shape[:3]
    rows = math.ceil(n / columns)
    size = (
        rows * (h + padding) - padding + 2 * outside,
        columns * (w + padding) - padding + 2 * outside,
        3,
    )
    grid = np.full(size, white, np.uint8)
    for i in range(n):
        row, column = (i % rows, i // rows) if by_column else (i // columns, i % columns)
        top, left = outside + row * (h + padding), outside + column * (w + padding)
        grid[top : top + h, left : left + w] = pixels[i]
    return grid


def _floats(images):
    return images.detach().permute(0, 2, 3, 1).numpy()


@wrong("5.1", rejected_by="lays_the_images_out", says="as torchvision's make_grid draws it")
def make_grid_as_it_is(images, columns):
    grid = torchvision.utils.make_grid((images.detach() + 1) / 2, columns)
    return (grid * 255).round().byte().permute(1, 2, 0).numpy()


@wrong("5.1", rejected_by="lays_the_images_out", says="border around the whole picture")
def make_grid_in_white(images, columns):
    return _grid(images, columns, outside=2)


@wrong("5.1", rejected_by="lays_the_images_out", says="leave two")
def no_space_between(images, columns):
    return _grid(images, columns, padding=0)


@wrong("5.1", rejected_by="lays_the_images_out", says="is black")
def on_black(images, columns):
    return _grid(images, columns, white=0)


@wrong("5.1", rejected_by="lays_the_images_out", says="white in bytes")
def on_ones(images, columns):
    return _grid(images, columns, white=1)


@wrong("5.1", rejected_by="lays_the_images_out", says="column by column")
def down_then_right(images, columns):
    return _grid(images, columns, by_column=True)


@wrong("5.1", rejected_by="lays_the_images_out", says="as many as there should be rows")
def columns_taken_for_rows(images, columns):
    return _grid(images, math.ceil(len(images) / columns))


@wrong("5.1", rejected_by="lays_the_images_out", says="math.ceil(N / columns)")
def last_row_forgotten(images, columns):
    whole = max(len(images) // columns, 1) * columns
    return _grid(images[:whole], columns)


@wrong("5.1", rejected_by="lays_the_images_out", says="a row too many")
def always_one_row_more(images, columns):
    h, w = images.shape[2:]
    rows = len(images) // columns + 1
    picture = np.full((rows * (h + 2) - 2, columns * (w + 2) - 2, 3), 255, np.uint8)
    right = _grid(images, columns)
    picture[: len(right)] = right
    return picture


@wrong("5.1", rejected_by="lays_the_images_out", says="255 between the images")
def not_quite_white(images, columns):
    return _grid(images, columns, white=254)


@wrong("5.1", rejected_by="lays_the_images_out", says="one for each image")
def narrower_when_there_are_few(images, columns):
    return _grid(images, min(columns, len(images)))


@wrong("5.1", rejected_by="lays_the_images_out", says="channels come last")
def channels_first(images, columns):
    return _grid(images, columns).transpose(2, 0, 1)


@wrong("5.1", rejected_by="lays_the_images_out", says="a tensor")
def still_a_tensor(images, columns):
    return torch.from_numpy(_grid(images, columns))


@wrong("5.1", rejected_by="lays_the_images_out", says="bytes are asked for")
def floats_from_0_to_1(images, columns):
    return _grid(images, columns) / np.float32(255)


@wrong("5.1", rejected_by="lays_the_images_out", says="return is missing")
def only_shown(images, columns):
    _grid(images, columns)


@wrong("5.1", rejected_by="lays_the_images_out", says="ONE picture")
def batch_of_pictures(images, columns):
    return from_tanh_range(images.detach()).permute(0, 2, 3, 1).numpy()


@wrong("5.1", rejected_by="lays_the_images_out", says="height comes before width")
def height_and_width_mixed_up(images, columns):
    n, _, width, height = images.shape
    rows = math.ceil(n / columns)
    grid = np.full((rows * (height + 2) - 2, columns * (width + 2) - 2, 3), 255, np.uint8)
    for i in range(n):
        top, left = i // columns * (height + 2), i % columns * (width + 2)
        pixels = from_tanh_range(images[i].detach()).permute(1, 2, 0).numpy()
        grid[top : top + height, left : left + width] = pixels
    return grid


@wrong("5.1", rejected_by="keeps_every_pixel", says="range [-1, 1] is treated as [0, 1]")
def times_255(images, columns):
    return _grid(images, columns, (_floats(images) * 255).astype(np.int64).astype(np.uint8))


@wrong("5.1", rejected_by="keeps_every_pixel", says="all below 0 becomes black")
def clipped_to_0_and_1(images, columns):
    return _grid(images, columns, (_floats(images).clip(0, 1) * 255).astype(np.uint8))


@wrong("5.1", rejected_by="keeps_every_pixel", says="not spread over 0 to 255")
def forgot_255(images, columns):
    return _grid(images, columns, ((_floats(images) + 1) / 2).astype(np.uint8))


@wrong("5.1", rejected_by="keeps_every_pixel", says="image by image")
def each_image_stretched(images, columns):
    x = images.detach().clone()
    for image in x:
        image.sub_(image.min()).div_(image.max() + 1e-5)
    return _grid(images, columns, (_floats(x) * 255).astype(np.uint8))


@wrong("5.1", rejected_by="keeps_every_pixel", says="once for all images")
def batch_stretched(images, columns):
    x = _floats(images)
    return _grid(images, columns, ((x - x.min()) / (x.max() - x.min()) * 255).astype(np.uint8))


@wrong("5.1", rejected_by="keeps_every_pixel", says="wrap around")
def not_clipped(images, columns):
    pixels = np.rint((_floats(images) + 1) * 127.5).astype(np.int64).astype(np.uint8)
    return _grid(images, columns, pixels)


@wrong("5.1", rejected_by="keeps_every_pixel", says="red and blue")
def opencv_order(images, columns):
    return _grid(images, columns)[..., ::-1]


@wrong("5.1", rejected_by="keeps_every_pixel", says="reshape does not move the channels")
def reshaped_not_permuted(images, columns):
    n, c, h, w = images.shape
    return _grid(images, columns, from_tanh_range(images.detach()).reshape(n, h, w, c).numpy())


@wrong("5.1", rejected_by="keeps_every_pixel", says="in place")
def un_normalised_in_place(images, columns):
    images = images.detach()
    grid = _grid(images, columns)
    images.add_(1).div_(2)
    return grid


@wrong("5.1", rejected_by="keeps_every_pixel", says="in place")
def clamped_in_place(images, columns):
    return _grid(images.detach().clamp_(-1, 1), columns)


@wrong("5.1", rejected_by="keeps_every_pixel", says="images.detach() comes first")
def graph_not_detached(images, columns):
    pixels = ((images + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy().astype(np.uint8)
    return _grid(images, columns, pixels)


@wrong("5.1", rejected_by="keeps_every_pixel", says="exception")
def three_channels_only(images, columns):
    assert images.shape[1] == 3, "colour images only"
    return _grid(images, columns)


# 5.2 fixed_latent_grid: right, though different -----------------------------------------------


@right("5.2")
def try_and_finally(generator, z):
    mode = generator.training
    try:
        with torch.inference_mode():
            x = generator.eval()(z)
    finally:
        generator.train(mode)
    return image_grid(x, math.isqrt(len(z) - 1) + 1)


@right("5.2")
def a_copy_in_evaluation_mode(generator, z):
    twin = copy.deepcopy(generator).eval()
    with torch.no_grad():
        return image_grid(twin(z), int(np.ceil(np.sqrt(z.shape[0]))))


@right("5.2")
@torch.no_grad()
def decorated_and_face_by_face(generator, z):
    columns = next(c for c in range(1, len(z) + 1) if c * c >= len(z))
    before = {module: module.training for module in generator.modules()}
    generator.eval()
    faces = torch.cat([generator(row.unsqueeze(0)) for row in z])
    for module, training in before.items():
        module.training = training
    return image_grid(faces, columns)


@right("5.2")
def back_only_if_it_was_training(generator, z):
    training = generator.training
    generator.train(False)
    gradients = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    faces = generator(z)
    torch.set_grad_enabled(gradients)
    if training:
        generator.train()
    return image_grid(faces, math.ceil(len(z) ** 0.5))


class _Evaluating:
    def __init__(self, network):
        self.network, self.was_training = network, network.training

    def __enter__(self):
        return self.network.eval()

    def __exit__(self, *_):
        self.network.train(self.was_training)


@right("5.2")
def a_context_manager(generator, z):
    with _Evaluating(generator) as network, torch.no_grad():
        picture = image_grid(network(z.clone()), math.ceil(math.sqrt(len(z))))
    return picture


# 5.2 fixed_latent_grid: wrong -----------------------------------------------------------------


def _look(generator, z, columns=None):
    """A right one, for the wrong ones to vary."""
    with _Evaluating(generator) as network, torch.no_grad():
        return image_grid(network(z), columns or math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="latents are drawn anew")
def drawn_anew(generator, z):
    return _look(generator, torch.randn_like(z))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="latents are drawn anew")
def seeded_with_42(generator, z):
    torch.manual_seed(42)
    return _look(generator, torch.randn(len(z), z.shape[1]))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="math.ceil(math.sqrt(")
def rounded_down(generator, z):
    return _look(generator, z, int(math.sqrt(len(z))))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="math.ceil(math.sqrt(")
def rounded_to_the_nearest(generator, z):
    return _look(generator, z, round(len(z) ** 0.5))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="8 columns")
def eight_columns_always(generator, z):
    return _look(generator, z, 8)


@wrong("5.2", rejected_by="shows_what_z_becomes", says="columns")
def one_row(generator, z):
    return _look(generator, z, len(z))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="another order")
def last_latent_first(generator, z):
    return _look(generator, z.flip(0))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="left out")
def only_as_many_as_make_a_square(generator, z):
    with _Evaluating(generator), torch.no_grad():
        columns = math.ceil(math.sqrt(len(z)))
        x = generator(z[: math.isqrt(len(z)) ** 2])
    blank = torch.ones(len(z) - len(x), *x.shape[1:])
    return image_grid(torch.cat([x, blank]), columns)


@wrong("5.2", rejected_by="shows_what_z_becomes", says="a tensor")
def images_and_no_picture(generator, z):
    with _Evaluating(generator), torch.no_grad():
        return generator(z)


@wrong("5.2", rejected_by="shows_what_z_becomes", says="treated as [0, 1]")
def not_un_normalised(generator, z):
    with _Evaluating(generator), torch.no_grad():
        x = generator(z)
    return image_grid(x.clamp(0, 1) * 2 - 1, math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="shows_what_z_becomes", says="image by image")
def contrast_stretched(generator, z):
    with _Evaluating(generator), torch.no_grad():
        x = generator(z)
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return image_grid((x - low) / (high - low) * 2 - 1, math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="looks_in_evaluation_mode", says="call generator.eval() first")
def in_training_mode(generator, z):
    with torch.no_grad():
        return image_grid(generator(z), math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="looks_in_evaluation_mode", says="call generator.eval() first")
def eval_without_parentheses(generator, z):
    was_training = generator.training
    generator.eval  # noqa: B018
    with torch.no_grad():
        x = generator(z)
    generator.train(was_training)
    return image_grid(x, math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="looks_in_evaluation_mode", says="call generator.eval() first")
def train_before_the_run(generator, z):
    was_training = generator.training
    generator.eval()
    generator.train(was_training)
    with torch.no_grad():
        return image_grid(generator(z), math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="puts_the_mode_back", says="remember")
def always_back_to_training(generator, z):
    generator.eval()
    with torch.no_grad():
        x = generator(z)
    generator.train()
    return image_grid(x, math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="puts_the_mode_back", says="is not taken back")
def left_in_evaluation_mode(generator, z):
    generator.eval()
    with torch.no_grad():
        return image_grid(generator(z), math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="puts_the_mode_back", says="is not taken back")
def mode_remembered_too_late(generator, z):
    generator.eval()
    was_training = generator.training
    with torch.no_grad():
        x = generator(z)
    generator.train(was_training)
    return image_grid(x, math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="puts_the_mode_back", says="some layers only")
def only_the_flag_of_the_whole(generator, z):
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        x = generator(z)
    generator.training = was_training
    return image_grid(x, math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="leaves_no_trace", says="torch.no_grad()")
def detached_at_the_end(generator, z):
    with _Evaluating(generator):
        return image_grid(generator(z).detach(), math.ceil(math.sqrt(len(z))))


@wrong("5.2", rejected_by="leaves_no_trace", says="running statistics")
def warmed_up_in_training_mode(generator, z):
    with torch.no_grad():
        generator(z)
    return _look(generator, z)


@wrong("5.2", rejected_by="leaves_no_trace", says="a seed is set")
def seed_set_to_be_sure(generator, z):
    torch.manual_seed(0)
    return _look(generator, z)


@wrong("5.2", rejected_by="leaves_no_trace", says="global random state of numpy")
def numpy_shuffled(generator, z):
    np.random.seed(1)
    return _look(generator, z)


@wrong("5.2", rejected_by="leaves_no_trace", says="a seed is set")
def everything_seeded(generator, z):
    random.seed(7)
    return _look(generator, z)


@wrong("5.2", rejected_by="leaves_no_trace", says="zero_grad()")
def gradients_cleared(generator, z):
    generator.zero_grad()
    return _look(generator, z)


@wrong("5.2", rejected_by="leaves_no_trace", says="requires_grad_(False) is not taken back")
def frozen_for_ever(generator, z):
    return _look(generator.requires_grad_(False), z)


@wrong("5.2", rejected_by="leaves_no_trace", says="set_grad_enabled(False) is not taken back")
def gradients_off_for_ever(generator, z):
    torch.set_grad_enabled(False)
    return _look(generator, z)


@wrong("5.2", rejected_by="shows_what_z_becomes", says="z is changed in place")
def z_written_over(generator, z):
    picture = _look(generator, z)
    z.normal_(generator=torch.Generator().manual_seed(0))
    return picture


# 5.3 TrainingRecorder: right, though different ------------------------------------------------


class _Recorder:
    """A right one, for the wrong ones to vary."""

    def __init__(self, generator, z, every):
        self.generator, self.z, self.every = generator, z.clone(), every
        self.steps, self.frames = [], []

    def record(self, step):
        if step % self.every == 0:
            self.steps.append(step)
            self.frames.append(self.look())

    def look(self):
        return fixed_latent_grid(self.generator, self.z)


@right("5.3")
@dataclass
class AsDataclass:
    generator: torch.nn.Module
    z: torch.Tensor
    every: int
    steps: list = field(default_factory=list)
    frames: list = field(default_factory=list)

    def __post_init__(self):
        self.z = self.z.detach().clone()

    def record(self, step):
        if step % self.every:
            return
        self.steps = [*self.steps, step]
        self.frames = [*self.frames, fixed_latent_grid(self.generator, self.z)]


@right("5.3")
class PairsAndProperties:
    def __init__(self, generator, z, every):
        self.net, self.latents, self.every = generator, copy.deepcopy(z), every
        self._film = {}

    def record(self, step):
        if not step % self.every:
            self._film[step] = fixed_latent_grid(self.net, self.latents)

    @property
    def steps(self):
        return tuple(self._film)

    @property
    def frames(self):
        return tuple(self._film.values())


@right("5.3")
def a_function_that_makes_one(generator, z, every):
    z = torch.tensor(z.tolist())
    Film = namedtuple("Film", "steps frames record")
    steps, frames = [], []

    def record(step):
        if step // every * every == step:
            steps.append(torch.tensor(step))
            frames.append(fixed_latent_grid(generator, z))

    return Film(steps, frames, record)


@right("5.3")
class WithoutThePreviousTask:
    def __init__(self, generator, z, every=100):
        self.generator = generator
        self.fixed_z = z.new_tensor(z.cpu().numpy())
        self.every = every
        self.reset()

    def reset(self):
        self.frames, self.steps = [], []

    @torch.no_grad()
    def record(self, step):
        if step % self.every == 0:
            twin = copy.deepcopy(self.generator).eval()
            frame = image_grid(twin(self.fixed_z), math.ceil(len(self.fixed_z) ** 0.5))
            self.frames.append(frame.copy())
            self.steps.append(int(step))


@right("5.3")
class ShelteredRandomness(_Recorder):
    def look(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return fixed_latent_grid(self.generator, self.z)


# 5.3 TrainingRecorder: wrong ------------------------------------------------------------------


@wrong("5.3", rejected_by="records_when_it_is_due", says="`every` is not used")
class EachStep(_Recorder):
    def record(self, step):
        self.steps.append(step)
        self.frames.append(self.look())


@wrong("5.3", rejected_by="records_when_it_is_due", says="step 0 is left out")
class NotAtTheBeginning(_Recorder):
    def record(self, step):
        if step > 0:
            super().record(step)


@wrong("5.3", rejected_by="records_when_it_is_due", says="it must be 0")
class OneTooEarly(_Recorder):
    def record(self, step):
        if (step + 1) % self.every == 0:
            self.steps.append(step)
            self.frames.append(self.look())


@wrong("5.3", rejected_by="records_when_it_is_due", says="the calls are counted")
class CountsItsCalls(_Recorder):
    calls = 0

    def record(self, step):
        if self.calls % self.every == 0:
            self.steps.append(step)
            self.frames.append(self.look())
        self.calls += 1


@wrong("5.3", rejected_by="records_when_it_is_due", says="frames are counted")
class KeepsTheFramesNumber(_Recorder):
    def record(self, step):
        if step % self.every == 0:
            self.steps.append(len(self.frames))
            self.frames.append(self.look())


@wrong("5.3", rejected_by="records_when_it_is_due", says="grow together")
class FramesOnEachStep(_Recorder):
    def record(self, step):
        if step % self.every == 0:
            self.steps.append(step)
        self.frames.append(self.look())


@wrong("5.3", rejected_by="records_when_it_is_due", says="grow together")
class OnlyTheLastTen(_Recorder):
    def record(self, step):
        super().record(step)
        self.frames = self.frames[-10:]


@wrong("5.3", rejected_by="records_when_it_is_due", says="all recorders share")
class ListsOfTheClass(_Recorder):
    steps, frames = [], []

    def __init__(self, generator, z, every):
        self.generator, self.z, self.every = generator, z.clone(), every
        # As a student meets it: each test below begins with what the last one has left.
        type(self).steps, type(self).frames = self.steps, self.frames


@wrong("5.3", rejected_by="records_when_it_is_due", says="default argument")
class ListsAsDefaults(_Recorder):
    def __init__(self, generator, z, every, steps=[], frames=[]):  # noqa: B006
        self.generator, self.z, self.every = generator, z.clone(), every
        self.steps, self.frames = steps, frames


@wrong("5.3", rejected_by="records_when_it_is_due", says="before record is called")
class LooksAtOnce(_Recorder):
    def __init__(self, generator, z, every):
        super().__init__(generator, z, every)
        self.record(0)


@wrong("5.3", rejected_by="records_when_it_is_due", says="self.steps = []")
class OtherNames(_Recorder):
    def __init__(self, generator, z, every):
        self.generator, self.z, self.every = generator, z.clone(), every
        self.recorded_steps, self.frames = [], []


@wrong("5.3", rejected_by="records_when_it_is_due", says="method record(step)")
class CalledInsteadOfRecord:
    def __init__(self, generator, z, every):
        self.steps, self.frames = [], []

    def __call__(self, step):
        self.steps.append(step)


@wrong("5.3", rejected_by="records_when_it_is_due", says="must append to self.steps")
class LocalLists(_Recorder):
    def record(self, step):
        steps, frames = [], []
        if step % self.every == 0:
            steps.append(step)
            frames.append(self.look())


@wrong("5.3", rejected_by="frames_show_their_moment", says="keeps a copy of the generator")
class CopyOfTheGenerator(_Recorder):
    def __init__(self, generator, z, every):
        super().__init__(copy.deepcopy(generator), z, every)


@wrong("5.3", rejected_by="frames_show_their_moment", says="made once")
class PictureMadeOnce(_Recorder):
    def __init__(self, generator, z, every):
        super().__init__(generator, z, every)
        self.picture = super().look()

    def look(self):
        return self.picture


@wrong("5.3", rejected_by="frames_show_their_moment", says="with append")
class NewestFirst(_Recorder):
    def record(self, step):
        if step % self.every == 0:
            self.steps.append(step)
            self.frames.insert(0, self.look())


@wrong("5.3", rejected_by="frames_show_their_moment", says="written over")
class OneArrayForAll(_Recorder):
    def look(self):
        picture = super().look()
        if not self.frames:
            return picture
        self.frames[0][:] = picture
        return self.frames[0]


@wrong("5.3", rejected_by="frames_show_their_moment", says="image_grid makes one picture")
class FramesAsImages(_Recorder):
    def look(self):
        with torch.no_grad():
            return self.generator(self.z)


@wrong("5.3", rejected_by="frames_show_their_moment", says="columns")
class FramesInOneRow(_Recorder):
    def look(self):
        with _Evaluating(self.generator), torch.no_grad():
            return image_grid(self.generator(self.z), len(self.z))


@wrong("5.3", rejected_by="frames_show_their_moment", says="channel by itself")
class FramesStretched(_Recorder):
    def look(self):
        with _Evaluating(self.generator), torch.no_grad():
            x = self.generator(self.z)
        low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        return image_grid((x - low) / (high - low) * 2 - 1, math.ceil(math.sqrt(len(x))))


@wrong("5.3", rejected_by="keeps_its_latents", says="latents are drawn anew")
class NewLatentsEachTime(_Recorder):
    def look(self):
        return fixed_latent_grid(self.generator, torch.randn_like(self.z))


@wrong("5.3", rejected_by="keeps_its_latents", says="z.clone()")
class KeepsTheTensorItself(_Recorder):
    def __init__(self, generator, z, every):
        super().__init__(generator, z, every)
        self.z = z


@wrong("5.3", rejected_by="keeps_its_latents", says="z.clone()")
class DetachIsNoCopy(_Recorder):
    def __init__(self, generator, z, every):
        super().__init__(generator, z, every)
        self.z = z.detach()


@wrong("5.3", rejected_by="keeps_its_latents", says="latents are drawn anew")
class OwnLatentsFromTheStart(_Recorder):
    def __init__(self, generator, z, every):
        own = torch.rand(z.shape, generator=torch.Generator().manual_seed(0))
        super().__init__(generator, own, every)


@wrong("5.3", rejected_by="training_is_the_same_with_it", says="random state")
class DrawsItsLatentsFromTorch(_Recorder):
    def look(self):
        torch.randn_like(self.z)
        return super().look()


@wrong("5.3", rejected_by="training_is_the_same_with_it", says="random state")
class SeedsBeforeEachFrame(_Recorder):
    def record(self, step):
        torch.manual_seed(0)
        super().record(step)


@wrong("5.3", rejected_by="training_is_the_same_with_it", says="is not taken back")
class LeavesEvaluationMode(_Recorder):
    def look(self):
        self.generator.eval()
        with torch.no_grad():
            return image_grid(self.generator(self.z), math.ceil(math.sqrt(len(self.z))))


@wrong("5.3", rejected_by="training_is_the_same_with_it", says="running statistics")
class LooksInTrainingMode(_Recorder):
    def look(self):
        with torch.no_grad():
            return image_grid(self.generator(self.z), math.ceil(math.sqrt(len(self.z))))


@wrong("5.3", rejected_by="training_is_the_same_with_it", says="something is left behind")
class ChangesOnlyLaterSteps(_Recorder):
    def record(self, step):
        super().record(step)
        if step == 4:
            self.generator.eval()


# 5.4 save_gif: right, though different --------------------------------------------------------


@right("5.4")
def plain_pillow(frames, path, fps):
    first, *others = (Image.fromarray(frame) for frame in frames)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    first.save(path, save_all=True, append_images=others, duration=1000 / fps, loop=0)


@right("5.4")
def shared_palette_and_list_of_durations(frames, path, fps):
    path = Path(path)
    path.parent.mkdir(exist_ok=True, parents=True)
    images = share_palette(frames)
    options = {"append_images": images[1:], "duration": [int(1000 / fps)] * len(images)}
    with open(path, "wb") as file:
        images[0].save(file, "GIF", save_all=True, loop=0, optimize=False, **options)


@right("5.4")
def through_memory(frames, path, fps):
    images = [Image.fromarray(f, mode=None).convert("P", palette=Image.ADAPTIVE) for f in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer, format="GIF", save_all=True, append_images=images[1:], duration=1000 // fps, loop=0
    )
    target = Path(path)
    if not target.parent.exists():
        target.parent.mkdir(parents=True)
    target.write_bytes(buffer.getvalue())


@right("5.4")
def quantized_frame_by_frame(frames, path, fps):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(frame.copy()).quantize(256) for frame in list(frames)]
    images.pop(0).save(
        path, save_all=True, append_images=images, duration=int(1000.0 / fps + 0.5), loop=0,
        disposal=2,
    )  # fmt: skip


@right("5.4")
def from_a_generator_of_images(frames, path, fps):
    folder = os.path.split(os.fspath(path))[0]
    if folder:
        os.makedirs(folder, exist_ok=True)
    rest = (Image.fromarray(np.ascontiguousarray(frame)) for frame in frames[1:])
    image = Image.fromarray(frames[0])
    image.save(path, "gif", append_images=rest, save_all=True, loop=0, duration=1e3 / fps)


# 5.4 save_gif: wrong --------------------------------------------------------------------------


def _write(frames, path, change=lambda f: f, others=slice(1, None), duration=200, **options):
    """What the wrong ones vary."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(change(frame)) for frame in frames]
    options = {"save_all": True, "loop": 0, "format": "GIF", **options}
    images[0].save(path, append_images=images[others], duration=duration, **options)


@wrong("5.4", rejected_by="writes_every_frame", says="save_all=True is missing")
def save_all_forgotten(frames, path, fps):
    _write(frames, path, duration=1000 / fps, save_all=False)


@wrong("5.4", rejected_by="writes_every_frame", says="the image that is saved")
def last_frame_saved_with_all_others(frames, path, fps):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(frame) for frame in frames]
    images[-1].save(path, save_all=True, append_images=images, duration=1000 / fps, loop=0)


@wrong("5.4", rejected_by="plays_at_its_speed", says="shown twice as long")
def first_frame_appended_again(frames, path, fps):
    # Pillow merges equal frames that follow each other, so that only the time is wrong.
    _write(frames, path, others=slice(0, None), duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="a frame is lost")
def last_frame_lost(frames, path, fps):
    _write(frames, path, others=slice(1, -1), duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="backwards")
def backwards(frames, path, fps):
    _write(frames[::-1], path, duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="stretched by itself")
def contrast_of_each_frame_stretched(frames, path, fps):
    def stretch(frame):
        low, high = frame.min(), frame.max()
        return ((frame - float(low)) / float(high - low) * 255).astype(np.uint8)

    _write(frames, path, stretch, duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="bytes already")
def times_255_again(frames, path, fps):
    _write(frames, path, lambda f: (f.astype(int) * 255).astype(np.uint8), duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="un-normalising them once more")
def un_normalised_again(frames, path, fps):
    def change(frame):
        return from_tanh_range(torch.from_numpy(frame.astype(np.float32))).numpy()

    _write(frames, path, change, duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="red and blue")
def opencv_colours(frames, path, fps):
    _write(frames, path, lambda f: np.ascontiguousarray(f[..., ::-1]), duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="grey")
def grey(frames, path, fps):
    def change(frame):
        return np.array(Image.fromarray(frame).convert("L"))

    _write(frames, path, change, duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="resized")
def enlarged(frames, path, fps):
    _write(frames, path, lambda f: f.repeat(4, axis=0).repeat(4, axis=1), duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="format PNG")
def animated_png(frames, path, fps):
    _write(frames, path, duration=1000 / fps, format="PNG")


@wrong("5.4", rejected_by="writes_every_frame", says="nothing is saved")
def into_a_folder_of_its_own(frames, path, fps):
    _write(frames, Path(path).parent / "my_film.gif", duration=1000 / fps)


@wrong("5.4", rejected_by="writes_every_frame", says="make the folder first")
def folder_not_made(frames, path, fps):
    images = share_palette(frames)
    images[0].save(path, save_all=True, append_images=images[1:], duration=1000 / fps, loop=0)


@wrong("5.4", rejected_by="writes_every_frame", says="the caller's list")
def frames_popped(frames, path, fps):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    first = Image.fromarray(frames.pop(0))
    others = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=others, duration=1000 / fps, loop=0)


@wrong("5.4", rejected_by="writes_every_frame", says="not a GIF")
def bytes_of_the_array(frames, path, fps):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.stack(frames).tofile(path)


@wrong("5.4", rejected_by="plays_at_its_speed", says="in milliseconds")
def duration_is_fps(frames, path, fps):
    _write(frames, path, duration=fps)


@wrong("5.4", rejected_by="plays_at_its_speed", says="in milliseconds")
def duration_in_seconds(frames, path, fps):
    _write(frames, path, duration=1 / fps)


@wrong("5.4", rejected_by="plays_at_its_speed", says="that of one frame, not of the film")
def duration_of_the_film(frames, path, fps):
    _write(frames, path, duration=1000 / fps / len(frames))


@wrong("5.4", rejected_by="plays_at_its_speed", says="milliseconds for each frame")
def always_the_same_speed(frames, path, fps):
    _write(frames, path, duration=100)


@wrong("5.4", rejected_by="plays_at_its_speed", says="loop=0 means endlessly")
def plays_once(frames, path, fps):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    images = share_palette(frames)
    images[0].save(path, save_all=True, append_images=images[1:], duration=1000 / fps)


@wrong("5.4", rejected_by="plays_at_its_speed", says="loop=0 means endlessly")
def loop_is_true(frames, path, fps):
    _write(frames, path, duration=1000 / fps, loop=True)


@wrong("5.4", rejected_by="plays_at_its_speed", says="are thrown away")
def each_picture_only_once(frames, path, fps):
    kept = {frame.tobytes(): frame for frame in frames}
    _write(list(kept.values()), path, duration=1000 / fps)


@wrong("5.4", rejected_by="plays_at_its_speed", says="are thrown away")
def repeated_frames_dropped(frames, path, fps):
    kept = [frames[0]]
    kept += [b for a, b in pairwise(frames) if not np.array_equal(a, b)]
    _write(kept, path, duration=1000 / fps)
