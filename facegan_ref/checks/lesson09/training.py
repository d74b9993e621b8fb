"""What the checks of resuming train: a tiny GAN in which every piece of its state matters.

Its networks have batch normalisation and dropout, its images are flipped by Python's random and
brightened by numpy's, its noise fades with the step.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import fail
from facegan_ref.data.loader import Batches
from facegan_ref.loop import TrainingState, train_step
from facegan_ref.randomness import capture_rng
from facegan_ref.stabilise import EMA

IMAGE = (1, 4, 4)
IMAGES, BATCH = 22, 5  # the last batch of a pass has two
Piece = list[Tensor]


def _generator(z_dim: int, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(z_dim, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(width, 16), nn.Tanh(), nn.Unflatten(1, IMAGE),
    )  # fmt: skip


def _discriminator(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, width), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Linear(width, width), nn.BatchNorm1d(width), nn.LeakyReLU(0.2),
        nn.Linear(width, 1), nn.Flatten(0),
    )  # fmt: skip


def new_training(seed: int, images: Tensor, width: int = 6, extras: bool = True) -> TrainingState:
    """A training at its first step; with `extras` it has a place in `images`, fixed z and EMA."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, discriminator = _generator(3, width), _discriminator(width)
    rng = torch.Generator().manual_seed(seed)
    return TrainingState(
        generator,
        discriminator,
        torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.999)),
        torch.optim.Adam(discriminator.parameters(), lr=0.02, betas=(0.5, 0.99)),
        z_dim=3,
        rng=rng,
        batches=Batches(images, BATCH, seed) if extras else None,
        fixed_z=torch.randn(4, 3, generator=rng) if extras else None,
        ema=EMA(generator, 0.9) if extras else None,
    )


def advance(state: TrainingState, steps: int) -> list[tuple[float, ...]]:
    """Train for some steps; the losses of each."""
    losses = []
    for _ in range(steps):
        real = next(state.batches)
        if random.random() < 0.5:
            real = real.flip(3)
        real = real * (1 + 0.1 * float(np.random.random_sample()))
        real = real + torch.randn(real.shape, generator=state.rng) / (10 + state.step)
        losses.append(tuple(train_step(state, real).values()))
        state.ema.update(state.generator)
    return losses


# ---- the pieces, each by the name that a student gives it


def _network(network: nn.Module, whose: str) -> dict[str, Piece]:
    found = {f"{whose} weights": [p.detach() for p in network.parameters()]}
    found[f"{whose} batch-norm statistics (its buffers)"] = list(network.buffers())
    return found


def _moments(optimizer: torch.optim.Optimizer) -> Piece:
    found = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            values = optimizer.state.get(parameter, {})
            found += [torch.as_tensor(values[key]) for key in sorted(values)]
    return found


def _global_states() -> dict[str, Piece]:
    states = capture_rng()
    python = [float(n) for n in states["python"][1]] + [states["python"][2] or 0.0]
    numpy = [*states["numpy"][1], *states["numpy"][2:]]
    return {
        "torch's global random state (dropout draws from it)": [states["torch"]],
        "numpy's global random state": [torch.tensor(numpy, dtype=torch.float64)],
        "the random state of Python's random": [torch.tensor(python, dtype=torch.float64)],
    }


def pieces(state: TrainingState) -> dict[str, Piece]:
    """Copies of all that the next steps depend on, by name, and of what the previews show."""
    found = {
        **_network(state.generator, "the generator's"),
        **_network(state.discriminator, "the discriminator's"),
        "optimizer_g's running means (its state)": _moments(state.optimizer_g),
        "optimizer_d's running means (its state)": _moments(state.optimizer_d),
        "state.step": [torch.tensor(state.step)],
        "state.rng, where the latents come from": [state.rng.get_state()],
        **_global_states(),
    }
    if state.batches is not None:
        place = list(state.batches.state_dict().values())
        found["state.batches, the place in the data"] = [torch.tensor(place)]
    if state.fixed_z is not None:
        found["state.fixed_z"] = [state.fixed_z]
    if state.ema is not None:
        found.update(_network(state.ema.model, "state.ema's (the average's)"))
    return {name: [tensor.clone() for tensor in piece] for name, piece in found.items()}


def differing(a: dict[str, Piece], b: dict[str, Piece]) -> list[str]:
    """Names of the pieces that are not equal to the bit."""

    def equal(one: Piece, other: Piece) -> bool:
        return len(one) == len(other) and all(map(torch.equal, one, other))

    return [name for name in a if name not in b or not equal(a[name], b[name])]


def things(state: TrainingState) -> dict[str, object]:
    """The objects that a training is made of, by their names, with each of their parameters."""
    found = {
        name: getattr(state, name)
        for name in ("generator", "discriminator", "optimizer_g", "optimizer_d")
    }
    for name in ("generator", "discriminator"):
        for key, parameter in getattr(state, name).named_parameters():
            found[f"the {name}'s parameter {key}"] = parameter
    return found


def require_in_place(state: TrainingState, before: dict[str, object]) -> None:
    """`state` still has the networks and optimizers of `before`, which belong together."""
    kinds = {"rng": torch.Generator, "batches": Batches, "ema": EMA, "fixed_z": Tensor}
    for name, kind in kinds.items():
        value = getattr(state, name)
        if value is not None and not isinstance(value, kind):
            likely = {
                "rng": "state.rng.set_state(...) puts a state into the generator",
                "batches": "state.batches.load_state_dict(...) moves it to a place",
                "ema": "state.ema.model.load_state_dict(...) fills the average",
            }
            fail(
                f"state.{name} to be a {kind.__name__} after loading",
                f"a {type(value).__name__}",
                likely.get(name),
            )
    if isinstance(state.step, bool) or not isinstance(state.step, int):
        fail("state.step to be an int after loading", f"a {type(state.step).__name__}", None)
    after = things(state)
    for name, thing in before.items():
        if after.get(name) is not thing:
            fail(
                f"{name} to be the same object after loading, with the values of the file",
                "another object",
                "the optimizer holds the parameters of before, and would train what nobody uses: "
                "fill what is there with load_state_dict",
            )
