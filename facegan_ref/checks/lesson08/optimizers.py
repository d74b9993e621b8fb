"""Checks of task 8.5: one optimizer for each player, each with its own learning rate."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Lesson, Probe, fail, number


def _network(probe: Probe, width: int) -> nn.Module:
    network = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(probe.randn(*parameter.shape))
    return network


def _make(
    make_optimizers: Callable, generator: nn.Module, discriminator: nn.Module, *more: object
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """The student's two optimizers."""
    try:
        pair = make_optimizers(generator, discriminator, *more)
    except ValueError as error:
        if "empty parameter list" not in str(error):
            raise
        fail(
            "two optimizers",
            f"ValueError: {error}",
            "net.parameters() can be walked through only once: call it anew for the optimizer, or "
            "keep it as a list",
        )
    except TypeError as error:
        if "not iterable" not in str(error):
            raise
        fail("two optimizers", f"TypeError: {error}", "parentheses are missing: net.parameters()")
    what = "a pair: the generator's optimizer, then the discriminator's"
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        name = f"a {type(pair).__name__}" if pair is not None else "None"
        likely = "return optimizer_g, optimizer_d"
        fail(what, name, "the return is missing" if pair is None else likely)
    for optimizer in pair:
        if not isinstance(optimizer, torch.optim.Optimizer):
            fail(what, f"a {type(optimizer).__name__} in it", "return optimizer_g, optimizer_d")
    return tuple(pair)


def _give_gradients(networks: tuple[nn.Module, ...], probe: Probe) -> None:
    for network in networks:
        for parameter in network.parameters():
            parameter.grad = 0.5 + probe.randn(*parameter.shape).abs()


def _moves(networks: tuple[nn.Module, ...], step: Callable[[], object]) -> list[list[Tensor]]:
    """How far each parameter of each network moves in `step`."""
    before = [[p.detach().clone() for p in network.parameters()] for network in networks]
    step()
    return [
        [p.detach() - old for p, old in zip(network.parameters(), kept, strict=True)]
        for network, kept in zip(networks, before, strict=True)
    ]


def _step_size(moves: list[Tensor]) -> float:
    return statistics.median(float(move.abs().median()) for move in moves)


# Other rules than Adam with the given betas, as students set them.
def _rules(betas: tuple[float, float]) -> tuple[tuple[str, Callable], ...]:
    optim = torch.optim
    return (
        ("betas are not passed on: Adam's own (0.9, 0.999) are used",
         lambda p, lr: optim.Adam(p, lr)),
        ("betas are fixed at (0.5, 0.999): use the argument",
         lambda p, lr: optim.Adam(p, lr, (0.5, 0.999))),
        ("the second beta is fixed at 0.999: use the argument",
         lambda p, lr: optim.Adam(p, lr, (betas[0], 0.999))),
        ("the first beta is Adam's own 0.9: use the argument",
         lambda p, lr: optim.Adam(p, lr, (0.9, betas[1]))),
        ("the two betas are swapped", lambda p, lr: optim.Adam(p, lr, betas[::-1])),
        ("this is AdamW with its weight decay: use Adam",
         lambda p, lr: optim.AdamW(p, lr, betas)),
        ("weight decay is on: the task asks for none",
         lambda p, lr: optim.Adam(p, lr, betas, weight_decay=1e-2)),
        ("this is plain SGD: use torch.optim.Adam", lambda p, lr: optim.SGD(p, lr)),
        ("this is SGD with momentum: use torch.optim.Adam",
         lambda p, lr: optim.SGD(p, lr, momentum=betas[0])),
        ("this is SGD with momentum: use torch.optim.Adam",
         lambda p, lr: optim.SGD(p, lr, momentum=0.9)),
        ("this is RMSprop: use torch.optim.Adam", lambda p, lr: optim.RMSprop(p, lr)),
    )  # fmt: skip


