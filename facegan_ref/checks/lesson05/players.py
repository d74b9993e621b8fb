"""A generator to be looked at in the middle of a training, and whether a look changed it."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Probe, fail
from facegan_ref.checks.lesson05.pictures import (
    describe_difference,
    explain_picture,
    lay_out,
    require_picture,
    right_pixels,
    same_picture,
)
from facegan_ref.checks.random_states import changed, global_states

Z_DIM, HIDDEN, SHAPE = 5, 12, (3, 3, 4)
TRAIN_MODE = (
    "the generator is looked at in training mode, where dropout draws random numbers and batch "
    "normalisation uses the batch: call generator.eval() first"
)
OWN_LATENTS = (
    "latents are drawn anew: use the z that was given, so that all pictures show the same people"
)


class Diary:
    """What a probing generator saw at each run; a copy of the generator writes into the same."""

    def __init__(self):
        self.runs: list[tuple[Tensor, bool, bool]] = []  # z, training mode, gradients on

    def __deepcopy__(self, memo: dict) -> Diary:
        return self


class ProbeGenerator(nn.Module):
    """Latents (N, 5) to images (N, 3, 3, 4); if `noisy`, with batch normalisation and dropout."""

    def __init__(self, rng: torch.Generator, noisy: bool):
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(Z_DIM, HIDDEN)]
        if noisy:
            layers += [nn.BatchNorm1d(HIDDEN), nn.LeakyReLU(0.2), nn.Dropout(0.5)]
        self.net = nn.Sequential(*layers, nn.Linear(HIDDEN, math.prod(SHAPE)), nn.Tanh())
        self.diary = Diary()
        self.new_weights(rng)
        if noisy:
            with torch.no_grad():
                self.net[1].running_mean.normal_(generator=rng)
                self.net[1].running_var.uniform_(0.5, 2, generator=rng)

    def new_weights(self, rng: torch.Generator) -> None:
        """Change all weights in place, as a training does."""
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.35 * torch.randn(parameter.shape, generator=rng))

    def forward(self, z: Tensor) -> Tensor:
        self.diary.runs.append((z.detach().clone(), self.training, torch.is_grad_enabled()))
        return self.net(z).view(-1, *SHAPE)


def faces_of(generator: ProbeGenerator, z: Tensor) -> Tensor:
    """What the generator makes of z in evaluation mode."""
    twin = copy.deepcopy(generator.net).eval()
    with torch.no_grad():
        return twin(z).view(-1, *SHAPE)


def columns_for(n: int) -> int:
    """The smallest whole number whose square is at least n."""
    return math.isqrt(n - 1) + 1


def require_look(came: object, generator: ProbeGenerator, z: Tensor, what: str) -> None:
    """Fail unless `came` is the picture of what `generator` makes of `z` in evaluation mode."""
    came = require_picture(came, what)
    images, columns = faces_of(generator, z), columns_for(len(z))
    expected = lay_out(right_pixels(images), columns)
    if not same_picture(came, expected):
        fail(
            f"{what}: the picture of generator(z), of shape {expected.shape}",
            describe_difference(came, expected),
            _likely(came, generator, z, images),
        )


def _likely(came: np.ndarray, generator: ProbeGenerator, z: Tensor, images: Tensor) -> str:
    columns = columns_for(len(z))
    known = explain_picture(came, images, columns)
    if known and known.startswith("there ") and " column" in known:
        return f"{known}. For {len(z)} latents it is math.ceil(math.sqrt({len(z)})) = {columns}"
    if known:
        return f"your image_grid has a mistake, see task 5.1: {known}"
    runs = generator.diary.runs
    if not runs:
        return "the generator that was given is not run"
    if not all(any(torch.equal(row, own) for own in z) for row, *_ in runs for row in row):
        return OWN_LATENTS
    if not torch.equal(torch.cat([rows for rows, *_ in runs]), z):
        return "the rows of z are in another order, or some of them are left out"
    if any(training for _, training, _ in runs):
        return TRAIN_MODE
    return "your image_grid has a mistake: see task 5.1"


class Snapshot:
    """A generator's contents and the random states, to be compared with a later moment."""

    def __init__(self, generator: nn.Module):
        # Else a seed that an earlier call has set would go unnoticed.
        torch.rand(3), np.random.rand(3), random.random()
        self.generator = generator
        self.state = {name: value.clone() for name, value in generator.state_dict().items()}
        self.modes = [module.training for module in generator.modules()]
        self.flags = [p.requires_grad for p in generator.parameters()]
        self.grads = [None if p.grad is None else p.grad.clone() for p in generator.parameters()]
        self.random = global_states()

    def require_modes(self, where: str) -> None:
        """Fail unless each module is in the mode that it was in."""
        found = [module.training for module in self.generator.modules()]
        if found == self.modes:
            return
        likely = "a mode is changed in some layers only"
        if not any(found):
            likely = (
                "generator.eval() is not taken back: the training goes on without dropout and "
                "with frozen batch statistics"
            )
        if all(found):
            likely = (
                "generator.train() puts every generator into training mode: remember "
                "generator.training first, and give it back with generator.train(was_training)"
            )
        fail(
            f"generator.training = {self.modes[0]} {where}",
            f"training = {found[0]}, and in its layers {found[1:]}",
            likely,
        )

    def require_contents(self, where: str) -> None:
        """Fail unless weights, buffers, gradients and flags are as they were."""
        for name, value in self.generator.state_dict().items():
            if not torch.equal(self.state[name], value):
                statistics = "running" in name or "batches" in name
                fail(
                    f"the generator's {name} to be the same {where}",
                    "other values",
                    "batch normalisation's running statistics move at each run in training mode, "
                    "also under torch.no_grad(): call generator.eval() first"
                    if statistics
                    else "the generator is changed, not only looked at",
                )
        for parameter, flag, grad in zip(
            self.generator.parameters(), self.flags, self.grads, strict=True
        ):
            if parameter.requires_grad != flag:
                fail(
                    f"requires_grad = {flag} for the generator's weights {where}",
                    str(parameter.requires_grad),
                    "requires_grad_(False) is not taken back, and G learns no more: use "
                    "torch.no_grad()",
                )
            same = parameter.grad is grad is None or (
                None not in (parameter.grad, grad) and torch.equal(parameter.grad, grad)
            )
            if not same:
                fail(
                    f"the generator's gradients to be the same {where}",
                    "other gradients",
                    "zero_grad() or backward() has no place in a look",
                )
        if not torch.is_grad_enabled():
            fail(
                f"gradients to be switched on {where}",
                "they are off, for all code that follows",
                "torch.set_grad_enabled(False) is not taken back: use `with torch.no_grad():`",
            )

    def require_random_states(self, where: str) -> None:
        """Fail when somebody drew from a global source of random numbers, or set a seed."""
        owner = changed(self.random)
        if owner:
            fail(
                f"the global random state of {owner} to be the same {where}",
                "another state",
                "random numbers are drawn on the way, or a seed is set (dropout in training mode "
                "draws too): from here on the training gets other numbers",
            )


