"""Checks of lesson 7's training step: task 7.2."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number, require_type
from facegan_ref.checks.lesson07.moves import (
    Step,
    latents,
    outcomes,
    require_right,
    run,
    wrong_order,
    wrong_without_norm,
)
from facegan_ref.checks.lesson07.probe import (
    CONCATENATED,
    MISTAKES,
    RIGHT,
    Outcome,
    new_state,
    play,
    real_batch,
    twin,
    with_wrong_d_loss,
    with_wrong_g_loss,
)
from facegan_ref.checks.scalar_loss import close
from facegan_ref.loop import TrainingState

GRAPH = (
    "the loss tensor itself is returned: it holds the graph of its whole step, and a list of such "
    "losses fills the memory. Return float(loss)"
)


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 7.2."""
    lesson.check("7.2", points=1.5)(updates_d_then_g)
    lesson.check("7.2", points=1)(judges_real_and_fake_apart)
    lesson.check("7.2", points=1)(trains_in_training_mode)
    lesson.check("7.2", points=0.5)(fits_the_batch)
    lesson.check("7.2", points=0.5)(draws_latents_from_the_state)
    lesson.check("7.2", points=1)(returns_two_numbers)
    lesson.check("7.2", points=0.5)(starts_from_clean_gradients)
    lesson.check("7.2", points=0.5)(counts_the_step)
    lesson.check("7.2", points=0.5)(follows_the_networks_device)


def updates_d_then_g(train_step: Step, probe: Probe) -> None:
    """D makes one update, then G makes one against the updated D, each with its own optimizer."""
    state, real = new_state(probe, norm=False), real_batch(probe, probe.integer(4, 8))
    trial = twin(state)
    _, _, order = run(train_step, trial, real)
    likely = wrong_order(order)
    if likely:
        fail(
            "one step of state.optimizer_d, then one of state.optimizer_g",
            ", then ".join(f"one of {name}'s" for name in order) or "none",
            likely,
        )
    require_right(train_step, state, real, "")


def judges_real_and_fake_apart(train_step: Step, probe: Probe) -> None:
    """Real and fake images go through D in two passes, so that batch normalisation keeps them
    apart."""
    state, real = new_state(probe, norm=True), real_batch(probe, probe.integer(5, 8))
    what = ", where both have batch normalisation"
    require_right(train_step, state, real, what, excuse=wrong_without_norm(train_step, probe.seed))


def trains_in_training_mode(train_step: Step, probe: Probe) -> None:
    """Both networks are in training mode during the step, also if they came in evaluation mode."""
    for g_trains, d_trains in ((False, False), (True, False), (False, True)):
        state, real = new_state(probe, norm=True), real_batch(probe, probe.integer(5, 8))
        state.generator.train(g_trains)
        state.discriminator.train(d_trains)
        modes = [
            f"{name}.{'train' if trains else 'eval'}()" for name, trains in
            (("generator", g_trains), ("discriminator", d_trains))
        ]  # fmt: skip
        require_right(
            train_step,
            state,
            real,
            f", as in training mode, after {' and '.join(modes)}",
            accepted=(RIGHT, CONCATENATED),  # the latter is the matter of another check
            excuse=wrong_without_norm(train_step, probe.seed),
        )


def fits_the_batch(train_step: Step, probe: Probe) -> None:
    """A batch of any size works, with as many latents as it has images."""
    for n in (probe.integer(8, 12), probe.integer(2, 7), 1):
        state, real = new_state(probe, norm=False), real_batch(probe, n)
        what = f", for a batch of {n}"
        require_right(
            train_step, state, real, what, excuse=wrong_without_norm(train_step, probe.seed)
        )


