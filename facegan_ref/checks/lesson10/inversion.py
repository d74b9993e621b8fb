"""Checks of lesson 10's way back: task 10.5, invert."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.explain import explain_exception
from facegan_ref.checks.lesson10.probe import (
    FORGOT_EVAL,
    Z_DIM,
    TinyFaces,
    Untouched,
    require_tensor,
)
from facegan_ref.checks.scalar_loss import vector

STEPS = 200


class Result:
    """What one call of `invert` returned, checked in form; `error` is the picture's at the end."""

    def __init__(self, invert: Callable, generator: TinyFaces, image: Tensor, steps: int = STEPS):
        self.generator, self.image, self.steps = generator, image, steps
        before = image.clone()
        came = _call(invert, generator, image, steps)
        if not torch.equal(image, before):
            fail("the image as it was", "other values in it", "an in-place operation on the image")
        pair = f"the pair (z, losses) for {steps} steps"
        if came is None:
            fail(pair, "None", "the function has no return")
        if isinstance(came, Tensor):
            fail(pair, f"one tensor of shape {tuple(came.shape)}", "return z, losses")
        if not isinstance(came, (tuple, list)) or len(came) != 2:
            size = f" of {len(came)}" if isinstance(came, (tuple, list)) else ""
            fail(pair, f"a {type(came).__name__}{size}", "return z, losses")
        z, losses = came
        if isinstance(z, Tensor) and z.requires_grad:
            fail("z without its graph", "a z with requires_grad", "return z.detach()")
        if isinstance(z, Tensor) and z.shape == (Z_DIM,):
            z = z[None]
        likely = (
            "these may be the losses: z comes first"
            if isinstance(z, Tensor) and z.ndim < 2
            else "latent_size(generator) says how many numbers a latent has"
        )
        if isinstance(z, (list, float)):
            fail("the latent first", f"a {type(z).__name__}", "z comes first, then the losses")
        self.z = require_tensor(z, "the latent", (1, Z_DIM), likely)
        self.losses = _numbers(losses, steps)
        if not bool(self.z.isfinite().all()):
            fail("a finite latent", vector(self.z), "the steps are too large: take lr = 0.1")
        self.error = float((generator.faces(self.z) - image).square().mean())

    def explain(self) -> str | None:
        """Why the error is no smaller, by what the generator was asked for."""
        log = self.generator.log
        if not log:
            return "the generator was never asked for a picture"
        if self.generator.used_in_training_mode:
            return FORGOT_EVAL
        asked = [z for z, _, _ in log if z.ndim == 2 and z.shape[1] == Z_DIM]
        if len(asked) < 2:
            return f"the generator was asked once, for {self.steps} steps: compute the loss anew"
        if all(torch.equal(z, asked[0]) for z in asked):
            return (
                "z never moves: is z in the optimizer, is optimizer.step() called, and does the "
                "generator get z itself, not a copy or z.detach()?"
            )
        if any(torch.equal(self.z, row[None]) for row in asked[0]):
            return "this is the latent from which the descent starts: return the one that was moved"
        return self._explain_descent(asked)

    def _explain_descent(self, asked: list[Tensor]) -> str | None:
        first, second = asked[0], asked[1]
        if first.shape == second.shape and len(first) == 1:
            grad = self._gradient(first)
            move = second - first
            if float((grad * move).sum()) > 0:
                return (
                    "the descent goes uphill: subtract the gradient, or let the optimizer make the "
                    "loss itself smaller, not its negative"
                )
            if len(asked) > 12 and self._accumulates(asked):
                return (
                    "gradients of earlier steps are added to the new ones: call "
                    "optimizer.zero_grad(), with parentheses, in each step"
                )
            if float(move.norm()) < 0.05:
                return (
                    f"the first step moves z by {number(float(move.norm()))}, so that "
                    f"{self.steps} of them do not get there: Adam with lr = 0.1 does"
                )
        if all(not torch.allclose(z.norm(), first.norm(), rtol=0.5) for z in asked[-3:]):
            return "z runs far away: the steps are too large. Adam with lr = 0.1 is a good choice"
        return None

    def _gradient(self, z: Tensor) -> Tensor:
        """The gradient of the mean squared error at `z` `(1, 5)`, in evaluation mode."""
        twin = TinyFaces(Probe(0))
        twin.load_state_dict(self.generator.state_dict())
        z = z.clone().requires_grad_()
        error = (twin.eval()(z) - self.image).square().mean()
        return torch.autograd.grad(error, z)[0]

    def _accumulates(self, asked: Sequence[Tensor]) -> bool:
        """Whether the first moves are those of an optimizer whose gradients are never cleared."""
        move, grad = asked[1] - asked[0], self._gradient(asked[0])
        for kind, lr in (
            (torch.optim.Adam, float(move.abs().mean())),
            (torch.optim.SGD, float(-(move * grad).sum() / (grad * grad).sum())),
        ):
            clear, unclear = (
                self._replay(kind, lr, asked[0], cleared) for cleared in (True, False)
            )
            if torch.allclose(unclear, asked[10], rtol=0.02, atol=0.1 * lr):
                return not torch.allclose(clear, unclear, rtol=0.02, atol=0.1 * lr)
        return False

    def _replay(self, kind: type, lr: float, start: Tensor, cleared: bool) -> Tensor:
        """Where ten steps of an optimizer lead from `start`."""
        z = start.clone().requires_grad_()
        optimizer = kind([z], lr=max(lr, 1e-9))
        for _ in range(10):
            grad = self._gradient(z.detach())
            z.grad = grad if cleared or z.grad is None else z.grad + grad
            optimizer.step()
        return z.detach()


