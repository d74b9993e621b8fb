"""Wrong formulas for the loss with smoothed labels, each with what it is: recognised by value."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facegan_ref.checks.loss_mistakes import D_MISTAKES
from facegan_ref.checks.scalar_loss import Formula

TWO_SIDED = (
    "both labels are smoothed (two-sided): only real labels are, a fake label stays 0. A smoothed "
    "fake label raises D's lowest loss (to 0.6502 with 0.9 and 0.1) and gives D a reason to leave "
    "bad fakes where they are"
)
NOT_USED = (
    "the smoothing is defined and never used: this is the loss of lesson 3. Make the real labels "
    "with smooth_real_labels(real_logits, smoothing)"
)
OUTSIDE = "labels outside [0, 1] are no probabilities: the label is 1 - smoothing"
CLASSES = (
    "this is label smoothing for classifiers, half to each of the two classes: here the real label "
    "is exactly 1 - smoothing"
)


def _bce(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def mistakes(s: float) -> tuple[tuple[str, Formula], ...]:
    """Wrong formulas for the loss with the smoothing `s`, each with what it is."""
    smoothed = (
        (NOT_USED, lambda r, f: _bce(r, 1) + _bce(f, 0)),
        (TWO_SIDED, lambda r, f: _bce(r, 1 - s) + _bce(f, s)),
        (
            "the fake labels are smoothed and the real ones are not: it is the other way round",
            lambda r, f: _bce(r, 1) + _bce(f, s),
        ),
        (
            "the real label is `smoothing` itself: it is 1 - smoothing",
            lambda r, f: _bce(r, s) + _bce(f, 0),
        ),
        (
            "the smoothed real labels are used for the fake images too: a fake label is 0",
            lambda r, f: _bce(r, 1 - s) + _bce(f, 1 - s),
        ),
        (
            "the real label is fixed at 0.9: it is 1 - smoothing, whatever the smoothing",
            lambda r, f: _bce(r, 0.9) + _bce(f, 0),
        ),
        (
            "the real half of the loss is multiplied by 1 - smoothing: that gives real images less "
            "weight. Smooth the label, which moves the minimum",
            lambda r, f: (1 - s) * _bce(r, 1) + _bce(f, 0),
        ),
        (
            "the whole loss is multiplied by 1 - smoothing: smooth the real labels instead",
            lambda r, f: (1 - s) * (_bce(r, 1) + _bce(f, 0)),
        ),
        (
            "the logits are multiplied by 1 - smoothing: smooth the label, not the logit",
            lambda r, f: _bce((1 - s) * r, 1) + _bce(f, 0),
        ),
        (OUTSIDE, lambda r, f: _bce(r, 1 + s) + _bce(f, 0)),
        (
            "a fake label below 0: a fake label is exactly 0",
            lambda r, f: _bce(r, 1 - s) + _bce(f, -s),
        ),
        (CLASSES, lambda r, f: _bce(r, 1 - s / 2) + _bce(f, s / 2)),
        (CLASSES, lambda r, f: _bce(r, 1 - s / 2) + _bce(f, 0)),
        (
            "this is half the loss: take the sum of the two halves, not their mean",
            lambda r, f: (_bce(r, 1 - s) + _bce(f, 0)) / 2,
        ),
        (
            "the losses are summed over the batch: take the mean of each half",
            lambda r, f: len(r) * _bce(r, 1 - s) + len(f) * _bce(f, 0),
        ),
        (
            "the labels are swapped: real is 1 - smoothing, fake is 0",
            lambda r, f: _bce(r, 0) + _bce(f, 1 - s),
        ),
        ("the half of the fake batch is missing", lambda r, f: _bce(r, 1 - s)),
        (
            "real_logits are used in both halves",
            lambda r, f: _bce(r, 1 - s) + _bce(r, 0),
        ),
        ("the two arguments are swapped", lambda r, f: _bce(f, 1 - s) + _bce(r, 0)),
        (
            "the sigmoid is applied twice: a with-logits loss applies it itself",
            lambda r, f: _bce(r.sigmoid(), 1 - s) + _bce(f.sigmoid(), 0),
        ),
        (
            "the smoothing pulls on the logit with -log(1 - D) at full weight: the label has two "
            "parts, (1 - smoothing) of -log D and smoothing of -log(1 - D)",
            lambda r, f: _bce(r, 1) + s * _bce(r, 0) + _bce(f, 0),
        ),
        (
            "only the part -(1 - smoothing) log D is left: a label of 0.9 also asks for "
            "0.1 times -log(1 - D)",
            lambda r, f: (1 - s) * F.softplus(-r).mean() + F.softplus(f).mean(),
        ),
    )
    return smoothed + tuple((name, f) for name, f in D_MISTAKES if "smoothed" not in name)
