"""What checks of training steps share: a tiny GAN, a call of the step, and what it changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Probe, fail

LR = 0.25
Z_DIM, HIDDEN, SAMPLE = 3, 8, 4


class TinyGenerator(nn.Module):
    """Latents (N, 3) to samples (N, 4); keeps the latents that it was given."""

    def __init__(self, rng: torch.Generator):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(Z_DIM, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, SAMPLE))
        _fill(self, rng)
        self.seen: list[Tensor] = []

    def forward(self, z: Tensor) -> Tensor:
        self.seen.append(z.detach().clone())
        return self.net(z)


class TinyDiscriminator(nn.Module):
    """Samples (N, 4) to logits, (N,) or with `column` (N, 1)."""

    def __init__(self, rng: torch.Generator, column: bool):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(SAMPLE, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1))
        _fill(self, rng)
        self.column = column

    def forward(self, x: Tensor) -> Tensor:
        logits = self.net(x)
        return logits if self.column else logits.squeeze(1)


def _fill(network: nn.Module, rng: torch.Generator) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=rng))


@dataclass
class Game:
    """A tiny GAN with one plain-SGD optimizer for each network, and a batch."""

    generator: TinyGenerator
    discriminator: TinyDiscriminator
    real: Tensor
    z: Tensor
    optimizer_g: torch.optim.Optimizer = field(init=False)
    optimizer_d: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer_g = torch.optim.SGD(self.generator.parameters(), lr=LR)
        self.optimizer_d = torch.optim.SGD(self.discriminator.parameters(), lr=LR)
        self.calls = 0  # of the optimizers' step()
        for optimizer in (self.optimizer_g, self.optimizer_d):
            optimizer.register_step_post_hook(self._count)

    def _count(self, *_: object) -> None:
        self.calls += 1

    def twin(self) -> Game:
        """A game in the same state that shares nothing with this one, without gradients."""
        generator, discriminator = copy.deepcopy((self.generator, self.discriminator))
        for network in (generator, discriminator):
            network.zero_grad(set_to_none=True)
            network.requires_grad_(True)
        generator.seen = []
        return Game(generator, discriminator, self.real.clone(), self.z.clone())

    def make_sure(self) -> None:
        """Make D very sure of everything, right or wrong: logits of hundreds, of both signs."""
        last = self.discriminator.net[-1]
        with torch.no_grad():
            last.bias -= self.discriminator(self.generator(self.z)).mean()
            for parameter in last.parameters():
                parameter.mul_(300)
        self.generator.seen.clear()

    def new_batch(self, probe: Probe, n: int) -> None:
        self.real, self.z = probe.randn(n, SAMPLE) + 0.5, probe.randn(n, Z_DIM)


def new_game(probe: Probe, n: int, column: bool) -> Game:
    """A game with random weights, n real samples and n latents."""
    generator = TinyGenerator(probe.rng)
    discriminator = TinyDiscriminator(probe.rng, column)
    return Game(generator, discriminator, probe.randn(n, SAMPLE) + 0.5, probe.randn(n, Z_DIM))


def call_d(step: Callable, game: Game) -> object:
    return step(game.generator, game.discriminator, game.optimizer_d, game.real, game.z)


def call_g(step: Callable, game: Game) -> object:
    return step(game.generator, game.discriminator, game.optimizer_g, game.z)


def logit_column(step: Callable, call: Callable) -> bool:
    """Whether the step wants logits (N, 1): it fails on (N,) by their shape and takes these.

    Labels of a fixed shape fit only one of the two; both are right, since the discriminators of
    task 4.2 may return either.
    """
    probe = Probe(5)
    try:
        call(step, new_game(probe, 4, column=False))
    except (ValueError, RuntimeError, IndexError):
        try:
            call(step, new_game(probe, 4, column=True))
        except Exception:  # it fails on both: the check shows how it fails on the first
            return False
        return True
    except Exception:  # the check itself shows it
        return False
    return False


def wrong_number_of_steps(game: Game) -> str | None:
    """What is wrong when one call of a step did not make one step of the given optimizer."""
    if game.calls > 1:
        return (
            f"optimizer.step() is called {game.calls} times: one call of your function makes one "
            "update"
        )
    if game.calls == 0:
        return (
            "the weights moved without the given optimizer: use the argument `optimizer`, and "
            "make none of your own"
        )
    return None


def weights(network: nn.Module) -> Tensor:
    """All parameters as one vector."""
    return torch.cat([p.detach().flatten() for p in network.parameters()]).clone()


def require_loss_value(value: object) -> float:
    """The returned loss as a number; fails unless it is one number without a graph."""
    one = "the loss, one number without a graph"
    if value is None:
        fail(one, "None", "the return is missing: `return loss.detach()`")
    if isinstance(value, (tuple, list, dict)):
        fail(one, f"a {type(value).__name__} of {len(value)}", "return the one loss of this step")
    if isinstance(value, Tensor):
        if value.numel() != 1:
            fail(one, f"a tensor of shape {tuple(value.shape)}", "the mean is missing")
        if value.requires_grad:
            fail(
                one,
                "a loss that still holds its graph",
                "return loss.detach(): else every kept loss keeps its whole graph in memory",
            )
        return float(value)
    if callable(value):
        fail(one, f"a {type(value).__name__}", "parentheses are missing: loss.item()")
    try:
        return float(value)
    except (TypeError, ValueError):
        fail(one, f"a {type(value).__name__}", None)


def require_same_settings(game: Game, step: Callable[[], object]) -> None:
    """Run `step`; train/eval mode and requires_grad of both networks are as before."""

    def settings() -> dict[str, bool]:
        found = {}
        for name in ("generator", "discriminator"):
            network = getattr(game, name)
            found[f"{name}.training"] = network.training
            for parameter, value in network.named_parameters():
                found[f"requires_grad of {name}'s {parameter}"] = value.requires_grad
        return found

    before = settings()
    step()
    for name, value in settings().items():
        if value != before[name]:
            fail(
                f"{name} = {before[name]} after the step, as before it",
                str(value),
                "a mode or flag was set for the step and not put back",
            )
