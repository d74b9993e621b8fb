"""Checks of task 12.5, first part: the transformations of a policy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref.augment import cut_out, translate
from facegan_ref.checks.engine import Lesson, Probe, fail, require_type
from facegan_ref.checks.random_states import changed, global_states

SHAPE = (3, 16, 16)
GIVEN = {"translation": translate, "cutout": cut_out}  # the functions that the lesson gives


def bright_images(probe: Probe, n: int = 8) -> Tensor:
    """Images without a 0, so that each 0 in the result is a hole or came in from outside.

    Brightness may have taken them beyond 1.
    """
    return 0.3 + 1.2 * torch.rand(n, *SHAPE, generator=probe.rng)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augmented(
    diff_augment: Callable, images: Tensor, policy: str, *more: torch.Generator | None
) -> Tensor:
    """What the student's function returns, which must be images like the given ones."""
    kept = images.detach().clone()
    try:
        out = diff_augment(images, policy, *more)
    except KeyError as error:
        fail(
            f"augmented images for the policy {policy!r}",
            f"KeyError: {error}",
            "the string is split by hand: parse_policy(policy) gives its names without spaces, and "
            "none for an empty one",
        )
    what = f"images of shape {tuple(images.shape)} for the policy {policy!r}"
    out = require_type(out, Tensor, what, "return the augmented images alone, as a tensor")
    if out.shape != images.shape or out.dtype != images.dtype:
        fail(
            what, f"{out.dtype} of shape {tuple(out.shape)}", "the images are reshaped or converted"
        )
    if not torch.equal(kept, images.detach()):
        fail("the given images as they were", "other values in them", "work on new tensors")
    return out


def _expected(images: Tensor, names: tuple[str, ...], generator: torch.Generator) -> Tensor:
    for name in names:
        images = GIVEN[name](images, generator)
    return images


def _name_policy(came: Tensor, images: Tensor, names: tuple[str, ...], seed: int) -> str | None:
    if torch.equal(came, images):
        return "nothing is done: the result of the transformation is not used"
    order = "the names are applied in the reverse or in a fixed order, not in that of the policy"
    known = [
        (
            "a name is applied once, though it stands twice in the policy",
            tuple(dict.fromkeys(names)),
        ),
        (order, tuple(reversed(names))),
        ("only the first name is applied: the return stands inside the loop", names[:1]),
        ("only the last name is applied", names[-1:]),
        ("all transformations are applied, whatever the policy says", ("translation", "cutout")),
    ]
    for text, other in known:
        if other != names and torch.equal(came, _expected(images, other, seeded(seed))):
            return text
    if torch.equal(came, _expected(images, names, seeded(seed)).clamp(-1, 1)):
        return "the result is clamped to [-1, 1]: D can look at any number. Do not clamp"
    generator = seeded(seed)
    alone = [GIVEN[name](images, generator) for name in names]
    if torch.equal(came, alone[-1]):
        return (
            "each transformation gets the original images, so that only the last name counts: "
            "images = TRANSFORMATIONS[name](images, generator)"
        )
    return (
        "the given functions TRANSFORMATIONS[name](images, generator) are not called once each, in "
        "order, with the generator"
    )


