"""Checks of task 12.5, second part: a discriminator behind augmentation."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson12.policy import bright_images, seeded
from facegan_ref.checks.random_states import changed, global_states
from facegan_ref.checks.wrapper_probe import (
    Z_DIM,
    SeeingDiscriminator,
    SeenGenerator,
    seen_once,
    wrap,
)
from facegan_ref.steps import discriminator_step, generator_step

IN_D_ONLY = (
    "D must see real and generated images through the same augmentation, in both steps: else G "
    "learns to paint the augmentation, or D to spot it"
)


_wrap = partial(wrap, plain="plain")
_look = partial(
    seen_once,
    changed="augmented",
    misshapen="plain and augmented images are put side by side, or reshaped",
)


def holes(seen: Tensor, images: Tensor) -> Tensor:
    """Where D saw a 0 that was none, `(N, H, W)`."""
    return ((seen == 0) & (images.detach() != 0)).all(dim=1)


def add_to(lesson: Lesson) -> None:
    """Add the second part of the checks of task 12.5."""

    @lesson.check("12.5", points=0.5)
    def is_a_module_that_holds_the_given_d(diff_augment, module, probe: Probe) -> None:
        """It is a module that holds the given D itself; with the policy "" it says what D says."""
        for column in (False, True):
            inner = SeeingDiscriminator(probe.rng, column)
            wrapped = _wrap(module, inner, "")
            own, held = ({id(p) for p in m.parameters()} for m in (inner, wrapped))
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
            if not inner.training or not all(p.requires_grad for p in inner.parameters()):
                fail("D in train mode and trainable, as it was given", "a changed D", None)
            for mode in (False, True):
                wrapped.train(mode)
                if inner.training != mode:
                    fail(
                        f"train({mode}) to reach D",
                        f"D with training = {inner.training}",
                        "train is redefined, or D is not registered as a submodule",
                    )
            images = bright_images(probe, 5)
            expected, came = inner(images), wrapped(images)
            if not isinstance(came, Tensor) or came.shape != expected.shape:
                fail(
                    f"D's logits, of shape {tuple(expected.shape)}",
                    "None" if came is None else f"{getattr(came, 'shape', type(came))}",
                    "forward must return what D returns, as it is",
                )
            if not torch.allclose(came, expected, atol=1e-6):
                gap = float((came - expected).abs().max())
                fail(
                    'D\'s own logits with the policy ""',
                    f"logits that differ by up to {number(gap)}",
                    "the logits are changed (a sigmoid, a mean), or the images are",
                )

    @lesson.check("12.5", points=0.5)
    def real_and_fake_are_augmented(diff_augment, module, probe: Probe) -> None:
        """In both steps D sees real and generated images augmented, each batch anew; G learns."""
        inner, generator = SeeingDiscriminator(probe.rng), SeenGenerator(probe.rng)
        wrapped = _wrap(module, inner, "cutout", probe.rng)
        real, z = bright_images(probe), probe.randn(8, Z_DIM)
        optimizers = [torch.optim.SGD(net.parameters(), lr=0.01) for net in (inner, generator)]
        discriminator_step(generator, wrapped, optimizers[0], real, z)
        before = [p.detach().clone() for p in generator.parameters()]
        generator_step(generator, wrapped, optimizers[1], probe.randn(8, Z_DIM))
        if len(inner.seen) != 3:
            fail(
                "D to be run three times: on real and fake in its step, on fake in G's",
                f"{len(inner.seen)} runs",
                "forward calls the discriminator once, with the augmented images",
            )
        if all(torch.equal(a, b) for a, b in zip(before, generator.parameters(), strict=True)):
            fail(
                "G to be moved by its step",
                "a G that stays where it is",
                "the gradient stops at the augmentation: no detach and no torch.no_grad() there",
            )
        names = ("the real batch", "the fake batch of D's step", "the fake batch of G's step")
        masks = []
        for name, seen, images in zip(names, inner.seen, (real, *generator.made), strict=True):
            mask = holes(seen, images)
            share = float(mask.double().mean())
            if not 0.05 < share < 0.3:
                plain = torch.allclose(seen, images, atol=1e-6)
                fail(
                    f"{name} with a square cut out of each image",
                    "the images as they are" if plain else f"{share:.0%} of the pixels cut out",
                    f"{name} is not augmented. {IN_D_ONLY}"
                    if plain
                    else "the augmentation is applied more than once, or is not that of the policy",
                )
            masks.append(mask)
        if any(torch.equal(masks[a], masks[b]) for a, b in ((0, 1), (0, 2), (1, 2))):
            fail(
                "other squares in each batch",
                "the same squares in two batches",
                "the random numbers are kept, or a seed is set: each call draws anew",
            )
        images = bright_images(probe)
        for mode in (True, False):
            wrapped.train(mode)
            if not bool(holes(_look(wrapped, inner, images), images).any()):
                fail(
                    f"augmented images in {'train' if mode else 'eval'} mode",
                    "the images as they are",
                    "the augmentation does not depend on the mode. Who wants D's opinion on plain "
                    "images asks D itself",
                )
        try:
            wrapped.policy = ""
        except (TypeError, AttributeError) as error:
            fail('module.policy = "" to be possible', f"{type(error).__name__}: {error}", None)
        if not torch.equal(_look(wrapped, inner, images), images):
            fail(
                'plain images after module.policy = ""',
                "augmented images",
                "the policy is read only once: keep it as self.policy, and read that in forward",
            )
        seed = probe.integer(1, 1000)
        before_states = global_states()
        looks = [
            _look(_wrap(module, inner, "cutout", seeded(seed)), inner, images) for _ in range(2)
        ]
        if changed(before_states) or not torch.equal(*looks):
            fail(
                "the random numbers of the given rng, and no others",
                "other random numbers",
                "rng is not passed on: diff_augment(images, self.policy, self.rng)",
            )
