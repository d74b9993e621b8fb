"""Checks of task 8.3: the instance noise itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number, require_type
from facegan_ref.checks.lesson08.losses import ignores_the_device
from facegan_ref.checks.scalar_loss import vector


def noisy_images(
    add_instance_noise: Callable, images: Tensor, sigma: float | Tensor, *more: object
) -> Tensor:
    """What the student's function returns, which must be images like the given ones."""
    kept = images.detach().clone()
    noisy = add_instance_noise(images, sigma, *more)
    kind = str(images.dtype).removeprefix("torch.")
    what = f"{kind} images of shape {tuple(images.shape)}"
    noisy = require_type(noisy, Tensor, what, "return the noisy images alone, as a tensor")
    if noisy.shape != images.shape:
        fail(what, f"shape {tuple(noisy.shape)}", "the noise must have the shape of the images")
    if noisy.dtype != images.dtype:
        fail(
            what,
            f"images of {noisy.dtype}",
            "the noise is drawn in another dtype: use torch.empty_like(images).normal_(...), or "
            "pass dtype=images.dtype",
        )
    if not torch.equal(kept, images.detach()):
        fail(
            "the given images as they were",
            "other values in them",
            "`+=`, add_ or another operation in place changes the caller's images: return new ones",
        )
    return noisy


def _where_it_stops(noisy: Tensor) -> str | None:
    """Whether values beyond a range are cut off or squeezed into it."""
    low, high = float(noisy.min()), float(noisy.max())
    if low >= -1e-6 and high <= 1 + 1e-6:
        return (
            "the result is clamped to [0, 1]: in data of [-1, 1] everything darker than mid-grey "
            "becomes 0. Do not clamp"
        )
    if low >= -1 - 1e-6 and high <= 1 + 1e-6:
        if high < 1 - 1e-6:
            return "the result is squeezed into [-1, 1] (tanh): D is to see the values as they are"
        return (
            "the result is clamped to [-1, 1], which takes half of the noise away wherever a pixel "
            "is white or black. Do not clamp: D can look at any number"
        )
    return None


def _name_noise(noise: Tensor, images: Tensor, sigma: float) -> str | None:
    """Which kind of wrong noise this is."""
    mean, std = float(noise.mean()), float(noise.std())
    flat, picture = noise.flatten(), images.flatten().double()
    if std == 0 and mean == 0:
        return "nothing is added: the noise is computed and not used, or `images` is returned"
    if float(noise.flatten(1).std(dim=1).max()) < 1e-3 * std:
        return "one number for each image: every pixel gets its own noise"
    if abs(mean - 0.5 * sigma) < 0.03 * sigma and abs(std - 0.2887 * sigma) < 0.03 * sigma:
        return "this is torch.rand, even noise from 0 to 1 with mean 0.5: use torch.randn"
    stops = _where_it_stops(images.double() + noise)
    if stops:
        return stops
    bright, dark = flat[picture.abs() > 0.6], flat[picture.abs() < 0.3]
    if float(bright.std()) > 1.5 * float(dark.std()):
        return "the noise is multiplied with the image: add it, of the same strength everywhere"
    along = float(torch.corrcoef(torch.stack((flat, picture)))[0, 1])
    if abs(along) > 0.1:
        return (
            "the image itself is changed besides (scaled or mixed with the noise): add sigma times "
            "the noise to the images as they are"
        )
    kurtosis = float(((flat - flat.mean()) / flat.std()).pow(4).mean())
    if kurtosis < 2.3:
        return "the noise is uniform: it is to be normal, use torch.randn or normal_"
    if kurtosis > 4:
        return "the noise is not normal: use torch.randn or normal_"
    for value, name in (
        (1.0, "sigma is not used: standard normal noise is added"),
        (sigma**2, "this is noise of standard deviation sigma², its VARIANCE takes the place of "
         "sigma: multiply standard normal noise by sigma"),
        (sigma**0.5, "sigma is taken for the variance: it is the standard deviation"),
        (sigma / 255, "divided by 255: sigma is in the units of [-1, 1] already"),
        (2 * sigma, "twice the noise"),
        (sigma / 2, "half the noise"),
    ):  # fmt: skip
        if abs(std - value) < 0.03 * value:
            return name
    if abs(mean) > 0.05 * sigma:
        return "the noise has another mean than 0: it makes all images brighter or darker"
    return None


