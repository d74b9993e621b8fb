"""The game on paper: both players on distributions over finitely many values."""

from __future__ import annotations

import torch
from torch import Tensor


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """The best D against a fixed generator, `p_data / (p_data + p_g)`, of the shape `(K,)`.

    ½ where neither ever goes: there D's answer is of no consequence.

    Args:
        p_data, p_g: probabilities `(K,)` of the data and of the generator.

    Source: Goodfellow et al. 2014, proposition 1.
    """
    total = p_data + p_g
    return torch.where(total > 0, p_data / total, 0.5)


def value_function(d: Tensor, p_data: Tensor, p_g: Tensor) -> Tensor:
    """What D makes as large as it can, `Σ p_data log d + p_g log(1 - d)`, a scalar (natural log).

    A value that neither distribution takes counts nothing, whatever D says there: 0·log 0 = 0.

    Args:
        d: D's scores `(K,)` in [0, 1].
        p_data, p_g: probabilities `(K,)`.

    Source: Goodfellow et al. 2014, equation 1.
    """
    return torch.xlogy(p_data, d).sum() + torch.xlogy(p_g, 1 - d).sum()


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two distributions `(K,)`, a scalar from 0 to ln 2.

    Source: Lin 1991; Goodfellow et al. 2014, theorem 1: V(D*) = 2·JSD - 2·ln 2.
    """
    m = (p + q) / 2
    kl_p = (torch.xlogy(p, p) - torch.xlogy(p, m)).sum()
    kl_q = (torch.xlogy(q, q) - torch.xlogy(q, m)).sum()
    return (kl_p + kl_q) / 2
