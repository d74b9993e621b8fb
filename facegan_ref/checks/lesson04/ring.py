"""Checks of task 4.5: both steps in turns, with the student's networks, on the ring."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.network_probe import build
from facegan_ref.checks.step_probe import call_d, call_g, logit_column, new_game, weights
from facegan_ref.data.ring import count_modes, ring
from facegan_ref.losses import discriminator_loss
from facegan_ref.models import MLPDiscriminator, MLPGenerator
from facegan_ref.steps import generator_step as reference_g

# Measured: with these the reference holds seven modes after 250 to 350 steps, for each of six
# seeds. Adam's usual betas (0.5, 0.999) need 600 to 1500 steps or never get there.
RING_Z_DIM, RING_HIDDEN, RING_BATCH = 16, 128, 128
RING_LR_G, RING_LR_D, RING_BETAS = 2.5e-3, 5e-3, (0.0, 0.99)
RING_RADIUS, RING_STD = 0.7, 0.04
RING_STEPS, RING_LOOK_EVERY = 1000, 50
RING_HOPELESS = 400  # without a single mode by then, the training is given up
MODES_WANTED = 7
LEAST_SPREAD = 0.05  # standard deviation of samples; a generator of one point has 0


def _reference_d(game, share: float) -> None:
    """The reference's D step with its loss times `share`."""
    fake = game.generator(game.z).detach()
    loss = share * discriminator_loss(game.discriminator(game.real), game.discriminator(fake))
    game.optimizer_d.zero_grad()
    loss.backward()
    game.optimizer_d.step()


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 4.5."""

    @lesson.check("4.5", points=1)
    def steps_take_turns(G, D, discriminator_step, generator_step, probe: Probe) -> None:
        """D step, G step, three times: nothing of one step gets into the other one's update."""
        column = logit_column(discriminator_step, call_d) or logit_column(generator_step, call_g)
        game = new_game(probe, 6, column)
        references = {share: game.twin() for share in (1.0, 0.5)}
        for turn in range(1, 4):
            if turn > 1:
                game.new_batch(probe, 6)
            for share, reference in references.items():
                reference.real, reference.z = game.real.clone(), game.z.clone()
                _reference_d(reference, share)
            call_d(discriminator_step, game)
            references = {
                share: reference
                for share, reference in references.items()
                if _together(reference.discriminator, game.discriminator)
            }
            if not references:
                fail(
                    f"D's weights as the reference's after D's step in turn {turn}",
                    "other weights",
                    "D's step itself is wrong: see task 4.3"
                    if turn == 1
                    else "G's backward passes through D and leaves gradients there: D's step must "
                    "clear them BEFORE its backward, not after its update",
                )
            for reference in references.values():
                reference_g(
                    reference.generator, reference.discriminator, reference.optimizer_g, reference.z
                )
            call_g(generator_step, game)
            reference = next(iter(references.values()))
            if not _together(reference.generator, game.generator):
                fail(
                    f"G's weights as the reference's after G's step in turn {turn}",
                    "other weights",
                    "G's step itself is wrong, or gradients that an earlier step left in G get "
                    "into it: see task 4.4"
                    if turn == 1
                    else "gradients that an earlier step left in G get into its update: clear "
                    "them before backward",
                )

    @lesson.check("4.5", points=0.5)
    def networks_and_steps_fit(G, D, discriminator_step, generator_step, probe: Probe) -> None:
        """Your networks and your steps work together, on points and on images."""
        for shape in ((2,), (3, 8, 8)):
            generator, discriminator, optimizer_g, optimizer_d = _pair(G, D, shape)
            real = torch.tanh(probe.randn(16, *shape))
            z = probe.randn(16, RING_Z_DIM)
            generator.train()
            discriminator.train()
            before = weights(generator), weights(discriminator)
            discriminator_step(generator, discriminator, optimizer_d, real, z)
            generator_step(generator, discriminator, optimizer_g, z)
            for name, network, old in (
                ("generator", generator, before[0]),
                ("discriminator", discriminator, before[1]),
            ):
                move = float((weights(network) - old).abs().max())
                if not 0 < move < float("inf"):
                    fail(
                        f"the {name}'s weights to move for samples of shape {shape}",
                        f"a move by {number(move)}",
                        "one of the tasks 4.1 to 4.4 is not right yet",
                    )

    @lesson.check("4.5", points=1.5, seconds=60)
    def covers_the_ring(G, D, discriminator_step, generator_step, probe: Probe) -> None:
        """Trained on the ring of 8 Gaussians, your GAN covers at least 7 of them."""
        torch.manual_seed(1000 * probe.seed)
        yours = _train_on_ring(G, D, discriminator_step, generator_step)
        # Right networks of an unusual kind (spectral norm, batch normalisation in D, no biases)
        # can be too slow for so short a training. Then the steps are tried on the reference's.
        steps = (discriminator_step, generator_step)
        if yours.modes >= MODES_WANTED or (
            yours.spread > LEAST_SPREAD
            and _train_on_ring(MLPGenerator, MLPDiscriminator, *steps).modes >= MODES_WANTED
        ):
            return
        fail(
            f"at least {MODES_WANTED} of 8 modes within {RING_STEPS} steps",
            f"{yours.modes} modes at best, samples spread over {number(yours.spread)}",
            "one of the tasks 4.1 to 4.4 is not right yet: mend the checks above first",
        )


def _together(a: nn.Module, b: nn.Module) -> bool:
    return bool(torch.allclose(weights(a), weights(b), rtol=1e-3, atol=1e-5))


def _pair(G: Callable, D: Callable, shape: tuple[int, ...]):
    generator = build(G, RING_Z_DIM, RING_HIDDEN, shape)
    discriminator = build(D, shape, RING_HIDDEN)
    make = torch.optim.Adam
    return (
        generator,
        discriminator,
        make(generator.parameters(), RING_LR_G, RING_BETAS),
        make(discriminator.parameters(), RING_LR_D, RING_BETAS),
    )


class RingResult(NamedTuple):
    """The most modes held at any look, and the largest standard deviation of the samples."""

    modes: int
    spread: float


def _train_on_ring(G, D, discriminator_step, generator_step) -> RingResult:
    """Train until enough modes are held, all is lost, or the steps are used up."""
    generator, discriminator, optimizer_g, optimizer_d = _pair(G, D, (2,))
    best = RingResult(0, 0.0)
    for step in range(1, RING_STEPS + 1):
        generator.train()
        discriminator.train()
        real = ring(RING_BATCH, radius=RING_RADIUS, std=RING_STD)
        z = torch.randn(RING_BATCH, RING_Z_DIM)
        discriminator_step(generator, discriminator, optimizer_d, real, z)
        generator_step(generator, discriminator, optimizer_g, torch.randn_like(z))
        if step % RING_LOOK_EVERY == 0:
            generator.eval()
            with torch.no_grad():
                points = generator(torch.randn(2000, RING_Z_DIM))
            if not bool(torch.isfinite(points).all()):
                break
            modes = count_modes(points, radius=RING_RADIUS, std=RING_STD).modes
            best = RingResult(max(best.modes, modes), max(best.spread, float(points.std(0).max())))
            if best.modes >= MODES_WANTED or (step >= RING_HOPELESS and not best.modes):
                break
    return best
