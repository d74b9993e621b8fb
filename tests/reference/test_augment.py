"""Differentiable augmentation: what each transformation does, and that G's gradient passes it."""

from itertools import pairwise

import pytest
import torch

from facegan_ref.augment import (
    TRANSFORMATIONS,
    AugmentedDiscriminator,
    change_colour,
    cut_out,
    diff_augment,
    translate,
)
from facegan_ref.models import Discriminator, Generator
from facegan_ref.recipes import AUGMENTATIONS
from facegan_ref.stabilise import make_optimizers
from facegan_ref.steps import discriminator_step, generator_step


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_recipes_know_the_same_names():
    assert tuple(TRANSFORMATIONS) == AUGMENTATIONS


@pytest.mark.parametrize("policy", [*TRANSFORMATIONS, "color,translation,cutout"])
def test_each_image_has_its_own_transformation_and_a_gradient(policy):
    images = (torch.rand(1, 3, 16, 16, generator=seeded()) * 2 - 1).repeat(20, 1, 1, 1)
    images.requires_grad_()
    changed = diff_augment(images, policy, seeded(1))
    assert changed.shape == images.shape and changed.dtype == images.dtype
    assert len({tuple(image.flatten().tolist()) for image in changed}) > 10
    assert torch.equal(changed, diff_augment(images, policy, seeded(1)))
    assert not torch.equal(changed, diff_augment(images, policy, seeded(2)))
    (gradient,) = torch.autograd.grad(changed.square().sum(), images)
    assert (gradient.flatten(1).abs().sum(dim=1) > 0).all()


def test_no_policy_changes_nothing():
    images = torch.rand(2, 3, 8, 8)
    assert diff_augment(images, "") is images


def test_translation_moves_by_up_to_an_eighth_and_brings_in_zeros():
    images = torch.arange(1.0, 257).view(1, 1, 16, 16).repeat(200, 3, 1, 1)
    moved = translate(images, seeded())
    padded = torch.nn.functional.pad(images[0, 0], (2, 2, 2, 2))
    windows = {
        tuple(padded[2 + dy : 18 + dy, 2 + dx : 18 + dx].flatten().tolist()): (dy, dx)
        for dy in range(-2, 3)
        for dx in range(-2, 3)
    }
    shifts = [windows[tuple(image[0].flatten().tolist())] for image in moved]
    assert set(shifts) == set(windows.values())  # every shift up to two pixels, no other
    assert all(torch.equal(image[0], image[1]) for image in moved)


def test_a_cut_out_square_is_half_as_wide_and_may_reach_over_the_edge():
    holes = cut_out(torch.ones(300, 3, 16, 16), seeded()) == 0
    assert torch.equal(holes[:, 0], holes[:, 2])
    rows = holes[:, 0].any(dim=2).sum(dim=1)
    columns = holes[:, 0].any(dim=1).sum(dim=1)
    assert rows.max() == columns.max() == 8 and rows.min() >= 4
    assert torch.equal(holes[:, 0].sum(dim=(1, 2)), rows * columns)
    hit = holes[:, 0].float().mean(dim=0)
    assert hit.min() > 0.04 and torch.allclose(hit, hit.flip(0, 1), atol=0.15)  # all sides alike


def test_colour_changes_brightness_saturation_and_contrast():
    images = torch.rand(400, 3, 4, 4, generator=seeded()) - 0.5
    changed = change_colour(images, seeded(1))
    shift = changed.mean(dim=(1, 2, 3)) - images.mean(dim=(1, 2, 3))
    assert -0.5 <= shift.min() < -0.4 and 0.4 < shift.max() <= 0.5
    grey, new_grey = (x.mean(dim=1, keepdim=True) for x in (images, changed))
    colour, new_colour = (images - grey).flatten(1), (changed - new_grey).flatten(1)
    factor = (colour * new_colour).sum(dim=1) / colour.square().sum(dim=1)
    assert torch.allclose(new_colour, factor[:, None] * colour, atol=1e-5)
    # saturation 0 to 2 times contrast 0.5 to 1.5
    assert factor.min() < 0.1 and 2.0 < factor.max() <= 3.0
    light, new_light = (g.flatten(1) - g.mean(dim=(1, 2, 3))[:, None] for g in (grey, new_grey))
    contrast = (light * new_light).sum(dim=1) / light.square().sum(dim=1)
    assert 0.5 <= contrast.min() < 0.55 and 1.45 < contrast.max() <= 1.5


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="'flip' is not known; there are color, translation, cut"):
        diff_augment(torch.zeros(1, 3, 8, 8), "color,flip")


def test_an_augmented_discriminator_augments_all_three_batches_of_a_round():
    seen = []

    class Seeing(Discriminator):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    generator, discriminator = Generator(4, 2, image_size=16), Seeing(ndf=2, image_size=16)
    made = []
    generator.register_forward_hook(lambda module, inputs, images: made.append(images.detach()))
    augmented = AugmentedDiscriminator(discriminator, "cutout", seeded())
    assert list(augmented.parameters()) == list(discriminator.parameters())
    optimizer_g, optimizer_d = make_optimizers(generator, discriminator, 1e-3, 1e-3)
    real, z = torch.full((16, 3, 16, 16), 0.5), torch.randn(16, 4)
    discriminator_step(generator, augmented, optimizer_d, real, z)
    weights = [p.detach().clone() for p in generator.parameters()]
    generator_step(generator, augmented, optimizer_g, z)
    assert not any(torch.equal(a, b) for a, b in zip(weights, generator.parameters(), strict=True))
    holes = [(one == 0) & (other != 0) for one, other in zip(seen, [real, *made], strict=True)]
    assert all(hole.flatten(1).any(dim=1).all() for hole in holes)
    assert not any(torch.equal(a, b) for a, b in pairwise(holes))
    augmented.policy = ""
    augmented(real)
    assert torch.equal(seen[-1], real)
