"""One update of the discriminator and one of the generator: the whole subject in ten lines each."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import Optimizer

from facegan_ref.losses import discriminator_loss, generator_loss


def discriminator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    z: Tensor,
    objective: Callable[[Tensor, Tensor], Tensor] = discriminator_loss,
) -> Tensor:
    """Update the discriminator once on a batch of real images and a batch of generated ones.

    The generated batch is detached: the generator gets no gradient and does no backward work.

    Args:
        generator: maps `z` to images; not changed.
        discriminator: maps images to logits `(N,)`; updated once.
        optimizer: holds the discriminator's parameters.
        real: `(N, *image_shape)` real images.
        z: `(M, z_dim)` latents.
        objective: the loss, of D's logits for the real and for the generated batch.

    Returns:
        The loss before the update, a scalar tensor without a graph.

    Source: Goodfellow et al. 2014, Algorithm 1, inner loop.
    """
    fake = generator(z).detach()
    loss = objective(discriminator(real), discriminator(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    z: Tensor,
    objective: Callable[[Tensor], Tensor] = generator_loss,
) -> Tensor:
    """Update the generator once so that the discriminator takes its images for real.

    Nothing is detached: the gradient reaches the generator through the discriminator, whose
    weights stay as they are because `optimizer` does not hold them.

    Args:
        generator: maps `z` to images; updated once.
        discriminator: maps images to logits `(N,)`; its parameters are not changed.
        optimizer: holds the generator's parameters.
        z: `(N, z_dim)` latents.
        objective: the loss, of D's logits for the generated batch.

    Returns:
        The loss before the update, a scalar tensor without a graph.

    Source: Goodfellow et al. 2014, Algorithm 1 with the loss of section 3.
    """
    loss = objective(discriminator(generator(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
