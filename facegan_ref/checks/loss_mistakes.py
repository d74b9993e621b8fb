"""Wrong loss formulas that students write, each with what it is: checks recognise them by value."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facegan_ref.checks.scalar_loss import Formula


def _probabilities(logits: Tensor) -> Tensor:
    return logits.sigmoid()


def _bce(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _swapped(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(torch.full_like(logits, label), logits)


def _swapped_scores(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy(torch.full_like(logits, label), logits.sigmoid())


SWAPPED = "labels and logits are swapped: the cross-entropy takes the logits first, then the labels"
CLASSES = (
    "cross_entropy treats the logits as if the images of a batch were classes: use the binary one"
)
SOFTMAX = "a softmax over the batch: each logit needs a sigmoid of its own"
MEAN_FIRST = "the logits are averaged first: take the loss of each image, then the mean"

D_MISTAKES: tuple[tuple[str, Formula], ...] = (
    (
        "this is half the loss: take the sum of the two halves, not their mean",
        lambda r, f: (_bce(r, 1) + _bce(f, 0)) / 2,
    ),
    (
        "the losses are summed over the batch: take the mean of each half",
        lambda r, f: len(r) * _bce(r, 1) + len(f) * _bce(f, 0),
    ),
    (
        "the labels are swapped: real is 1, fake is 0",
        lambda r, f: _bce(r, 0) + _bce(f, 1),
    ),
    ("both batches have the label 1: fake is 0", lambda r, f: _bce(r, 1) + _bce(f, 1)),
    ("both batches have the label 0: real is 1", lambda r, f: _bce(r, 0) + _bce(f, 0)),
    ("the half of the fake batch is missing", lambda r, f: _bce(r, 1)),
    ("the half of the real batch is missing", lambda r, f: _bce(f, 0)),
    ("real_logits are used in both halves", lambda r, f: _bce(r, 1) + _bce(r, 0)),
    ("fake_logits are used in both halves", lambda r, f: _bce(f, 1) + _bce(f, 0)),
    ("the two arguments are swapped", lambda r, f: _bce(f, 1) + _bce(r, 0)),
    (
        "the minus is missing: this is the value that D makes large, its loss is the negative",
        lambda r, f: -_bce(r, 1) - _bce(f, 0),
    ),
    ("the fake half is subtracted: add it", lambda r, f: _bce(r, 1) - _bce(f, 0)),
    (
        "the sigmoid is applied twice: a with-logits loss applies it itself",
        lambda r, f: _bce(_probabilities(r), 1) + _bce(_probabilities(f), 0),
    ),
    (
        "the sigmoid is applied twice, and the halves are averaged instead of added",
        lambda r, f: (_bce(_probabilities(r), 1) + _bce(_probabilities(f), 0)) / 2,
    ),
    (SWAPPED, lambda r, f: _swapped(r, 1) + _swapped(f, 0)),
    (SWAPPED, lambda r, f: _swapped_scores(r, 1) + _swapped_scores(f, 0)),
    (CLASSES, lambda r, f: F.cross_entropy(r, torch.ones_like(r))),
    (MEAN_FIRST, lambda r, f: F.softplus(-r.mean()) + F.softplus(f.mean())),
    (SOFTMAX, lambda r, f: -r.log_softmax(0).mean() - (1 - f.softmax(0)).log().mean()),
    (
        "1 - log D is not log(1 - D)",
        lambda r, f: -F.logsigmoid(r).mean() - (1 - F.logsigmoid(f)).mean(),
    ),
    (
        "the sigmoid of 1 - logit is not 1 - D: that is the sigmoid of -logit",
        lambda r, f: -F.logsigmoid(r).mean() - F.logsigmoid(1 - f).mean(),
    ),
    ("the fake label is -1: it is 0", lambda r, f: _bce(r, 1) + _bce(f, -1)),
    (
        "the fake labels are smoothed to 0.1: here they are exactly 0",
        lambda r, f: _bce(r, 1) + _bce(f, 0.1),
    ),
    (
        "the real labels are smoothed to 0.9, and the halves are averaged instead of added",
        lambda r, f: (_bce(r, 0.9) + _bce(f, 0)) / 2,
    ),
    (
        "this is the relativistic loss, of differences of logits (lesson 12)",
        lambda r, f: F.softplus(f - r).mean(),
    ),
    (
        "the real labels are smoothed to 0.9: here they are exactly 1 (smoothing comes in "
        "lesson 8)",
        lambda r, f: _bce(r, 0.9) + _bce(f, 0),
    ),
    (
        "both labels are smoothed (0.9 and 0.1): here they are exactly 1 and 0",
        lambda r, f: _bce(r, 0.9) + _bce(f, 0.1),
    ),
    (
        "this is the least-squares loss of the probabilities, not the cross-entropy",
        lambda r, f: ((_probabilities(r) - 1) ** 2).mean() + (_probabilities(f) ** 2).mean(),
    ),
    (
        "this is the least-squares loss of the logits, not the cross-entropy",
        lambda r, f: ((r - 1) ** 2).mean() + (f**2).mean(),
    ),
    ("this is the hinge loss", lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean()),
    ("this is the Wasserstein critic's loss: the logarithms are missing",
     lambda r, f: f.mean() - r.mean()),
    ("the logarithm is missing: these are mean probabilities",
     lambda r, f: _probabilities(f).mean() - _probabilities(r).mean()),
    (
        "the logarithm is taken of the mean probability: take the mean of the logarithms",
        lambda r, f: -_probabilities(r).mean().log() - (1 - _probabilities(f)).mean().log(),
    ),
    (
        "log base 2 in place of the natural logarithm",
        lambda r, f: (_bce(r, 1) + _bce(f, 0)) / math.log(2),
    ),
    (
        "log base 10 in place of the natural logarithm",
        lambda r, f: (_bce(r, 1) + _bce(f, 0)) / math.log(10),
    ),
)  # fmt: skip

MINIMAX_MISTAKES: tuple[tuple[str, Formula], ...] = (
    (
        "the sign is wrong: mean(log(1 - D)) is never above 0; its negative is what D minimises",
        lambda f: _bce(f, 0),
    ),
    ("this is the non-saturating loss, -mean(log D): task 3.3", lambda f: _bce(f, 1)),
    ("this is +mean(log D): the logarithm must be of 1 - D", lambda f: -_bce(f, 1)),
    ("summed over the batch: take the mean", lambda f: -len(f) * _bce(f, 0)),
    ("summed over the batch, and the sign is wrong", lambda f: len(f) * _bce(f, 0)),
    (
        "the sigmoid is applied twice: a with-logits function applies it itself",
        lambda f: -_bce(_probabilities(f), 0),
    ),
    (SWAPPED, lambda f: -_swapped(f, 0)),
    (SWAPPED, lambda f: -_swapped_scores(f, 0)),
    (MEAN_FIRST, lambda f: -F.softplus(f.mean())),
    (SOFTMAX, lambda f: (1 - f.softmax(0)).log().mean()),
    ("1 - log D is not log(1 - D)", lambda f: (1 - F.logsigmoid(f)).mean()),
    (
        "the sigmoid of 1 - logit is not 1 - D: that is the sigmoid of -logit",
        lambda f: F.logsigmoid(1 - f).mean(),
    ),
    (
        "the logarithm is missing: this is the mean of 1 - D",
        lambda f: (1 - _probabilities(f)).mean(),
    ),
    ("the logarithm is missing: this is the mean of -D", lambda f: -_probabilities(f).mean()),
    (
        "the logarithm is taken of the mean: take the mean of the logarithms",
        lambda f: (1 - _probabilities(f)).mean().log(),
    ),
    ("this is the mean logit, the Wasserstein loss", lambda f: -f.mean()),
    ("halved: there is no factor ½ here", lambda f: -_bce(f, 0) / 2),
    ("this is the value of both labels together", lambda f: -_bce(f, 0) - _bce(f, 1)),
    ("the label is smoothed to 0.1: here it is exactly 0", lambda f: -_bce(f, 0.1)),
)

NON_SATURATING_MISTAKES: tuple[tuple[str, Formula], ...] = (
    (
        "the label is 0: that is what D wants for fakes. The generator wants D to say 1 (flip the "
        "label)",
        lambda f: _bce(f, 0),
    ),
    ("this is the minimax loss, mean(log(1 - D)): task 3.2", lambda f: -_bce(f, 0)),
    ("the minus is missing: the loss is -mean(log D)", lambda f: -_bce(f, 1)),
    ("summed over the batch: take the mean", lambda f: len(f) * _bce(f, 1)),
    (
        "the sigmoid is applied twice: a with-logits loss applies it itself",
        lambda f: _bce(_probabilities(f), 1),
    ),
    (SWAPPED, lambda f: _swapped(f, 1)),
    (SWAPPED, lambda f: _swapped_scores(f, 1)),
    (CLASSES, lambda f: F.cross_entropy(f, torch.ones_like(f))),
    (MEAN_FIRST, lambda f: F.softplus(-f.mean())),
    (SOFTMAX, lambda f: -f.log_softmax(0).mean()),
    (
        "the label is smoothed to 0.9: smoothing is for D's real labels only, G's target is 1",
        lambda f: _bce(f, 0.9),
    ),
    ("the logarithm is missing: this is the mean of -D", lambda f: -_probabilities(f).mean()),
    (
        "the logarithm is missing: this is the mean of 1 - D",
        lambda f: (1 - _probabilities(f)).mean(),
    ),
    (
        "the logarithm is taken of the mean: take the mean of the logarithms",
        lambda f: -_probabilities(f).mean().log(),
    ),
    ("this is the mean logit, the Wasserstein loss", lambda f: -f.mean()),
    ("this is the least-squares loss", lambda f: ((f - 1) ** 2).mean()),
    (
        "this is the least-squares loss of the probabilities",
        lambda f: ((_probabilities(f) - 1) ** 2).mean(),
    ),
    ("halved: there is no factor ½ here", lambda f: _bce(f, 1) / 2),
    ("this is the loss for both labels together", lambda f: _bce(f, 0) + _bce(f, 1)),
)