def _require_normal(noise: Tensor, images: Tensor, sigma: float, what: str) -> None:
    mean, std = float(noise.mean()), float(noise.std())
    kurtosis = float(((noise - mean) / max(std, 1e-12)).pow(4).mean())
    if abs(mean) < 0.03 * sigma and abs(std - sigma) < 0.03 * sigma and 2.75 < kurtosis < 3.25:
        return
    fail(
        f"normal noise of mean 0 and standard deviation {sigma:g} for {what}",
        f"noise of mean {number(mean)} and standard deviation {number(std)}",
        _name_noise(noise, images, sigma),
    )


def _where_it_differs(came: Tensor, expected: Tensor) -> str:
    wrong = ~torch.isclose(came, expected, atol=1e-6)
    share = float(wrong.double().mean())
    return (
        f"{vector(came[wrong])} in place of {vector(expected[wrong])} at {share:.0%} of the pixels"
    )


def correlation(a: Tensor, b: Tensor) -> float:
    """How much two tensors of one shape vary together, from -1 to 1; 1 for two constants."""
    a, b = a.flatten() - a.mean(), b.flatten() - b.mean()
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size > 1e-12 else 1.0


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 8.3."""

    @lesson.check("8.3", points=1)
    def adds_normal_noise(add_instance_noise, probe: Probe) -> None:
        """Normal noise of mean 0 and standard deviation sigma is added to the images."""
        images = (2 * torch.rand(20, 3, 32, 32, generator=probe.rng) - 1) * 0.95
        for sigma in (0.25, 0.5, torch.tensor(0.1)):
            noisy = noisy_images(add_instance_noise, images, sigma, probe.rng).detach()
            what = f"sigma = {float(sigma):g}" + ", a tensor" * isinstance(sigma, Tensor)
            _require_normal(noisy.double() - images.double(), images, float(sigma), what)

    @lesson.check("8.3", points=1)
    def every_pixel_and_every_call_its_own(add_instance_noise, probe: Probe) -> None:
        """Each pixel of each image gets noise of its own, and so does each call."""
        images = torch.zeros(16, 3, 24, 24)
        for source in (probe.rng, None):
            first, second = (
                noisy_images(add_instance_noise, images, 0.3, source).detach() for _ in range(2)
            )
            for dim, pairs, name in (
                (0, "two images", "one noise image is drawn for the whole batch"),
                (1, "two colours", "one noise is drawn for all three colours"),
                (2, "two rows of pixels", "the noise is the same in each row"),
                (3, "two columns of pixels", "the noise is the same in each column"),
            ):
                shifts = (1, first.shape[dim] // 2)
                together = max(
                    (correlation(first, first.roll(shift, dim)) for shift in shifts), key=abs
                )
                if abs(together) > 0.08:
                    fail(
                        f"independent noise in {pairs}: a correlation near 0",
                        f"a correlation of {together:.2f}",
                        name + ": draw noise of the full shape of `images`",
                    )
            together = correlation(first, second)
            if abs(together) > 0.08:
                fail(
                    "new noise in each call: a correlation near 0 with that of the call before",
                    f"a correlation of {together:.2f}",
                    "the noise is kept, or a seed is set inside: real and generated images would "
                    "get the same noise"
                    + (" (here without a generator)" if source is None else ""),
                )

    @lesson.check("8.3", points=0.5)
    def nothing_is_clamped(add_instance_noise, probe: Probe) -> None:
        """The noisy images leave [-1, 1] wherever the noise takes them."""
        images = torch.ones(6, 3, 16, 16)
        images[::2] = -1
        noisy = noisy_images(add_instance_noise, images, 0.2, probe.rng).detach()
        beyond = float((noisy.abs() > 1).double().mean())
        if not 0.4 < beyond < 0.6:
            fail(
                "about half of the pixels of a black and of a white image outside [-1, 1]",
                f"{beyond:.0%} of them, values from {number(float(noisy.min()))} to "
                f"{number(float(noisy.max()))}",
                _where_it_stops(noisy)
                or "values beyond the range are cut off or folded back: return images + noise",
            )

    @lesson.check("8.3", points=0.5)
    def gradients_pass_unchanged(add_instance_noise, probe: Probe) -> None:
        """The gradient of the noisy images goes to the images as it is, so that G can learn."""
        for sigma in (0.3, 0.0):
            images = (0.5 * probe.randn(3, 3, 6, 6)).requires_grad_(True)
            noisy = noisy_images(add_instance_noise, images, sigma, probe.rng)
            pull = probe.randn(*images.shape)
            if not noisy.requires_grad:
                fail(
                    "noisy images through which gradients flow",
                    "images without a graph",
                    "`.detach()`, `.data`, torch.no_grad() or numpy cuts the graph: in its own "
                    "step G learns through the noise",
                )
            if sigma and torch.equal(noisy, images):
                fail("noisy images", "the given images", "nothing is added")
            (came,) = torch.autograd.grad(noisy, images, pull, allow_unused=True)
            if came is None or not torch.allclose(came, pull, atol=1e-6):
                none = came is None or not bool(came.any())
                fail(
                    f"the gradient {vector(pull)} at the images, as at the noisy ones",
                    "none" if came is None else _where_it_differs(came, pull),
                    "torch.normal(images, sigma) has the gradient 0, and so have rounded or copied "
                    "images: add the noise to the images"
                    if none
                    else "the images are scaled, clamped or squeezed on their way",
                )

    @lesson.check("8.3", points=0.5)
    def uses_the_given_generator(add_instance_noise, probe: Probe) -> None:
        """The noise comes from the given torch.Generator; without one, from torch's own."""
        images = torch.zeros(2, 3, 8, 8)

        def draw(seed: int) -> Tensor:
            rng = torch.Generator().manual_seed(seed)
            return noisy_images(add_instance_noise, images, 0.3, rng).detach()

        seed = probe.integer(1, 1000)
        before = torch.get_rng_state()
        one = draw(seed)
        if not torch.equal(before, torch.get_rng_state()):
            fail(
                "torch's own random numbers untouched when a generator is given",
                "they have moved on, or were seeded",
                "the argument generator is not used: torch.randn_like takes none in older "
                "versions. Use torch.empty_like(images).normal_(generator=generator)",
            )
        if not torch.equal(one, draw(seed)) or torch.equal(one, draw(seed + 1)):
            fail(
                "the same noise from two generators of one seed, other noise from another seed",
                "something else",
                "the noise does not come from the given generator (numpy's or Python's random "
                "numbers, or a generator made inside)",
            )
        states = []
        for _ in range(2):
            torch.manual_seed(seed)
            states.append(noisy_images(add_instance_noise, images, 0.3).detach())
        if not torch.equal(*states):
            fail(
                "the same noise again after torch.manual_seed, when no generator is given",
                "other noise",
                "without a generator the noise comes from torch's own random numbers: pass "
                "generator=None on, and make no generator inside",
            )

    @lesson.check("8.3", points=0.5)
    def keeps_what_it_is_given(add_instance_noise, probe: Probe) -> None:
        """sigma = 0 gives the images' own values; input, dtype and device stay as they are."""
        images = torch.tanh(probe.randn(4, 3, 8, 8))
        for sigma in (0.0, torch.tensor(0.0)):
            noisy = noisy_images(add_instance_noise, images, sigma, probe.rng)
            if not torch.equal(noisy, images):
                fail(
                    "the values of the images, to the bit, for sigma = 0",
                    f"values that differ by up to {number(float((noisy - images).abs().max()))}",
                    _where_it_stops(noisy) or "something is added or scaled besides sigma * noise",
                )
        for dtype in (torch.float64, torch.bfloat16):
            noisy = noisy_images(add_instance_noise, images.to(dtype), 0.2, probe.rng)
            if torch.equal(noisy, images.to(dtype)):
                fail(f"noisy images of {dtype}", "the given images", "nothing is added")
        noisy_images(add_instance_noise, images[:1], 0.2)
        if ignores_the_device(lambda: add_instance_noise(images, 0.2)):
            fail(
                "noise on the device of the images",
                "noise on the default device, wherever the images are",
                "on a GPU this stops with an error: use torch.empty_like(images).normal_(...), or "
                "pass device=images.device",
            )
