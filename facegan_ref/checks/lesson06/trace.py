"""What lesson 6's checks ask of convolutional networks: the layers that ran, and shared weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from facegan_ref.checks import network_probe
from facegan_ref.checks.engine import fail
from facegan_ref.checks.explain import explain_exception

LAYERS = {
    "conv2d": "convolution",
    "conv_transpose2d": "transposed convolution",
    "linear": "linear layer",
    "matmul": "linear layer",
    "__matmul__": "linear layer",
    "addmm": "linear layer",
}
OTHER_NORMS = {
    "instance_norm": "instance normalisation",
    "group_norm": "group normalisation",
    "layer_norm": "layer normalisation",
    "rms_norm": "RMS normalisation",
    "local_response_norm": "local response normalisation",
}
# A weight of a convolution acts in many places; one of an MLP's last layer in a single pixel. Even
# one of a projection onto 8×8, or of a linear head on 8×8, reaches a twentieth of the image.
LEAST_SHARE = 0.02

# What torch says when sizes do not fit, and what it means here. First match counts.
_LIKELY = (
    (
        r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv",
        "convolutions take (N, C, H, W), and a latent is (N, z_dim): make it an image of one pixel "
        "first, z[:, :, None, None] or z.view(len(z), -1, 1, 1)",
    ),
    (
        r"to have \d+ channels, but got \d+ channels",
        "a layer's in_channels differ from the out_channels of the layer before it",
    ),
    (
        r"Kernel size can't be greater|Calculated padded input size|Output size is too small|"
        r"non-empty 3D or 4D|Expected size for first two|calculated output size",
        "the image has become smaller than the kernel: how many layers there are must follow from "
        "image_size",
    ),
    (
        r"running_mean should contain|weight should contain|Expected weight to be a vector",
        "a normalisation's width differs from the out_channels of the layer before it",
    ),
    (
        r"expected (2D or 3D|4D) input",
        "nn.BatchNorm2d takes images (N, C, H, W), nn.BatchNorm1d takes vectors (N, C)",
    ),
    (
        r"mat1 and mat2 shapes|shape '.*' is invalid for input|unflatten",
        "a Linear layer, a view or a reshape is made for one image_size or one width only",
    ),
)


@dataclass(frozen=True)
class Layer:
    """One operation of a forward pass, as torch was asked for it."""

    kind: str  # a value of LAYERS or OTHER_NORMS, or "batch normalisation"
    out: tuple[int, ...]


class _Recorder(TorchFunctionMode):
    """Writes down the layers that run, whether modules or functions ask for them."""

    def __init__(self):
        super().__init__()
        self.layers: list[Layer] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        kind = LAYERS.get(name) or OTHER_NORMS.get(name)
        if name == "batch_norm":
            kind = "batch normalisation"
        if kind and isinstance(result, Tensor):
            self.layers.append(Layer(kind, tuple(result.shape)))
        return result


def trace(network: nn.Module, x: Tensor) -> list[Layer]:
    """The layers and normalisations of one forward pass, in their order."""
    with _Recorder() as recorder:
        run(network, x)
    return recorder.layers


def explained(call: Callable[[], object]) -> object:
    """`call()`; when torch complains about sizes, fail with what that means."""
    try:
        return call()
    except (RuntimeError, ValueError) as error:
        likely = next((text for pattern, text in _LIKELY if re.search(pattern, str(error))), None)
        if likely is None:
            raise
        fail("no exception", explain_exception(error)[0], likely)


def build(factory: Callable[..., nn.Module], *arguments: int, like: Tensor) -> nn.Module:
    """`factory(*arguments)`, a module with all layers registered; `like` is an input for it."""
    if isinstance(factory, nn.Module):
        return network_probe.build(factory)
    network = explained(lambda: factory(*arguments))
    if isinstance(network, nn.Module) and any(
        isinstance(p, nn.parameter.UninitializedParameter) for p in network.parameters()
    ):
        run(network, like)
    return network_probe.build(lambda: network)


def run(network: nn.Module, x: Tensor) -> Tensor:
    """The network's output in evaluation mode, a finite tensor of floats."""
    return explained(lambda: network_probe.output(network, x))


def require_batch_norm(layers: list[Layer], network: str, first_has: bool) -> None:
    """Batch normalisation after each layer but the last; after the first if `first_has`."""
    norms = [layer.kind for layer in layers if layer.kind == "batch normalisation"]
    others = {layer.kind for layer in layers if layer.kind in OTHER_NORMS.values()}
    if others and not norms:
        fail(
            "nn.BatchNorm2d between the layers",
            " and ".join(sorted(others)),
            "other normalisations work too, but the paper's and the task's is nn.BatchNorm2d",
        )
    ends = "the last" if first_has else "the first and the last"
    expected = f"batch normalisation after each layer of {network} but {ends}"
    if not norms:
        fail(expected, "no batch normalisation at all", "nn.BatchNorm2d is missing")
    places = _places(layers)
    lacking = [
        f"the {_ordinal(i)} ({layers[place].kind}, shape {layers[place].out})"
        for i, place in enumerate(places[:-1])
        if (i or first_has) and not normalised_after(layers, i)
    ]
    if lacking:
        likely = (
            "only the last layer goes without nn.BatchNorm2d, the projection of z has one too"
            if first_has
            else "only the first and the last layer go without nn.BatchNorm2d"
        )
        fail(expected, f"none after {', '.join(lacking)} of its {len(places)} layers", likely)


