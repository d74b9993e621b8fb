"""Adversarial losses, all computed from logits.

A logit is what the discriminator says before the sigmoid: `D(x) = sigmoid(logit)`. Working on
logits keeps every value and gradient exact, however sure the discriminator is; `log(sigmoid(l))`
written out becomes `log(0)` near `l = -90` in float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean cross-entropy on the real batch plus that on the fake batch (real = 1, fake = 0).

    Args:
        real_logits: `(N,)`, `(N, 1)` or any other shape, D's logits for real images.
        fake_logits: the same for generated images.

    Returns:
        Scalar tensor `-mean(log D(x)) - mean(log(1 - D(G(z))))`; `2 ln 2 = 1.386` at chance.

    Source: Goodfellow et al. 2014, Algorithm 1 (the negative of what D ascends).
    """
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real_loss + fake_loss


def generator_loss_minimax(fake_logits: Tensor) -> Tensor:
    """The generator's loss of the minimax game, `mean(log(1 - D(G(z))))`.

    Args:
        fake_logits: `(N,)` or any other shape, D's logits for generated images.

    Returns:
        Scalar tensor, never above 0; `-ln 2 = -0.693` at chance. Its gradient vanishes where D
        is sure that the images are fake.

    Source: Goodfellow et al. 2014, Algorithm 1.
    """
    return -F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


def generator_loss(fake_logits: Tensor) -> Tensor:
    """The non-saturating generator loss, `-mean(log D(G(z)))`.

    Args:
        fake_logits: `(N,)` or any other shape, D's logits for generated images.

    Returns:
        Scalar tensor, never below 0; `ln 2 = 0.693` at chance. Its gradient is largest where D
        is sure that the images are fake.

    Source: Goodfellow et al. 2014, section 3.
    """
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
