"""Checks of lesson 5: the tasks, and the checks of the grid of images."""

from __future__ import annotations

import numpy as np
import torch

from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson05 import film, recorder
from facegan_ref.checks.lesson05.pictures import (
    byte_images,
    lay_out,
    require_picture,
    require_same_picture,
    right_pixels,
)

lesson = Lesson(
    "05",
    "mlp_faces",
    "MLP faces",
    builds="a recorder that films a training without changing it by a bit",
    minutes=60,
    given={
        "np": "numpy",
        "Path": "pathlib:Path",
        "Sequence": "collections.abc:Sequence",
        "Image": "PIL.Image",
        "PADDING": "facegan_ref.pictures:PADDING",
        "from_tanh_range": "facegan_ref.data.faces:from_tanh_range",
        "require_image_batch": "facegan_ref.pictures:require_image_batch",
        "require_film": "facegan_ref.pictures:require_film",
        "share_palette": "facegan_ref.pictures:share_palette",
    },
)

lesson.task(
    "5.1",
    "image_grid",
    names=("image_grid",),
    points=2,
    hints=(
        "Image number i stands in which row and in which column? At which pixel does that place "
        "begin?",
        "Row i // columns, column i % columns. Places begin every H + 2 rows and every W + 2 "
        "columns. Start from an array of 255, so that all you do not fill is white.",
        "rows = ceil(N / columns)\n"
        "grid = 255 everywhere, uint8, (rows * (H + 2) - 2, columns * (W + 2) - 2, 3)\n"
        "pixels = bytes of the images, channels last, as numpy\n"
        "for each i: top = row of i * (H + 2), left = column of i * (W + 2)\n"
        "            grid[top to top + H, left to left + W] = pixels[i]",
        "image_grid(torch.zeros(5, 3, 4, 6), 3) must have the shape (10, 22, 3): 128 in five "
        "places of 4×6 pixels,\n255 between them and in the sixth place.",
    ),
)
lesson.task(
    "5.2",
    "fixed_latent_grid",
    names=("fixed_latent_grid",),
    points=3,
    hints=(
        "What in a network behaves differently in training and in use, and what would it leave "
        "behind if you looked in the middle of a training?",
        "Remember generator.training, call generator.eval(), run it on z under torch.no_grad(), "
        "and give generator.train(...) what you remembered: not True.",
        "was_training = the generator's mode\n"
        "evaluation mode; without gradients: images = generator(z)\n"
        "put the mode back to was_training\n"
        "return image_grid(images, the smallest whole number whose square is at least len(z))",
        "generator = nn.Sequential(nn.Linear(4, 12), nn.Dropout(0.5), nn.Tanh(), "
        "nn.Unflatten(1, (3, 2, 2)))\n"
        "Twice in a row your function must give the same picture, torch.get_rng_state() must stay "
        "as it is,\nand generator.training must be True before and after, or False before and "
        "after.",
    ),
)
lesson.task(
    "5.3",
    "TrainingRecorder",
    names=("TrainingRecorder",),
    points=3,
    hints=(
        "What does the recorder have to remember between two calls of record, and what must be "
        "the same at all of them?",
        "__init__ keeps the generator itself, a copy of z (z.clone()), `every`, and makes two new "
        "empty lists. record looks only if step % every == 0.",
        "__init__: keep generator, a clone of z, every; steps = [], frames = []\n"
        "record(step): if step is a multiple of every:\n"
        "                  append step to steps, and fixed_latent_grid of them to frames",
        "With every = 50, record(0), record(49), record(50), record(500) must leave "
        "steps == [0, 50, 500]\nand three frames, each of the generator as it was at its call.",
    ),
)
lesson.task(
    "5.4",
    "save_gif",
    names=("save_gif",),
    points=2,
    hints=(
        "Pillow saves one image. Which arguments of Image.save tell it that more are to follow, "
        "how long each is shown, and how often?",
        "The first image's save with save_all=True, append_images=<the others>, duration in "
        "MILLISECONDS a frame, and loop=0, which means endlessly.",
        "images = share_palette(frames)\n"
        "make the folder of path if it is missing, with all above it\n"
        "images[0].save(path, format GIF, save_all, append_images = images without the first,\n"
        "               duration = 1000 / fps, loop = 0)",
        "save_gif(frames, 'new/film.gif', fps=4) with three different frames must write a file "
        "in which\nImage.open finds n_frames == 3, info['duration'] == 250 and info['loop'] == 0.",
    ),
)


