"""What the checks of lesson 10 share: tensors as they should be, and a small generator."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from facegan_ref.checks.engine import Probe, fail

Z_DIM = 5
SIZE = 4
FORGOT_EVAL = (
    "the generator works in training mode: batch normalisation then takes the statistics of this "
    "very batch. Call generator.eval() first (lesson 7's sample does it)"
)


def require_tensor(came: object, what: str, shape: tuple[int, ...], likely: str = "") -> Tensor:
    """`came` without its graph; fails unless it is a finite float tensor of that shape."""
    expected = f"{what}, of shape {tuple(shape)}"
    if came is None:
        fail(expected, "None", "the function has no return")
    if isinstance(came, (list, tuple)):
        kind = f"a {type(came).__name__} of {len(came)}"
        fail(expected, kind, "torch.stack makes a tensor of a list")
    if not isinstance(came, Tensor):
        fail(expected, f"a {type(came).__name__}", "stay with torch's functions and tensors")
    if not came.is_floating_point():
        fail(expected, f"a tensor of {came.dtype}", "the values were rounded or compared")
    if tuple(came.shape) != tuple(shape):
        fail(expected, f"shape {tuple(came.shape)}", likely or None)
    return came.detach().float()


def directions(probe: Probe, n: int, z_dim: int) -> Tensor:
    """`n` orthogonal unit vectors `(n, z_dim)`."""
    return torch.linalg.qr(probe.randn(z_dim, n)).Q.T.contiguous()


def pair(
    probe: Probe, degrees: Tensor, norm_a: float = 10.0, norm_b: float = 10.0, z_dim: int = 100
) -> tuple[Tensor, Tensor]:
    """Latents `(N, z_dim)` with the given angles between a's and b's rows."""
    rows_a, rows_b = [], []
    for angle in torch.deg2rad(degrees):
        first, second = directions(probe, 2, z_dim)
        rows_a.append(norm_a * first)
        rows_b.append(norm_b * (angle.cos() * first + angle.sin() * second))
    return torch.stack(rows_a), torch.stack(rows_b)


class Log(list):
    """What a generator has seen; a copy of the generator writes into the same one."""

    def __deepcopy__(self, memo: dict) -> Log:
        return self


class TinyFaces(nn.Module):
    """Latents (N, 5) to images (N, 3, 4, 4) of low contrast, through a batch normalisation.

    In evaluation mode it is a smooth map under which each image belongs to one latent. `log` has,
    for each run, the latents, the images and whether it was in training mode.
    """

    def __init__(self, probe: Probe):
        super().__init__()
        self.project = nn.Linear(Z_DIM, 3 * SIZE * SIZE)
        self.norm = nn.BatchNorm2d(3)
        weight = directions(probe, Z_DIM, 3 * SIZE * SIZE).T * (3 * SIZE * SIZE) ** 0.5
        with torch.no_grad():
            self.project.weight.copy_(0.25 * weight)
            self.project.bias.copy_(0.2 * probe.randn(3 * SIZE * SIZE))
            self.norm.running_mean.copy_(0.3 * probe.randn(3))
            self.norm.running_var.copy_(1 + 0.3 * probe.randn(3).abs())
        self.log = Log()

    def forward(self, z: Tensor) -> Tensor:
        images = torch.tanh(self.norm(self.project(z).view(-1, 3, SIZE, SIZE)))
        self.log.append((z.detach().clone(), images.detach().clone(), self.training))
        return images

    def faces(self, z: Tensor) -> Tensor:
        """The images of `z` `(N, 5)` in evaluation mode, from a copy and without a note of it."""
        twin = copy.deepcopy(self).eval()
        with torch.no_grad():
            images = twin(z)
        self.log.pop()
        return images

    @property
    def used_in_training_mode(self) -> bool:
        return any(training for _, _, training in self.log)


class Untouched:
    """Remembers a generator; `require` fails when something of it has changed since."""

    def __init__(self, generator: nn.Module):
        self.generator = generator
        self.numbers = {name: x.clone() for name, x in generator.state_dict().items()}
        self.training = generator.training

    def require(self) -> None:
        generator = self.generator
        for name, now in generator.state_dict().items():
            if torch.equal(now, self.numbers[name]):
                continue
            if "running" in name or "num_batches" in name:
                fail(
                    "the generator's running statistics as before",
                    f"other values in {name}",
                    FORGOT_EVAL,
                )
            fail(
                "the generator's weights as before",
                f"other values in {name}",
                "the generator learns too: its parameters must not be in your optimizer",
            )
        for name, parameter in generator.named_parameters():
            if not parameter.requires_grad:
                fail(
                    "parameters of the generator with requires_grad = True, as before",
                    f"False for {name}",
                    "requires_grad_(False) was not taken back at the end",
                )
            if parameter.grad is not None and bool((parameter.grad != 0).any()):
                fail(
                    "no gradients left in the generator's parameters",
                    f"some in {name}",
                    "loss.backward() fills them too, and the generator's next training step would "
                    "find them: ask torch.autograd.grad(loss, z) for z's alone, or call "
                    "generator.zero_grad() at the end",
                )
        if generator.training != self.training:
            fail(
                f"generator.training = {self.training} afterwards, as before",
                str(generator.training),
                "the mode is not put back: note generator.training first, and end with "
                "generator.train(was_training)",
            )
