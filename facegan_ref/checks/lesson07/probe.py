"""What the checks of lesson 7 share: tiny networks with batch normalisation, and one step of both.

The networks keep the latents, devices and modes that they were run with.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Probe
from facegan_ref.checks.loss_mistakes import D_MISTAKES, NON_SATURATING_MISTAKES
from facegan_ref.checks.step_probe import weights
from facegan_ref.loop import TrainingState
from facegan_ref.losses import discriminator_loss, generator_loss

LR = 0.25
IMAGE, HIDDEN = (3, 2, 2), 8
PIXELS = 12
Formula = Callable[..., Tensor]


class Watched(nn.Module):
    """A network that keeps what it was run on; random weights, and statistics far from 0 and 1."""

    def __init__(self, net: nn.Sequential, rng: torch.Generator):
        super().__init__()
        self.net = net
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.7 * torch.randn(parameter.shape, generator=rng))
            for module in self.modules():
                if isinstance(module, nn.BatchNorm1d):
                    n = module.num_features
                    module.weight.copy_(1 + 0.3 * torch.randn(n, generator=rng))
                    module.running_mean.copy_(torch.randn(n, generator=rng))
                    module.running_var.copy_(0.5 + torch.rand(n, generator=rng))
        self.forget()

    def forget(self) -> None:
        """As if it had never been run."""
        self.seen: list[Tensor] = []
        self.modes: list[bool] = []

    def run(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        self.modes.append(self.training)
        return self.net(x)

    def statistics(self) -> Tensor:
        """All buffers as one vector: the running statistics, and how many batches they saw."""
        return torch.cat([b.detach().double().flatten() for b in self.buffers()]).clone()


class TinyGenerator(Watched):
    """Latents `(N, z_dim)` to images `(N, 3, 2, 2)`, with or without batch normalisation."""

    def __init__(self, rng: torch.Generator, z_dim: int, norm: bool, dropout: float = 0.0):
        middle = nn.BatchNorm1d(HIDDEN) if norm else nn.Identity()
        net = nn.Sequential(
            nn.Linear(z_dim, HIDDEN), middle, nn.Tanh(), nn.Dropout(dropout),
            nn.Linear(HIDDEN, PIXELS), nn.Tanh(),
        )  # fmt: skip
        super().__init__(net, rng)

    def forward(self, z: Tensor) -> Tensor:
        return self.run(z).view(-1, *IMAGE)


class TinyDiscriminator(Watched):
    """Images `(N, 3, 2, 2)` to logits `(N,)` or of another shape with as many numbers."""

    def __init__(self, rng: torch.Generator, norm: bool, shape: tuple[int, ...] = ()):
        middle = nn.BatchNorm1d(HIDDEN) if norm else nn.Identity()
        net = nn.Sequential(
            nn.Flatten(), nn.Linear(PIXELS, HIDDEN), middle, nn.Tanh(), nn.Linear(HIDDEN, 1)
        )
        super().__init__(net, rng)
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x).view(-1, *self.shape)


def new_state(probe: Probe, norm: bool, z_dim: int | None = None) -> TrainingState:
    """A training at its beginning: two tiny networks, plain SGD, latents of the probe's seed."""
    z_dim = probe.integer(3, 6) if z_dim is None else z_dim
    generator = TinyGenerator(probe.rng, z_dim, norm)
    discriminator = TinyDiscriminator(probe.rng, norm)
    return _state(generator, discriminator, z_dim, seed=probe.integer(0, 10**6))


def twin(state: TrainingState, seed: int | None = None) -> TrainingState:
    """A training in the same state that shares nothing with it; `seed` gives it other latents."""
    generator, discriminator = copy.deepcopy((state.generator, state.discriminator))
    other = _state(generator, discriminator, state.z_dim, seed or 0)
    if seed is None:
        other.rng.set_state(state.rng.get_state())
    other.step = state.step
    return other


def _state(generator: nn.Module, discriminator: nn.Module, z_dim: int, seed: int) -> TrainingState:
    return TrainingState(
        generator=generator,
        discriminator=discriminator,
        optimizer_g=torch.optim.SGD(generator.parameters(), lr=LR),
        optimizer_d=torch.optim.SGD(discriminator.parameters(), lr=LR),
        z_dim=z_dim,
        rng=torch.Generator().manual_seed(seed),
    )


def real_batch(probe: Probe, n: int) -> Tensor:
    """n images in [-1, 1] that are brighter than the generator's."""
    return (0.6 * probe.randn(n, *IMAGE) + 0.4).clamp(-1, 1)


@dataclass
class Updates:
    """Counts the steps of a state's two optimizers, in their order: "D", "G"."""

    state: TrainingState
    order: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, optimizer in (("D", self.state.optimizer_d), ("G", self.state.optimizer_g)):
            optimizer.register_step_post_hook(lambda *_, name=name: self.order.append(name))


@dataclass(frozen=True)
class Variant:
    """How a step of both networks is made; the defaults are right."""

    apart: bool = True  # D judges real and fake in two passes
    modes_d: tuple[bool, bool] = (True, True)  # in D's update: is G, is D in training mode
    modes_g: tuple[bool, bool] = (True, True)  # and in G's
    d_first: bool = True
    simultaneous: bool = False  # G plays against D as it was before D's update
    stray: bool = False  # D's loss leaves its gradients in G, and nobody clears them
    half: bool = False  # the mean of the losses' two halves, not their sum


@dataclass(frozen=True)
class Outcome:
    """What a step does: both moves, each as one vector, and both losses."""

    d: Tensor
    loss_d: float
    g: Tensor
    loss_g: float

    def same(self, other: Outcome) -> bool:
        """Whether both networks move alike; the losses are another matter."""
        return same(self.d, other.d) and same(self.g, other.g)


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two moves agree within float32's rounding."""
    return bool(torch.allclose(a, b, rtol=2e-3, atol=1e-5))


