"""Checks of lesson 7's three functions together: task 7.4."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson07.balance import DIALS
from facegan_ref.checks.step_probe import weights
from facegan_ref.data.loader import make_loader
from facegan_ref.loop import TrainingState
from facegan_ref.models import Discriminator, Generator

SIZE, BATCH, PICTURES, Z_DIM = 16, 6, 16, 5  # two whole batches and one of four


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 7.4."""
    lesson.check("7.4", points=0.5)(a_pass_over_the_data)
    lesson.check("7.4", points=0.5)(looking_changes_nothing)


def _new_training(probe: Probe) -> TrainingState:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(probe.seed)
        generator, discriminator = Generator(Z_DIM, 3, 3, SIZE), Discriminator(3, 3, SIZE)
    return TrainingState(
        generator=generator,
        discriminator=discriminator,
        optimizer_g=torch.optim.Adam(generator.parameters(), 0.01, betas=(0.5, 0.999)),
        optimizer_d=torch.optim.Adam(discriminator.parameters(), 0.01, betas=(0.5, 0.999)),
        z_dim=Z_DIM,
        rng=torch.Generator().manual_seed(probe.seed),
    )


def _finite(values: object) -> bool:
    return isinstance(values, dict) and all(
        isinstance(value, float) and math.isfinite(value) for value in values.values()
    )


def a_pass_over_the_data(sample, train_step, evaluate_balance, probe: Probe) -> None:
    """A pass over a loader with a smaller last batch trains both networks in each step, and the
    dials can be read after each."""
    state = _new_training(probe)
    faces = probe.randn(PICTURES, 3, SIZE, SIZE).clamp(-1, 1)
    z = probe.randn(3, Z_DIM)
    for done, real in enumerate(make_loader(faces, BATCH, probe.seed), start=1):
        before = weights(state.discriminator), weights(state.generator)
        what = f"step {done}, a batch of {len(real)}"
        losses = train_step(state, real)
        if not _finite(losses):
            fail(f"finite losses in {what}", str(losses)[:100], "see task 7.2")
        if state.step != done:
            fail(f"state.step = {done} after {what}", f"{state.step}", "see task 7.2")
        for name, network, old in (
            ("D", state.discriminator, before[0]),
            ("G", state.generator, before[1]),
        ):
            if torch.equal(weights(network), old):
                fail(f"{name} to learn in {what}", "weights that stay as they are", "see task 7.2")
        shown = sample(state.generator, z)
        if not isinstance(shown, Tensor) or tuple(shown.shape) != (3, 3, SIZE, SIZE):
            came = tuple(shown.shape) if isinstance(shown, Tensor) else type(shown).__name__
            fail(f"images {(3, 3, SIZE, SIZE)} from sample", str(came), "see task 7.1")
        found = evaluate_balance(state.discriminator, real, shown)
        if not _finite(found) or any(not 0 <= found.get(key, -1) <= 1 for key in DIALS):
            fail(f"four dials in [0, 1] after {what}", str(found)[:160], "see task 7.3")


def looking_changes_nothing(sample, train_step, evaluate_balance, probe: Probe) -> None:
    """A training that is looked at after each step ends with the same weights, to the bit, as one
    that is not."""
    faces = probe.randn(PICTURES, 3, SIZE, SIZE).clamp(-1, 1)
    z = probe.randn(3, Z_DIM)
    ends = []
    for looks in ((), ("sample",), ("evaluate_balance",)):
        state = _new_training(probe)
        torch.manual_seed(probe.seed)
        for real in make_loader(faces, BATCH, probe.seed):
            train_step(state, real)
            if "sample" in looks:
                sample(state.generator, z)
            if "evaluate_balance" in looks:
                evaluate_balance(state.discriminator, real, faces[:3].clone())
        networks = (state.generator, state.discriminator)
        for network in networks:
            network.eval()  # the mode at the end does not matter, the statistics do
        ends.append(
            torch.cat([v.double().flatten() for n in networks for v in n.state_dict().values()])
        )
    for name, task, end in (("sample", "7.1", ends[1]), ("evaluate_balance", "7.3", ends[2])):
        if not torch.equal(ends[0], end):
            fail(
                f"the same weights and running statistics with and without {name} after each step",
                f"numbers that differ by up to {number(float((ends[0] - end).abs().max()))}",
                f"{name} leaves the network in another mode, moves running statistics, or uses "
                f"random numbers that train_step uses too: see tasks {task} and 7.2",
            )
