"""Checks of task 8.4: a discriminator behind noise."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson08.noise import correlation
from facegan_ref.checks.wrapper_probe import (
    SHAPE,
    Z_DIM,
    SeeingDiscriminator,
    SeenGenerator,
    seen_once,
    wrap,
)
from facegan_ref.steps import discriminator_step, generator_step

SEE_8_3 = "task 8.3 is not right yet, or the noise is clamped or changed afterwards"


_wrap = partial(wrap, plain="clean")
_seen_once = partial(
    seen_once,
    changed="noisy",
    misshapen="the noise has another shape than the images, or is put beside them",
)


def _set_sigma(noisy: nn.Module, sigma: float | Tensor) -> None:
    try:
        noisy.sigma = sigma
    except (TypeError, AttributeError) as error:
        fail(
            f"noisy.sigma = {float(sigma):g} to be possible",
            f"{type(error).__name__}: {error}",
            "sigma is a parameter, a buffer or a property that can't be set: keep it as a plain "
            "attribute, self.sigma = sigma",
        )


def _images(probe: Probe, n: int = 8) -> Tensor:
    return torch.tanh(probe.randn(n, *SHAPE))


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 8.4."""

    @lesson.check("8.4", points=0.5)
    def is_a_module_that_holds_the_given_d(NoisyDiscriminator, probe: Probe) -> None:
        """It is a module that holds the given D itself: its parameters, its modes, its logits."""
        for column in (False, True):
            inner = SeeingDiscriminator(probe.rng, column)
            noisy = _wrap(NoisyDiscriminator, inner, 0.0)
            if not inner.training or not all(p.requires_grad for p in inner.parameters()):
                fail(
                    "D in train mode and trainable, as it was given",
                    "D in evaluation mode, or parameters without requires_grad",
                    "__init__ calls discriminator.eval() or requires_grad_(False): only keep it",
                )
            own, held = ({id(p) for p in m.parameters()} for m in (inner, noisy))
            if own != held:
                likely = "it holds parameters besides those of D: leave them out"
                if not held:
                    likely = (
                        "D is not registered: assign it to an attribute of self, not into a list "
                        "or a function, after super().__init__()"
                    )
                elif not own & held:
                    likely = "a copy of D is kept: the optimizer would train the other one"
                fail(
                    f"the {len(own)} parameters of D, the very same tensors",
                    f"{len(own & held)} of them and {len(held - own)} others",
                    likely,
                )
            for mode in (False, True):
                noisy.train(mode)
                if inner.training != mode:
                    fail(
                        f"train({mode}) to reach D",
                        f"D with training = {inner.training}",
                        "train is redefined, or D is not registered as a submodule",
                    )
            images = _images(probe, 5)
            expected, came = inner(images), noisy(images)
            if not isinstance(came, Tensor) or came.shape != expected.shape:
                fail(
                    f"D's logits, of shape {tuple(expected.shape)}",
                    "None" if came is None else f"{getattr(came, 'shape', type(came))}",
                    "forward must return what D returns, as it is",
                )
            if not torch.allclose(came, expected, atol=1e-6):
                fail(
                    "D's own logits for sigma = 0",
                    f"logits that differ by up to {number(float((came - expected).abs().max()))}",
                    "the logits are changed (a sigmoid, a mean), or noise is added though sigma "
                    "is 0",
                )

    @lesson.check("8.4", points=1)
    def all_three_batches_get_noise(NoisyDiscriminator, probe: Probe) -> None:
        """In lesson 4's two steps the real batch and both generated ones get noise of their own."""
        for sigma in (0.3, 0.15):
            inner, generator = SeeingDiscriminator(probe.rng), SeenGenerator(probe.rng)
            noisy = _wrap(NoisyDiscriminator, inner, sigma, probe.rng)
            optimizers = [torch.optim.SGD(net.parameters(), lr=0.01) for net in (inner, generator)]
            real, z = _images(probe), probe.randn(8, Z_DIM)
            discriminator_step(generator, noisy, optimizers[0], real, z)
            generator_step(generator, noisy, optimizers[1], probe.randn(8, Z_DIM))
            if len(inner.seen) != 3:
                fail(
                    "D to be run three times: on real and fake in its step, on fake in G's",
                    f"{len(inner.seen)} runs",
                    "forward calls the discriminator once, with the noisy images",
                )
            clean = (real, *generator.made)
            names = ("the real batch", "the fake batch of D's step", "the fake batch of G's step")
            noises = []
            for name, seen, images in zip(names, inner.seen, clean, strict=True):
                noise = (seen - images).detach().double()
                mean, std = float(noise.mean()), float(noise.std())
                if abs(std - sigma) > 0.08 * sigma or abs(mean) > 0.08 * sigma:
                    fail(
                        f"noise of mean 0 and standard deviation {sigma:g} on {name}",
                        f"mean {number(mean)} and standard deviation {number(std)}",
                        f"{name} stays clean: D must see real and generated images through the "
                        "same noise, in both steps"
                        if std < 1e-6
                        else SEE_8_3,
                    )
                noises.append(noise)
            for one, other in ((0, 1), (0, 2), (1, 2)):
                together = correlation(noises[one], noises[other])
                if abs(together) > 0.1:
                    fail(
                        f"noise of its own on {names[one]} and on {names[other]}",
                        f"noise with a correlation of {together:.2f}",
                        "the noise is drawn once and kept, or a seed is set: draw it in forward",
                    )

    @lesson.check("8.4", points=0.5)
    def both_networks_learn_through_it(NoisyDiscriminator, probe: Probe) -> None:
        """Gradients go through the noise to the images, and so to G, and to D's parameters."""
        inner = SeeingDiscriminator(probe.rng)
        noisy = _wrap(NoisyDiscriminator, inner, 0.3, probe.rng)
        images = _images(probe, 4).requires_grad_(True)
        _seen_once(noisy, inner, images)
        logits = noisy(images)
        inputs = (images, *inner.parameters())
        if not isinstance(logits, Tensor) or not logits.requires_grad:
            fail(
                "logits through which gradients flow",
                "logits without a graph" if isinstance(logits, Tensor) else f"{type(logits)}",
                "the logits are detached, or D runs under torch.no_grad()",
            )
        came = torch.autograd.grad(logits.sum(), inputs, allow_unused=True)
        if came[0] is None or not bool(came[0].any()):
            fail(
                "a gradient for the images: G learns by it",
                "none" if came[0] is None else "zeros",
                "the noisy images are detached or made under torch.no_grad(): in G's step the "
                "gradient has to pass through the noise",
            )
        seen = inner.seen[-1].detach().requires_grad_(True)
        expected = torch.autograd.grad(inner(seen).sum(), (seen, *inner.parameters()))
        for name, a, b in zip(
            ("the images", *dict(inner.named_parameters())), came, expected, strict=True
        ):
            if a is None or not torch.allclose(a, b, rtol=1e-3, atol=1e-5):
                fail(
                    f"for {name} the gradient that D has at the noisy images",
                    "none" if a is None else "another one",
                    "images or logits are scaled, clamped or detached on their way",
                )

    @lesson.check("8.4", points=0.5)
    def sigma_can_be_changed(NoisyDiscriminator, probe: Probe) -> None:
        """Setting `noisy.sigma` changes the noise of the next call, in train and in eval mode."""
        inner = SeeingDiscriminator(probe.rng)
        noisy = _wrap(NoisyDiscriminator, inner, 0.5, probe.rng)
        images = _images(probe)
        for sigma in (0.5, 0.2, torch.tensor(0.1), 0.0):
            if sigma != 0.5:
                _set_sigma(noisy, sigma)
            for mode in (True, False):
                noisy.train(mode)
                std = float((_seen_once(noisy, inner, images) - images).std())
                if abs(std - float(sigma)) > 0.08 * float(sigma) + 1e-7:
                    likely = SEE_8_3
                    if abs(std - 0.5) < 0.04:
                        likely = (
                            "the strength is read only once: keep it as self.sigma, and read "
                            "self.sigma in forward"
                        )
                    elif std < 1e-6 and not mode:
                        likely = (
                            "no noise in evaluation mode: here it does not depend on the mode. Who "
                            "wants D's opinion on clean images asks D itself"
                        )
                    fail(
                        f"noise of standard deviation {float(sigma):g} in "
                        f"{'train' if mode else 'eval'} mode, with noisy.sigma = {float(sigma):g}",
                        f"standard deviation {number(std)}",
                        likely,
                    )

    @lesson.check("8.4", points=0.5)
    def uses_the_given_rng(NoisyDiscriminator, probe: Probe) -> None:
        """The noise comes from the given `rng`; without one, from torch's own random numbers."""
        inner, images = SeeingDiscriminator(probe.rng), _images(probe, 2)
        seed = probe.integer(1, 1000)

        def look(seed: int) -> Tensor:
            rng = torch.Generator().manual_seed(seed)
            return _seen_once(_wrap(NoisyDiscriminator, inner, 0.3, rng), inner, images)

        before = torch.get_rng_state()
        one = look(seed)
        if not torch.equal(before, torch.get_rng_state()):
            fail(
                "torch's own random numbers untouched when an rng is given",
                "they have moved on, or were seeded",
                "rng is not passed on: add_instance_noise(images, self.sigma, self.rng)",
            )
        if not torch.equal(one, look(seed)) or torch.equal(one, look(seed + 1)):
            fail(
                "the same noise from two rngs of one seed, other noise from another seed",
                "something else",
                "the noise does not come from the given rng: a generator of its own is made inside",
            )
        noisy = _wrap(NoisyDiscriminator, inner, 0.3)
        views = []
        for _ in range(2):
            torch.manual_seed(seed)
            views.append(_seen_once(noisy, inner, images))
        if not torch.equal(*views):
            fail(
                "the same noise again after torch.manual_seed, when no rng is given",
                "other noise",
                "a generator is made inside: pass None on",
            )
