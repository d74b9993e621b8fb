"""Checks of lesson 6's initial weights and of all three together: tasks 6.5 and 6.6."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.lesson06.networks import WIDTH, Z_DIM
from facegan_ref.checks.lesson06.trace import build, explained, run
from facegan_ref.steps import discriminator_step, generator_step

STD = 0.02


def _initialised(init_weights: Callable, network: nn.Module) -> nn.Module:
    """`network.apply(init_weights)`; fail with what usual exceptions mean here."""
    if not callable(init_weights):
        fail("a function", f"a {type(init_weights).__name__}", "init_weights must be a function")
    came = likely = None
    try:
        network.apply(init_weights)
    except AttributeError as error:
        came = explain_exception(error)[0]
        likely = (
            "apply calls the function for every module, also for containers, activations and "
            "layers without a bias: ask with isinstance first"
        )
    except RuntimeError as error:
        if "in-place" not in str(error):
            raise
        came = explain_exception(error)[0]
        likely = "weights are changed under torch.no_grad(), or by nn.init.normal_, which does that"
    if came:
        fail("no exception from network.apply(init_weights)", came, likely)
    return network


def _require_normal(values: Tensor, mean: float, what: str, slack: float) -> None:
    """`values` look like draws from N(mean, 0.02²)."""
    values = values.detach().flatten()
    expected = f"{what} from a normal distribution with mean {mean:g} and std {STD}"
    if not bool(torch.isfinite(values).all()):
        fail(expected, "nan or inf among them", None)
    centre, spread = float(values.mean()), float(values.std())
    came = f"mean {number(centre)} and std {number(spread)}"
    off = abs(centre - mean) > max(6 * STD / len(values) ** 0.5, 1e-4)
    if off and mean == 1 and abs(centre) < 0.1:
        fail(
            expected,
            came,
            "batch normalisation's weight is a scale: around 0 it erases what the layer has "
            "computed. Its mean is 1",
        )
    if spread < 1e-8:
        fail(
            expected,
            f"{number(centre)} for all of them",
            "they are all the same number: nothing was drawn, or nn.init.constant_, ones_ or "
            "zeros_ was used",
        )
    if abs(spread / STD - 1) > slack:
        named = (
            (STD**2, "0.02 is the standard deviation itself, not its square root"),
            (STD**0.5, "0.02 is the standard deviation, not the variance: take no root of it"),
            (1.0, "torch.randn alone has std 1: multiply by 0.02"),
        )
        near = (text for value, text in named if abs(spread / value - 1) < 0.2)
        other = "another rule (Xavier, Kaiming) fits the std to each layer's size; here it is fixed"
        fail(expected, came, next(near, other if spread > 0.002 else None))
    if off:
        fail(expected, came, f"the mean should be {mean:g}")
    if float((values - centre).abs().max()) < 2.2 * spread:
        fail(
            expected,
            f"a flat distribution, from {number(float(values.min()))} to "
            f"{number(float(values.max()))}",
            "the numbers are drawn by uniform_ in place of normal_",
        )


def _require_changed(layer: nn.Module, before: Tensor, what: str, likely: str) -> None:
    if torch.equal(layer.weight.detach(), before):
        spread = number(float(before.std()))
        fail(
            f"new weights for {what}",
            f"the numbers that were there before, with std {spread}",
            likely,
        )


def convolutions_start_small(init_weights, probe: Probe) -> None:
    """Weights of convolutions come from N(0, 0.02²), whatever their size."""
    layers = nn.Sequential(
        nn.Conv2d(3, 64, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Sequential(nn.Conv2d(64, 16, 3)),
    )
    convolutions = [layers[0], layers[2][0]]
    before = [layer.weight.detach().clone() for layer in convolutions]
    _initialised(init_weights, layers)
    for layer, old in zip(convolutions, before, strict=True):
        likely = "the condition meets no nn.Conv2d, or not each: ask isinstance(module, nn.Conv2d)"
        _require_changed(layer, old, "nn.Conv2d", likely)
        _require_normal(layer.weight, 0.0, "weights of nn.Conv2d", 0.12)


def transposed_convolutions_too(init_weights, probe: Probe) -> None:
    """Weights of transposed convolutions come from N(0, 0.02²) too."""
    layers = nn.Sequential(
        nn.ConvTranspose2d(100, 128, 4, bias=False), nn.ReLU(), nn.ConvTranspose2d(24, 3, 4, 2, 1)
    )
    convolutions = [layers[0], layers[2]]
    before = [layer.weight.detach().clone() for layer in convolutions]
    _initialised(init_weights, layers)
    for layer, old in zip(convolutions, before, strict=True):
        likely = (
            "nn.ConvTranspose2d is skipped, and with it the whole generator: it is no nn.Conv2d, "
            "so name both"
        )
        _require_changed(layer, old, "nn.ConvTranspose2d", likely)
        _require_normal(layer.weight, 0.0, "weights of nn.ConvTranspose2d", 0.12)


def scales_start_around_one(init_weights, probe: Probe) -> None:
    """Batch normalisation's weight comes from N(1, 0.02²), its bias is 0."""
    network = nn.Sequential(nn.Conv2d(3, 8, 4), nn.BatchNorm2d(512), nn.ReLU())
    norm = network[1]
    with torch.no_grad():
        norm.bias.copy_(probe.randn(512))
    before = norm.weight.detach().clone()
    _initialised(init_weights, network)
    likely = (
        "nn.BatchNorm2d is skipped, or its weights are set to exactly 1: they are drawn too, "
        "nn.init.normal_(module.weight, 1.0, 0.02)"
    )
    _require_changed(norm, before, "nn.BatchNorm2d", likely)
    _require_normal(norm.weight, 1.0, "weights of nn.BatchNorm2d", 0.3)
    if bool((norm.bias != 0).any()):
        fail(
            "0 for each bias of nn.BatchNorm2d",
            f"numbers from {number(float(norm.bias.min()))} to {number(float(norm.bias.max()))}",
            "set the bias as well: nn.init.zeros_(module.bias)",
        )


