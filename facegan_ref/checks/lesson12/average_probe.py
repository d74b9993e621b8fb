"""What the checks of task 12.1 share: a small generator, its values, and wrong averages."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Probe, fail

Z_DIM = 4


class Painter(nn.Module):
    """Latents (N, 4) to images (N, 1, 4, 4), with batch normalisation and a buffer of its own."""

    def __init__(self, probe: Probe):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(Z_DIM, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 16), nn.Tanh()
        )
        self.register_buffer("palette", probe.randn(3))
        refill(self, probe)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).view(-1, 1, 4, 4)


def refill(network: nn.Module, probe: Probe) -> None:
    """Give all parameters and buffers new values, as a training step does."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(probe.randn(*parameter.shape))
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.copy_(probe.randn(*buffer.shape).abs() + 0.1)
            else:
                buffer.add_(probe.integer(2, 9))


def make(EMA: Callable, model: nn.Module, decay: object) -> object:
    ema = EMA(model, decay)
    averaged(ema, model)
    return ema


def averaged(ema: object, model: nn.Module) -> nn.Module:
    """The averaged network, which must be a module with the parameters and buffers of `model`."""
    what = "`ema.model`, a network like the trained one"
    if ema is None:
        fail(what, "no object: EMA(model, decay) gave None", "EMA is to be the class itself")
    if not hasattr(ema, "model"):
        fail(
            what,
            f"a {type(ema).__name__} object without the attribute `model`",
            "assign the copy to self.model",
        )
    average = ema.model
    if isinstance(average, dict):
        fail(what, "a dictionary", "keep a copy of the whole network, not only its state_dict")
    if not isinstance(average, nn.Module):
        fail(what, f"a {type(average).__name__}", "self.model = copy.deepcopy(model), and go on")
    for kind in ("parameters", "buffers"):
        own = {k: tuple(v.shape) for k, v in getattr(model, f"named_{kind}")()}
        came = {k: tuple(v.shape) for k, v in getattr(average, f"named_{kind}")()}
        if own != came:
            missing = ", ".join(own.keys() ^ came.keys()) or "other shapes"
            fail(
                f"the same {kind} in ema.model as in the model, under the same names",
                f"a difference: {missing}",
                "ema.model is another kind of network, or wrapped in one: it is to be a deep copy",
            )
    return average


def update(ema: object, model: nn.Module) -> None:
    if not callable(getattr(ema, "update", None)):
        fail(
            "a method ema.update(model)",
            "none",
            "its name is missing, misspelt or indented wrongly",
        )
    ema.update(model)


def values_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def parameters_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone().double() for name, value in network.named_parameters()}


def wrong_averages(start: Tensor, seen: list[Tensor], decay: float) -> list[tuple[str, Tensor]]:
    """What wrong formulas make of one parameter that had the values `seen` in turn."""

    def average(start: Tensor, keep: Callable[[int], float], values: list[Tensor]) -> Tensor:
        for k, value in enumerate(values):
            start = keep(k) * start + (1 - keep(k)) * value
        return start

    swapped = average(start, lambda _: 1 - decay, seen)
    zero = average(torch.zeros_like(start), lambda _: decay, seen)
    added = start
    for value in seen:
        added = decay * added + value
    faded = start
    for value in seen:
        faded = faded + (1 - decay) * value
    ramped = average(start, lambda k: min(decay, (1 + k) / (10 + k)), seen)
    ramped_1 = average(start, lambda k: min(decay, (2 + k) / (11 + k)), seen)
    plain = average(start, lambda k: 1 - 1 / (k + 2), seen)
    plain_new = average(start, lambda k: 1 - 1 / (k + 1), seen)
    ramp = (
        "the decay begins small and grows: here it is always self.decay; who wants a ramp sets "
        "ema.decay before an update"
    )
    mean = "this is the plain mean of all values: older ones are to fade by `decay` at each update"
    return [
        ("the shares are swapped: the old average keeps the share `decay`, the new value comes in "
         "with 1 - decay", swapped),
        ("nothing moves: the new numbers are computed and not written into the average (use "
         "copy_, mul_ and add_, or lerp_)", start),
        ("this is a copy of the newest weights: the average is overwritten, or shares its memory "
         "with the model", seen[-1]),
        ("the average begins at 0: it begins at the model's weights of that time", zero),
        ("the average begins at 0 and is corrected for that, as in Adam: here it begins at the "
         "model's weights", zero / (1 - decay ** len(seen))),
        ("the new value comes in with its full weight: multiply it by 1 - decay", added),
        ("the old average is not multiplied by decay before the new value is added", faded),
        (ramp, ramped),
        (ramp, ramped_1),
        (mean, plain),
        (mean, plain_new),
    ]  # fmt: skip


def storages(network: nn.Module) -> dict[int, str]:
    everything = (*network.named_parameters(), *network.named_buffers())
    return {value.untyped_storage().data_ptr(): name for name, value in everything}


def require_same(before: dict[str, Tensor], now: dict[str, Tensor], what: str, likely: str) -> None:
    for name, value in before.items():
        if not torch.equal(value, now[name]):
            fail(f"{what} as before", f"other values in {name}", likely)