def _places(layers: list[Layer]) -> list[int]:
    """Where in the list the layers with weights are."""
    return [i for i, layer in enumerate(layers) if layer.kind in LAYERS.values()]


def _ordinal(i: int) -> str:
    return ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")[min(i, 6)]


def normalised_after(layers: list[Layer], number: int) -> bool:
    """Whether batch normalisation comes between layer `number` (-1: the last) and the next one."""
    places = _places(layers)
    number %= len(places)
    between = layers[places[number] : [*places, len(layers)][number + 1]]
    return any(layer.kind == "batch normalisation" for layer in between)


def normalised_before_all(layers: list[Layer]) -> bool:
    """Whether the input itself is normalised."""
    return any(layer.kind == "batch normalisation" for layer in layers[: _places(layers)[0]])


def require_width(narrow: list[Layer], wide: list[Layer], name: str, image_channels: int) -> None:
    """All layers but the last are twice as wide when `name` is 8 as when it is 4."""
    kinds = LAYERS.values()
    small, large = ([layer.out for layer in run if layer.kind in kinds] for run in (narrow, wide))
    if len(small) != len(large):
        fail(
            f"as many layers with {name} = 8 as with {name} = 4",
            f"{len(large)} and {len(small)}",
            f"{name} sets the width; how many layers there are follows from image_size",
        )
    pairs = [
        (a[1], b[1])
        for a, b in zip(small[:-1], large[:-1], strict=True)
        if a[1] != image_channels or b[1] != image_channels
    ]
    fixed = [a for a, b in pairs if a == b]
    if pairs and len(fixed) == len(pairs):
        fail(
            f"layers that are twice as wide with {name} = 8 as with {name} = 4",
            f"the widths {', '.join(map(str, fixed))} in both",
            f"{name} is not used: the widths are fixed numbers",
        )
    for a, b in pairs:
        if b != 2 * a:
            fail(
                f"layers that are twice as wide with {name} = 8 as with {name} = 4",
                f"a layer of width {a} with {name} = 4 and {b} with {name} = 8",
                f"each width but the last is a multiple of {name}",
            )


def require_shared_weights(
    network: nn.Module, x: Tensor, image: Callable[[nn.Module, Tensor], Tensor], what: str
) -> None:
    """Each number in the weights acts in many places of an image, as a convolution's do.

    `image(network, x)` gives the tensors (N, C, S, S) on which the weights act.
    """
    network.eval()
    before = image(network, x)
    for name, weight in network.named_parameters():
        if weight.ndim < 2:
            continue
        out = network(x)
        ramp = torch.linspace(-1.0, 1.3, out.numel()).view_as(out)
        (grad,) = torch.autograd.grad((out * ramp).sum(), weight, allow_unused=True)
        if grad is None or not bool((grad != 0).any()):
            continue  # `learns` says so
        place = int(grad.abs().argmax())
        with torch.no_grad():
            old = weight.clone()
            weight.view(-1)[place] += 0.1 * float(weight.abs().max()) + 1e-3
        change = (image(network, x) - before).abs().amax(dim=(0, 1))
        with torch.no_grad():
            weight.copy_(old)
        share = float((change > 1e-3 * change.max()).float().mean())
        if 0 < share < LEAST_SHARE:
            fail(
                "each number in the weights to act in many places of the image",
                f"a number in {name}, of shape {tuple(weight.shape)}, that {what} "
                f"{round(share * change.numel())} of {change.numel()} pixels",
                "a fully connected layer between pixels: its weights are not shared between "
                "places. Use (transposed) convolutions; a Linear layer may only lead to or come "
                "from maps of 8×8 or smaller",
            )


def require_size_error(factory: Callable[[int], nn.Module]) -> None:
    """`factory(image_size)` raises ValueError for sizes that are no power of two."""
    for size in (48, 100, 63):
        try:
            factory(size)
        except ValueError:
            continue
        except NotImplementedError:
            raise
        except Exception as error:
            fail(
                f"a ValueError for image_size = {size}, when the network is made",
                explain_exception(error)[0],
                "call count_doublings(image_size) first: it raises the ValueError",
            )
        fail(
            f"a ValueError for image_size = {size}, when the network is made",
            "no exception",
            "a network is made that has another size than asked for: count_doublings(image_size) "
            "raises the ValueError",
        )
