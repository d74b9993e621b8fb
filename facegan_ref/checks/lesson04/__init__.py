"""Checks of lesson 4: the tasks, and the checks of its two networks."""

from __future__ import annotations

import math

import torch

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson04 import ring, steps
from facegan_ref.checks.network_probe import (
    amplified,
    build,
    output,
    require_all_inputs_used,
    require_hidden_dim,
    require_independent,
    require_learning,
    require_not_affine,
)

lesson = Lesson(
    "04",
    "mlp_gan",
    "MLP GAN",
    builds="two networks and two training steps that cover eight modes",
    minutes=75,
    given={
        "discriminator_loss": "facegan_ref.losses:discriminator_loss",
        "generator_loss": "facegan_ref.losses:generator_loss",
    },
)

lesson.task(
    "4.1",
    "MLPGenerator",
    names=("MLPGenerator",),
    points=4,
    hints=(
        "A latent is a vector of z_dim numbers, a sample has prod(out_shape) of them. What turns "
        "the one into the other, and what keeps the result in [-1, 1]?",
        "Linear layers with a non-linearity between them: z_dim to hidden_dim, at least one "
        "hidden layer, then to prod(out_shape). tanh at the end; reshape to (N, *out_shape).",
        "__init__: net = Linear(z_dim, hidden_dim), ReLU, Linear(hidden_dim, hidden_dim), ReLU,\n"
        "          Linear(hidden_dim, prod(out_shape)), Tanh\n"
        "forward:  return net(z) reshaped to (batch, *out_shape)",
        "MLPGenerator(16, 64, (3, 8, 8))(torch.randn(1, 16)) must have the shape (1, 3, 8, 8), "
        "and\nMLPGenerator(16, 64, (2,))(torch.randn(5, 16)) the shape (5, 2).",
    ),
)
lesson.task(
    "4.2",
    "MLPDiscriminator",
    names=("MLPDiscriminator",),
    points=3,
    hints=(
        "How many numbers does the discriminator say about one sample, and which of them may be "
        "below 0 or above 1?",
        "Flatten each sample, linear layers with LeakyReLU between them, one output, and NO "
        "sigmoid: the losses of lesson 3 take logits. One logit a sample: shape (N,).",
        "__init__: net = Flatten, Linear(prod(in_shape), hidden_dim), LeakyReLU(0.2),\n"
        "          Linear(hidden_dim, hidden_dim), LeakyReLU(0.2), Linear(hidden_dim, 1)\n"
        "forward:  return net(x) without its last dimension",
        "MLPDiscriminator((3, 8, 8), 64)(torch.randn(1, 3, 8, 8)) must have the shape (1,): "
        "squeeze() without a dimension makes it ().",
    ),
)
lesson.task(
    "4.3",
    "discriminator_step",
    names=("discriminator_step",),
    points=5,
    hints=(
        "Who is to learn in this step, and along which path would a gradient reach the other one?",
        "Make the fakes from the given z and detach them; loss on real and fake logits; clear D's "
        "old gradients; backward; one optimizer step; return the loss detached.",
        "fake = generator(z), detached\n"
        "loss = discriminator_loss(discriminator(real), discriminator(fake))\n"
        "clear old gradients; backward; step\n"
        "return loss, detached",
        "After your step, [p.grad for p in generator.parameters()] must be all None, and calling "
        "it twice must not add the first call's gradients to the second's.",
    ),
)
lesson.task(
    "4.4",
    "generator_step",
    names=("generator_step",),
    points=4,
    hints=(
        "The generator never sees a real image. Through what does it learn what to change?",
        "Nothing is detached here: z → generator → discriminator → generator_loss, then backward "
        "through both; the optimizer holds only G's parameters, so only G moves.",
        "loss = generator_loss(discriminator(generator(z)))\n"
        "clear old gradients; backward; step\n"
        "return loss, detached",
        "After your step G's weights must differ from before, and D's weights and their "
        "requires_grad must be exactly as before.",
    ),
)
lesson.task(
    "4.5",
    "all four together",
    names=("MLPGenerator", "MLPDiscriminator", "discriminator_step", "generator_step"),
    points=4,
    hints=(
        "Each step is right alone. What does one step leave behind that the other one finds?",
        "The generator's backward passes through D and leaves gradients in D's parameters. "
        "Whoever clears only after stepping lets them into D's next update.",
        "in each step: forward, loss, CLEAR, backward, step: in this order",
        "D step, G step, D step: D must end where it ends when all its gradients are None before "
        "each of its steps.",
    ),
)