def _call(invert: Callable, generator: TinyFaces, image: Tensor, steps: int) -> object:
    """`invert(generator, image, steps)`, with its own words for what often goes wrong."""
    try:
        return invert(generator, image, steps)
    except (RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())
        named = (
            ("leaf Variable that requires grad", "z is changed in place while torch follows it: "
             "step under torch.no_grad(), or let an optimizer do it"),
            ("mat1 and mat2 shapes", "the latent has another size than the generator's: "
             "latent_size(generator) says how many numbers it has"),
            ("can't optimize a non-leaf", "z is the result of a computation (*, .to, .clone): "
             "call requires_grad_() last, on z.detach()"),
            ("does not require grad", "no path leads from the loss to z: z needs requires_grad, "
             "and the images come from generator(z), not from sample, which works under no_grad"),
            ("backward through the graph a second time", "the image is made once, before the loop: "
             "make it anew from z in each step"),
            ("one of the differentiated Tensors", "z needs requires_grad before the loss is "
             "computed"),
            ("appears to not have been used", "the loss does not depend on this z: give the "
             "generator the very tensor whose gradient you ask for"),
        )  # fmt: skip
        for words, likely in named:
            if words in text:
                fail("a latent", explain_exception(error)[0], likely)
        raise


def _numbers(losses: object, steps: int) -> list[float]:
    """The losses as plain numbers: one for each step, with or without one after the last."""
    what = f"the losses, {steps} numbers (or {steps + 1})"
    if isinstance(losses, Tensor):
        if losses.requires_grad:
            fail(what, "a tensor with a graph", "keep loss.detach() or loss.item() in each step")
        losses = list(losses.flatten()) if losses.ndim else [losses]
    if not hasattr(losses, "__len__"):
        fail(what, f"a {type(losses).__name__}", "keep the loss of every step, in a list")
    if len(losses) not in (steps, steps + 1):
        fail(what, f"{len(losses)} of them", "append the loss of every step to a list")
    if any(isinstance(loss, Tensor) and loss.requires_grad for loss in losses):
        fail(what, "losses with their graphs", "keep loss.detach() or loss.item() in each step")
    if any(isinstance(loss, Tensor) and loss.numel() != 1 for loss in losses):
        fail(what, "tensors of several numbers", "take the mean over the image")
    return [float(loss) for loss in losses]


def _task_at(probe: Probe, training: bool = False) -> tuple[TinyFaces, Tensor]:
    """A generator, and the picture that it makes of a latent somewhere."""
    generator = TinyFaces(probe)
    image = generator.faces(0.9 * probe.randn(1, Z_DIM))[0]
    return generator.train(training), image


