"""Checks of task 12.3: the penalty on D's slope at real images."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref import stabilise
from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.scalar_loss import close, vector

SHAPE = (3, 4, 5)
NO_GRAPH = (
    "create_graph=True is missing in torch.autograd.grad (or its result is detached): the gradient "
    "is then a constant, and D can't be trained to have a smaller one"
)


def _penalty(r1_penalty: Callable, logits: Tensor, images: Tensor) -> Tensor:
    """What the student's function returns, which must be one number with a graph."""
    what = f"one number, a scalar tensor, for images of shape {tuple(images.shape)}"
    try:
        came = r1_penalty(logits, images)
    except RuntimeError as error:
        text = str(error)
        if "appears to not have been used in the graph" in text:
            fail(
                "the gradient of these logits at these images",
                f"RuntimeError: {text[:80]} …",
                "images.detach(), .clone() or .requires_grad_() inside makes new images, on which "
                "the logits do not depend: use the argument as it is",
            )
        if "grad can be implicitly created only for scalar" in text:
            fail(
                "the gradient of each logit at its own image",
                f"RuntimeError: {text[:80]} …",
                "torch.autograd.grad needs one number or grad_outputs: use logits.sum()",
            )
        raise
    if came is None:
        fail(what, "None", "the return is missing")
    if isinstance(came, tuple) and len(came) == 1:
        fail(what, "a tuple of one", "torch.autograd.grad returns a tuple: (gradient,) = …")
    if not isinstance(came, Tensor):
        fail(
            what,
            f"a {type(came).__name__}",
            "`.item()`, float() or numpy cuts the graph: return the tensor itself",
        )
    if came.numel() != 1:
        fail(
            what,
            f"a tensor of shape {tuple(came.shape)}",
            "the mean over the images is missing, or the sum over the numbers of an image",
        )
    return came.reshape(())


def _name(came: float, gradient: Tensor) -> str | None:
    """The wrong formula that gives `came` for D's gradients `(N, ...)` at the images."""
    g = gradient.detach().double().flatten(1)
    n = len(g)
    square = g.square()
    norms = square.sum(1).sqrt()
    right = square.sum(1).mean()
    over_colours = gradient.detach().double().square().sum(1).mean()
    for name, value in (
        ("this is the norm: R1 is its SQUARE, so take no square root", norms.mean()),
        ("the mean over all numbers is taken: sum over the numbers of an image (else the penalty "
         "depends on the images' size), then take the mean over the images", square.mean()),
        ("the sum is over dimension 1 alone, the colours, and the mean over all pixels: flatten "
         "each image first, gradient.flatten(1)", over_colours),
        ("summed over the batch: take the mean over the images, so that it does not depend on the "
         "batch's size", square.sum()),
        ("this is the norm of the whole batch's gradient: each image has a gradient of its own",
         square.sum().sqrt()),
        ("this is (norm - 1)², the gradient penalty of WGAN-GP: R1 pulls the slope to 0",
         (norms - 1).square().mean()),
        ("this is half the penalty: the factor gamma / 2 is not part of r1_penalty", right / 2),
        ("multiplied by 10, which is WGAN-GP's lambda: the weight is not part of r1_penalty",
         10 * right),
        ("multiplied by 5 (gamma / 2 with gamma = 10): the weight is not part of r1_penalty",
         5 * right),
        ("the mean of the logits is differentiated: that divides each image's gradient by N. Use "
         "logits.sum()", right / n**2),
        ("the mean of the logits is differentiated and the sum of the squares taken: that is N "
         "times too small. Use logits.sum(), and the mean over the images", right / n),
        ("the absolute values are summed: square them", g.abs().sum(1).mean()),
        ("the gradients are summed before they are squared", g.sum(1).square().mean()),
        ("the gradients of the images are averaged first: square those of each image",
         g.mean(0).square().sum()),
        ("the square of the mean norm: square first, then take the mean", norms.mean().square()),
        ("the squared norms are squared once more", square.sum(1).square().mean()),
        ("the root of the mean: there is no square root in R1", right.sqrt()),
        ("the sign is wrong: a penalty is never below 0", -right),
    ):  # fmt: skip
        if close(came, float(value)) and not close(float(value), float(right)):
            return name
    return None


def _require(came: Tensor, expected: float, what: str, gradient: Tensor) -> None:
    if not close(float(came), expected):
        fail(f"{number(expected)} for {what}", number(float(came)), _name(float(came), gradient))