SHAPES = ((2,), (3, 8, 8), (1, 5, 7))
Z_DIM, HIDDEN = 12, 24


def _shape_text(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"


@lesson.check("4.1", points=0.5)
def maps_latents_to_samples(MLPGenerator, probe: Probe) -> None:
    """G turns latents (N, z_dim) into samples (N, *out_shape), also a batch of one."""
    for shape in SHAPES:
        network = build(MLPGenerator, Z_DIM, HIDDEN, shape)
        for n in (probe.integer(4, 9), 1):
            came = tuple(output(network, probe.randn(n, Z_DIM)).shape)
            if came != (n, *shape):
                squeezed = n == 1 and came == shape
                fail(
                    f"shape {_shape_text((n, *shape))} for {n} latents and "
                    f"out_shape = {_shape_text(shape)}",
                    f"shape {_shape_text(came)}",
                    "squeeze() removes the batch dimension when it is one: leave it out"
                    if squeezed
                    else "the last layer needs prod(out_shape) outputs, reshaped to "
                    "(N, *out_shape) at the end of forward",
                )


@lesson.check("4.1", points=0.5)
def depends_on_its_latent(MLPGenerator, probe: Probe) -> None:
    """Every number of the latent has an influence on the sample."""
    network = build(MLPGenerator, Z_DIM, HIDDEN, (2,))
    require_all_inputs_used(network, probe.randn(32, Z_DIM), "latent")


@lesson.check("4.1", points=0.5)
def each_sample_from_its_own_latent(MLPGenerator, probe: Probe) -> None:
    """A sample depends on its own latent alone, and the same latent gives the same sample."""
    for shape in ((3, 4, 4), (2,)):
        network = build(MLPGenerator, Z_DIM, HIDDEN, shape)
        require_independent(network, probe.randn(6, Z_DIM), "latent")


@lesson.check("4.1", points=0.5)
def stays_in_range(MLPGenerator, probe: Probe) -> None:
    """Images lie in [-1, 1], the range of the data, and use both signs."""
    network = amplified(build(MLPGenerator, Z_DIM, HIDDEN, (3, 8, 8)))
    out = output(network, probe.randn(64, Z_DIM)).detach()
    low, high = float(out.min()), float(out.max())
    if low < -1 - 1e-5 or high > 1 + 1e-5:
        fail(
            "values in [-1, 1], also with large weights",
            f"values from {number(low)} to {number(high)}",
            "nn.Tanh() after the last layer is missing",
        )
    if low >= 0:
        fail(
            "values on both sides of 0, in [-1, 1]",
            f"values from {number(low)} to {number(high)}",
            "a sigmoid or ReLU at the end gives no negative values, but the data are scaled to "
            "[-1, 1]: use nn.Tanh()",
        )


@lesson.check("4.1", points=0.5)
def hidden_layers_are_used(MLPGenerator, probe: Probe) -> None:
    """Between latent and sample lie hidden layers of width hidden_dim with non-linearities."""
    require_hidden_dim(
        lambda width: build(MLPGenerator, Z_DIM, width, (2,)), lambda h: Z_DIM * h + h * 2
    )
    network = build(MLPGenerator, Z_DIM, HIDDEN, (2,))
    require_not_affine(network, probe.randn(32, Z_DIM), squashed=True)


@lesson.check("4.1", points=0.5)
def all_parameters_learn(MLPGenerator, probe: Probe) -> None:
    """Every parameter of G gets a gradient, so that all of it can learn."""
    network = build(MLPGenerator, Z_DIM, HIDDEN, (3, 4, 4))
    require_hidden_dim(
        lambda width: build(MLPGenerator, Z_DIM, width, (2,)), lambda h: Z_DIM * h + h * 2
    )
    require_learning(network, probe.randn(16, Z_DIM))


@lesson.check("4.2", points=0.5)
def gives_one_logit_per_sample(MLPDiscriminator, probe: Probe) -> None:
    """D turns samples (N, *in_shape) into one logit each, (N,) or (N, 1), also a batch of one."""
    for shape in SHAPES:
        network = build(MLPDiscriminator, shape, HIDDEN)
        for n in (probe.integer(4, 9), 1):
            came = tuple(output(network, probe.randn(n, *shape)).shape)
            if came not in ((n,), (n, 1), (n, 1, 1, 1)):
                likely = "the last layer must have one output, and no mean over the batch is taken"
                if came == () and n == 1:
                    likely = (
                        "squeeze() without a dimension removes the batch too when it is one: use "
                        "squeeze(1) or flatten()"
                    )
                fail(
                    f"shape ({n},) for {n} samples of shape {_shape_text(shape)}",
                    f"shape {_shape_text(came)}",
                    likely,
                )


@lesson.check("4.2", points=0.5)
def gives_logits_not_scores(MLPDiscriminator, probe: Probe) -> None:
    """What D returns is a logit: any number, not one squeezed into [0, 1]."""
    low, high = math.inf, -math.inf
    for _ in range(4):
        network = amplified(build(MLPDiscriminator, (3, 4, 4), HIDDEN))
        out = output(network, 10 * probe.randn(64, 3, 4, 4)).detach()
        low, high = min(low, float(out.min())), max(high, float(out.max()))
    if high - low < 1e-6:
        fail(
            "a logit that depends on the sample",
            f"{number(high)} for every sample",
            "a softmax over one number is always 1: remove it, as any other activation at the end",
        )
    if low >= -1e-6 and high <= 1 + 1e-6:
        fail(
            "logits below 0 and above 1 when weights and inputs are large",
            f"only values from {number(low)} to {number(high)}",
            "a sigmoid at the end: remove it, the losses apply it themselves. With it D's loss "
            "can't fall below 1.006",
        )
    if low >= -1 - 1e-6 and high <= 1 + 1e-6:
        fail(
            "logits of any size when weights and inputs are large",
            f"only values from {number(low)} to {number(high)}",
            "a tanh at the end bounds the logits: remove it",
        )
    if low >= -1e-6 or high <= 1e-6:
        fail(
            "logits of both signs",
            f"only values from {number(low)} to {number(high)}",
            "an activation after the last layer (ReLU, softplus, logsigmoid) cuts one sign off",
        )


@lesson.check("4.2", points=0.5)
def each_logit_from_its_own_sample(MLPDiscriminator, probe: Probe) -> None:
    """A logit depends on all of its own sample and on no other one."""
    for shape in ((3, 4, 4), (2,)):
        network = build(MLPDiscriminator, shape, HIDDEN)
        require_independent(network, probe.randn(6, *shape), "sample")
        require_all_inputs_used(network, probe.randn(32, *shape), "sample")


@lesson.check("4.2", points=0.5)
def hidden_layers_learn(MLPDiscriminator, probe: Probe) -> None:
    """D has hidden layers of width hidden_dim with non-linearities, and all of it learns."""
    require_hidden_dim(
        lambda width: build(MLPDiscriminator, (3, 2, 2), width), lambda h: 12 * h + h
    )
    network = build(MLPDiscriminator, (3, 2, 2), HIDDEN)
    require_not_affine(network, probe.randn(32, 3, 2, 2), squashed=False)
    require_learning(network, torch.cat([probe.randn(16, 3, 2, 2), -probe.randn(16, 3, 2, 2)]))


steps.add_to(lesson)
ring.add_to(lesson)