def draws_latents_from_the_state(train_step: Step, probe: Probe) -> None:
    """Latents are standard normal, come from state.rng and are new in each step."""
    n = 128
    real = real_batch(probe, n)
    first = new_state(probe, norm=False)
    states = [twin(first), twin(first), twin(first, seed=probe.seed + 8)]
    seen = []
    for number_, state in enumerate(states):
        torch.manual_seed(1000 + number_)  # what is drawn from the global one differs
        run(train_step, state, real)
        seen.append(latents(state, real))
    run(train_step, states[0], real)
    again = latents(states[0], real)
    for same_seed, same_too, other_seed, later in zip(*seen, again, strict=True):
        _require_standard_normal(same_seed)
        if not torch.equal(same_seed, same_too):
            fail(
                "the same latents from the same state.rng, whatever torch.manual_seed was given",
                "other latents",
                "the latents come from torch's global random numbers: pass state.rng, as in "
                "sample_latent(n, state.z_dim, state.rng), for D's update and for G's",
            )
        if torch.equal(same_seed, other_seed) or torch.equal(same_seed, later):
            fail(
                "other latents in the next step",
                "the same ones",
                "a generator is made or seeded anew in each step, or state.rng is copied: draw "
                "from state.rng itself",
            )


def _require_standard_normal(z: Tensor) -> None:
    mean, std = float(z.mean()), float(z.std())
    if abs(mean) > 0.25 or abs(std - 1) > 0.2:
        uniform = abs(mean - 0.5) < 0.1
        fail(
            "latents with mean 0 and standard deviation 1",
            f"{number(mean)} and {number(std)}",
            "torch.rand is even over [0, 1]: latents are standard normal"
            if uniform
            else "latents are standard normal: sample_latent or torch.randn",
        )


def returns_two_numbers(train_step: Step, probe: Probe) -> None:
    """The step returns a dict with the floats loss_d and loss_g, each before its own update."""
    state, real = new_state(probe, norm=False), real_batch(probe, probe.integer(4, 8))
    before = twin(state)
    returned, _, _ = run(train_step, state, real)
    one = 'a dict {"loss_d": …, "loss_g": …} of two floats'
    returned = require_type(returned, dict, one, "return a dict, not its values")
    for key in ("loss_d", "loss_g"):
        if key not in returned:
            fail(one, f"the keys {sorted(map(str, returned))}", f"{key} is missing or misspelt")
        value = returned[key]
        if isinstance(value, Tensor):
            likely = GRAPH if value.requires_grad else "a tensor: make it a number by float(loss)"
            fail(one, f"a tensor for {key}", likely)
        if callable(value):
            fail(one, f"a {type(value).__name__} for {key}", "parentheses are missing: loss.item()")
        if not isinstance(value, float):
            fail(one, f"a {type(value).__name__} for {key}", "make it a number by float(loss)")
    seen = latents(state, real)
    got = returned["loss_d"], returned["loss_g"]

    def agrees(outcome: Outcome) -> bool:
        return close(got[0], outcome.loss_d, 1e-3) and close(got[1], outcome.loss_g, 1e-3)

    right = outcomes(before, real, seen, RIGHT)
    if not any(agrees(outcome) for outcome in right):
        likely = _named_by_value(before, real, seen, got)
        if any(agrees(Outcome(o.d, o.loss_g, o.g, o.loss_d)) for o in right):
            likely = "loss_d and loss_g are swapped"
        elif got[0] == got[1]:
            likely = "one loss is returned under both names"
        elif any(agrees(_after(before, real, seen, o)) for o in right):
            likely = "these are losses after the updates: compute them before"
        fail(
            f"loss_d {number(right[0].loss_d)} and loss_g {number(right[0].loss_g)}",
            f"{number(got[0])} and {number(got[1])}",
            likely,
        )


def _named_by_value(
    before: TrainingState, real: Tensor, seen: list[Tensor], got: tuple[float, float]
) -> str | None:
    """The mistake that has these losses, or one of them where the other one is right."""
    for name, how in MISTAKES:
        for outcome in outcomes(before, real, seen, how):
            if close(got[0], outcome.loss_d, 1e-3) and close(got[1], outcome.loss_g, 1e-3):
                return name
    for name, outcome in with_wrong_d_loss(before, real, seen[0]):
        if close(got[0], outcome.loss_d, 1e-3):
            return f"loss_d: {name}"
    for name, outcome in with_wrong_g_loss(before, real, seen[0], seen[-1]):
        if close(got[1], outcome.loss_g, 1e-3):
            return f"loss_g: {name}"
    return None


