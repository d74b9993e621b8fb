"""What keeps the two players in balance: noise, averages, penalties, learning rates.

One-sided label smoothing is in `losses`, differentiable augmentation in `augment`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def noise_sigma(step: int, total_steps: int, sigma0: float) -> float:
    """Standard deviation of the instance noise at `step`: falls linearly from `sigma0` to 0.

    `sigma0` at step 0, exactly 0 at `total_steps` and after. Source: Sønderby et al. 2017
    (annealed instance noise).
    """
    return sigma0 * max(0.0, 1 - step / total_steps)


def add_instance_noise(
    images: Tensor, sigma: float | Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Images plus independent normal noise of standard deviation `sigma`, not clamped.

    D sees real and generated images with noise of the same strength, in both steps; clamping
    would mark the noisy real images, whose pixels reach ±1 more often.

    Args:
        images: `(N, C, H, W)`; gradients flow through.
        generator: source of randomness on the images' device; torch's global one when None.

    Source: Sønderby et al. 2017; Arjovsky and Bottou 2017, section 3.
    """
    noise = torch.empty_like(images).normal_(generator=generator)
    return images + sigma * noise


class NoisyDiscriminator(nn.Module):
    """A discriminator that sees everything through instance noise, fresh for each batch.

    In its place in `discriminator_step` and `generator_step`, real and generated images are noised
    alike, in both steps; no call can be forgotten.

    Args:
        discriminator: images to logits; its parameters are this module's.
        sigma: standard deviation of the noise; may be changed between calls.
        rng: source of randomness on the images' device; torch's global one when None.

    Source: Sønderby et al. 2017.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        sigma: float | Tensor,
        rng: torch.Generator | None = None,
    ):
        super().__init__()
        self.discriminator = discriminator
        self.sigma = sigma
        self.rng = rng

    def forward(self, images: Tensor) -> Tensor:
        return self.discriminator(add_instance_noise(images, self.sigma, self.rng))


def make_optimizers(
    generator: nn.Module,
    discriminator: nn.Module,
    lr_g: float,
    lr_d: float,
    betas: tuple[float, float] = (0.5, 0.999),
) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    """Adam for the generator and for the discriminator, each with its own learning rate.

    Source: Radford et al. 2015, section 4 (β1 = 0.5); Heusel et al. 2017 (two time scales).
    """
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=lr_g, betas=betas)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=lr_d, betas=betas)
    return optimizer_g, optimizer_d


def ramped_decay(step: int, decay: float) -> float:
    """An average's decay at `step`: at most `(1 + step) / (10 + step)`, so that it starts short.

    Else the first weights, which are noise, would stay in the average for 1 / (1 - decay) steps.
    """
    return min(decay, (1 + step) / (10 + step))


class EMA:
    """An exponential moving average of a network's parameters, with its own copy to sample from.

    Buffers, such as batch normalisation's running statistics, are copied as they are.

    Args:
        model: the network that is trained; left as it is.
        decay: share of the average that an update keeps, in [0, 1); may be changed between updates.

    Attributes:
        model: the averaged network, in evaluation mode and without gradients.

    Source: Yazıcı et al. 2019; Karras et al. 2018, appendix A.
    """

    def __init__(self, model: nn.Module, decay: float | Tensor):
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the parameters of `model`: `decay * old + (1 - decay) * new`."""
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(value, 1 - self.decay)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Mean squared norm of D's gradient at real images: `mean(‖∇x D(x)‖²)`, a scalar.

    A loss takes it times gamma / 2. For a linear D, `D(x) = w·x`, it is ‖w‖².

    Args:
        logits: D's logits for `images`, with a graph.
        images: `(N, C, H, W)` with `requires_grad`.

    Source: Mescheder et al. 2018, equation 9.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1).mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean squared distance of D's slope from 1 between real and generated images, a scalar.

    The slope is taken at one random point on each line from `real[i]` to `fake[i]`.

    Source: Gulrajani et al. 2017, equation 3 (there times lambda = 10).
    """
    t = torch.rand(len(real), 1, 1, 1, device=real.device, generator=generator)
    between = torch.lerp(real.detach(), fake.detach(), t).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def add_spectral_norm(network: nn.Module) -> nn.Module:
    """Divide each linear and convolutional weight of `network` by its largest singular value.

    In place; the value is estimated by one power iteration a forward pass. Source: Miyato et al.
    2018, section 2.
    """
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            spectral_norm(module)
    return network


@torch.no_grad()
def renew_statistics(generator: nn.Module, batches: Iterable[Tensor]) -> None:
    """Estimate batch normalisation's running statistics of `generator` anew, from latents.

    An average of weights is another network than the one whose statistics it was given; with its
    own it draws visibly better. The mean over `batches` `(N, z_dim)` takes the place of what was
    there; nothing else of the generator changes.

    Source: Wu and Johnson 2021, section 3 ("precise" statistics).
    """
    modes = [(part, part.training) for part in generator.modules()]
    norms = [part for part, _ in modes if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    generator.eval()
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.train()
        for z in batches if norms else ():
            generator(z)
    finally:
        for part, mode in modes:
            part.training = mode
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