def play(state: TrainingState, real: Tensor, z_d: Tensor, z_g: Tensor, how: Variant) -> Outcome:
    """What one step does to a copy of the networks that starts without gradients."""
    generator, discriminator = copy.deepcopy((state.generator, state.discriminator))
    for network in (generator, discriminator):
        network.zero_grad(set_to_none=True)
        network.requires_grad_(True)
    optimizer_g = torch.optim.SGD(generator.parameters(), lr=LR)
    optimizer_d = torch.optim.SGD(discriminator.parameters(), lr=LR)
    opponent = copy.deepcopy(discriminator)
    before = weights(discriminator), weights(generator)
    losses = {}

    def set_modes(modes: tuple[bool, bool]) -> None:
        generator.train(modes[0])
        for judge in (discriminator, opponent):
            judge.train(modes[1])

    def step_d() -> None:
        set_modes(how.modes_d)
        fake = generator(z_d)
        fake = fake if how.stray else fake.detach()
        if how.apart:
            logits = discriminator(real), discriminator(fake)
        else:
            logits = discriminator(torch.cat([real, fake])).split([len(real), len(fake)])
        loss = discriminator_loss(*logits) / (2 if how.half else 1)
        loss.backward()
        optimizer_d.step()
        losses["d"] = float(loss.detach())

    def step_g() -> None:
        set_modes(how.modes_g)
        judge = opponent if how.simultaneous else discriminator
        loss = generator_loss(judge(generator(z_g)))
        loss.backward()
        optimizer_g.step()
        losses["g"] = float(loss.detach())

    for step in (step_d, step_g) if how.d_first else (step_g, step_d):
        step()
        if not how.stray:
            discriminator.zero_grad()
    after = weights(discriminator), weights(generator)
    return Outcome(after[0] - before[0], losses["d"], after[1] - before[1], losses["g"])


RIGHT = Variant()
CONCATENATED = Variant(apart=False)
TOGETHER = (
    "real and fake images go through D in one batch (torch.cat): batch normalisation mixes their "
    "statistics. Two passes, one for each"
)
STRAY = (
    "the fakes of D's step are not detached, and the gradients that D's loss leaves in G get into "
    "G's update"
)


MISTAKES: tuple[tuple[str, Variant], ...] = (
    (TOGETHER, CONCATENATED),
    (
        "one mean over real and fake images together is half the loss, which is the sum of two "
        "means; and with batch normalisation they must not share a batch",
        Variant(apart=False, half=True),
    ),
    (
        "both networks are in evaluation mode during the step: call train() on both first",
        Variant(modes_d=(False, False), modes_g=(False, False)),
    ),
    (
        "the generator is in evaluation mode during the step: call train() on it first",
        Variant(modes_d=(False, True), modes_g=(False, True)),
    ),
    (
        "the discriminator is in evaluation mode during the step: call train() on it first",
        Variant(modes_d=(True, False), modes_g=(True, False)),
    ),
    (
        "the generator is in evaluation mode during D's update: both train in both updates",
        Variant(modes_d=(False, True)),
    ),
    (
        "the discriminator is in evaluation mode during G's update: both train in both updates",
        Variant(modes_g=(True, False)),
    ),
    (
        "only the network that is updated is in training mode: both train in both updates",
        Variant(modes_d=(False, True), modes_g=(True, False)),
    ),
    ("G is updated before D: D comes first", Variant(d_first=False)),
    (
        "G plays against D as it was before D's update: let the updated D judge the fakes anew",
        Variant(simultaneous=True),
    ),
    (STRAY, Variant(stray=True)),
)


def with_wrong_d_loss(state: TrainingState, real: Tensor, z: Tensor) -> list[tuple[str, Outcome]]:
    """What D's step does with each known wrong loss; of G there is nothing in these outcomes."""
    generator, discriminator = copy.deepcopy((state.generator, state.discriminator))
    generator.train()
    discriminator.train().requires_grad_(True)
    logits = discriminator(real), discriminator(generator(z).detach())
    return [
        (name, Outcome(*_descent(formula(*logits), discriminator), torch.empty(0), loss_g=0.0))
        for name, formula in D_MISTAKES
    ]


def with_wrong_g_loss(
    state: TrainingState, real: Tensor, z_d: Tensor, z_g: Tensor
) -> list[tuple[str, Outcome]]:
    """What G's step does with each known wrong loss, after a right one of D, which is left out."""
    generator, discriminator = copy.deepcopy((state.generator, state.discriminator))
    generator.train().requires_grad_(True)
    discriminator.train().requires_grad_(True)
    loss = discriminator_loss(discriminator(real), discriminator(generator(z_d).detach()))
    parameters = list(discriminator.parameters())
    with torch.no_grad():
        for parameter, grad in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter -= LR * grad
    logits = discriminator(generator(z_g))
    moves = [
        (name, *_descent(formula(logits), generator)) for name, formula in NON_SATURATING_MISTAKES
    ]
    return [(name, Outcome(torch.empty(0), 0.0, move, loss)) for name, move, loss in moves]


def _descent(loss: Tensor, network: nn.Module) -> tuple[Tensor, float]:
    """The move of one step of gradient descent, and the loss."""
    parameters = list(network.parameters())
    grads = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    moves = [
        torch.zeros_like(p) if grad is None else -LR * grad
        for p, grad in zip(parameters, grads, strict=True)
    ]
    return torch.cat([move.flatten() for move in moves]), float(loss.detach())