def _after(before: TrainingState, real: Tensor, seen: list[Tensor], moves: Outcome) -> Outcome:
    """The losses once both networks have moved."""
    state = twin(before)
    with torch.no_grad():
        for network, move in ((state.discriminator, moves.d), (state.generator, moves.g)):
            parts = move.split([p.numel() for p in network.parameters()])
            for parameter, part in zip(network.parameters(), parts, strict=True):
                parameter += part.view_as(parameter)
    return play(state, real, seen[0], seen[-1], RIGHT)


def starts_from_clean_gradients(train_step: Step, probe: Probe) -> None:
    """Gradients that an earlier step left behind do not get into an update."""
    for planted in (False, True):
        state, real = new_state(probe, norm=False), real_batch(probe, 5)
        if planted:
            for network in (state.generator, state.discriminator):
                for parameter in network.parameters():
                    parameter.grad = 0.3 * probe.randn(*parameter.shape)
        run(train_step, state, real)
        before = twin(state)
        _, came, order = run(train_step, state, real)
        seen = latents(state, real)
        expected = outcomes(before, real, seen, RIGHT)
        if not any(outcome.same(came) for outcome in expected):
            fail(
                f"the second of two steps to move D by {number(float(expected[0].d.norm()))} and "
                f"G by {number(float(expected[0].g.norm()))}",
                f"{number(float(came.d.norm()))} and {number(float(came.g.norm()))}",
                wrong_without_norm(train_step, probe.seed)()
                or wrong_order(order)
                or "old gradients are added to the new ones. G's step leaves gradients in D too: "
                "clear each network's gradients before its own backward",
            )


def counts_the_step(train_step: Step, probe: Probe) -> None:
    """state.step grows by one with each call."""
    state, real = new_state(probe, norm=False), real_batch(probe, 4)
    state.step = start = probe.integer(3, 40)
    for done in (1, 2):
        run(train_step, state, real)
        if state.step != start + done:
            fail(
                f"state.step = {start + done} after {done} of our calls from {start}",
                f"{state.step}",
                "state.step += 1 is missing"
                if state.step == start
                else "state.step is set, or grows by something else than one",
            )


def follows_the_networks_device(train_step: Step, probe: Probe) -> None:
    """Real images and latents go to the device of the networks, wherever that is."""
    # "meta" is a device without any numbers: every computer has it, as not every one has a GPU.
    state, real = new_state(probe, norm=False), real_batch(probe, 4)
    for network in (state.generator, state.discriminator):
        network.to("meta")
        network.forget()
    error_text = ""
    try:
        train_step(state, real)
    except Exception as error:  # meta tensors have no values to return; that is not looked at here
        if isinstance(error, NotImplementedError) and "meta" not in str(error).lower():
            raise
        error_text = str(error)
    images, z = state.discriminator.seen, state.generator.seen
    expected = "images and latents on the device of the networks"
    if any(x.device.type != "meta" for x in images):
        fail(
            expected,
            f"images on {next(x.device.type for x in images if x.device.type != 'meta')} for "
            "a discriminator elsewhere",
            "real is not moved: real = real.to(device), and keep the result",
        )
    if any(x.device.type != "meta" for x in z):
        fail(
            expected,
            "latents on the CPU for a generator elsewhere",
            "pass the device as well: sample_latent(n, state.z_dim, state.rng, device), with "
            "device = next(state.generator.parameters()).device",
        )
    mixed = re.search(r"same device|expected device|CUDA|NVIDIA", error_text)
    if mixed or not images or not z:
        fail(
            expected,
            f"an error: {error_text[:200]}" if error_text else "networks that were not run",
            'the device is written down ("cuda", "cpu") or networks are moved: take '
            "next(state.generator.parameters()).device and move only real and z",
        )