def noisy_generator(probe: Probe, planted: bool = False) -> ProbeGenerator:
    """A generator with batch normalisation and dropout in training mode; `planted`: gradients."""
    generator = ProbeGenerator(probe.rng, noisy=True)
    if planted:
        for parameter in generator.parameters():
            parameter.grad = probe.randn(*parameter.shape)
    return generator


def new_recorder(TrainingRecorder: Callable, *arguments: object) -> object:
    """A student's recorder; fails unless it has a method `record` and two empty lists."""
    if not callable(TrainingRecorder):
        fail("a class", f"a {type(TrainingRecorder).__name__}", None)
    recorder = TrainingRecorder(*arguments)
    if recorder is None or not callable(getattr(recorder, "record", None)):
        fail(
            "a recorder with a method record(step)",
            f"a {type(recorder).__name__} without it",
            "`def record(self, step)` belongs into the class: look at its name and indentation",
        )
    steps, frames = kept_by(recorder)
    if steps or len(frames):
        fail(
            "a new recorder to have no steps and no frames yet",
            f"{len(steps)} steps and {len(frames)} frames",
            "the lists belong to the class or are a default argument, and all recorders share "
            "them: make new ones in __init__. Or a frame is recorded before record is called",
        )
    return recorder


def kept_by(recorder: object) -> tuple[list, list]:
    """The recorder's steps and frames."""
    for name in ("steps", "frames"):
        value = getattr(recorder, name, None)
        if callable(value) or not hasattr(value, "__len__"):
            came = "no such attribute" if value is None else f"a {type(value).__name__}"
            fail(
                f"a list as the recorder's attribute `{name}`",
                came,
                f"__init__ must set self.{name} = []",
            )
    return [_as_int(step) for step in recorder.steps], list(recorder.frames)


def _as_int(step: object) -> object:
    try:
        return int(step)
    except (TypeError, ValueError):
        return step
