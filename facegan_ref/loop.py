"""The training loop of lessons 7 to 10, in its plainest form.

`training.Trainer` is the same loop with recipes, precision, schedules and a run's folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from facegan_ref.sampling import sample_latent
from facegan_ref.steps import discriminator_step, generator_step

if TYPE_CHECKING:
    from facegan_ref.data.loader import Batches
    from facegan_ref.stabilise import EMA


@dataclass
class TrainingState:
    """All that changes while two networks are trained.

    Attributes:
        generator, discriminator: the two networks, on one device.
        optimizer_g, optimizer_d: each holds the parameters of its network.
        z_dim: size of a latent.
        rng: where the latents come from, a CPU generator.
        step: updates done so far.
        batches: where real images come from and the place in them, None when from elsewhere.
        fixed_z: latents `(N, z_dim)` of the previews, or None.
        ema: the average of the generator's weights, or None.
    """

    generator: nn.Module
    discriminator: nn.Module
    optimizer_g: Optimizer
    optimizer_d: Optimizer
    z_dim: int
    rng: torch.Generator
    step: int = 0
    batches: Batches | None = None
    fixed_z: Tensor | None = None
    ema: EMA | None = None


def train_step(state: TrainingState, real: Tensor) -> dict[str, float]:
    """One update of the discriminator and one of the generator, each with latents of its own.

    Args:
        state: the training, moved on by one step.
        real: `(N, C, H, W)` real images; the last batch of a pass may be smaller.

    Returns:
        `loss_d` and `loss_g`, each before its update.

    Source: Goodfellow et al. 2014, Algorithm 1 with k = 1.
    """
    device = next(state.generator.parameters()).device
    real = real.to(device)
    state.generator.train()
    state.discriminator.train()
    z = sample_latent(len(real), state.z_dim, state.rng, device)
    loss_d = discriminator_step(state.generator, state.discriminator, state.optimizer_d, real, z)
    z = sample_latent(len(real), state.z_dim, state.rng, device)
    loss_g = generator_step(state.generator, state.discriminator, state.optimizer_g, z)
    state.step += 1
    return {"loss_d": float(loss_d), "loss_g": float(loss_g)}


def evaluate_balance(discriminator: nn.Module, real: Tensor, fake: Tensor) -> dict[str, float]:
    """What the discriminator says of real and of generated images, as four dials.

    In evaluation mode, so that a score belongs to one image, whatever else is in its batch, and
    batch normalisation's running statistics are not touched. The mode is put back.

    Args:
        discriminator: maps images to logits `(N,)` or `(N, 1)`; not changed.
        real: `(N, C, H, W)` real images.
        fake: `(M, C, H, W)` generated images.

    Returns:
        `d_real` and `d_fake`, the mean scores in [0, 1], D(x) and D(G(z)) of the papers;
        `acc_real` and `acc_fake`, the fractions that D gets right. A logit of exactly 0 is no
        answer, so it is not right.
    """
    was_training = discriminator.training
    discriminator.eval()
    try:
        with torch.no_grad():
            real_logits, fake_logits = discriminator(real), discriminator(fake)
    finally:
        discriminator.train(was_training)
    return {
        "d_real": torch.sigmoid(real_logits).mean().item(),
        "d_fake": torch.sigmoid(fake_logits).mean().item(),
        "acc_real": (real_logits > 0).float().mean().item(),
        "acc_fake": (fake_logits < 0).float().mean().item(),
    }
