"""What one call of a student's training step of lesson 7 did, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref.checks.engine import Probe, fail, number
from facegan_ref.checks.lesson07.probe import (
    MISTAKES,
    RIGHT,
    Outcome,
    Updates,
    Variant,
    new_state,
    play,
    real_batch,
    same,
    twin,
    with_wrong_d_loss,
    with_wrong_g_loss,
)
from facegan_ref.checks.step_probe import weights
from facegan_ref.loop import TrainingState

Step = Callable[[TrainingState, Tensor], object]
PAIRS = ((0, 0), (0, 1), (1, 0))  # which of the seen latents D's and G's step may have used


def run(train_step: Step, state: TrainingState, real: Tensor) -> tuple[object, Outcome, list[str]]:
    """One call: what it returns, how it moves both networks, which optimizers stepped."""
    for network in (state.generator, state.discriminator):
        network.forget()
    updates = Updates(state)
    before = weights(state.discriminator), weights(state.generator)
    came = train_step(state, real.clone())
    d = weights(state.discriminator) - before[0]
    g = weights(state.generator) - before[1]
    return came, Outcome(d, 0.0, g, 0.0), updates.order


def latents(state: TrainingState, real: Tensor) -> list[Tensor]:
    """The latents that G was run on, up to three batches; fails unless they fit the real ones."""
    seen = state.generator.seen[:3]
    if not seen:
        fail("the generator to be run on latents", "no run of it", "state.generator is not used")
    for z in seen:
        if len(z) != len(real):
            fail(
                f"{len(real)} latents for a batch of {len(real)} real images",
                f"{len(z)}",
                "the number of latents is fixed, or belongs to another batch: take len(real). The "
                "last batch of a pass may be smaller",
            )
    return seen


def outcomes(state: TrainingState, real: Tensor, seen: list[Tensor], how: Variant) -> list[Outcome]:
    """What a step done like this gives, for each way to use the latents that G has seen."""
    right = how == RIGHT
    return [
        play(state, real, seen[i], seen[j], how)
        for i, j in ([p for p in PAIRS if p[0] <= p[1]] if right else PAIRS)
        if max(i, j) < len(seen)
    ]


def named(before: TrainingState, real: Tensor, seen: list[Tensor], came: Outcome) -> str | None:
    """The mistake that moves both networks so, or else the one that moves D or G so."""
    for network, move in (("D", came.d), ("G", came.g)):
        if not bool(torch.isfinite(move).all()):
            return f"{network}'s loss or its gradient is nan: a logarithm of 0"
    played = [(name, o) for name, how in MISTAKES for o in outcomes(before, real, seen, how)]
    found = [name for name, outcome in played if outcome.same(came)]
    if not found and any(same(o.d, came.d) for o in outcomes(before, real, seen, RIGHT)):
        if not came.g.any():
            return "no gradient reaches G: its images must not be detached in G's step"
        wrong = with_wrong_g_loss(before, real, seen[0], seen[-1])
        found = [name for name, outcome in wrong if same(outcome.g, came.g)]
    elif not found:
        wrong = [pair for z in seen[:2] for pair in with_wrong_d_loss(before, real, z)]
        found = [name for name, outcome in [*played, *wrong] if same(outcome.d, came.d)]
    return "; or: ".join(list(dict.fromkeys(found))[:2]) or None


def wrong_order(order: list[str]) -> str | None:
    """What is wrong with the steps that the two optimizers made, if anything."""
    if order == ["D", "G"]:
        return None
    if order == ["G", "D"]:
        return "G is updated before D: D comes first"
    for name, optimizer in (("D", "optimizer_d"), ("G", "optimizer_g")):
        if name not in order:
            return (
                f"{name} is never updated: call its step with state.{optimizer}, with parentheses"
            )
    return "one call makes one update of each: no loop, and no optimizer.step() twice"


def require_right(
    train_step: Step,
    state: TrainingState,
    real: Tensor,
    what: str,
    accepted: tuple[Variant, ...] = (RIGHT,),
    excuse: Callable[[], str | None] = lambda: None,
) -> object:
    """One call moves both networks as the reference does; `excuse` may point to another check."""
    before = twin(state)
    returned, came, order = run(train_step, state, real)
    seen = latents(state, real)
    expected = [o for how in accepted for o in outcomes(before, real, seen, how)]
    if any(outcome.same(came) for outcome in expected):
        return returned
    fail(
        f"D to move by {number(float(expected[0].d.norm()))} and G by "
        f"{number(float(expected[0].g.norm()))} (norms){what}",
        f"{number(float(came.d.norm()))} and {number(float(came.g.norm()))}",
        excuse()
        or wrong_order(order)
        or named(before, real, seen, came)
        or "the losses are not discriminator_loss on D(real) and D(fake) and generator_loss on "
        "D(G(z)), or something changes weights or gradients besides",
    )


def wrong_without_norm(train_step: Step, seed: int) -> Callable[[], str | None]:
    """Asks whether the step is wrong even without batch normalisation, where modes do not count."""

    def ask() -> str | None:
        probe = Probe(seed)
        state, real = new_state(probe, norm=False), real_batch(probe, 5)
        before = twin(state)
        _, came, _ = run(train_step, state, real)
        seen = latents(state, real)
        if any(outcome.same(came) for outcome in outcomes(before, real, seen, RIGHT)):
            return None
        return (
            "the weights move wrongly even without batch normalisation: see updates_d_then_g first"
        )

    return ask
