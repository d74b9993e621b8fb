"""Wrong relativistic losses, each with what it is: checks recognise them by value."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facegan_ref.checks.loss_mistakes import CLASSES
from facegan_ref.checks.scalar_loss import Formula

AVERAGE = (
    "this is the relativistic AVERAGE loss, which compares each image with the mean of the others: "
    "here row i of the one batch is compared with row i of the other"
)
ALL_PAIRS = (
    "each real logit is compared with each fake one: the shapes were broadcast against each other, "
    "or all pairs are taken. Row i meets row i"
)


def _bce(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _all_pairs(d: Tensor) -> Tensor:
    return F.softplus(d).mean()


def _common(sign: float) -> tuple[tuple[str, Formula], ...]:
    """Mistakes of D's loss (`sign` 1, of real minus fake) and of G's (-1)."""

    def gap(r: Tensor, f: Tensor) -> Tensor:
        return sign * (r - f)

    who = "D's" if sign > 0 else "G's"
    other = "G's" if sign > 0 else "D's"
    return (
        (
            f"the difference has the wrong sign: this is {other} loss. {who} falls when the "
            f"{'real' if sign > 0 else 'fake'} image's logit is the larger one",
            lambda r, f: F.softplus(gap(r, f)).mean(),
        ),
        (
            "both directions are added, of which one is the other player's: one cross-entropy is "
            "the whole loss",
            lambda r, f: F.softplus(gap(r, f)).mean() + F.softplus(-gap(r, f)).mean(),
        ),
        (
            "twice the loss: there is one term here, not two halves",
            lambda r, f: 2 * _ref(gap(r, f)),
        ),
        ("half the loss: there is no factor ½ here", lambda r, f: _ref(gap(r, f)) / 2),
        ("summed over the batch: take the mean", lambda r, f: F.softplus(-gap(r, f)).sum()),
        (
            "the minus is missing: the loss is -log(sigmoid(...)), never below 0",
            lambda r, f: F.logsigmoid(gap(r, f)).mean(),
        ),
        (ALL_PAIRS, lambda r, f: _all_pairs(-gap(r[:, None], f[None, :]))),
        (
            AVERAGE,
            lambda r, f: (_ref(gap(r, f.mean())) + _ref(gap(r.mean(), f))) / 2,
        ),
        (AVERAGE, lambda r, f: _ref(gap(r, f.mean())) + _ref(gap(r.mean(), f))),
        (AVERAGE, lambda r, f: _ref(gap(r, f.mean()))),
        (AVERAGE, lambda r, f: _ref(gap(r.mean(), f))),
        (
            "the logits are averaged first: take the loss of each pair, then the mean",
            lambda r, f: _ref(gap(r.mean(), f.mean())),
        ),
        (
            "the difference of the PROBABILITIES is taken: take that of the logits, with one "
            "sigmoid after it",
            lambda r, f: _ref(gap(r.sigmoid(), f.sigmoid())),
        ),
        (
            "the sigmoid is applied twice: a with-logits function applies it itself",
            lambda r, f: _ref(gap(r, f).sigmoid()),
        ),
        (
            "the logarithm is missing: these are mean probabilities",
            lambda r, f: -gap(r, f).sigmoid().mean(),
        ),
        ("the logarithm is missing", lambda r, f: (1 - gap(r, f).sigmoid()).mean()),
        (
            "the logarithm is missing: this is the mean difference, the Wasserstein critic's loss",
            lambda r, f: -gap(r, f).mean(),
        ),
        (
            "this is the hinge of the difference: a cross-entropy (softplus) is asked for",
            lambda r, f: F.relu(1 - gap(r, f)).mean(),
        ),
        (
            "this is the squared distance of the difference from 1: a cross-entropy is asked for",
            lambda r, f: (gap(r, f) - 1).square().mean(),
        ),
        (
            "the labels are smoothed: here the label is exactly 1",
            lambda r, f: _bce(gap(r, f), 0.9),
        ),
        (
            "log base 2 in place of the natural logarithm",
            lambda r, f: _ref(gap(r, f)) / math.log(2),
        ),
        (CLASSES, lambda r, f: F.cross_entropy(gap(r, f), torch.ones_like(r))),
        (
            "the ratio of the logits is taken: take their difference",
            lambda r, f: _ref(r / f if sign > 0 else f / r),
        ),
        ("the logits are added: take their difference", lambda r, f: _ref(sign * (r + f))),
    )


def _ref(x: Tensor) -> Tensor:
    return F.softplus(-x).mean()


D_MISTAKES: tuple[tuple[str, Formula], ...] = (
    *_common(1.0),
    (
        "this is lesson 3's loss: each image is judged alone. Compare the two of a pair",
        lambda r, f: _bce(r, 1) + _bce(f, 0),
    ),
    ("this is half of lesson 3's loss: compare pairs", lambda r, f: (_bce(r, 1) + _bce(f, 0)) / 2),
    ("only the real logits are used: compare them with the fake ones", lambda r, f: _bce(r, 1)),
    ("only the fake logits are used: compare them with the real ones", lambda r, f: _bce(f, 0)),
    ("this is the hinge loss", lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean()),
)
G_MISTAKES: tuple[tuple[str, Formula], ...] = (
    *_common(-1.0),
    (
        "this is lesson 3's generator loss, which does not look at the real images: G wins here by "
        "being more real than its partner",
        lambda r, f: _bce(f, 1),
    ),
    (
        "this is minus D's loss, as in the minimax game, whose gradient vanishes when D is sure: "
        "swap the roles inside the logarithm",
        lambda r, f: -F.softplus(f - r).mean(),
    ),
    ("this is the negative mean logit, hinge's and Wasserstein's loss", lambda r, f: -f.mean()),
    ("both are judged alone: compare the two of a pair", lambda r, f: _bce(f, 1) + _bce(r, 0)),
)
