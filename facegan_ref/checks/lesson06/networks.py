"""Checks of lesson 6's two networks: tasks 6.3 and 6.4."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson06.trace import (
    build,
    explained,
    normalised_after,
    normalised_before_all,
    require_batch_norm,
    require_shared_weights,
    require_size_error,
    require_width,
    run,
    trace,
)
from facegan_ref.checks.network_probe import (
    amplified,
    output,
    require_all_inputs_used,
    require_independent,
    require_learning,
    require_not_affine,
)

SIZES = ((8, 3), (16, 1), (32, 3), (64, 1), (128, 3))  # image_size, channels
Z_DIM, WIDTH = 12, 4
NO_EYE_FOR_EDGES = 0.9  # of the pixels: a kernel of 3 without padding may miss the last row


def _generator(factory: Callable, size: int, channels: int = 3, width: int = WIDTH) -> nn.Module:
    return build(factory, Z_DIM, width, channels, size, like=torch.zeros(2, Z_DIM))


def _discriminator(
    factory: Callable, size: int, channels: int = 3, width: int = WIDTH
) -> nn.Module:
    return build(factory, channels, width, size, like=torch.zeros(2, channels, size, size))


def maps_latents_to_images(Generator, probe: Probe) -> None:
    """G turns latents (N, z_dim) into images (N, channels, image_size, image_size), also one."""
    for size, channels in SIZES:
        network = _generator(Generator, size, channels)
        for n in (probe.integer(3, 6), 1):
            came = tuple(run(network, probe.randn(n, Z_DIM)).shape)
            if came != (n, channels, size, size):
                fail(
                    f"shape {(n, channels, size, size)} for {n} latents, image_size = {size} and "
                    f"channels = {channels}",
                    f"shape {came}",
                    _explain_shape(came, n, channels, size),
                )


def _explain_shape(came: tuple[int, ...], n: int, channels: int, size: int) -> str:
    if came == (channels, size, size):
        return "squeeze() removes the batch dimension when it is one: leave it out"
    if len(came) != 4:
        return "images have four dimensions, (N, channels, image_size, image_size)"
    if came[1] != channels:
        return "the last layer's out_channels are not `channels`"
    if came[2:] == (1, 1) or came[2] < size:
        return (
            "the side stays too small: one layer of kernel 4, stride 2, padding 1 for each "
            "doubling, count_doublings(image_size) of them after the first layer"
        )
    return "the side grows too far: how many layers there are must follow from image_size"


def refuses_other_sizes(Generator, probe: Probe) -> None:
    """An image_size that is no power of two raises a ValueError."""
    require_size_error(lambda size: Generator(Z_DIM, WIDTH, 3, size))


def stays_in_range(Generator, probe: Probe) -> None:
    """Images lie in [-1, 1], the range of the data, and can reach both ends."""
    network = amplified(_generator(Generator, 16))
    out = run(network, 3 * probe.randn(32, Z_DIM)).detach()
    low, high = float(out.min()), float(out.max())
    came = f"values from {number(low)} to {number(high)}"
    if low < -1 - 1e-5 or high > 1 + 1e-5:
        fail(
            "values in [-1, 1], also with large weights",
            came,
            "tanh after the last layer is missing",
        )
    if low >= 0:
        fail(
            "values on both sides of 0, in [-1, 1]",
            came,
            "a sigmoid or ReLU at the end gives no negative values, but the data are scaled to "
            "[-1, 1]: use tanh",
        )
    if low > -0.9 or high < 0.9:
        fail(
            "values that can reach from -1 to 1 when the weights are large",
            came,
            "the images are scaled after the tanh, or normalised just before it",
        )


def depends_on_all_of_its_latent(Generator, probe: Probe) -> None:
    """Every number of the latent has an influence on the image."""
    explained(
        lambda: require_all_inputs_used(_generator(Generator, 16), probe.randn(16, Z_DIM), "latent")
    )


def each_image_from_its_own_latent(Generator, probe: Probe) -> None:
    """In eval mode an image depends on its own latent alone, in a batch or by itself."""
    for size in (16, 32):
        network = _generator(Generator, size)
        _warm_up(network, probe.randn(16, Z_DIM))
        explained(lambda: require_independent(network, probe.randn(5, Z_DIM), "latent"))  # noqa: B023


def _warm_up(network: nn.Module, x: Tensor) -> None:
    """One pass in train mode: running statistics that are no longer 0 and 1."""
    network.train()
    with torch.no_grad():
        explained(lambda: network(x))
    if not all(module.training for module in network.modules()):
        fail(
            "a network that stays in train mode while it trains",
            "eval mode after a forward pass in train mode",
            "forward calls eval(): the modes are the business of whoever trains or samples",
        )


def is_convolutional(Generator, probe: Probe) -> None:
    """G's weights are shared between the places of the image."""
    network = _generator(Generator, 32)
    _warm_up(network, probe.randn(8, Z_DIM))
    explained(
        lambda: require_shared_weights(network, probe.randn(8, Z_DIM), _images, "changes only")
    )


