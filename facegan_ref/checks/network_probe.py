"""What checks of networks share: build one, read outputs, ask whether it is linear and learns."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import fail


def build(factory: Callable[..., nn.Module], *arguments: object) -> nn.Module:
    """`factory(*arguments)`, which must be a module with all layers registered."""
    if isinstance(factory, nn.Module):
        fail(
            "the class itself",
            f"one {type(factory).__name__} that was made from it",
            "an assignment gave the class's name to an instance: choose another name for that",
        )
    network = factory(*arguments)
    if not isinstance(network, nn.Module):
        fail(
            "a torch.nn.Module",
            f"a {type(network).__name__}",
            "the class must inherit from nn.Module",
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in network.parameters()):
        # Lazy layers get their weights from a first batch: latents (2, z_dim) or samples.
        shape = arguments[0] if isinstance(arguments[0], tuple) else arguments[:1]
        with torch.no_grad():
            network(torch.zeros(2, *shape))
    return network


def output(network: nn.Module, x: Tensor) -> Tensor:
    """The network's output for `x` in evaluation mode; must be a finite tensor of floats."""
    network.eval()
    out = network(x)
    what = f"a float tensor for an input of shape {tuple(x.shape)}"
    if not isinstance(out, Tensor):
        likely = "forward has no return" if out is None else "forward must return the output alone"
        fail(what, f"a {type(out).__name__}", likely)
    if not out.is_floating_point():
        fail(what, f"a tensor of {out.dtype}", "the output was rounded or compared")
    if not bool(torch.isfinite(out).all()):
        fail(what + " without nan and inf", "nan or inf in the output", None)
    return out


def require_independent(network: nn.Module, x: Tensor, item: str) -> None:
    """Each row of the output comes from its own row of `x`, and twice the same."""
    together = output(network, x).detach()
    again = output(network, x).detach()
    if not torch.allclose(together, again, atol=1e-6):
        fail(
            f"the same output for the same {item} in evaluation mode, twice",
            f"outputs that differ by up to {float((together - again).abs().max()):.3g}",
            "layers are made anew in forward, or noise or dropout is on in evaluation mode "
            "(F.dropout needs training=self.training)",
        )
    alone = torch.cat([output(network, row[None]).detach().reshape(1, -1) for row in x])
    gap = float((together.reshape(len(x), -1) - alone).abs().max())
    if gap > 1e-4:
        fail(
            f"the output for a {item} to be the same in a batch of {len(x)} and alone",
            f"outputs that differ by up to {gap:.3g}",
            "the batch dimension is mixed with the others (a view or reshape that does not keep "
            "it), or statistics of the batch are used in evaluation mode",
        )


def require_all_inputs_used(network: nn.Module, x: Tensor, item: str) -> None:
    """Every number of the input has an influence on the output."""
    x = x.clone().requires_grad_(True)
    out = output(network, x)
    if not out.requires_grad:
        fail(
            f"an output that depends on the {item}",
            "an output without a graph",
            "the input is not used, or the output is detached or computed under torch.no_grad()",
        )
    different = torch.linspace(0.5, 1.5, out.numel()).view_as(out)
    (grad,) = torch.autograd.grad((out * different).sum(), x, allow_unused=True)
    used = 0 if grad is None else int((grad.abs().flatten(1).sum(0) > 0).sum())
    if used < x[0].numel():
        fail(
            f"an output that depends on all {x[0].numel()} numbers of the {item}",
            f"dependence on {used} of them",
            "the input is replaced, sliced, detached or multiplied by 0 on its way",
        )


def require_not_affine(network: nn.Module, x: Tensor, squashed: bool) -> None:
    """The network is no affine map, also not one behind a tanh (`squashed`)."""
    network = copy.deepcopy(network).double()
    a, b = x.double(), x.flip(0).double() * 1.5 + 0.3
    views = [lambda y: y]
    if squashed:
        views.append(lambda y: torch.atanh(y.clamp(-1 + 1e-12, 1 - 1e-12)))
    for view in views:
        fa, fb, middle = (view(output(network, v).detach()) for v in (a, b, (a + b) / 2))
        spread = float((fa - fb).abs().max())
        if spread > 0 and float((middle - (fa + fb) / 2).abs().max()) < 1e-6 * spread:
            fail(
                "a network with a non-linearity between its layers",
                "an affine map: the output for the mean of two inputs is the mean of the outputs",
                "linear layers without an activation (nn.ReLU, nn.LeakyReLU) between them are "
                "together one linear layer",
            )


def require_hidden_dim(factory: Callable[[int], nn.Module], least: Callable[[int], int]) -> None:
    """`hidden_dim` sets the width, and all layers are registered: at least `least` parameters."""
    narrow, wide = (sum(p.numel() for p in factory(width).parameters()) for width in (8, 16))
    if narrow == 0:
        fail(
            "parameters that an optimizer can find",
            "none: list(network.parameters()) is empty",
            "layers in a plain Python list are not registered: use nn.Sequential or nn.ModuleList",
        )
    if not narrow < wide:
        fail(
            "more parameters with hidden_dim = 16 than with hidden_dim = 8",
            f"{wide} and {narrow}",
            "hidden_dim is not used as the width of a hidden layer",
        )
    if narrow < least(8):
        fail(
            f"at least {least(8)} parameters with hidden_dim = 8: from the input to a hidden "
            "layer of that width, and from there to the output",
            f"{narrow}",
            "a layer is missing, has a fixed width, or is not registered because it lies in a "
            "plain Python list",
        )


def require_learning(network: nn.Module, x: Tensor) -> None:
    """Every parameter takes part and gets a gradient."""
    network.train()
    out = network(x)
    weights = torch.linspace(-1.0, 1.3, out.numel()).view_as(out)
    (out * weights).sum().backward()
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            fail("trainable parameters", f"{name} with requires_grad = False", None)
        if parameter.grad is None:
            fail(
                "a gradient for every parameter",
                f"none for {name}, of shape {tuple(parameter.shape)}",
                "the layer is defined in __init__ and not used in forward, or the output is "
                "detached on the way",
            )
        # A bias in front of batch normalisation rightly has no gradient: look at weights only.
        if parameter.ndim > 1 and not bool((parameter.grad != 0).any()):
            fail(
                "a gradient that is not zero for every weight",
                f"only zeros for {name}",
                "the layer's output is multiplied by 0 or cut off on its way",
            )


def amplified(network: nn.Module, factor: float = 10.0) -> nn.Module:
    """A copy whose parameters are `factor` times as large: its output shows what bounds it."""
    network = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(factor)
    return network
