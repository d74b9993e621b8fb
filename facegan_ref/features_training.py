"""Trains the network of the offline features: `python -m facegan_ref.features_training`.

It learns, from drawn faces and drawn textures alone, to name a face's factors and to tell which
distortion an image has and how strong it is. The same weights come out each time on one machine
with one thread (OMP_NUM_THREADS=1); it takes about eight minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import trange

from facegan_ref.data.faces import to_tanh_range
from facegan_ref.data.toyfaces import CATEGORIES, CONTINUOUS, ToyFaces
from facegan_ref.features import ASSET, FeatureNet

SIZE = 64
VALUES = [len(names) for names in CATEGORIES.values()]


def uniform(n: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """`n` numbers `(n, 1, 1, 1)` even over [low, high)."""
    return low + (high - low) * torch.rand(n, 1, 1, 1, generator=rng)


def noise_image(n: int, slope: Tensor, rng: torch.Generator) -> Tensor:
    """Noise `(n, 3, 64, 64)` whose amplitude falls as frequency^-slope, of unit variance."""
    frequency = torch.fft.fftfreq(SIZE)
    radius = (frequency[:, None] ** 2 + frequency[None, : SIZE // 2 + 1] ** 2).sqrt()
    radius[0, 0] = torch.inf
    white = torch.fft.rfft2(torch.randn(n, 3, SIZE, SIZE, generator=rng))
    coloured = torch.fft.irfft2(white * radius.clamp(min=1 / SIZE) ** -slope, s=(SIZE, SIZE))
    return coloured / coloured.std(dim=(1, 2, 3), keepdim=True)


def textures(n: int, rng: torch.Generator) -> Tensor:
    """Pictures `(n, 3, 64, 64)` in [-1, 1] of overlapping discs and coloured noise.

    Their edges and spectra are like photographs' (dead leaves: Lee, Mumford and Huang 2001).
    """
    place = torch.linspace(-1, 1, SIZE)
    y, x = place[:, None], place[None, :]
    grey = torch.randn(n, 1, SIZE, SIZE, generator=rng) * 0
    image = torch.tanh(uniform(n, -1, 1, rng) + torch.randn(n, 3, 1, 1, generator=rng) * 0.4) + grey
    for _ in range(24):
        radius = 0.06 * 12 ** uniform(n, 0, 1, rng)
        centre_x, centre_y = uniform(n, -1.1, 1.1, rng), uniform(n, -1.1, 1.1, rng)
        squeeze = uniform(n, 0.4, 1.6, rng)
        distance = ((x - centre_x) ** 2 * squeeze + (y - centre_y) ** 2 / squeeze).sqrt()
        soft = uniform(n, 0.01, 0.12, rng)
        cover = ((radius - distance) / soft + 0.5).clamp(0, 1)
        colour = uniform(n, -1, 1, rng) + 0.3 * torch.randn(n, 3, 1, 1, generator=rng)
        shade = 1 + uniform(n, -0.4, 0.4, rng) * (x - centre_x) / radius.clamp(min=0.2)
        image = image * (1 - cover) + (colour * shade).clamp(-1, 1) * cover
    grain = noise_image(n, uniform(n, 0.3, 1.8, rng), rng)
    return (image + uniform(n, 0, 0.3, rng) * grain).clamp(-1, 1)


def blur(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    sigma = 0.3 + 3 * s
    offset = torch.arange(-8, 9.0)
    kernel = torch.exp(-(offset**2) / (2 * sigma.flatten()[:, None] ** 2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)
    flat = F.pad(x, (8, 8, 8, 8), mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=flat.shape[1])
    return F.conv2d(flat, kernel[:, None, None, :], groups=flat.shape[1])[0].unflatten(
        0, x.shape[:2]
    )


def noise(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    return x + 0.5 * s * noise_image(len(x), uniform(len(x), 0, 0.8, rng), rng)


def pixelate(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    coarse = F.interpolate(F.interpolate(x, (16, 16), mode="area"), (SIZE, SIZE), mode="nearest")
    return x + s * (coarse - x)


def brightness(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    return x + 0.8 * s * torch.where(uniform(len(x), -1, 1, rng) > 0, 1.0, -1.0)


def contrast(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    factor = torch.exp(s * torch.where(uniform(len(x), -1, 1, rng) > 0, 1.0, -1.5))
    return x.mean(dim=(1, 2, 3), keepdim=True) * (1 - factor) + x * factor


def tint(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    cast = torch.randn(len(x), 3, 1, 1, generator=rng)
    cast = cast - cast.mean(dim=1, keepdim=True)
    return x + 0.5 * s * cast / cast.norm(dim=1, keepdim=True)


def occlude(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    place = torch.linspace(-1, 1, SIZE)
    half = 0.1 + 0.5 * s
    inside = (place[None, None, None, :] - uniform(len(x), -0.7, 0.7, rng)).abs() < half
    inside = inside & ((place[None, None, :, None] - uniform(len(x), -0.7, 0.7, rng)).abs() < half)
    colour = torch.rand(len(x), 3, 1, 1, generator=rng) * 2 - 1
    return torch.where(inside, colour, x)


def warp(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    place = torch.linspace(-1, 1, SIZE)
    n = len(x)
    dx = place[None, None, :] - uniform(n, -0.4, 0.4, rng)[:, 0]
    dy = place[None, :, None] - uniform(n, -0.4, 0.4, rng)[:, 0]
    angle = 2.5 * (s * torch.where(uniform(n, -1, 1, rng) > 0, 1.0, -1.0))[:, 0]
    turn = angle * (1 - (dx**2 + dy**2).sqrt() / 0.9).clamp(min=0)
    grid_x = turn.cos() * dx - turn.sin() * dy + (place[None, None, :] - dx)
    grid_y = turn.sin() * dx + turn.cos() * dy + (place[None, :, None] - dy)
    grid = torch.stack([grid_x, grid_y], dim=3)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def ripple(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    n = len(x)
    field = F.interpolate(torch.randn(n, 2, 8, 8, generator=rng), (SIZE, SIZE), mode="bicubic")
    place = torch.linspace(-1, 1, SIZE)
    grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), dim=2)
    grid = grid + 0.15 * s * field.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def ghost(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    return x + 0.5 * s * (x.roll(1, dims=0) - x)


def checkerboard(x: Tensor, s: Tensor, rng: torch.Generator) -> Tensor:
    index = torch.arange(SIZE)
    period = torch.where(uniform(len(x), -1, 1, rng) > 0, 2, 4)
    sign = ((index[:, None] * 2 // period + index[None, :] * 2 // period) % 2) * 2.0 - 1
    return x + 0.25 * s * sign


DISTORTIONS = (
    blur, noise, pixelate, brightness, contrast, tint, occlude, warp, ripple, ghost, checkerboard
)  # fmt: skip
CLEAN = len(DISTORTIONS)  # the label of an image without distortion
STEPS, BATCH, RATE = 1500, 128, 4e-3
FACES, TEXTURES, SEED = 6000, 4000, 2024


def distort(x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Images `(N, 3, 64, 64)` each with one distortion or none; its label and strength `(N,)`."""
    kinds = torch.randint(2 * CLEAN, (len(x),), generator=rng).clamp(max=CLEAN)  # half are clean
    strength = torch.rand(len(x), generator=rng)
    strength[kinds == CLEAN] = 0
    x = x.clone()
    for kind, function in enumerate(DISTORTIONS):
        chosen = (kinds == kind).nonzero().flatten()
        if len(chosen):
            x[chosen] = function(x[chosen], strength[chosen, None, None, None], rng)
    return x.clamp(-1, 1), kinds, strength


