"""The training loop of lessons 7 to 10, in its plainest form.

`training.Trainer` is the same loop with recipes, precision, schedules and a run's folder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from facegan_ref.sampling import sample_latent
from facegan_ref.steps import discriminator_step, generator_step


@dataclass
class TrainingState:
    """All that changes while two networks are trained.

    Attributes:
        generator, discriminator: the two networks, on one device.
        optimizer_g, optimizer_d: each holds the parameters of its network.
        z_dim: size of a latent.
        rng: where the latents come from, a CPU generator.
        step: updates done so far.
    """

    generator: nn.Module
    discriminator: nn.Module
    optimizer_g: Optimizer
    optimizer_d: Optimizer
    z_dim: int
    rng: torch.Generator
    step: int = 0


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
