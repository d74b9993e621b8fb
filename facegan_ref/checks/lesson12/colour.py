"""Checks of task 12.4: brightness, saturation and contrast, drawn anew for each image."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number, require_type
from facegan_ref.checks.lesson08.losses import ignores_the_device
from facegan_ref.checks.lesson08.noise import correlation
from facegan_ref.checks.random_states import changed, global_states
from facegan_ref.checks.scalar_loss import vector

RANGES = {"brightness": (-0.5, 0.5), "saturation": (0.0, 2.0), "contrast": (0.5, 1.5)}


class Found(NamedTuple):
    """What was done to each image of a batch: `(N,)` float64 each, and what is left over."""

    brightness: Tensor
    saturation: Tensor
    contrast: Tensor
    rest: float


def coloured(change_colour: Callable, images: Tensor, generator: torch.Generator | None) -> Tensor:
    """What the student's function returns, which must be images like the given ones."""
    kept = images.detach().clone()
    out = change_colour(images, generator)
    kind = str(images.dtype).removeprefix("torch.")
    what = f"{kind} images of shape {tuple(images.shape)}"
    out = require_type(out, Tensor, what, "return the changed images alone, as a tensor")
    if out.shape != images.shape:
        fail(
            what,
            f"shape {tuple(out.shape)}",
            "a mean without keepdim, or random numbers of shape (N,), do not line up with "
            "(N, 3, H, W): draw them as (N, 1, 1, 1)",
        )
    if out.dtype != images.dtype:
        fail(what, f"images of {out.dtype}", "the images' dtype is changed on the way")
    if not torch.equal(kept, images.detach()):
        fail(
            "the given images as they were",
            "other values in them",
            "`+=`, mul_ or another operation in place changes the caller's images: return new ones",
        )
    if not bool(torch.isfinite(out).all()):
        fail("finite images", "nan or inf", "something is divided by a spread that may be 0")
    return out


