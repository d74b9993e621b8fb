"""Checks of lesson 7's sampling: task 7.1."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Lesson, Probe, fail, number, require_type
from facegan_ref.checks.lesson07.probe import IMAGE, TinyGenerator
from facegan_ref.checks.step_probe import weights

Sample = Callable[[nn.Module, Tensor], Tensor]
Z_DIM = 5


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 7.1."""
    lesson.check("7.1", points=0.5)(returns_the_generators_images)
    lesson.check("7.1", points=1)(same_face_in_any_batch)
    lesson.check("7.1", points=1)(running_statistics_untouched)
    lesson.check("7.1", points=1)(mode_put_back)
    lesson.check("7.1", points=0.5)(keeps_no_graph)
    lesson.check("7.1", points=0.5)(draws_nothing)
    lesson.check("7.1", points=0.5)(leaves_weights_and_gradients)


def shown(sample: Sample, generator: nn.Module, z: Tensor) -> Tensor:
    """What the student's function returns for z; fails unless these are images."""
    one = f"images, a tensor of shape {(len(z), *IMAGE)}, for {len(z)} latents"
    came = require_type(sample(generator, z), Tensor, one, "return what the generator returns")
    if tuple(came.shape) != (len(z), *IMAGE):
        squeezed = len(z) == 1 and tuple(came.shape) == IMAGE
        likely = "squeeze() removes the batch dimension when it is one" if squeezed else None
        fail(one, f"shape {tuple(came.shape)}", likely)
    return came.detach()


def in_mode(generator: nn.Module, z: Tensor, training: bool) -> Tensor:
    """What the generator makes of z in a mode; nothing of it is changed."""
    was, statistics = generator.training, {k: v.clone() for k, v in generator.state_dict().items()}
    with torch.no_grad():
        images = generator.train(training)(z)
    generator.load_state_dict(statistics)
    generator.train(was)
    return images


def returns_the_generators_images(sample: Sample, probe: Probe) -> None:
    """sample returns the images as the generator makes them, one for each latent."""
    for norm, n in ((False, probe.integer(3, 6)), (False, 1), (True, 4)):
        generator = TinyGenerator(probe.rng, Z_DIM, norm)
        z = probe.randn(n, Z_DIM)
        came = shown(sample, generator, z)
        expected = in_mode(generator, z, training=False)
        right = [expected, in_mode(generator, z, training=True)] if norm and n > 1 else [expected]
        # Which of the two modes is the matter of another check.
        if any(torch.allclose(came.float(), e, atol=1e-5) for e in right):
            continue
        likely = None
        low, high = float(came.min()), float(came.max())
        if torch.allclose(came.float(), (expected + 1) / 2, atol=1e-5):
            likely = "the images are scaled to [0, 1]: leave them in the generator's range"
        elif high > 2:
            likely = "the images are scaled to pixels: leave them in the generator's range"
        elif torch.allclose(came.float(), expected.clamp(0, 1), atol=1e-5):
            likely = "the images are clamped to [0, 1]: leave them in the generator's range"
        fail(
            f"generator(z), with values from {number(float(expected.min()))} to "
            f"{number(float(expected.max()))}",
            f"values from {number(low)} to {number(high)}",
            likely or "the images of other latents, or changed ones: run the generator on z",
        )


def same_face_in_any_batch(sample: Sample, probe: Probe) -> None:
    """A latent gives the same image alone and in any batch, whatever mode the generator was in."""
    for training in (True, False):
        generator = TinyGenerator(probe.rng, Z_DIM, norm=True, dropout=0.5).train(training)
        z = probe.randn(6, Z_DIM)
        expected = in_mode(generator, z, training=False)
        batches = (z, torch.cat([z[:2], 4 * probe.randn(5, Z_DIM)]), z[:2], z[:1])
        for batch in batches:
            with _batch_of_one_fails():
                first = shown(sample, generator, batch)[0]
            gap = float((first.float() - expected[0]).abs().max())
            if gap > 1e-4:
                fail(
                    "the same image of one z alone and in other batches, the one of evaluation "
                    f"mode (here among {len(batch)})",
                    f"an image that differs by up to {number(gap)}",
                    "the generator is in training mode: batch normalisation uses the batch's "
                    "statistics, and dropout is on. Call generator.eval() first",
                )


@contextlib.contextmanager
def _batch_of_one_fails():
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        fail(
            "an image for a single latent",
            f"ValueError: {error}",
            "the generator is in training mode, where batch normalisation needs several images: "
            "call generator.eval() first",
        )


