"""Adversarial losses, all computed from the discriminator's logits.

A logit is what the discriminator says before the sigmoid: `D(x) = sigmoid(logit)`. Working on
logits keeps every value and gradient exact, however sure the discriminator is; `log(sigmoid(l))`
written out becomes `log(0)` near `l = -90` in float32. Least squares, hinge and Wasserstein losses
read the same number as a score without a sigmoid.

All take `(N,)`, `(N, 1)` or any other shape and return a scalar tensor: the mean over the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_real_labels(logits: Tensor, smoothing: float) -> Tensor:
    """Targets for real images: `1 - smoothing` in the shape of `logits`.

    Only real labels are smoothed: a smoothed fake label would reward the discriminator for
    calling its own mistakes real.

    Source: Salimans et al. 2016, section 3.4.
    """
    return torch.full_like(logits, 1 - smoothing)


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy on the real batch plus that on the fake batch (real = 1, fake = 0).

    Args:
        real_logits: `(N,)`, `(N, 1)` or any other shape, D's logits for real images.
        fake_logits: the same for generated images.
        smoothing: real images have the label `1 - smoothing`, in [0, 1).

    Returns:
        Scalar tensor `-mean(log D(x)) - mean(log(1 - D(G(z))))`; `2 ln 2 = 1.386` at chance.

    Source: Goodfellow et al. 2014, Algorithm 1 (the negative of what D ascends); smoothing as in
    Salimans et al. 2016, section 3.4.
    """
    real_labels = smooth_real_labels(real_logits, smoothing)
    real_loss = F.binary_cross_entropy_with_logits(real_logits, real_labels)
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


def least_squares_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Half the mean squared distance of real scores from 1 plus that of fake scores from 0.

    `1/4` where all scores are ½. Source: Mao et al. 2017, equation 9 (b = c = 1, a = 0).
    """
    return 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())


def least_squares_generator_loss(fake_scores: Tensor) -> Tensor:
    """Half the mean squared distance of fake scores from 1. Source: Mao et al. 2017, equation 9."""
    return 0.5 * (fake_scores - 1).square().mean()


def hinge_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """What real scores lack to 1 and fake scores to -1; `2` where all scores are 0.

    Source: Lim and Ye 2017, as in Miyato et al. 2018, equation 16.
    """
    return F.relu(1 - real_scores).mean() + F.relu(1 + fake_scores).mean()


def hinge_generator_loss(fake_scores: Tensor) -> Tensor:
    """The negative mean score. Source: Miyato et al. 2018, equation 17."""
    return -fake_scores.mean()


def wasserstein_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Mean fake score minus mean real score, the negative of the estimated Wasserstein-1 distance.

    Means something only for a critic whose slope is bounded: with a gradient penalty or spectral
    normalisation. Source: Arjovsky et al. 2017, Algorithm 1.
    """
    return fake_scores.mean() - real_scores.mean()


def wasserstein_generator_loss(fake_scores: Tensor) -> Tensor:
    """The negative mean score. Source: Arjovsky et al. 2017, Algorithm 1."""
    return -fake_scores.mean()


def relativistic_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy of "this real image is more real than its fake partner"; `ln 2` at chance.

    Row i of the real batch is paired with row i of the fake one. Source: Jolicoeur-Martineau 2018,
    section 4.1 (the pairing form).
    """
    return F.softplus(fake_logits - real_logits).mean()


def relativistic_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy of "this fake image is more real than its real partner"; `ln 2` at chance.

    Source: Jolicoeur-Martineau 2018, section 4.1.
    """
    return F.softplus(real_logits - fake_logits).mean()


class Objective(NamedTuple):
    """The two losses of a game, and how its discriminator's outputs are read."""

    discriminator: Callable[..., Tensor]
    """`(real, fake) -> loss`."""
    generator: Callable[..., Tensor]
    """`(fake) -> loss`, or `(real, fake) -> loss` where `compares` is set."""
    has_logits: bool = True
    """Whether D's score is the sigmoid of its output; else it is the output itself."""
    boundary: float = 0.0
    """Outputs above it count as "real" in the accuracies."""
    compares: bool = False
    """Whether G's loss needs D's outputs for real images too."""
    at_chance: tuple[float, float] | None = None
    """D's and G's loss where D answers 0 to everything, if that is where they meet."""


OBJECTIVES: dict[str, Objective] = {
    "non-saturating": Objective(
        discriminator_loss, generator_loss, at_chance=(2 * math.log(2), math.log(2))
    ),
    "minimax": Objective(
        discriminator_loss, generator_loss_minimax, at_chance=(2 * math.log(2), -math.log(2))
    ),
    "least-squares": Objective(
        least_squares_discriminator_loss, least_squares_generator_loss, False, 0.5
    ),
    "hinge": Objective(hinge_discriminator_loss, hinge_generator_loss, False),
    "wasserstein": Objective(wasserstein_discriminator_loss, wasserstein_generator_loss, False),
    "relativistic": Objective(
        relativistic_discriminator_loss,
        relativistic_generator_loss,
        compares=True,
        at_chance=(math.log(2), math.log(2)),
    ),
}
