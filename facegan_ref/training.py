"""The trainer: a short loop around the two steps. What is optional is a callback."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from facegan_ref.data.faces import FaceArray
from facegan_ref.models import (
    Discriminator,
    Generator,
    MLPDiscriminator,
    MLPGenerator,
    init_weights,
)
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import sample_latent
from facegan_ref.steps import discriminator_step, generator_step

FIXED_SAMPLES = 64  # latents kept for the preview grids
ADVICE = (
    "The last checkpoint is from before that: resume from it with a lower lr_g and lr_d, "
    "or with precision fp32"
)


class TrainingDiverged(RuntimeError):
    """A loss became NaN or infinite; the run stopped before it could overwrite a checkpoint."""


class Observed(nn.Module):
    """A network run in the recipe's precision, which keeps what it answered.

    The steps see an ordinary module; autocast covers the forward pass only, as torch advises, and
    what comes out is float32.
    """

    def __init__(self, network: nn.Module, precision: str, device: torch.device):
        super().__init__()
        self.network = network
        self.autocast = precision == "bf16"
        self.device_type = device.type
        self.outputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(self.device_type, torch.bfloat16, enabled=self.autocast):
            out = self.network(x).float()
        self.outputs.append(out.detach())
        return out

    def take(self) -> list[Tensor]:
        """The outputs since the last call, oldest first."""
        taken, self.outputs = self.outputs, []
        return taken


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within this block the network's parameters get no gradients, which saves their backward."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


def build_networks(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    """The recipe's generator and discriminator, initialised from torch's global RNG."""
    if recipe.model == "mlp":
        shape = (3, recipe.image_size, recipe.image_size)
        return (
            MLPGenerator(recipe.z_dim, 8 * recipe.ngf, shape),
            MLPDiscriminator(shape, 8 * recipe.ndf),
        )
    generator = Generator(recipe.z_dim, recipe.ngf, 3, recipe.image_size)
    discriminator = Discriminator(3, recipe.ndf, recipe.image_size)
    return generator.apply(init_weights), discriminator.apply(init_weights)


def build_adam(network: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam for a network on its device, in one kernel where this torch has one."""
    parameters = list(network.parameters())
    if parameters[0].device.type in ("cpu", "cuda"):
        # torch before 2.4 has no fused Adam for the CPU and says so by RuntimeError.
        with contextlib.suppress(RuntimeError):
            return torch.optim.Adam(parameters, lr, betas, fused=True)
    return torch.optim.Adam(parameters, lr, betas)


