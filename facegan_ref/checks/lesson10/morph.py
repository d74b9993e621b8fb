"""Checks of lesson 10's film: task 10.3, morph."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref import morph as reference
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.lesson10.mistakes import unit
from facegan_ref.checks.lesson10.probe import (
    FORGOT_EVAL,
    SIZE,
    Z_DIM,
    TinyFaces,
    Untouched,
    pair,
    require_tensor,
)


def _latents(probe: Probe) -> tuple[Tensor, Tensor]:
    """Two latents of one norm, `(5,)`, 60 to 120 degrees apart."""
    degrees = torch.tensor([float(probe.integer(60, 120))])
    a, b = pair(probe, degrees, 2.2, 2.2, Z_DIM)
    return a[0], b[0]


def _film(morph: Callable, generator: TinyFaces, z0: Tensor, z1: Tensor, steps: int) -> Tensor:
    """The frames that `morph` makes, checked to be a batch of `steps` images."""
    try:
        came = morph(generator, z0, z1, steps)
    except (RuntimeError, IndexError, ValueError) as error:
        shapes = [tuple(z.shape) for z, _, _ in generator.log if z.ndim != 2 or z.shape[1] != Z_DIM]
        if "shape" in str(error) or "dimension" in str(error).lower():
            fail(
                f"{steps} frames for latents of shape {tuple(z0.shape)}",
                explain_exception(error)[0],
                "the generator takes latents (N, z_dim); give t the shape (steps, 1), and slerp "
                f"makes (steps, z_dim) of latents (z_dim,) and of (1, z_dim){shapes or ''}",
            )
        raise
    if isinstance(came, Tensor) and came.shape[:2] == (steps, 1) and came.ndim == 5:
        fail(
            f"frames of shape ({steps}, 3, {SIZE}, {SIZE})",
            f"shape {tuple(came.shape)}",
            "each frame is a batch of one: torch.cat joins them, torch.stack adds a dimension",
        )
    if isinstance(came, Tensor) and came.dtype == torch.uint8:
        fail("the generator's values in [-1, 1]", "a uint8 tensor", STRETCHED)
    likely = ""
    if isinstance(came, Tensor) and came.ndim == 4 and came.shape[0] != steps:
        likely = "both ends count: `steps` frames are `steps` values of t, from 0 to 1"
    if isinstance(came, Tensor) and came.requires_grad:
        fail(
            "frames without a graph",
            "frames that still hold it",
            "make the images under torch.no_grad(), as lesson 7's sample does",
        )
    return require_tensor(came, f"{steps} frames", (steps, 3, SIZE, SIZE), likely)


STRETCHED = (
    "the frames are rescaled: hand over the generator's own values. Stretched one by one, the "
    "frames of a film differ in contrast"
)


def _explain_frames(came: Tensor, generator: TinyFaces, z0: Tensor, z1: Tensor, steps: int) -> str:
    """Which mistake makes these frames."""
    if generator.used_in_training_mode:
        return FORGOT_EVAL
    t = torch.linspace(0, 1, steps)[:, None]
    ends = generator.faces(torch.stack([z0, z1]))
    right = generator.faces(reference.slerp(z0, z1, t))
    low, high = right.amin((1, 2, 3), keepdim=True), right.amax((1, 2, 3), keepdim=True)
    scaled = unit(reference.lerp(z0, z1, t)) * z0.norm()
    eased = reference.slerp(z0, z1, t * t * (3 - 2 * t))
    cosine = reference.slerp(z0, z1, (1 - torch.cos(math.pi * t)) / 2)
    column = t[:, :, None, None]
    near = "t does not run from 0 to 1 with both ends: torch.linspace(0, 1, steps)"
    named = (
        ("the frames run backwards, from z1 to z0", right.flip(0)),
        ("the latents are on the straight line of lerp: use slerp",
         generator.faces(reference.lerp(z0, z1, t))),
        ("the latents are those of lerp scaled to the sphere: use slerp", generator.faces(scaled)),
        ("two pictures are faded into each other: mix latents, not images",
         (1 - column) * ends[:1] + column * ends[1:]),
        (STRETCHED, (right - low) / (high - low)),
        (STRETCHED, 2 * (right - low) / (high - low) - 1),
        (STRETCHED, (right - right.amin()) / (right.amax() - right.amin())),
        ("the frames are in [0, 1]: hand over the generator's own values in [-1, 1]",
         (right + 1) / 2),
        ("t is eased: take evenly spaced t", generator.faces(eased)),
        ("t is eased: take evenly spaced t", generator.faces(cosine)),
        (near, generator.faces(reference.slerp(z0, z1, torch.arange(steps)[:, None] / steps))),
        (near, generator.faces(
            reference.slerp(z0, z1, torch.arange(1, steps + 1)[:, None] / steps))),
        (near, generator.faces(
            reference.slerp(z0, z1, torch.arange(1, steps + 1)[:, None] / (steps + 1)))),
    )  # fmt: skip
    found = next((name for name, frames in named if torch.allclose(came, frames, atol=1e-3)), None)
    if found:
        return found
    asked = [z for z, _, _ in generator.log if z.ndim == 2 and z.shape[1] == Z_DIM][-steps:]
    latents = torch.cat(asked) if asked else torch.empty(0)
    if latents.shape == (steps, Z_DIM) and torch.allclose(
        latents, reference.slerp(z0, z1, t), atol=1e-3
    ):
        return "the latents are right, and the images are changed after the generator has made them"
    return "the latents are not evenly on the arc from z0 to z1: does your slerp pass its checks?"


def _require_frames(
    came: Tensor, expected: Tensor, what: str, likely: Callable[[], str | None]
) -> None:
    gap = float((came - expected).abs().max())
    if not gap < 2e-3:
        fail(what, f"values that differ by up to {number(gap)}", likely())


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 10.3."""

    @lesson.check("10.3", points=0.5)
    def gives_as_many_frames_as_asked(morph, probe: Probe) -> None:
        """morph gives `steps` frames (at least 2, else a ValueError), for latents (z_dim,) or
        (1, z_dim)."""
        generator = TinyFaces(probe).eval()
        z0, z1 = _latents(probe)
        for steps in (2, probe.integer(4, 9), 3):
            _film(morph, generator, z0, z1, steps)
            _film(morph, generator, z0[None], z1[None], steps)
        for steps in (1, 0):
            try:
                morph(generator, z0, z1, steps)
            except ValueError:
                continue
            except Exception as error:
                came = f"{type(error).__name__}: {error}"
            else:
                came = "no error"
            fail(
                f"a ValueError for {steps} frames, which can't show both ends",
                came,
                "look at steps first: if steps < 2: raise ValueError(...)",
            )

    @lesson.check("10.3", points=1)
    def begins_and_ends_with_the_two_faces(morph, probe: Probe) -> None:
        """The first frame is the face of z0 and the last that of z1, as the generator makes them
        alone in evaluation mode."""
        for training in (False, True):
            generator = TinyFaces(probe).train(training)
            z0, z1 = _latents(probe)
            steps = probe.integer(4, 8)
            ends = generator.faces(torch.stack([z0, z1]))
            came = _film(morph, generator, z0, z1, steps)
            for name, frame, face in (("z0", came[0], ends[0]), ("z1", came[-1], ends[1])):
                _require_frames(
                    frame,
                    face,
                    f"the face of {name} as the {'first' if name == 'z0' else 'last'} of {steps} "
                    "frames",
                    lambda generator=generator, came=came, z0=z0, z1=z1, steps=steps: (
                        _explain_frames(came, generator, z0, z1, steps)
                    ),
                )

    @lesson.check("10.3", points=0.5)
    def walks_evenly_along_the_arc(morph, probe: Probe) -> None:
        """The frames between are the faces of latents at even distances on the arc of slerp."""
        generator = TinyFaces(probe).eval()
        z0, z1 = _latents(probe)
        steps = probe.integer(5, 8)
        came = _film(morph, generator, z0, z1, steps)
        t = torch.linspace(0, 1, steps)[:, None]
        _require_frames(
            came,
            generator.faces(reference.slerp(z0, z1, t)),
            f"{steps} faces of slerp(z0, z1, t) for even t from 0 to 1",
            lambda: _explain_frames(came, generator, z0, z1, steps),
        )

    @lesson.check("10.3", points=0.5)
    def keeps_the_generators_values(morph, probe: Probe) -> None:
        """The frames hold the generator's own values: nothing is stretched or moved to [0, 1]."""
        generator = TinyFaces(probe).eval()
        z0, z1 = _latents(probe)
        ends = generator.faces(torch.stack([z0, z1]))
        came = _film(morph, generator, z0, z1, 5)
        for frame, face in ((came[0], ends[0]), (came[-1], ends[1])):
            found, right = ((float(x.min()), float(x.max())) for x in (frame, face))
            if max(abs(a - b) for a, b in zip(found, right, strict=True)) > 0.01:
                fail(
                    f"values from {number(right[0])} to {number(right[1])} in an end frame, as in "
                    "its face",
                    f"values from {number(found[0])} to {number(found[1])}",
                    _explain_frames(came, generator, z0, z1, 5),
                )

    @lesson.check("10.3", points=0.5)
    def leaves_the_generator_as_it_was(morph, probe: Probe) -> None:
        """The generator's mode, weights, statistics and gradients are as before."""
        for training in (True, False):
            generator = TinyFaces(probe).train(training)
            untouched = Untouched(generator)
            z0, z1 = _latents(probe)
            _film(morph, generator, z0, z1, 4)
            untouched.require()