def running_statistics_untouched(sample: Sample, probe: Probe) -> None:
    """The running statistics of batch normalisation are as before, also after many samples."""
    for training in (True, False):
        generator = TinyGenerator(probe.rng, Z_DIM, norm=True).train(training)
        before = generator.statistics()
        for _ in range(3):
            sample(generator, probe.randn(4, Z_DIM))
        if not torch.equal(before, generator.statistics()):
            fail(
                "the same running mean and variance after three calls as before",
                f"numbers that moved by up to "
                f"{number(float((before - generator.statistics()).abs().max()))}",
                "the generator ran in training mode: torch.no_grad() does not keep batch "
                "normalisation from counting, generator.eval() does",
            )


def mode_put_back(sample: Sample, probe: Probe) -> None:
    """Training or evaluation mode is as before, also when the generator raises an error."""
    for fails in (False, True):
        for training in (True, False):
            generator = TinyGenerator(probe.rng, Z_DIM, norm=True).train(training)
            if fails:
                with contextlib.suppress(Exception):
                    sample(generator, probe.randn(4, Z_DIM + 1))  # latents of a wrong size
            else:
                sample(generator, probe.randn(4, Z_DIM))
            if generator.training != training or generator.net.training != training:
                before, after = ("training", "evaluation")[:: 1 if training else -1]
                when = " that ended in an error (latents of a wrong size)" if fails else ""
                if fails:
                    likely = "put the mode back in the finally part of try: … finally: …"
                elif training:
                    likely = "generator.train() at the end is missing"
                else:
                    likely = (
                        "the mode at the end is always training: remember generator.training at "
                        "the beginning, and generator.train(was_training) at the end"
                    )
                fail(
                    f"{before} mode after a call{when}, as before it",
                    f"{after} mode",
                    likely,
                )


def keeps_no_graph(sample: Sample, probe: Probe) -> None:
    """The images hold no graph, and gradients are switched on again afterwards."""
    generator = TinyGenerator(probe.rng, Z_DIM, norm=True)
    came = sample(generator, probe.randn(4, Z_DIM))
    still_on = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    if isinstance(came, Tensor) and came.requires_grad:
        fail(
            "images without a graph",
            "images with requires_grad = True",
            "run the generator inside `with torch.no_grad():`",
        )
    if not still_on:
        fail(
            "gradients to be switched on again after the call",
            "torch.is_grad_enabled() is False",
            "use `with torch.no_grad():`, which ends by itself, not set_grad_enabled(False)",
        )


def draws_nothing(sample: Sample, probe: Probe) -> None:
    """No random number is drawn, and z is used as it is: the same z gives the same images."""
    generator = TinyGenerator(probe.rng, Z_DIM, norm=False)
    z = probe.randn(4, Z_DIM)
    given, state = z.clone(), torch.get_rng_state()
    sample(generator, z)
    if not torch.equal(given, z):
        fail("z as it was", "other numbers in z", "z is changed in place")
    if not torch.equal(state, torch.get_rng_state()):
        fail(
            "no random number drawn",
            "a new state of torch's random numbers",
            "the function draws latents of its own, or seeds torch: use its argument z",
        )
    for x in generator.seen:
        if not torch.equal(x, z):
            fail("the generator to be run on z", "a run on other numbers", "z is changed first")


def leaves_weights_and_gradients(sample: Sample, probe: Probe) -> None:
    """The generator's weights, gradients and requires_grad flags are as before."""
    generator = TinyGenerator(probe.rng, Z_DIM, norm=True)
    for parameter in generator.parameters():
        parameter.grad = probe.randn(*parameter.shape)
    next(generator.parameters()).requires_grad_(False)
    before = weights(generator), [p.grad.clone() for p in generator.parameters()]
    flags = [p.requires_grad for p in generator.parameters()]
    sample(generator, probe.randn(4, Z_DIM))
    if not torch.equal(before[0], weights(generator)):
        fail("G's weights as before", "other weights", "the weights are changed or made anew")
    grads = [p.grad for p in generator.parameters()]
    if any(
        new is None or not torch.equal(new, old) for old, new in zip(before[1], grads, strict=True)
    ):
        fail(
            "the gradients that G had before the call",
            "other ones, or none",
            "zero_grad() or backward() has no place in sampling",
        )
    if flags != [p.requires_grad for p in generator.parameters()]:
        fail(
            "requires_grad of each parameter as before",
            "other flags",
            "requires_grad_ was set for sampling and not put back: torch.no_grad() needs no flags",
        )