def _follow(
    optimizer: torch.optim.Optimizer, network: nn.Module, gradients: list[list[Tensor]]
) -> Tensor:
    """How `optimizer` moves the network's parameters over steps with these gradients."""
    start = [p.detach().clone() for p in network.parameters()]
    for step in gradients:
        for parameter, gradient in zip(network.parameters(), step, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
    moved = torch.cat(
        [(p.detach() - s).flatten() for p, s in zip(network.parameters(), start, strict=True)]
    )
    with torch.no_grad():
        for parameter, old in zip(network.parameters(), start, strict=True):
            parameter.copy_(old)
    return moved


def _require_adam(
    make_optimizers: Callable, probe: Probe, betas: tuple[float, float], given: bool
) -> None:
    """Both optimizers move their networks as Adam with these betas does."""
    networks = (_network(probe, 4), _network(probe, 5))
    rates = (0.02, 0.05)
    more = (*rates, betas) if given else rates
    optimizers = _make(make_optimizers, *networks, *more)
    for name, network, optimizer, lr in zip("GD", networks, optimizers, rates, strict=True):
        gradients = [[probe.randn(*p.shape) for p in network.parameters()] for _ in range(4)]
        came = _follow(optimizer, network, gradients)

        def follow(rule, rate, network=network, gradients=gradients) -> Tensor:
            return _follow(rule(network.parameters(), rate), network, gradients)

        def adam(p, lr) -> torch.optim.Optimizer:
            return torch.optim.Adam(p, lr, betas)

        expected = follow(adam, lr)
        if torch.allclose(came, expected, rtol=2e-3, atol=3e-6):
            continue
        other_rates = (*rates, 1e-3, 2e-4)
        named = ((name, rule) for name, rule in _rules(betas) if given or "argument" not in name)
        likely = next(
            (
                text
                for text, rule in named
                for rate in other_rates
                if torch.allclose(came, follow(rule, rate), rtol=2e-3, atol=3e-6)
            ),
            None,
        )
        if likely is None and any(
            torch.allclose(came, follow(adam, rate), rtol=2e-3, atol=3e-6) for rate in other_rates
        ):
            likely = "this is Adam with another learning rate: see the other checks"
        if likely is None and not bool(came.any()):
            likely = f"{name}'s optimizer does not hold {name}'s parameters"
        fail(
            f"{name} to move as with Adam and betas {betas}"
            + ("" if given else ", when none are given"),
            "other moves over four steps",
            likely,
        )


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 8.5."""

    @lesson.check("8.5", points=0.5)
    def each_holds_its_own_network(make_optimizers, probe: Probe) -> None:
        """The first optimizer moves all of G and nothing of D, the second all of D."""
        networks = (_network(probe, 4), _network(probe, 5))
        optimizers = _make(make_optimizers, *networks, 0.02, 0.05)
        names = ("G", "D")
        for index, optimizer in enumerate(optimizers):
            own, other = names[index], names[1 - index]
            _give_gradients(networks, probe)
            moves = _moves(networks, optimizer.step)
            moved = [[bool(m.any()) for m in of_network] for of_network in moves]
            if any(moved[1 - index]):
                fail(
                    f"{own}'s optimizer, the {'first' if index == 0 else 'second'} one, to leave "
                    f"{other} alone",
                    f"{other} moves",
                    f"it holds the parameters of both networks: {own}'s step would train {other} "
                    f"for {own}'s goal"
                    if any(moved[index])
                    else "the optimizers are swapped: return the generator's first, and give each "
                    "the parameters of its own network",
                )
            if not all(moved[index]):
                fail(
                    f"every parameter of {own} to move",
                    f"{sum(moved[index])} of {len(moved[index])} move",
                    f"not all of {own}'s parameters are given to its optimizer",
                )

    @lesson.check("8.5", points=0.5)
    def learning_rates_the_right_way_round(make_optimizers, probe: Probe) -> None:
        """G learns with lr_g and D with lr_d: Adam's first step is as long as the rate."""
        for lr_g, lr_d in ((0.01, 0.04), (0.05, 0.0125)):
            networks = (_network(probe, 4), _network(probe, 5))
            optimizers = _make(make_optimizers, *networks, lr_g, lr_d)
            came = []
            for index, optimizer in enumerate(optimizers):
                _give_gradients(networks, probe)
                came.append(_step_size(_moves(networks, optimizer.step)[index]))

            def is_like(came: list[float], *rates: float) -> bool:
                return all(abs(a - b) < 0.02 * b for a, b in zip(came, rates, strict=True))

            if not is_like(came, lr_g, lr_d):
                likely = None
                if is_like(came, lr_d, lr_g):
                    likely = "the learning rates are swapped: lr_g is the generator's"
                elif is_like(came, lr_g, lr_g) or is_like(came, lr_d, lr_d):
                    likely = "both get the same learning rate"
                elif is_like(came, 1e-3, 1e-3):
                    likely = "the learning rates are not used: these are Adam's own 0.001"
                elif 0.0 in came:
                    likely = "an optimizer does not hold its network's parameters"
                elif len({round(c, 6) for c in came}) == 1:
                    likely = "the learning rates are fixed inside: use lr_g and lr_d"
                else:
                    likely = "the optimizer is not Adam, or the rates are changed inside"
                fail(
                    f"first steps of {lr_g:g} for G and {lr_d:g} for D",
                    f"steps of {number(came[0])} and {number(came[1])}",
                    likely,
                )

    @lesson.check("8.5", points=0.5)
    def is_adam_with_the_given_betas(make_optimizers, probe: Probe) -> None:
        """Both are Adam with the given betas, and nothing besides."""
        _require_adam(make_optimizers, probe, (0.3, 0.8), given=True)

    @lesson.check("8.5", points=0.5)
    def usual_betas_when_none_are_given(make_optimizers, probe: Probe) -> None:
        """Without the argument, betas are those of the DCGAN paper, (0.5, 0.999)."""
        _require_adam(make_optimizers, probe, (0.5, 0.999), given=False)