def _curved(probe: Probe, column: bool) -> nn.Module:
    """A D with curvature: its slope differs from image to image."""
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(math.prod(SHAPE), 5), nn.Tanh(), nn.Linear(5, 1)
    )
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(0.4 * probe.randn(*p.shape))
    return network if column else nn.Sequential(network, nn.Flatten(0))


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 12.3."""

    @lesson.check("12.3", points=1)
    def square_of_the_slope(r1_penalty, probe: Probe) -> None:
        """For a linear D, D(x) = w·x, it is ‖w‖²: squares, summed over all numbers of an image."""
        for shape in (SHAPE, (2,), (1, 6, 6)):
            for n in (4, probe.integer(5, 9)):
                images = probe.randn(n, *shape).requires_grad_(True)
                w = probe.randn(*shape)
                w = w * (2.3 / w.norm())
                logits = (images * w).flatten(1).sum(1) + 0.7
                came = _penalty(r1_penalty, logits, images)
                what = f"D(x) = w·x with ‖w‖ = 2.3 and {n} images of shape {shape}"
                _require(came, float(w.square().sum()), what, w.expand(n, *shape))

    @lesson.check("12.3", points=0.5)
    def mean_over_the_images(r1_penalty, probe: Probe) -> None:
        """Each image counts with its own slope, and the mean is over the images of the batch."""
        images = torch.tensor([[1.0], [-3.0]], requires_grad=True)
        came = _penalty(r1_penalty, images.square().sum(1) / 2, images)
        _require(came, 5.0, "two images where D's slopes are 1 and -3, (1 + 9) / 2", images)
        some = probe.randn(5, *SHAPE)
        network = _curved(probe, column=False)
        values = []
        for times in (1, 3):
            images = some.repeat(times, 1, 1, 1).requires_grad_(True)
            logits = network(images)
            (gradient,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
            came = _penalty(r1_penalty, logits, images)
            expected = float(gradient.flatten(1).square().sum(1).mean())
            what = f"a batch of {5 * times}" + ", three times the same five images" * (times == 3)
            _require(came, expected, what, gradient)
            values.append(float(came))
        for shape in ((1,), (1, 1), (4, 1), (4, 1, 1, 1)):
            images = probe.randn(shape[0], *SHAPE).requires_grad_(True)
            logits = network(images)
            (gradient,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
            came = _penalty(r1_penalty, logits.view(shape), images)
            expected = float(gradient.flatten(1).square().sum(1).mean())
            _require(came, expected, f"logits of shape {shape}", gradient)

    @lesson.check("12.3", points=1)
    def trains_the_discriminator(r1_penalty, probe: Probe) -> None:
        """The penalty has gradients for D's weights, so that D can be trained to be less steep."""
        w = probe.randn(12).requires_grad_(True)
        images = probe.randn(5, 3, 2, 2).requires_grad_(True)
        came = _penalty(r1_penalty, images.flatten(1) @ w, images)
        if not came.requires_grad:
            fail("a penalty with a graph", "a penalty without one", NO_GRAPH)
        (gradient,) = torch.autograd.grad(came, w, allow_unused=True)
        if gradient is None or not bool(gradient.any()):
            fail(f"the gradient 2w = {vector(2 * w)} for D(x) = w·x", "none", NO_GRAPH)
        if not torch.allclose(gradient, 2 * w.detach(), rtol=1e-3, atol=1e-5):
            fail(
                f"the gradient 2w = {vector(2 * w)} for D(x) = w·x",
                vector(gradient),
                _name(float(came), w.detach().expand(5, 12))
                or "part of the graph is cut on the way from D's weights to the penalty",
            )
        flat = torch.zeros(12, requires_grad=True)
        came = _penalty(r1_penalty, images.flatten(1) @ flat, images)
        (gradient,) = torch.autograd.grad(came, flat)
        if not bool(torch.isfinite(gradient).all()):
            fail(
                "the gradient 0 where D is flat, D(x) = 0",
                vector(gradient),
                "a square root on the way, whose derivative at 0 is infinite: sum the squares and "
                "take no root",
            )
        network = _curved(probe, column=True)
        weights = [p for p in network.parameters() if p.ndim > 1]
        images = probe.randn(6, *SHAPE).requires_grad_(True)
        wanted = torch.autograd.grad(stabilise.r1_penalty(network(images), images), weights)
        came = _penalty(r1_penalty, network(images), images)
        if not came.requires_grad:
            fail("a penalty with a graph", "a penalty without one", NO_GRAPH)
        gradients = torch.autograd.grad(came, weights, allow_unused=True)
        for a, b in zip(wanted, gradients, strict=True):
            if b is None or not torch.allclose(a, b, rtol=1e-3, atol=1e-5):
                fail(
                    f"the gradient {vector(a)} for a layer of a curved D",
                    "none" if b is None else vector(b),
                    NO_GRAPH if b is None else "part of the graph is cut or rounded on the way",
                )

    @lesson.check("12.3", points=0.5)
    def leaves_no_gradients_behind(r1_penalty, probe: Probe) -> None:
        """Nothing is left in `.grad`, and the logits' graph can still be used for D's loss."""
        network = _curved(probe, column=False)
        images = probe.randn(4, *SHAPE).requires_grad_(True)
        before = images.detach().clone()
        logits = network(images)
        penalty = _penalty(r1_penalty, logits, images)
        left = [name for name, p in network.named_parameters() if p.grad is not None]
        if images.grad is not None or left:
            where = "the images" if images.grad is not None else f"D's {left[0]}"
            fail(
                "no gradients in `.grad` of the images or of D's weights",
                f"gradients in {where}",
                "backward() writes into .grad of everything: torch.autograd.grad returns the "
                "gradient that you ask for and leaves no trace",
            )
        if not torch.equal(before, images.detach()) or not images.requires_grad:
            fail(
                "images as they were, with requires_grad",
                "changed images, or images without requires_grad",
                "use the images as they are",
            )
        loss = nn.functional.softplus(-logits).mean() + 0.5 * penalty
        try:
            loss.backward()
        except RuntimeError as error:
            fail(
                "a backward pass of D's loss plus the penalty",
                f"RuntimeError: {str(error)[:80]} …",
                NO_GRAPH,
            )