@torch.no_grad()
def _images(network: nn.Module, z: Tensor) -> Tensor:
    return network(z)


def _pulls(network: nn.Module, x: Tensor) -> Tensor:
    """The gradient of the logits with respect to the images."""
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(network(x).sum(), x)[0]


def normalises_all_but_the_last(Generator, probe: Probe) -> None:
    """Batch normalisation after each layer of G but the last."""
    for size in (16, 64):
        layers = trace(_generator(Generator, size), probe.randn(4, Z_DIM))
        require_batch_norm(layers, "the generator", first_has=True)


def leaves_the_output_alone(Generator, probe: Probe) -> None:
    """No batch normalisation after G's last layer, where the colours are."""
    layers = trace(_generator(Generator, 32), probe.randn(4, Z_DIM))
    if normalised_after(layers, -1):
        fail(
            "no normalisation between the last layer and the image",
            "batch normalisation after the last layer",
            "batch normalisation at the output gives every batch the same mean and spread of "
            "colours: leave it out there",
        )


def ngf_sets_the_width(Generator, probe: Probe) -> None:
    """The number of feature maps is set by ngf, all layers are registered and deep enough."""
    for size in (16, 64):
        narrow, wide = (
            trace(_generator(Generator, size, 3, width), probe.randn(2, Z_DIM)) for width in (4, 8)
        )
        require_width(narrow, wide, "ngf", 3)
        _require_registered(_generator(Generator, size))


def _require_registered(network: nn.Module) -> None:
    if not list(network.parameters()):
        fail(
            "parameters that an optimizer can find",
            "none: list(network.parameters()) is empty",
            "layers in a plain Python list are not registered: use nn.Sequential or nn.ModuleList",
        )


def all_of_it_learns(Generator, probe: Probe) -> None:
    """G has non-linearities between its layers, and every parameter gets a gradient."""
    network = _generator(Generator, 16)
    _require_registered(network)
    explained(lambda: require_not_affine(network, probe.randn(16, Z_DIM), squashed=True))
    explained(lambda: require_learning(network, probe.randn(8, Z_DIM)))


def gives_one_logit_an_image(Discriminator, probe: Probe) -> None:
    """D gives one logit for each image, (N,), (N, 1) or (N, 1, 1, 1), also for a batch of one."""
    for size, channels in SIZES:
        network = _discriminator(Discriminator, size, channels)
        for n in (probe.integer(3, 6), 1):
            came = tuple(run(network, probe.randn(n, channels, size, size)).shape)
            if came in ((n,), (n, 1), (n, 1, 1, 1)):
                continue
            likely = "the last layer must have one output for each image"
            if came == ():
                likely = (
                    "squeeze() without a dimension removes the batch too when it is one, and a "
                    "mean makes one number of all images: use flatten()"
                )
            elif len(came) == 4 and came[0] == n and came[2] > 1:
                likely = (
                    "a map is left over instead of one number: one halving (kernel 4, stride 2, "
                    "padding 1) for each doubling of 4, then kernel 4, stride 1, padding 0 at 4×4"
                )
            elif len(came) == 1 and came[0] > n and came[0] % n == 0:
                likely = (
                    f"{came[0] // n} numbers for each image, flattened into one row: a map is left "
                    "over, how many layers there are must follow from image_size"
                )
            fail(
                f"shape ({n},) for {n} images with image_size = {size} and channels = {channels}",
                f"shape {came}",
                likely,
            )


def gives_logits_not_scores(Discriminator, probe: Probe) -> None:
    """What D returns is a logit: any number, not one squeezed into [0, 1]."""
    low, high = math.inf, -math.inf
    for _ in range(12):
        network = amplified(_discriminator(Discriminator, 8))
        flat, grain = 10 * probe.randn(48, 3, 1, 1), 10 * probe.randn(48, 3, 8, 8)
        out = run(network, flat + grain).detach()
        low, high = min(low, float(out.min())), max(high, float(out.max()))
    came = f"only values from {number(low)} to {number(high)}"
    if high - low < 1e-6:
        fail(
            "a logit that depends on the image",
            f"{number(high)} for every image",
            "a softmax over one number is always 1: remove it, as any activation at the end",
        )
    if low >= -1e-6 and high <= 1 + 1e-6:
        fail(
            "logits below 0 and above 1 when weights and images are large",
            came,
            "a sigmoid at the end: remove it, the losses apply it themselves. With it D's loss "
            "can't fall below 1.006",
        )
    if low >= -1 - 1e-6 and high <= 1 + 1e-6:
        fail(
            "logits of any size when weights and images are large",
            came,
            "a tanh at the end bounds the logits: remove it",
        )
    if low >= -1e-6 or high <= 1e-6:
        fail(
            "logits of both signs",
            came,
            "an activation after the last layer (ReLU, softplus, logsigmoid) cuts one sign off",
        )
    if high > 0 > low and not 0.02 < -low / high < 50:
        fail(
            "logits that reach as far below 0 as above it",
            came,
            "a LeakyReLU after the last layer makes negative logits small: remove it",
        )


