"""Checks of lesson 7's dials: task 7.3."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Lesson, Probe, fail, number, require_type
from facegan_ref.checks.lesson07.probe import IMAGE, TinyDiscriminator
from facegan_ref.checks.scalar_loss import close
from facegan_ref.checks.step_probe import weights

DIALS = ("d_real", "d_fake", "acc_real", "acc_fake")
Evaluate = Callable[[nn.Module, Tensor, Tensor], object]


class FirstPixel(nn.Module):
    """A discriminator that answers each image with its first pixel, in a given shape."""

    def __init__(self, shape: tuple[int, ...] = ()):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return (self.scale * x.flatten(1)[:, 0]).view(-1, *self.shape)


def images(logits: Tensor) -> Tensor:
    """Images to which `FirstPixel` answers these logits."""
    pictures = torch.zeros(len(logits), *IMAGE)
    pictures[:, 0, 0, 0] = logits
    return pictures


def dials(evaluate_balance: Evaluate, discriminator: nn.Module, real: Tensor, fake: Tensor):
    """The four floats that the student's function returns; fails if it returns something else."""
    one = "a dict with the floats d_real, d_fake, acc_real and acc_fake"
    returned = evaluate_balance(discriminator, real, fake)
    returned = require_type(returned, dict, one, "return a dict: its keys are the names")
    missing = [key for key in DIALS if key not in returned]
    if missing:
        fail(one, f"the keys {sorted(map(str, returned))}", f"{missing[0]} is missing or misspelt")
    for key in DIALS:
        value = returned[key]
        if isinstance(value, Tensor):
            graph = value.requires_grad
            what = f"a tensor of shape {tuple(value.shape)} for {key}" + " with a graph" * graph
            likely = "make it a number: .mean().item(), and ask D under torch.no_grad()"
            fail(one, what, likely)
        if not isinstance(value, float):
            fail(one, f"a {type(value).__name__} for {key}", "make it a number by float(…)")
    return returned


def _scores_of(real: Tensor, fake: Tensor) -> dict[str, float]:
    return {
        "d_real": float(real.sigmoid().mean()),
        "d_fake": float(fake.sigmoid().mean()),
        "acc_real": float((real > 0).float().mean()),
        "acc_fake": float((fake < 0).float().mean()),
    }


def _score_mistakes(x: Tensor, other: Tensor, key: str) -> list[tuple[str, float]]:
    mean = float(x.sigmoid().mean())
    swapped = "the two batches are swapped" if key == "d_real" else "D(G(z)) is the score of fakes"
    return [
        (
            "this is the sigmoid of the mean logit: take the sigmoid of each logit, then the mean",
            float(x.mean().sigmoid()),
        ),
        ("this is the mean logit: the sigmoid is missing", float(x.mean())),
        (f"{swapped}: {key} belongs to the other batch", float(other.sigmoid().mean())),
        ("the sigmoid is applied twice", float(x.sigmoid().sigmoid().mean())),
        ("this is 1 - D: both dials are D's score for \"real\"", 1 - mean),
        ("a percentage: leave it between 0 and 1", 100 * mean),
        ("summed over the batch: take the mean", mean * len(x)),
        ("this is the median, not the mean", float(x.sigmoid().median())),
        ("a softmax over the batch: each logit needs a sigmoid of its own",
         float(x.softmax(0).mean())),
        ("this is tanh of the logits, not the sigmoid", float(x.tanh().mean())),
        ("this is a logarithm of the score, as in the losses", float(x.sigmoid().log().mean())),
        ("rounded: return the number as it is", round(mean, 2)),
        ("rounded: return the number as it is", round(mean, 1)),
    ]  # fmt: skip