class Trainer:
    """Trains a recipe's two networks on face images, step by step.

    Args:
        recipe: what to train.
        faces: images of the recipe's size, at least one batch of them (ValueError otherwise).
        device: "cpu", "cuda" or "mps".
        seed: fixes initial weights, latents and the order of the images.
        callbacks: called as `callback(trainer)` after each step.

    Attributes:
        step: updates done so far; `epoch` is the number of whole passes done.
        metrics: of the last step: `loss_d`, `loss_g`, `d_real` and `d_fake` (means of D(x) and
            D(G(z))), `acc_real` and `acc_fake` (fractions that D got right), on that batch.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces: FaceArray,
        device: torch.device | str = "cpu",
        seed: int = 0,
        callbacks: Sequence[Callable[[Trainer], None]] = (),
    ):
        if faces.image_size != recipe.image_size:
            raise ValueError(
                f"the images are {faces.image_size} pixels wide, but recipe {recipe.name} has "
                f"image_size {recipe.image_size}: prepare the data at that size, or pass "
                f"--image-size {faces.image_size}"
            )
        if faces.images.shape[1] != 3:
            raise ValueError(
                f"the images have {faces.images.shape[1]} channel, expected 3: red, green, blue"
            )
        if len(faces) < recipe.batch_size:
            raise ValueError(
                f"{len(faces)} images do not fill a batch of {recipe.batch_size}: "
                "take more images or a smaller batch_size"
            )
        self.recipe, self.faces, self.seed = recipe, faces, seed
        self.device = torch.device(device)
        self.callbacks = list(callbacks)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator, discriminator = build_networks(recipe)
        place = {"device": self.device, "memory_format": torch.channels_last}
        self.generator, self.discriminator = generator.to(**place), discriminator.to(**place)
        betas = (recipe.beta1, recipe.beta2)
        self.optimizer_g = build_adam(self.generator, recipe.lr_g, betas)
        self.optimizer_d = build_adam(self.discriminator, recipe.lr_d, betas)
        self.rng = torch.Generator().manual_seed(seed)
        self.fixed_z = sample_latent(FIXED_SAMPLES, recipe.z_dim, self.rng)
        self.step = 0
        self.metrics: dict[str, float] = {}
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass; the images left over take their turn in another epoch."""
        return len(self.faces) // self.recipe.batch_size

    @property
    def total_steps(self) -> int:
        return self.recipe.epochs * self.steps_per_epoch

    @property
    def epoch(self) -> int:
        return self.step // self.steps_per_epoch

    def real_batch(self, step: int) -> Tensor:
        """The real images of a step, `(B, 3, H, W)`: a function of (seed, step) alone."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            rng = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._order = (epoch, torch.randperm(len(self.faces), generator=rng))
        first = position * self.recipe.batch_size
        chosen = self._order[1][first : first + self.recipe.batch_size]
        return self.faces.batch(chosen, self.device)

    def run(self, until: int | None = None) -> None:
        """Train up to step `until` (the recipe's end when None); TrainingDiverged on a bad loss."""
        generator = Observed(self.generator, self.recipe.precision, self.device)
        discriminator = Observed(self.discriminator, self.recipe.precision, self.device)
        for _ in range(self.step, self.total_steps if until is None else until):
            real = self.real_batch(self.step)
            n, z_dim = self.recipe.batch_size, self.recipe.z_dim
            z = sample_latent(n, z_dim, self.rng, self.device)
            loss_d = discriminator_step(generator, discriminator, self.optimizer_d, real, z)
            answers = discriminator.take()
            z = sample_latent(n, z_dim, self.rng, self.device)
            with frozen(self.discriminator):
                loss_g = generator_step(generator, discriminator, self.optimizer_g, z)
            discriminator.take()
            generator.take()
            self.step += 1
            self.metrics = self._measure(loss_d, loss_g, *answers)
            for callback in self.callbacks:
                callback(self)

    def _measure(self, loss_d: Tensor, loss_g: Tensor, real: Tensor, fake: Tensor) -> dict:
        values = torch.stack(
            [
                loss_d,
                loss_g,
                real.sigmoid().mean(),
                fake.sigmoid().mean(),
                (real > 0).float().mean(),
                (fake < 0).float().mean(),
            ]
        ).tolist()
        names = ("loss_d", "loss_g", "d_real", "d_fake", "acc_real", "acc_fake")
        metrics = dict(zip(names, values, strict=True))
        if not (math.isfinite(metrics["loss_d"]) and math.isfinite(metrics["loss_g"])):
            raise TrainingDiverged(
                f"step {self.step}: D's loss is {metrics['loss_d']}, G's {metrics['loss_g']}. "
                + ADVICE
            )
        return metrics

    def require_finite(self) -> None:
        """TrainingDiverged when a weight is NaN or infinite, which no loss shows yet.

        A loss is that before the update: the step that spoils the generator reports a good one.
        """
        for name, network in (("G", self.generator), ("D", self.discriminator)):
            for key, value in network.state_dict().items():
                if not value.isfinite().all():
                    raise TrainingDiverged(
                        f"step {self.step}: {name}'s {key} is not finite. " + ADVICE
                    )

    def state_dict(self) -> dict:
        """All that a run needs to go on exactly from here."""
        return {
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
            "step": self.step,
            "images": len(self.faces),
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer_g": self.optimizer_g.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
            "rng": self.rng.get_state(),
            "global_rng": torch.get_rng_state(),
            "fixed_z": self.fixed_z,
        }

    def load_state_dict(self, state: dict) -> None:
        """Put back what `state_dict` gave; ValueError when it belongs to other data.

        The learning rates are those of this trainer's recipe, which may differ from the state's.
        """
        if state["images"] != len(self.faces):
            raise ValueError(
                f"the run was trained on {state['images']} images, these are {len(self.faces)}: "
                "resume with the same data"
            )
        self.seed, self.step = state["seed"], state["step"]
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer_g.load_state_dict(state["optimizer_g"])
        self.optimizer_d.load_state_dict(state["optimizer_d"])
        for optimizer, lr in (
            (self.optimizer_g, self.recipe.lr_g),
            (self.optimizer_d, self.recipe.lr_d),
        ):
            for group in optimizer.param_groups:
                group["lr"] = lr
        self._order = (-1, torch.empty(0))
        self.rng.set_state(state["rng"])
        torch.set_rng_state(state["global_rng"])
        self.fixed_z = state["fixed_z"]


class Throughput:
    """Images trained on and seconds taken, as text like `12,800 images in 160 s, 80 images/s`."""

    images = 0
    seconds = 0.0

    def __str__(self) -> str:
        rate = self.images / self.seconds if self.seconds else 0.0
        return f"{self.images:,} images in {self.seconds:,.0f} s, {rate:,.0f} images/s"


@contextlib.contextmanager
def describe_throughput(trainer: Trainer) -> Iterator[Throughput]:
    """Measure what the trainer does within this block, previews and checkpoints included."""
    result, first, start = Throughput(), trainer.step, time.perf_counter()
    yield result
    result.seconds = time.perf_counter() - start
    result.images = (trainer.step - first) * trainer.recipe.batch_size