def refuses_other_sizes_too(Discriminator, probe: Probe) -> None:
    """An image_size that is no power of two raises a ValueError."""
    require_size_error(lambda size: Discriminator(3, WIDTH, size))


def each_logit_from_its_own_image(Discriminator, probe: Probe) -> None:
    """In eval mode a logit depends on its own image alone, and on all of it."""
    for size in (16, 32):
        network = _discriminator(Discriminator, size)
        _warm_up(network, probe.randn(8, 3, size, size))
        images = probe.randn(5, 3, size, size)
        explained(lambda: require_independent(network, images, "image"))  # noqa: B023
        x = probe.randn(16, 3, size, size).requires_grad_(True)
        out = output(network, x)
        used = 0.0
        if out.requires_grad:
            (grad,) = torch.autograd.grad(out.sum(), x, allow_unused=True)
            used = 0.0 if grad is None else float((grad != 0).any(0).float().mean())
        if used < NO_EYE_FOR_EDGES:
            fail(
                "a logit that depends on every pixel and colour of its image",
                f"dependence on {used:.0%} of them",
                "the image is detached, cropped or reduced to some of its channels on the way"
                if used
                else "the image is replaced, detached or multiplied by 0 on its way",
            )


def is_convolutional_too(Discriminator, probe: Probe) -> None:
    """D's weights are shared between the places of the image."""
    network = _discriminator(Discriminator, 32)
    _warm_up(network, probe.randn(8, 3, 32, 32))
    explained(
        lambda: require_shared_weights(network, probe.randn(8, 3, 32, 32), _pulls, "looks at only")
    )


def normalises_between_the_ends(Discriminator, probe: Probe) -> None:
    """Batch normalisation after each layer of D but the first and the last."""
    for size in (16, 64):
        layers = trace(_discriminator(Discriminator, size), probe.randn(4, 3, size, size))
        require_batch_norm(layers, "the discriminator", first_has=False)


def leaves_both_ends_alone(Discriminator, probe: Probe) -> None:
    """No batch normalisation of D's input, after its first layer, or of the logit."""
    layers = trace(_discriminator(Discriminator, 32), probe.randn(4, 3, 32, 32))
    if normalised_before_all(layers) or normalised_after(layers, 0):
        fail(
            "no normalisation before or right after the first layer",
            "batch normalisation of the images"
            if normalised_before_all(layers)
            else "batch normalisation after the first layer",
            "batch normalisation at D's input hides from it how bright and how strong in contrast "
            "a batch is: leave it out there",
        )
    if normalised_after(layers, -1):
        fail(
            "no normalisation of the logit",
            "batch normalisation after the last layer",
            "batch normalisation at the output gives the logits of every batch the mean 0: D can't "
            "call all of them fake",
        )


def ndf_sets_the_width_and_all_learns(Discriminator, probe: Probe) -> None:
    """The number of feature maps is set by ndf; every parameter of D takes part and learns."""
    for size in (16, 64):
        narrow, wide = (
            trace(_discriminator(Discriminator, size, 3, width), probe.randn(2, 3, size, size))
            for width in (4, 8)
        )
        require_width(narrow, wide, "ndf", -1)
    network = _discriminator(Discriminator, 16)
    _require_registered(network)
    explained(lambda: require_not_affine(network, probe.randn(16, 3, 16, 16), squashed=False))
    explained(lambda: require_learning(network, probe.randn(8, 3, 16, 16)))


def add_to(lesson: Lesson) -> None:
    """Add these checks to the lesson's tasks."""
    for check in (
        maps_latents_to_images,
        refuses_other_sizes,
        stays_in_range,
        depends_on_all_of_its_latent,
        each_image_from_its_own_latent,
        is_convolutional,
        normalises_all_but_the_last,
        leaves_the_output_alone,
        ngf_sets_the_width,
        all_of_it_learns,
    ):
        lesson.check("6.3", points=0.5)(check)
    for check in (
        gives_one_logit_an_image,
        gives_logits_not_scores,
        refuses_other_sizes_too,
        each_logit_from_its_own_image,
        is_convolutional_too,
        normalises_between_the_ends,
        leaves_both_ends_alone,
        ndf_sets_the_width_and_all_learns,
    ):
        lesson.check("6.4", points=0.5)(check)