def add_to(lesson: Lesson) -> None:
    """Add the first part of the checks of task 12.5."""

    @lesson.check("12.5", points=1)
    def applies_the_policy_in_order(diff_augment, module, probe: Probe) -> None:
        """The named transformations are applied in order; an empty policy does nothing."""
        images, seed = bright_images(probe), probe.integer(1, 1000)
        for policy in ("", " "):
            out = augmented(diff_augment, images, policy, probe.rng)
            if not torch.equal(out, images):
                fail(f"the images as they are for the policy {policy!r}", "other images", None)
        for policy, names in (
            ("translation", ("translation",)),
            ("cutout", ("cutout",)),
            ("translation,cutout", ("translation", "cutout")),
            ("cutout, translation", ("cutout", "translation")),
            ("cutout,cutout", ("cutout", "cutout")),
        ):
            out = augmented(diff_augment, images, policy, seeded(seed))
            if not torch.equal(out, _expected(images, names, seeded(seed))):
                fail(
                    f"what {' and then '.join(names)} make of the images for the policy {policy!r}",
                    "other images",
                    _name_policy(out, images, names, seed),
                )

    @lesson.check("12.5", points=0.5)
    def unknown_names_are_refused(diff_augment, module, probe: Probe) -> None:
        """A policy with a name that is not known raises a ValueError that says which."""
        images = bright_images(probe, 2)
        for policy, name in (("flip", "flip"), ("cutout,rotate", "rotate"), ("Cutout", "Cutout")):
            try:
                diff_augment(images, policy, probe.rng)
            except ValueError as error:
                if name not in str(error):
                    fail(
                        f"a ValueError that names {name!r}",
                        f"ValueError: {error}",
                        "say which name is unknown: parse_policy does",
                    )
                continue
            except KeyError:
                fail(
                    f"a ValueError for the policy {policy!r}",
                    "a KeyError",
                    "the string is split by hand, and TRANSFORMATIONS[name] is left to fail: use "
                    "parse_policy(policy), which raises a ValueError that lists the names",
                )
            fail(
                f"a ValueError for the policy {policy!r}",
                "no exception",
                "unknown names are skipped or caught: a training with a misspelt policy would run "
                "for hours without augmentation. Use parse_policy(policy)",
            )

    @lesson.check("12.5", points=0.5)
    def random_numbers_and_gradients(diff_augment, module, probe: Probe) -> None:
        """Each image has its own draw from the given generator; gradients pass to the images."""
        one = bright_images(probe, 1).repeat(40, 1, 1, 1)
        seed = probe.integer(1, 1000)
        before = global_states()
        out = augmented(diff_augment, one, "translation,cutout", seeded(seed))
        owner = changed(before)
        if owner:
            fail(
                "all global random numbers untouched when a generator is given",
                f"those of {owner} have moved on, or were seeded",
                "generator is not passed on: TRANSFORMATIONS[name](images, generator)",
            )
        kinds = len({tuple(image.flatten().tolist()) for image in out})
        if kinds < 25:
            fail(
                "40 equal images to become different ones, each by a draw of its own",
                f"{kinds} different image{'s' * (kinds > 1)}",
                "one draw for the whole batch: pass the whole batch to each transformation, once",
            )
        again = augmented(diff_augment, one, "translation,cutout", seeded(seed))
        other = augmented(diff_augment, one, "translation,cutout", seeded(seed + 1))
        if not torch.equal(out, again) or torch.equal(out, other):
            fail(
                "the same images from two generators of one seed, others from another seed",
                "something else",
                "the given generator is not used",
            )
        for more in ((), (None,)):
            outs = []
            for _ in range(2):
                torch.manual_seed(seed)
                outs.append(augmented(diff_augment, one, "cutout", *more))
            if not torch.equal(*outs):
                fail(
                    "the same images again after torch.manual_seed, without a generator",
                    "others",
                    "pass None on, and make no generator inside",
                )
        images = bright_images(probe).requires_grad_(True)
        out = augmented(diff_augment, images, "cutout", seeded(seed))
        if not out.requires_grad:
            fail(
                "augmented images through which gradients flow",
                "images without a graph",
                "`.detach()` or torch.no_grad() cuts the graph: in its own step G learns through "
                "the augmentation",
            )
        pull = probe.randn(*images.shape)
        (came,) = torch.autograd.grad(out, images, pull)
        if not torch.allclose(came, pull * (out.detach() != 0), atol=1e-6):
            fail(
                "the gradient of the result at the images, 0 where a square is cut out",
                "another one",
                "the images are detached or changed besides the transformations",
            )