def roughen(faces: Tensor, rng: torch.Generator) -> Tensor:
    """Drawn faces `(N, 3, 64, 64)` moved, scaled, shaded and grained, nearer to photographs.

    Half of them lose the detail that pictures of 32 pixels lack.
    """
    n = len(faces)
    coarse = F.interpolate(faces[::2], (SIZE // 2, SIZE // 2), mode="area")
    faces = faces.clone()
    faces[::2] = F.interpolate(coarse, (SIZE, SIZE), mode="bilinear")
    scale = uniform(n, 0.85, 1.1, rng)[:, 0, 0]
    shift = torch.rand(n, 2, generator=rng) * 0.16 - 0.08
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale[:, 0], scale[:, 0], shift
    grid = F.affine_grid(theta, faces.shape, align_corners=False)
    faces = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
    light = F.interpolate(torch.randn(n, 1, 3, 3, generator=rng), (SIZE, SIZE), mode="bicubic")
    faces = (faces + 1) * torch.exp(uniform(n, 0, 0.15, rng) * light) - 1
    grain = noise_image(n, uniform(n, 0.3, 1.8, rng), rng)
    return (faces + uniform(n, 0, 0.1, rng) * grain).clamp(-1, 1)


class Lesson(nn.Module):
    """The network and what it learns to say: factors, distortion and its strength."""

    def __init__(self) -> None:
        super().__init__()
        self.net = FeatureNet()
        self.norm = nn.BatchNorm1d(FeatureNet.dim, affine=False)
        self.factors = nn.Linear(FeatureNet.dim, sum(VALUES) + len(CONTINUOUS))
        self.distortion = nn.Linear(FeatureNet.dim, len(DISTORTIONS) + 1)
        self.strength = nn.Linear(FeatureNet.dim, len(DISTORTIONS) + 1)

    def loss(self, x: Tensor, labels: list[Tensor], positions: Tensor, rng) -> Tensor:
        """Of images `(N, 3, 64, 64)`, the first of which are the faces with these factors."""
        x, kinds, strength = distort(x, rng)
        features = self.norm(self.net(x.contiguous(memory_format=torch.channels_last)))
        *categories, placed = self.factors(features[: len(positions)]).split(
            [*VALUES, len(CONTINUOUS)], dim=1
        )
        named = sum(F.cross_entropy(c, y) for c, y in zip(categories, labels, strict=True))
        told = F.cross_entropy(self.distortion(features), kinds)
        guess = self.strength(features).gather(1, kinds[:, None])[:, 0]
        return named / 4 + F.mse_loss(placed, positions) + told + 5 * F.mse_loss(guess, strength)


def train(steps: int = STEPS, quiet: bool = False) -> Lesson:
    """The lesson after `steps` updates, in evaluation mode."""
    rng = torch.Generator().manual_seed(SEED)
    toys = ToyFaces(FACES, SIZE, SEED)
    faces = to_tanh_range(toys.images)
    labels = [toys.labels[name] for name in CATEGORIES]
    positions = torch.stack(
        [2 * (toys.labels[k] - low) / (high - low) - 1 for k, (low, high) in CONTINUOUS.items()], 1
    )
    scenes = torch.cat([textures(250, rng) for _ in range(TEXTURES // 250)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        lesson = Lesson().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(lesson.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in trange(steps, disable=quiet, unit="step"):
        i = torch.randint(len(faces), (BATCH // 2,), generator=rng)
        j = torch.randint(len(scenes), (BATCH // 2,), generator=rng)
        x = torch.cat([roughen(faces[i], rng), scenes[j]])
        loss = lesson.loss(x, [y[i] for y in labels], positions[i], rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return lesson.eval()


def save(lesson: Lesson, path: Path) -> None:
    """Write network, standardisation and the head for the factors as float16 arrays."""
    state = {k: v for k, v in lesson.net.state_dict().items() if "num_batches" not in k}
    named = sum(VALUES)
    state["mean"] = lesson.norm.running_mean
    state["std"] = (lesson.norm.running_var + lesson.norm.eps).sqrt()
    state["head.weight"] = lesson.factors.weight[:named].detach()
    state["head.bias"] = lesson.factors.bias[:named].detach()
    arrays = {key: value.half().contiguous().numpy() for key, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


if __name__ == "__main__":
    torch.set_num_threads(1)
    save(train(), ASSET)
    print(f"{ASSET}: {ASSET.stat().st_size:,} bytes")