@lesson.check("5.1", points=0.5)
def lays_the_images_out(image_grid, probe: Probe) -> None:
    """The images stand row by row, `columns` in a row, two white pixels between them."""
    n = probe.integer(7, 9)
    for n_images, columns in ((5, 3), (n, 4), (4, 2), (1, 1), (2, 4)):
        height, width = probe.integer(3, 5), probe.integer(6, 8)
        images = byte_images(probe.rng, n_images, 3, height, width)
        what = f"{n_images} images of {height}×{width} pixels in {columns} columns"
        try:
            came = require_picture(image_grid(images, columns), what)
        except ValueError as error:
            if "broadcast" not in str(error):
                raise
            fail(
                f"a picture of {what}",
                f"ValueError: {error}",
                "an image is put into a place of another shape: of images.shape = (N, C, H, W), "
                "height comes before width, and channels come last in the picture",
            )
        shape = lay_out(right_pixels(images), columns).shape
        if came.shape != shape:
            require_same_picture(came, images, columns, what)
        _require_places(came, images, columns, what)


def _require_places(came, images, columns: int, what: str) -> None:
    """Fail unless only white lies between the images, and each stands in its own place."""
    n, _, height, width = images.shape
    places = lay_out(np.ones((n, height, width, 3), dtype=np.uint8), columns) == 1
    if not (came[~places] == 255).all():
        require_same_picture(came, images, columns, what)
        fail("255 between the images and in empty places", f"{came[~places].min()}", None)
    brightness = []
    for i in range(n):
        top, left = i // columns * (height + 2), i % columns * (width + 2)
        brightness.append(float(came[top : top + height, left : left + width].mean()))
    expected = images.mean(dim=(1, 2, 3)).argsort().tolist()
    if np.argsort(brightness).tolist() != expected:
        require_same_picture(came, images, columns, what)


@lesson.check("5.1", points=0.5)
def keeps_every_pixel(image_grid, probe: Probe) -> None:
    """Each pixel keeps its place and its value by the fixed rule: -1 is 0 and 1 is 255."""
    height, width = probe.integer(3, 5), probe.integer(6, 8)
    for channels in (3, 1):
        images = byte_images(probe.rng, 4, channels, height, width)
        _require_pixels(image_grid, images, 2, f"images of shape {tuple(images.shape)}")
    outside = torch.tensor([-1.4, -1.0, 0.0, 1.0, 1.2]).repeat(3).view(1, 3, 1, 5)
    _require_pixels(image_grid, outside, 1, "values outside [-1, 1], clipped")
    with_graph = byte_images(probe.rng, 2, 3, 2, 3).requires_grad_(True)
    what = "images that hold a graph"
    _require_pixels(image_grid, with_graph * 1, 2, what)


def _require_pixels(image_grid, images: torch.Tensor, columns: int, what: str) -> None:
    """Fail unless the picture is right and the images are as before."""
    before = images.detach().clone()
    try:
        came = image_grid(images, columns)
    except RuntimeError as error:
        if "requires grad" not in str(error) and "requires_grad" not in str(error):
            raise
        fail(
            f"a picture of {what}",
            f"RuntimeError: {str(error).splitlines()[0]}",
            "numpy takes no tensor with a graph: images.detach() comes first",
        )
    if not torch.equal(images, before):
        fail(
            "the images to be the same after the call",
            "other values",
            "an operation in place changes the argument: x.add_(1), x += 1 and x.clamp_() do",
        )
    require_same_picture(came, images, columns, what)


recorder.add_to(lesson)
film.add_to(lesson)