def changes_nothing_else(init_weights, probe: Probe) -> None:
    """Other modules stay as they are; weights are filled in place, and a seed fixes them."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 4), nn.BatchNorm2d(8), nn.Conv2d(3, 8, 4), nn.Linear(20, 30),
        nn.Embedding(5, 4), nn.GroupNorm(2, 8), nn.PReLU(), nn.Conv2d(3, 8, 4),
    )  # fmt: skip
    network[7].requires_grad_(False)
    with torch.no_grad():
        network[1].running_mean.fill_(0.5)
    twin, third = copy.deepcopy(network), copy.deepcopy(network)
    before = copy.deepcopy(network)
    parameters = list(network.parameters())
    torch.manual_seed(probe.seed + 1)
    _initialised(init_weights, network)

    for old, new in zip(parameters, network.parameters(), strict=True):
        if old is not new or not new.is_leaf:
            fail(
                "the same parameters with new numbers in them",
                "new parameter objects",
                "an optimizer that was made before would keep the old ones: fill them in place, "
                "nn.init.normal_(module.weight, …)",
            )
    for (name, old), new in zip(before.named_parameters(), network.parameters(), strict=True):
        if old.requires_grad != new.requires_grad:
            fail(f"requires_grad = {old.requires_grad}, as before", str(new.requires_grad), None)
        module = before[int(name.split(".")[0])]
        kind = type(module).__name__
        same = torch.equal(old.detach(), new.detach())
        if isinstance(module, nn.Conv2d) and name.endswith("bias"):
            if not same and bool((new != 0).any()):
                fail(
                    "biases of convolutions as they were, or 0",
                    f"numbers with std {number(float(new.std()))}",
                    "only the weights of convolutions come from N(0, 0.02²)",
                )
        elif not isinstance(module, (nn.Conv2d, nn.BatchNorm2d)) and not same:
            fail(
                f"the {name.split('.')[1]} of nn.{kind} as it was",
                "other numbers",
                f"nn.{kind} is neither a convolution nor batch normalisation: leave it alone. An "
                "`else` or a test for a `weight` meets more layers than meant",
            )
    if float(network[1].running_mean.mean()) != 0.5:
        fail("running statistics as they were", "other numbers", "only weight and bias are set")

    a, b = network[0].weight, network[2].weight
    if torch.equal(a, b):
        fail(
            "different weights in two layers of one shape",
            "the same numbers in both",
            "a seed is set inside of init_weights, or nothing is drawn: leave torch.manual_seed to "
            "the caller",
        )
    torch.manual_seed(probe.seed + 1)
    _initialised(init_weights, twin)
    if not torch.equal(twin[0].weight, a):
        fail(
            "the same weights after the same torch.manual_seed",
            "other numbers",
            "the numbers come from another source than torch's random numbers, such as numpy",
        )
    torch.manual_seed(probe.seed + 2)
    _initialised(init_weights, third)
    if torch.equal(third[0].weight, a):
        fail(
            "other weights after another torch.manual_seed",
            "the same numbers",
            "a seed is set inside of init_weights: leave torch.manual_seed to the caller",
        )


class _Descent:
    """An optimizer as the steps need it: each number with a gradient moves by 0.001.

    One of torch's own costs two seconds of imports when it is the first of a process.
    """

    def __init__(self, network: nn.Module):
        self.parameters = list(network.parameters())

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad.sign()


def _pair(
    Generator: Callable, Discriminator: Callable, size: int, channels: int
) -> tuple[nn.Module, nn.Module]:
    generator = build(Generator, Z_DIM, WIDTH, channels, size, like=torch.zeros(2, Z_DIM))
    image = torch.zeros(2, channels, size, size)
    return generator, build(Discriminator, channels, WIDTH, size, like=image)


def networks_fit_each_other(Generator, Discriminator, init_weights, probe: Probe) -> None:
    """D judges G's images, one logit for each, at several sizes, fresh and initialised."""
    for size, channels in ((16, 3), (32, 1), (64, 3)):
        networks = _pair(Generator, Discriminator, size, channels)
        for when in ("when they are made", "after apply(init_weights)"):
            generator, discriminator = networks
            n = probe.integer(2, 5)
            logits = run(discriminator, run(generator, probe.randn(n, Z_DIM)))
            if tuple(logits.shape) not in ((n,), (n, 1), (n, 1, 1, 1)):
                fail(
                    f"{n} logits for the images of {n} latents, image_size = {size}, {when}",
                    f"shape {tuple(logits.shape)}",
                    "see task 6.4: one logit for each image",
                )
            if float(logits.detach().abs().max()) == 0:
                fail(
                    f"logits that are not all 0 {when}",
                    "0 for each image",
                    "see task 6.5: weights or scales of 0 let nothing through",
                )
            for network in networks:
                _initialised(init_weights, network)