def _accuracy_mistakes(real: Tensor, fake: Tensor, key: str) -> list[tuple[str, float]]:
    x = real if key == "acc_real" else fake
    right = (x > 0) if key == "acc_real" else (x < 0)
    share, n = float(right.float().mean()), len(x)
    inverted = (
        "inverted: for fakes D is right where the logit is below 0"
        if key == "acc_fake"
        else "inverted: for real images D is right where the logit is above 0"
    )
    both = (float((real > 0).sum()) + float((fake < 0).sum())) / (len(real) + len(fake))
    halves = (float((real > 0).float().mean()) + float((fake < 0).float().mean())) / 2
    return [
        (inverted, float((x < 0 if key == "acc_real" else x > 0).float().mean())),
        (inverted, 1 - share),
        (
            "the logit is compared with 0.5: a score of ½ is a logit of 0",
            float((x > 0.5 if key == "acc_real" else x < 0.5).float().mean()),
        ),
        ("a percentage: leave it between 0 and 1", 100 * share),
        ("counted: divide by the number of images", share * n),
        (
            "divided by the number of images of the other batch",
            share * n / (len(fake) if key == "acc_real" else len(real)),
        ),
        ("one accuracy for both batches together: each has its own", both),
        ("one accuracy for both batches together: each has its own", halves),
        ("divided by the number of all images: each accuracy is of its own batch",
         share * n / (len(real) + len(fake))),
        ("this is the mean score, not the share that D gets right", float(x.sigmoid().mean())),
        ("only the sign of the batch's mean is looked at", float(x.mean() > 0)),
        ("only the sign of the batch's mean is looked at", float(x.mean() < 0)),
    ]  # fmt: skip


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 7.3."""
    lesson.check("7.3", points=1)(mean_scores)
    lesson.check("7.3", points=0.5)(shares_that_are_right)
    lesson.check("7.3", points=0.5)(batches_of_any_size)
    lesson.check("7.3", points=0.5)(asks_in_evaluation_mode)
    lesson.check("7.3", points=0.5)(leaves_the_discriminator_as_it_was)


def _logits(probe: Probe, n: int, shift: float) -> Tensor:
    """n logits of both signs, none near 0, whose mean score is not the score of their mean."""
    x = 2 * probe.randn(n) + shift
    x[0], x[1] = 6.0, -1.5
    return torch.where(x.abs() < 0.05, torch.full_like(x, 0.3), x)


def mean_scores(evaluate_balance: Evaluate, probe: Probe) -> None:
    """d_real and d_fake are the mean scores, sigmoid of the logits, of the two batches."""
    real, fake = _logits(probe, 9, 1.0), _logits(probe, 9, -1.0)
    came = dials(evaluate_balance, FirstPixel(), images(real), images(fake))
    expected = _scores_of(real, fake)
    for key, x, other in (("d_real", real, fake), ("d_fake", fake, real)):
        if not close(came[key], expected[key]):
            mistakes = _score_mistakes(x, other, key)
            likely = next((name for name, value in mistakes if close(came[key], value)), None)
            fail(f"{key} = {number(expected[key])}", number(came[key]), likely)


def shares_that_are_right(evaluate_balance: Evaluate, probe: Probe) -> None:
    """acc_real and acc_fake are the shares that D gets right; a logit of exactly 0 is not right."""
    # 9 of the 11 real images and 4 of the fakes are right: no two mistakes have the same share.
    real, fake = (2 * probe.randn(11).abs() + 0.6 for _ in range(2))
    real[9:] *= -1
    fake[:4] *= -1
    real[0], real[1], fake[10] = 0.2, 0.3, 0.2
    for zeros in (False, True):
        if zeros:
            real[2] = fake[0] = fake[9] = 0.0
        order = torch.randperm(11, generator=probe.rng)
        came = dials(evaluate_balance, FirstPixel(), images(real[order]), images(fake[order]))
        expected = _scores_of(real, fake)
        for key in ("acc_real", "acc_fake"):
            if close(came[key], expected[key]):
                continue
            found = [(n, v) for n, v in _accuracy_mistakes(real, fake, key) if close(came[key], v)]
            likely = found[0][0] if found else None
            if zeros:
                likely = (
                    "a logit of exactly 0, a score of ½, is counted as right: compare with > 0 for "
                    "real and < 0 for fake"
                )
            what = " where some logits are exactly 0" if zeros else ""
            fail(f"{key} = {number(expected[key])}{what}", number(came[key]), likely)


def batches_of_any_size(evaluate_balance: Evaluate, probe: Probe) -> None:
    """The batches may differ in size, and the logits may be (N,) or (N, 1)."""
    for n, m, shape in ((7, 3, ()), (2, 5, (1,)), (1, 4, ()), (4, 1, (1,)), (1, 1, ())):
        real, fake = 2 * probe.randn(n) + 0.01, 2 * probe.randn(m) - 0.01
        came = dials(evaluate_balance, FirstPixel(shape), images(real), images(fake))
        expected = _scores_of(real, fake)
        for key in DIALS:
            if not close(came[key], expected[key]):
                mistakes = (
                    _score_mistakes(*((real, fake) if key == "d_real" else (fake, real)), key)
                    if key.startswith("d_")
                    else _accuracy_mistakes(real, fake, key)
                )
                likely = next((name for name, value in mistakes if close(came[key], value)), None)
                fail(
                    f"{key} = {number(expected[key])} for {n} real and {m} fake images, with "
                    f"logits of shape (N{', 1' if shape else ','})",
                    number(came[key]),
                    likely or "each dial is a mean over its own batch",
                )


def asks_in_evaluation_mode(evaluate_balance: Evaluate, probe: Probe) -> None:
    """D is asked in evaluation mode: a score depends on its own image alone."""
    real, fake = 0.5 * probe.randn(6, *IMAGE) + 0.5, 0.5 * probe.randn(4, *IMAGE)
    for training in (True, False):
        discriminator = TinyDiscriminator(probe.rng, norm=True)
        with torch.no_grad():
            discriminator.eval()
            expected = _scores_of(discriminator(real), discriminator(fake))
            discriminator.train()
            before = {key: value.clone() for key, value in discriminator.state_dict().items()}
            in_training = _scores_of(discriminator(real), discriminator(fake))
            mixed = discriminator(torch.cat([real, fake])).split([len(real), len(fake)])
            discriminator.load_state_dict(before)
        discriminator.train(training)
        came = dials(evaluate_balance, discriminator, real, fake)
        for key in ("d_real", "d_fake"):
            if not close(came[key], expected[key], 1e-3):
                likely = None
                if close(came[key], in_training[key], 1e-3):
                    likely = (
                        "D was asked in training mode, where batch normalisation uses the batch's "
                        "statistics: call discriminator.eval() first"
                    )
                elif close(came[key], _scores_of(*mixed)[key], 1e-3):
                    likely = "both batches went through D as one, in training mode"
                fail(
                    f"{key} = {number(expected[key])} from a D with batch normalisation in "
                    f"{'training' if training else 'evaluation'} mode before the call",
                    number(came[key]),
                    likely,
                )


def leaves_the_discriminator_as_it_was(evaluate_balance: Evaluate, probe: Probe) -> None:
    """Mode, weights, running statistics and gradients of D are as before."""
    real, fake = probe.randn(6, *IMAGE), probe.randn(4, *IMAGE)
    for training in (True, False):
        discriminator = TinyDiscriminator(probe.rng, norm=True).train(training)
        before = weights(discriminator), discriminator.statistics()
        # Fakes that still hang on their generator: looking must not send gradients there.
        attached = fake.clone().requires_grad_()
        evaluate_balance(discriminator, real, attached)
        if discriminator.training != training:
            fail(
                f"D in {_mode(training)} mode after the call, as before it",
                f"{_mode(not training)} mode",
                "the mode is not put back: remember discriminator.training at the beginning, and "
                "discriminator.train(was_training) at the end",
            )
        if not torch.equal(before[1], discriminator.statistics()):
            fail(
                "the running statistics of D's batch normalisation as before",
                "other ones",
                "D was run in training mode: torch.no_grad() does not keep batch normalisation "
                "from counting, eval() does",
            )
        if not torch.equal(before[0], weights(discriminator)):
            fail("D's weights as before", "other weights", "D is trained while it is looked at")
        if attached.grad is not None or any(p.grad is not None for p in discriminator.parameters()):
            fail("no gradients", "gradients", "backward has no place here")
        if not torch.is_grad_enabled():
            torch.set_grad_enabled(True)
            fail(
                "gradients to be switched on again after the call",
                "torch.is_grad_enabled() is False",
                "use `with torch.no_grad():`, which ends by itself, not set_grad_enabled(False)",
            )
        trainable = all(p.requires_grad for p in discriminator.parameters())
        if not trainable:
            fail("trainable parameters as before", "requires_grad = False", "D stays frozen")


def _mode(training: bool) -> str:
    return "training" if training else "evaluation"
