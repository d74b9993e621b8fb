"""Wrong formulas of lesson 2 as students write them, each with what it is."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from facegan_ref import game
from facegan_ref.checks.lesson02.probe import Mistakes


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.log()).sum()


def _one(x: Tensor) -> Tensor:
    return x / x.sum()


def _kl_div(a: Tensor, b: Tensor) -> Tensor:
    return F.kl_div(a, b, reduction="sum")


def _value(d: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return (p * d.log() + q * (1 - d).log()).sum()


V_MISTAKES: Mistakes = (
    (
        "this is the mean over the kinds: the probabilities are the weights already, so add up",
        lambda d, p, q: _value(d, p, q) / len(d),
    ),
    (
        "the mean over the kinds of log d + log(1 - d): the probabilities must weigh each kind",
        lambda d, p, q: (d.log() + (1 - d).log()).mean(),
    ),
    (
        "p_data and p_g are missing: each logarithm is weighted by a probability",
        lambda d, p, q: (d.log() + (1 - d).log()).sum(),
    ),
    (
        "the two sides are swapped: log d is weighted by p_data, log(1 - d) by p_g",
        lambda d, p, q: _value(1 - d, p, q),
    ),
    (
        "the sign: this is the loss that D makes small; V is what D makes large, its negative",
        lambda d, p, q: -_value(d, p, q),
    ),
    (
        "the sign, and the mean: V is the sum of p_data log d + p_g log(1 - d), without a minus",
        lambda d, p, q: -_value(d, p, q) / len(d),
    ),
    (
        "log2, the logarithm to base 2, in place of the natural one: use torch.log",
        lambda d, p, q: _value(d, p, q) / math.log(2),
    ),
    (
        "log10, the logarithm to base 10, in place of the natural one: use torch.log",
        lambda d, p, q: _value(d, p, q) / math.log(10),
    ),
    (
        "this is half of V: add the two sides, do not average them",
        lambda d, p, q: _value(d, p, q) / 2,
    ),
    ("the generator's side is missing", lambda d, p, q: (p * d.log()).sum()),
    ("the data's side is missing", lambda d, p, q: (q * (1 - d).log()).sum()),
    (
        "the generator's side is subtracted: add it",
        lambda d, p, q: (p * d.log() - q * (1 - d).log()).sum(),
    ),
    (
        "log d on both sides: the generator's is log(1 - d)",
        lambda d, p, q: ((p + q) * d.log()).sum(),
    ),
    ("1 - log d is not log(1 - d)", lambda d, p, q: (p * d.log() + q * (1 - d.log())).sum()),
    ("log d - 1 is not log(1 - d)", lambda d, p, q: (p * d.log() + q * (d.log() - 1)).sum()),
    (
        "1 - p_data is not p_g: the second weight is the generator's own",
        lambda d, p, q: _value(d, p, 1 - p),
    ),
    (
        "1 - p_data is not p_g, and this is averaged over the kinds",
        lambda d, p, q: _value(d, p, 1 - p) / len(d),
    ),
    (
        "1 - p_data is not p_g, and this is a loss, with the other sign",
        lambda d, p, q: -_value(d, p, 1 - p) / len(d),
    ),
    (
        "p_data is the weight on both sides: the fakes are weighted by p_g",
        lambda d, p, q: _value(d, p, p),
    ),
    ("the logarithms are missing", lambda d, p, q: (p * d + q * (1 - d)).sum()),
    (
        "the logarithm of a mean: take the logarithm of each score first, then add up with weights",
        lambda d, p, q: (p * d).sum().log() + (q * (1 - d)).sum().log(),
    ),
    (
        "the logarithm also swallows the probability: p · log d, not log(p · d)",
        lambda d, p, q: ((p * d).log() + (q * (1 - d)).log()).sum(),
    ),
    (
        "d is squeezed by a sigmoid: it is a score between 0 and 1 already, no logit",
        lambda d, p, q: _value(d.sigmoid(), p, q),
    ),
    (
        "a with-logits function squeezes d by a sigmoid: it is a score already, no logit",
        lambda d, p, q: -_value(d.sigmoid(), p, q),
    ),
    (
        "log1p(d) is log(1 + d): the generator's side is log(1 - d)",
        lambda d, p, q: (p * d.log() + q * d.log1p()).sum(),
    ),
)

D_MISTAKES: Mistakes = (
    ("p_g stands above the line: at the top belongs p_data", lambda p, q: q / (p + q)),
    ("this is the ratio p_data / p_g, which can exceed 1: a score cannot", lambda p, q: p / q),
    (
        "a hard yes or no: the best score says how often it is right, not only on which side",
        lambda p, q: (p > q).double(),
    ),
    ("the difference of the probabilities is no score", lambda p, q: p - q),
    ("scores are no distribution and need not add up to 1", lambda p, q: _one(p / (p + q))),
    (
        "scores are no distribution: no softmax over the kinds",
        lambda p, q: (p / (p + q)).softmax(0),
    ),
    ("the scores are p_data itself: they must depend on p_g too", lambda p, q: p),
    ("½ everywhere is the best answer only where p_data = p_g", lambda p, q: 0 * p + 0.5),
    (
        "the sum over all kinds is in the denominator: each kind has its own, p_data + p_g",
        lambda p, q: p / (p + q).sum(),
    ),
    ("this is the average of the two distributions", lambda p, q: (p + q) / 2),
    ("the logarithm is still there: this is log D", lambda p, q: (p / (p + q)).log()),
    (
        "this is D's logit, log(p_data / p_g): the score is its sigmoid",
        lambda p, q: (p / q).log(),
    ),
    (
        "the exponential of the probabilities is compared (sigmoid or softmax): compare the "
        "probabilities themselves",
        lambda p, q: (p - q).sigmoid(),
    ),
    (
        "the sigmoid of the ratio: the sigmoid belongs to the logit, log(p_data / p_g)",
        lambda p, q: (p / q).sigmoid(),
    ),
    (
        "these are scores for smoothed labels (0.9): that is lesson 8",
        lambda p, q: 0.9 * p / (p + q),
    ),
    ("twice the score: p_data / (p_data + p_g) without a factor", lambda p, q: 2 * p / (p + q)),
    ("the squares of the probabilities are compared", lambda p, q: p**2 / (p**2 + q**2)),
    (
        "the square roots of the probabilities are compared",
        lambda p, q: p.sqrt() / (p.sqrt() + q.sqrt()),
    ),
)


JS_MISTAKES: Mistakes = (
    ("this is KL(p ‖ q): compare each of them with the mixture m", _kl),
    ("this is KL(q ‖ p): compare each of them with the mixture m", lambda p, q: _kl(q, p)),
    (
        "this is KL(p ‖ q) + KL(q ‖ p): compare each of them with the mixture m",
        lambda p, q: _kl(p, q) + _kl(q, p),
    ),
    (
        "this is the mean of KL(p ‖ q) and KL(q ‖ p): compare each of them with the mixture m",
        lambda p, q: (_kl(p, q) + _kl(q, p)) / 2,
    ),
    (
        "a square root: this is the Jensen-Shannon distance, its square is the divergence",
        lambda p, q: game.js_divergence(p, q).sqrt(),
    ),
    (
        "a square root of bits: no root, and the natural logarithm",
        lambda p, q: (game.js_divergence(p, q) / math.log(2)).sqrt(),
    ),
    (
        "p + q / 2 is not (p + q) / 2: parentheses are missing",
        lambda p, q: (_kl(p, p + q / 2) + _kl(q, p + q / 2)) / 2,
    ),
    (
        "the mixture is the sum p + q: it must be their mean, (p + q) / 2",
        lambda p, q: game.js_divergence(p, q) - math.log(2),
    ),
    (
        "the ½ is missing: the mean of the two KL, not their sum",
        lambda p, q: 2 * game.js_divergence(p, q),
    ),
    ("a factor ½ too much", lambda p, q: game.js_divergence(p, q) / 2),
    (
        "log2, the logarithm to base 2, in place of the natural one: use torch.log",
        lambda p, q: game.js_divergence(p, q) / math.log(2),
    ),
    (
        "log10, the logarithm to base 10, in place of the natural one: use torch.log",
        lambda p, q: game.js_divergence(p, q) / math.log(10),
    ),
    (
        "this is the mean over the kinds: the probabilities are the weights already, so add up",
        lambda p, q: game.js_divergence(p, q) / len(p),
    ),
    (
        "the arguments of KL are swapped, this is KL(m ‖ p) and KL(m ‖ q): F.kl_div(log a, b) is "
        "KL(b ‖ a)",
        lambda p, q: (_kl((p + q) / 2, p) + _kl((p + q) / 2, q)) / 2,
    ),
    (
        "the arguments of KL are swapped, KL(m ‖ p) and KL(m ‖ q), and averaged over the kinds",
        lambda p, q: (_kl((p + q) / 2, p) + _kl((p + q) / 2, q)) / 2 / len(p),
    ),
    (
        "F.kl_div takes a logarithm as its first argument and a probability as its second",
        lambda p, q: _kl_div(p, (p + q) / 2) / 2 + _kl_div(q, (p + q) / 2) / 2,
    ),
    (
        "F.kl_div takes a logarithm as its first argument and a probability as its second",
        lambda p, q: _kl_div((p + q) / 2, p) / 2 + _kl_div((p + q) / 2, q) / 2,
    ),
    ("the sign: this is minus the divergence", lambda p, q: -game.js_divergence(p, q)),
    (
        "this is V(D*) = 2·JSD - 2·ln 2, not JSD; or the mixture is the sum p + q in place of the "
        "mean, and the ½ before the two KL is missing",
        lambda p, q: 2 * game.js_divergence(p, q) - 2 * math.log(2),
    ),
    ("only KL(p ‖ m): the half of q is missing", lambda p, q: _kl(p, (p + q) / 2)),
    ("only KL(q ‖ m): the half of p is missing", lambda p, q: _kl(q, (p + q) / 2)),
    ("only KL(p ‖ m): the half of q is missing", lambda p, q: _kl(p, (p + q) / 2) / 2),
    ("only KL(q ‖ m): the half of p is missing", lambda p, q: _kl(q, (p + q) / 2) / 2),
    (
        "the second KL is subtracted: add it",
        lambda p, q: (_kl(p, (p + q) / 2) - _kl(q, (p + q) / 2)) / 2,
    ),
    (
        "the entropies of p and q need the factor ½: H(m) - (H(p) + H(q)) / 2",
        lambda p, q: _entropy((p + q) / 2) - _entropy(p) - _entropy(q),
    ),
    (
        "the mixture is the geometric mean: it must be the plain one, (p + q) / 2",
        lambda p, q: (_kl(p, (p * q).sqrt()) + _kl(q, (p * q).sqrt())) / 2,
    ),
    (
        "the mixture is the geometric mean: it must be the plain one, (p + q) / 2",
        lambda p, q: (_kl(p, _one((p * q).sqrt())) + _kl(q, _one((p * q).sqrt()))) / 2,
    ),
    (
        "this is the total variation, half of the sum of |p - q|",
        lambda p, q: (p - q).abs().sum() / 2,
    ),
    (
        "a softmax: p and q are probabilities already",
        lambda p, q: game.js_divergence(p.softmax(0), q.softmax(0)),
    ),
)
