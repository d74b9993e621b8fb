"""Lesson 10: the tasks. Their checks are in the modules beside this one."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson10 import (
    direction,
    inversion,
    morph,
    paths,
)

lesson = Lesson(
    "10",
    "morphing",
    "Morphing",
    builds="one face into another, a slider for glasses, and the latent of a given picture",
    minutes=75,
    given={
        "latent_size": "facegan_ref.morph:latent_size",
        "sample": "facegan_ref.sampling:sample",
        "sample_latent": "facegan_ref.sampling:sample_latent",
    },
)

lesson.task(
    "10.1",
    "lerp",
    names=("lerp",),
    points=2,
    hints=(
        "Where are you after a quarter of the way from a to b? How much of a is left there, and "
        "how much of b has come?",
        "A weighted mean: the weights are 1 - t and t, so that t = 0 gives a and t = 1 gives b.",
        "return (1 - t) times a, plus t times b",
        "lerp(torch.tensor([1., 2.]), torch.tensor([5., -2.]), 0.25) must be [2., 1.], and with\n"
        "t = torch.tensor([[0.], [0.5], [1.]]) the three rows [1, 2], [3, 0], [5, -2].",
    ),
)
lesson.task(
    "10.2",
    "slerp",
    names=("slerp",),
    points=5,
    hints=(
        "You walk on a globe from one town to another. What changes evenly along the way, and what "
        "does not change at all? And which three questions about the two towns have no one answer?",
        "For each row: the angle between a and b is arccos(a·b / (‖a‖‖b‖)), with the cosine "
        "clamped to [-1, 1]. The weights are sin((1-t)·angle)/sin(angle) and "
        "sin(t·angle)/sin(angle). Where sin(angle) is next to nothing, or a norm is 0, take lerp.",
        "norms with dim=-1, keepdim=True\n"
        "cosine = sum of a * b over dim=-1 (keepdim) / (norm_a * norm_b), clamped to [-1, 1]\n"
        "angle = arccos of it\n"
        "part_a = sin((1 - t) * angle) / sin(angle); part_b = sin(t * angle) / sin(angle)\n"
        "arc = part_a * a + part_b * b   (the norm may also go evenly from norm_a to norm_b)\n"
        "torch.where(sin(angle) > 1e-3, arc, lerp(a, b, t))",
        "a = torch.tensor([[3., 0.], [0., 2.]]); b = torch.tensor([[0., 3.], [0., -2.]])\n"
        "slerp(a, b, 0.5): the first row must be [2.1213, 2.1213], of norm 3; the second row has "
        "no one arc: anything finite. With t = 1/3 the first row is [2.5981, 1.5], 30 degrees on.",
    ),
)
lesson.task(
    "10.3",
    "morph",
    names=("morph",),
    points=4,
    hints=(
        "How many latents do you need for `steps` frames, at which t do the first and the last one "
        "lie, and who turns latents into pictures without leaving a trace in the generator?",
        "Evenly spaced t from 0 to 1, both included, as a column (steps, 1); slerp makes the "
        "latents (steps, z_dim) of it, and lesson 7's sample the images. These stay as they are.",
        "if steps < 2: raise a ValueError\n"
        "t = linspace from 0 to 1 with `steps` numbers, as a column\n"
        "return sample(generator, slerp(z0, z1, t))",
        "frames = morph(generator, z0, z1, 5): frames[0] must be sample(generator, z0[None])[0], "
        "frames[4] that of z1,\nframes[2] that of slerp(z0, z1, 0.5), and generator.training as "
        "before.",
    ),
)
lesson.task(
    "10.4",
    "attribute_direction",
    names=("attribute_direction",),
    points=4,
    hints=(
        "Take all latents whose faces wear glasses, and all whose faces do not. What do the first "
        "ones have in common that the second ones lack?",
        "The mean of the latents with the attribute minus the mean of those without it, divided by "
        "the length of this difference.",
        "with_it = mean over the rows of z where labels is True      (dim=0)\n"
        "without_it = mean over the rows where it is False\n"
        "direction = with_it - without_it\n"
        "return direction divided by its norm",
        "z = torch.tensor([[3., 0.], [3., 8.], [-1., 4.]]), labels = torch.tensor([True, True, "
        "False]):\nthe means are [3, 4] and [-1, 4], so the direction is [1., 0.]. The mean of the "
        "first two alone would\nlead to [0.6, 0.8].",
    ),
)
lesson.task(
    "10.5",
    "invert",
    names=("invert",),
    points=5,
    hints=(
        "In a training, which numbers does the optimizer hold? Which numbers are unknown here, and "
        "which must not move?",
        "z is the one thing that is learnt: a leaf with requires_grad, in an optimizer of its own. "
        "The generator works in evaluation mode, is not in the optimizer, and keeps no gradients: "
        "ask torch.autograd.grad for z's alone, or clear the generator's afterwards.",
        "z = sample_latent(1, latent_size(generator)), requires_grad\n"
        "optimizer = Adam([z], lr=0.1)\n"
        "note the mode; generator.eval()\n"
        "`steps` times: loss = mean of (generator(z) - image)²; keep loss.detach();\n"
        "               z.grad = gradient of loss by z alone; optimizer step\n"
        "put the mode back; return z.detach(), losses",
        "image = sample(generator, z_true)[0]; z, losses = invert(generator, image, 200): the last "
        "loss must be below\na twentieth of the first one, and all p.grad of the generator None, "
        "as before.",
    ),
)

paths.add_to(lesson)
morph.add_to(lesson)
direction.add_to(lesson)
inversion.add_to(lesson)