def split(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """An image's parts: its mean level, its light, its colour; they add up to the image."""
    grey = images.mean(dim=1, keepdim=True)
    level = grey.mean(dim=(2, 3), keepdim=True)
    return level, grey - level, images - grey


def _slope(new: Tensor, old: Tensor) -> Tensor:
    new, old = new.flatten(1), old.flatten(1)
    return (new * old).sum(1) / old.square().sum(1)


def measure(images: Tensor, out: Tensor) -> Found:
    """The brightness, saturation and contrast that turn `images` into `out` at best."""
    images, out = images.detach().double(), out.detach().double()
    level, light, colour = split(images)
    new_level, new_light, new_colour = split(out)
    contrast = _slope(new_light, light)
    saturation = _slope(new_colour, colour) / contrast
    brightness = (new_level - level).flatten()
    shape = (-1, 1, 1, 1)
    again = new_level + contrast.view(shape) * (light + saturation.view(shape) * colour)
    return Found(brightness, saturation, contrast, float((again - out).abs().max()))


def _images(probe: Probe, n: int, size: int = 6) -> Tensor:
    return 0.4 * torch.tanh(probe.randn(n, 3, size, size)) + 0.25 * torch.tanh(
        probe.randn(n, 3, 1, 1)
    )


def _name_rest(images: Tensor, out: Tensor) -> str | None:
    """Why the result is no brightness, saturation and contrast of each image by itself."""
    low, high = float(out.min()), float(out.max())
    if low >= -1 - 1e-6 and high <= 1 + 1e-6 and high - low > 1:
        return (
            "the result is clamped or squeezed into [-1, 1]: D can look at any number. Do not clamp"
        )
    _, light, colour = split(images.double())
    _, new_light, new_colour = split(out.detach().double())
    shape = (-1, 1, 1, 1)
    if float((_slope(new_colour, colour).view(shape) * colour - new_colour).abs().max()) > 1e-4:
        return (
            "the colours of an image are not all treated alike: one number for each image, of "
            "shape (N, 1, 1, 1), and grey is the mean over the colours, dimension 1"
        )
    if float((_slope(new_light, light).view(shape) * light - new_light).abs().max()) > 1e-4:
        return "the pixels of an image are not all treated alike: one number for each image"
    return "the mean is taken over the wrong dimensions: grey over 1, an image's level over 1, 2, 3"


def _require_even(values: Tensor, name: str, found: Found) -> None:
    low, high = RANGES[name]
    share = (values - low) / (high - low)
    mean, least, most = float(share.mean()), float(share.min()), float(share.max())
    std = float(share.std())
    # 400 even numbers: mean 0.5 ± 0.014, spread 0.289 ± 0.007, ends within 0.02.
    if (
        -1e-3 < least < 0.04
        and 0.96 < most < 1.001
        and abs(mean - 0.5) < 0.08
        and abs(std - 0.289) < 0.04
    ):
        return
    likely = None
    unit = float(values.std()) / 0.2887
    spread = high - low
    if float(values.std()) < 1e-5:
        neutral = 0.0 if name == "brightness" else 1.0
        likely = f"the {name} is the same for all images"
        if abs(float(values.mean()) - neutral) < 1e-4:
            likely = f"the {name} is not changed at all"
    elif name == "brightness" and abs(float(values.mean()) - 0.5) < 0.06:
        likely = "rand goes from 0 to 1: subtract 0.5, else all images become brighter"
    elif name == "saturation" and abs(unit - 1) < 0.15 and abs(float(values.mean()) - 1) < 0.1:
        likely = "this is the range of the contrast, 0.5 to 1.5: saturation goes from 0 to 2"
    elif name == "saturation" and abs(float(values.mean()) - 0.5) < 0.1:
        likely = (
            "saturation is rand itself, 0 to 1: multiply by 2, so that colours get stronger too"
        )
    elif name == "contrast" and abs(unit - 2) < 0.3:
        likely = "this is the range of the saturation, 0 to 2: contrast goes from 0.5 to 1.5"
    elif name == "contrast" and abs(float(values.mean()) - 0.5) < 0.1:
        likely = "contrast is rand itself, 0 to 1: add 0.5, so that contrasts get stronger too"
    elif least < -0.3 or most > 1.3:
        normal = abs(float(values.std()) / spread - 1) < 0.3 or most - least > 2
        likely = (
            "torch.randn gives normal numbers without bounds: torch.rand gives even ones, 0 to 1"
            if normal
            else f"the range of the {name} is too wide"
        )
    fail(
        f"a {name} between {low:g} and {high:g}, even, over 400 images",
        f"from {number(float(values.min()))} to {number(float(values.max()))}, mean "
        f"{number(float(values.mean()))}",
        likely,
    )


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 12.4."""

    @lesson.check("12.4", points=0.5)
    def brightness_saturation_contrast(change_colour, probe: Probe) -> None:
        """Brightness is added, saturation and contrast scale the distances, each in its range."""
        for size in (6, 4):
            images = _images(probe, 400, size)
            out = coloured(change_colour, images, probe.rng)
            if torch.equal(out, images):
                fail("changed images", "the given images", "nothing is changed")
            found = measure(images, out)
            if not found.rest < 1e-4:
                fail(
                    "each image as its level + brightness, its light times contrast, and its "
                    "colours times contrast and saturation",
                    f"images that differ from that by up to {number(found.rest)}",
                    _name_rest(images, out),
                )
            for name in RANGES:
                _require_even(getattr(found, name), name, found)

    @lesson.check("12.4", points=0.5)
    def each_image_its_own_draw(change_colour, probe: Probe) -> None:
        """Each image gets three random numbers of its own, anew in each call, from `generator`."""
        images = _images(probe, 1).repeat(300, 1, 1, 1)
        calls = [measure(images, coloured(change_colour, images, probe.rng)) for _ in range(2)]
        for name in RANGES:
            values, others = (getattr(call, name) for call in calls)
            if float(values.std()) < 1e-4:
                fail(
                    f"a {name} of its own for each image",
                    f"the same {name} for all images of a batch",
                    "one number is drawn for the whole batch: draw (N, 1, 1, 1) of them",
                )
            if correlation(values, others) > 0.5:
                fail(
                    "new random numbers in each call",
                    f"the same {name} in two calls",
                    "they are kept, or a seed is set inside",
                )
        first = calls[0]
        for a, b in (
            ("brightness", "saturation"),
            ("saturation", "contrast"),
            ("brightness", "contrast"),
        ):
            together = correlation(getattr(first, a), getattr(first, b))
            if abs(together) > 0.3:
                fail(
                    f"{a} and {b} drawn independently",
                    f"a correlation of {together:.2f}",
                    "one random number is used for several changes: draw three for each image",
                )
        few = images[:4]
        seed = probe.integer(1, 1000)

        def draw(seed: int) -> Tensor:
            return coloured(change_colour, few, torch.Generator().manual_seed(seed)).detach()

        before = global_states()
        one = draw(seed)
        owner = changed(before)
        if owner:
            fail(
                "all global random numbers untouched when a generator is given",
                f"those of {owner} have moved on, or were seeded",
                "generator is not passed on to each torch.rand(..., generator=generator)",
            )
        if not torch.equal(one, draw(seed)) or torch.equal(one, draw(seed + 1)):
            fail(
                "the same images from two generators of one seed, others from another seed",
                "something else",
                "the random numbers do not come from the given generator",
            )
        outs = []
        for _ in range(2):
            torch.manual_seed(seed)
            outs.append(coloured(change_colour, few, None).detach())
        if not torch.equal(*outs):
            fail(
                "the same images again after torch.manual_seed, with generator = None",
                "others",
                "without a generator the numbers come from torch's own: pass None on",
            )

    @lesson.check("12.4", points=0.5)
    def gradients_pass(change_colour, probe: Probe) -> None:
        """The gradient of the result reaches the images, so that G learns through the change."""
        images = _images(probe, 6).double().requires_grad_(True)
        out = coloured(change_colour, images, probe.rng)
        if not out.requires_grad:
            fail(
                "images through which gradients flow",
                "images without a graph",
                "`.detach()`, `.data`, torch.no_grad() or numpy cuts the graph: in its own step G "
                "learns through the augmentation",
            )
        pull = probe.randn(*images.shape, dtype=torch.float64)
        (came,) = torch.autograd.grad(out, images, pull, allow_unused=True)
        found = measure(images, out)
        level, light, colour = split(pull)
        shape = (-1, 1, 1, 1)
        # The change is a sum of three projections, each its own transpose.
        expected = level + found.contrast.view(shape) * (
            light + found.saturation.view(shape) * colour
        )
        if came is None or not torch.allclose(came, expected, rtol=1e-3, atol=1e-4):
            none = came is None or not bool(came.any())
            fail(
                f"the gradient {vector(expected)} at the images",
                "none" if none else vector(came),
                "the images are detached, rounded or clamped on their way"
                if none
                else "part of it is cut off: the means (grey, level) are detached or computed "
                "under no_grad, or the result is clamped",
            )

    @lesson.check("12.4", points=0.5)
    def keeps_what_it_is_given(change_colour, probe: Probe) -> None:
        """Shape, dtype and device stay, nothing is clamped, one image and grey ones work too."""
        bright = 0.9 + 0.1 * torch.tanh(probe.randn(200, 3, 4, 4))
        if not float(coloured(change_colour, bright, probe.rng).max()) > 1.2:
            fail(
                "values above 1 where a bright image becomes brighter still",
                "none",
                "the result is clamped or squeezed into [-1, 1]: D can look at any number",
            )
        coloured(change_colour, _images(probe, 1), probe.rng)
        coloured(change_colour, _images(probe, 3).double(), probe.rng)
        wide = _images(probe, 2)[:, :, :, :4].contiguous()
        coloured(change_colour, wide, probe.rng)
        flat = torch.full((5, 3, 4, 4), 0.2)
        out = coloured(change_colour, flat, probe.rng).detach()
        if float(out.flatten(1).std(dim=1).max()) > 1e-5:
            fail(
                "a grey image without any detail to stay one",
                "an image with differences between its pixels or colours",
                "saturation scales the distance from the pixel's own grey, contrast that from the "
                "image's mean",
            )
        few = _images(probe, 2)
        if ignores_the_device(lambda: change_colour(few, None)):
            fail(
                "random numbers on the device of the images",
                "random numbers on the default device, wherever the images are",
                "on a GPU this stops with an error: torch.rand(..., device=images.device)",
            )