def a_step_moves_all_of_it(Generator, Discriminator, init_weights, probe: Probe) -> None:
    """Initialised, lesson 4's steps move every weight of the one network and none of the other."""
    networks = _pair(Generator, Discriminator, 16, 3)
    for network in networks:
        _initialised(init_weights, network).train()
    generator, discriminator = networks
    optimizer_g, optimizer_d = (_Descent(network) for network in networks)
    real = probe.randn(8, 3, 16, 16).clamp(-1, 1)
    z = probe.randn(8, Z_DIM)
    for name, mover, other, step in (
        (
            "discriminator", discriminator, generator,
            lambda: discriminator_step(generator, discriminator, optimizer_d, real, z),
        ),
        (
            "generator", generator, discriminator,
            lambda: generator_step(generator, discriminator, optimizer_g, z),
        ),
    ):  # fmt: skip
        before, fixed = (copy.deepcopy(list(n.named_parameters())) for n in (mover, other))
        still = [key for key, parameter in mover.named_parameters() if not parameter.requires_grad]
        if still:
            fail(
                f"a {name} all of whose parameters can learn",
                f"requires_grad = False for {', '.join(still[:3])}",
                "no gradient reaches it: requires_grad_(False) is left on, in the network or in "
                "init_weights",
            )
        loss = explained(step)
        if not bool(torch.isfinite(loss)):
            fail(f"a finite loss in the {name}'s step", number(float(loss)), None)
        for (key, old), new in zip(before, mover.parameters(), strict=True):
            # A bias in front of batch normalisation rightly has no gradient.
            if old.ndim > 1 and torch.equal(old.detach(), new.detach()):
                fail(
                    f"every weight of the {name} moved by its step",
                    f"{key}, of shape {tuple(new.shape)}, as before",
                    "no gradient reaches it: a detach on the way, a layer that is not used, or "
                    "weights that are all 0",
                )
        for (key, old), new in zip(fixed, other.parameters(), strict=True):
            if not torch.equal(old.detach(), new.detach()):
                fail(
                    f"the other network as it was after the {name}'s step",
                    f"{key} has moved",
                    "the two networks share a layer or a parameter: each must make its own",
                )


def add_to(lesson: Lesson) -> None:
    """Add these checks to the lesson's tasks."""
    for check in (
        convolutions_start_small,
        transposed_convolutions_too,
        scales_start_around_one,
        changes_nothing_else,
    ):
        lesson.check("6.5", points=0.5)(check)
    lesson.check("6.6", points=0.5)(networks_fit_each_other)
    lesson.check("6.6", points=0.5)(a_step_moves_all_of_it)