def _name_loss(loss: float, images: Tensor, image: Tensor) -> str | None:
    """Which other measure of the difference the number is, for one of the images."""
    difference = images - image
    error = difference.square().mean((1, 2, 3))
    pixels = image.numel()
    for name, other in (
        ("the squares are summed: take their mean", pixels * error),
        ("the squares are summed over the pixels: take the mean of all", pixels / 3 * error),
        ("the squares are summed over the colours: take the mean of all", 3 * error),
        ("the images are moved to [0, 1] first: compare them as they are", error / 4),
        ("the images are moved to 0 … 255 first: compare them as they are", 127.5**2 * error),
        ("this is half of the mean squared error", error / 2),
        ("this is the root of the mean squared error", error.sqrt()),
        ("this is the mean of absolute values, not of squares", difference.abs().mean((1, 2, 3))),
        ("mean and square are swapped: (mean of differences)² lets errors cancel",
         difference.mean((1, 2, 3)).square()),
    ):  # fmt: skip
        if bool(((other - loss).abs() <= 1e-3 * abs(loss)).any()):
            return name
    return None


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 10.5."""

    @lesson.check("10.5", points=0.5)
    def returns_latent_and_losses(invert, probe: Probe) -> None:
        """invert gives the latent (1, z_dim) and the mean squared error of every step."""
        generator, image = _task_at(probe)
        result = Result(invert, generator, image, probe.integer(6, 12))
        if not result.generator.log:
            fail("errors of the generator's pictures", "the generator was never used", None)
        if result.generator.used_in_training_mode:
            return  # another check says so
        images = torch.cat([images for _, images, _ in generator.log])
        errors = (images - image).square().mean((1, 2, 3))
        for loss in result.losses:
            if not bool(((errors - loss).abs() <= 1e-3 * loss + 1e-6).any()):
                fail(
                    "losses that are mean squared errors between G(z) and the image, such as "
                    f"{number(float(errors[0]))} at the first step",
                    number(loss),
                    _name_loss(loss, images, image)
                    or "is anything added to it (a penalty), or is it not the mean of squares?",
                )

    @lesson.check("10.5", points=1)
    def lowers_the_error(invert, probe: Probe) -> None:
        """The returned latent's picture is nearer to the image than that of the start."""
        generator, image = _task_at(probe)
        result = Result(invert, generator, image, 60)
        first, last = result.losses[0], result.losses[-1]
        if not (last < 0.7 * first and result.error < 0.7 * first):
            fail(
                f"after 60 steps a loss clearly below the first one, {number(first)}",
                f"a last loss of {number(last)}, and {number(result.error)} for the returned z",
                "the returned z is good, but the losses are not in the order of the steps"
                if result.error < 1.1 * first < last
                else result.explain(),
            )

    @lesson.check("10.5", points=1)
    def finds_a_generated_face_again(invert, probe: Probe) -> None:
        """200 steps find a latent whose picture is nearly the given one, when the generator can
        make it."""
        generator, image = _task_at(probe)
        result = Result(invert, generator, image)
        _require_found(
            result,
            probe,
            "the descent stops too early, or overshoots: Adam with lr = 0.1, gradients cleared in "
            "each step",
        )

    @lesson.check("10.5", points=1)
    def leaves_the_generator_alone(invert, probe: Probe) -> None:
        """The generator's weights, statistics, mode and flags are as before, and no gradients are
        left in it."""
        for training in (False, True):
            generator, image = _task_at(probe, training)
            untouched = Untouched(generator)
            Result(invert, generator, image, 5)
            untouched.require()

    @lesson.check("10.5", points=0.5)
    def works_in_evaluation_mode(invert, probe: Probe) -> None:
        """The pictures that are compared are those of evaluation mode, in whatever mode the
        generator comes."""
        generator, image = _task_at(probe, training=True)
        result = Result(invert, generator, image)
        if generator.used_in_training_mode:
            fail(
                "pictures made in evaluation mode",
                f"an error of {number(result.error)} there, where the loss says "
                f"{number(result.losses[-1])}",
                FORGOT_EVAL,
            )
        _require_found(result, probe)


def _require_found(result: Result, probe: Probe, likely: str | None = None) -> None:
    """The error is below a twentieth of what random latents give."""
    faces = result.generator.faces(probe.randn(64, Z_DIM))
    most = 0.05 * float((faces - result.image).square().mean())
    if not result.error < most:
        fail(
            f"an error below {number(most)}, a twentieth of that of random latents",
            number(result.error),
            result.explain() or likely,
        )
