"""Walking in latent space: from face to face, along an attribute, and back from a picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegan_ref.sampling import sample, sample_latent

Interpolation = Callable[[Tensor, Tensor, "float | Tensor"], Tensor]


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point at `t` on the straight line from `a` (t = 0) to `b` (t = 1), both ends exact.

    `t` is a number or a tensor that broadcasts against `a` and `b`: `(N, 1)` for latents
    `(N, z_dim)` has one `t` a row, and makes N points between two latents `(z_dim,)`.
    """
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point at `t` in [0, 1] on the arc from `a` to `b`, row by row; both ends are exact.

    The direction turns evenly from a's to b's and the norm goes evenly from a's to b's, so latents
    of typical norm have only latents of typical norm between them. Where there is no one arc
    (parallel, antipodal and zero vectors) it is the straight line, whose norm may shrink.

    Args:
        a, b: latents `(N, z_dim)` or `(z_dim,)`.
        t: a number or a tensor that broadcasts against them, as `lerp` takes it.

    Source: Shoemake 1985 for unit vectors; White 2016, section 2.1, for latents.
    """
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    zero = (norm_a == 0) | (norm_b == 0)
    norm_a, norm_b = norm_a.masked_fill(zero, 1), norm_b.masked_fill(zero, 1)
    unit_a, unit_b = a / norm_a, b / norm_b
    # More exact for small angles than arccos of the product, and its gradient is finite everywhere.
    chord, sum_ = (unit_a - unit_b).norm(dim=-1, keepdim=True), unit_a + unit_b
    angle = 2 * torch.atan2(chord, sum_.norm(dim=-1, keepdim=True))
    straight = zero | (angle.sin() < torch.finfo(angle.dtype).eps ** 0.5)
    angle = angle.masked_fill(straight, math.pi / 2)  # any angle with a sine that divides
    norm = lerp(norm_a, norm_b, t)
    part_a = ((1 - t) * angle).sin() / angle.sin() * (norm / norm_a)
    part_b = (t * angle).sin() / angle.sin() * (norm / norm_b)
    return torch.where(straight, lerp(a, b, t), part_a * a + part_b * b)


def morph(
    generator: nn.Module, z0: Tensor, z1: Tensor, steps: int, path: Interpolation = slerp
) -> Tensor:
    """The faces on the way from that of `z0` to that of `z1`, both included.

    Args:
        generator: latents `(N, z_dim)` to images; used in evaluation mode, its mode is put back.
        z0, z1: latents `(z_dim,)` or `(1, z_dim)`.
        steps: how many frames, at least 2 (ValueError otherwise).
        path: `slerp` for normal latents, `lerp` for latents that are uniform in a cube, which an
            arc may leave.

    Returns:
        Images `(steps, 3, S, S)` in [-1, 1], the generator's own values: nothing is stretched.
    """
    if steps < 2:
        raise ValueError(f"a morph of {steps} frames; expected at least 2, one for each end")
    t = torch.linspace(0, 1, steps, device=z0.device)[:, None]
    return sample(generator, path(z0, z1, t))


def attribute_direction(z: Tensor, labels: Tensor) -> Tensor:
    """The unit direction `(z_dim,)` in which faces gain an attribute.

    Fisher's discriminant: the difference of the class means, divided by the covariance within
    classes (both classes count the same, however rare one is), which is drawn to the identity
    when there are few examples. Plain difference of means points some degrees further off, since
    it takes the chance differences along all other directions with it.

    Args:
        z: latents `(N, z_dim)`.
        labels: bool `(N,)`: whether the face of each latent has the attribute.

    Raises:
        ValueError: shapes that do not fit, or a class without examples.

    Source: Fisher 1936; directions in a GAN's latents as in Shen et al. 2020 (InterFaceGAN).
    """
    labels = labels.bool()
    if labels.shape != z.shape[:1]:
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, expected one for each of {len(z)} latents"
        )
    with_it, without_it = z[labels], z[~labels]
    if not len(with_it) or not len(without_it):
        raise ValueError(
            f"{len(with_it)} faces have the attribute and {len(without_it)} do not; "
            "expected examples of both"
        )
    difference = with_it.mean(0) - without_it.mean(0)
    within = (with_it.T.cov(correction=0) + without_it.T.cov(correction=0)) / 2
    z_dim, rarer = z.shape[1], min(len(with_it), len(without_it))
    identity = torch.eye(z_dim, dtype=z.dtype, device=z.device)
    within = torch.lerp(within, identity, z_dim / (z_dim + 2 * rarer))
    direction = torch.linalg.solve(within, difference)
    return direction / direction.norm()


def latent_size(generator: nn.Module) -> int:
    """How many numbers a latent of `generator` has: the inputs of its first layer."""
    for layer in generator.modules():
        if isinstance(layer, nn.Linear):
            return layer.in_features
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            return layer.in_channels
    raise ValueError("the generator has no linear or convolutional layer; give `starts`")


@torch.enable_grad()
def invert(
    generator: nn.Module,
    image: Tensor,
    steps: int,
    starts: Tensor | None = None,
    rng: torch.Generator | None = None,
    limit: float = math.inf,
) -> tuple[Tensor, Tensor]:
    """A latent whose face is close to `image`, found by gradient descent on the latent alone.

    All starts descend at once, with Adam and a rate that falls to zero; the one that ends closest
    is the answer. Each is held near the shell on which the starts lie, where the generator was
    trained. The generator's weights, gradients, statistics and mode stay as they were.

    Args:
        generator: latents `(N, z_dim)` to images; used in evaluation mode.
        image: `(3, S, S)` in [-1, 1].
        steps: gradient steps.
        starts: latents `(R, z_dim)` of the generator's prior; eight standard normal ones when None.
        rng: source of randomness for those eight; torch's global one when None.
        limit: no coordinate goes beyond ±limit; 1 for latents that are uniform over [-1, 1].

    Returns:
        The latent `(1, z_dim)`, and its mean squared errors `(steps + 1,)` before, between and
        after the steps.

    Source: Zhu et al. 2016 (section 3.1) and Creswell and Bharath 2018; the shell as in Menon et
    al. 2020.
    """
    if starts is None:
        starts = sample_latent(8, latent_size(generator), rng, image.device)
    shell = starts.norm(dim=1).mean()
    z = starts.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.1)
    was_training = generator.training
    generator.eval()
    history = []
    try:
        for step in range(steps + 1):
            errors = (generator(z) - image).square().mean(dim=(1, 2, 3))
            history.append(errors.detach())
            if step < steps:
                off_shell = (z.norm(dim=1) / shell - 1).square()
                # Asked for z alone, so that the generator's weights gain no gradients.
                (z.grad,) = torch.autograd.grad((errors + 0.1 * off_shell).sum(), z)
                optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
                optimizer.step()
                z.data.clamp_(-limit, limit)
    finally:
        generator.train(was_training)
    best = int(history[-1].argmin())
    return z.detach()[best : best + 1], torch.stack(history)[:, best]
