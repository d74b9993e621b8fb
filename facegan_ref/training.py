"""The trainer: a short loop around the two steps. What is optional is a callback."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from facegan_ref import distributed
from facegan_ref.architectures import averaged_generator, build_networks, show_in_tanh_range
from facegan_ref.data.faces import FaceArray
from facegan_ref.losses import OBJECTIVES
from facegan_ref.randomness import derive_seed, own_randomness, seed_device
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import draw_latent, sample
from facegan_ref.speed import CapturedUpdate, deterministic_kernels, on_device
from facegan_ref.stabilise import EMA, gradient_penalty, noise_sigma, r1_penalty, ramped_decay
from facegan_ref.steps import discriminator_step, generator_step
from facegan_ref.views import DiscriminatorView, GeneratorView, frozen

READ_EVERY = 25  # steps between looks at a CUDA device's metrics: each look waits for it
FIXED_SAMPLES = 64  # latents kept for the preview grids
METRICS = ("loss_d", "loss_g", "d_real", "d_fake", "acc_real", "acc_fake")
ADVICE = (
    "Look at the last lines of metrics.jsonl: did D's scores run to 0 and 1, or did a loss grow? "
    "The last checkpoint is from before that: resume from it with a lower lr_g and lr_d, or with "
    "precision fp32"
)


class TrainingDiverged(RuntimeError):
    """A loss or weight became NaN or infinite; no checkpoint was overwritten since."""


def build_adam(network: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam for a network on its device, in one kernel where this torch has one."""
    parameters = list(network.parameters())
    if parameters[0].device.type == "cuda":
        return torch.optim.Adam(parameters, lr, betas, fused=True, capturable=True)
    if parameters[0].device.type == "cpu":
        # torch before 2.4 has no fused Adam for the CPU and says so by RuntimeError.
        with contextlib.suppress(RuntimeError):
            return torch.optim.Adam(parameters, lr, betas, fused=True)
    return torch.optim.Adam(parameters, lr, betas)


class Trainer:
    """Trains a recipe's two networks on face images, step by step.

    Everything random is a function of (seed, step), so that a training goes on after any step as
    if it had not been interrupted.

    Args:
        recipe: what to train.
        faces: images of the recipe's size, at least one batch of them (ValueError otherwise).
        device: "cpu", "cuda" or "mps".
        seed: fixes initial weights, latents, noise and the order of the images.
        callbacks: called as `callback(trainer)` after each step.
        capture: on CUDA, replay each step as one CUDA graph (`speed.CapturedUpdate`).

    Attributes:
        step: updates done so far; `epoch` is the number of whole passes done.
        ema: the average of the generator, where the recipe has an `ema_decay`; else None.
        metrics: those of the last step that was read, as `take_metrics` gives them; on CUDA every
            25th step is.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces: FaceArray,
        device: torch.device | str = "cpu",
        seed: int = 0,
        callbacks: Sequence[Callable[[Trainer], None]] = (),
        capture: bool = False,
    ):
        _require_fit(recipe, faces)
        if capture and torch.device(device).type != "cuda":
            raise ValueError(f"only steps on a CUDA device can be captured, the device is {device}")
        self.recipe, self.faces, self.seed = recipe, faces, seed
        self.device = torch.device(device)
        self.callbacks = list(callbacks)
        self.data = faces.fingerprint
        self._images = on_device(faces, self.device)
        if capture and not self._images.images.is_cuda:
            raise ValueError(
                f"the images take more than half of the free memory of {device}: steps that fetch "
                "them from elsewhere can't be captured; leave --capture away"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator, discriminator = build_networks(recipe)
        place = {"device": self.device, "memory_format": torch.channels_last}
        self.generator, self.discriminator = generator.to(**place), discriminator.to(**place)
        self.ema = EMA(self.generator, recipe.ema_decay) if recipe.ema_decay else None
        betas = (recipe.beta1, recipe.beta2)
        self.optimizer_g = build_adam(self.generator, recipe.lr_g, betas)
        self.optimizer_d = build_adam(self.discriminator, recipe.lr_d, betas)
        distributed.share_work(
            (self.generator, self.discriminator), (self.optimizer_g, self.optimizer_d)
        )
        self._g = GeneratorView(self.generator, recipe.precision, self.device)
        self._d = DiscriminatorView(
            self.discriminator, recipe.precision, self.device, recipe.augment
        )
        self.objective = OBJECTIVES[recipe.loss]
        rng = torch.Generator().manual_seed(derive_seed(seed, "preview", 0))
        self.fixed_z = draw_latent(recipe, FIXED_SAMPLES, rng)
        self.step = 0
        self._update = CapturedUpdate(self._play) if capture else self._play
        self.read_every = READ_EVERY if self.device.type == "cuda" else 1
        self.metrics: dict[str, float] = {}
        self._unread: list[Tensor] = []
        self._rows: list[dict[str, float]] = []
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

    # What a step works on: functions of (seed, step) alone.

    def batch_indices(self, step: int) -> Tensor:
        """Which images a step takes, `(batch_size,)` int64, in all processes together."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            rng = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
            self._order = (epoch, torch.randperm(len(self.faces), generator=rng))
        first = position * self.recipe.batch_size
        return self._order[1][first : first + self.recipe.batch_size]

    def real_batch(self, indices: Tensor) -> Tensor:
        """The real images `indices` `(B,)`, `(B, 3, S, S)` in the range of the generator's."""
        real = self._images.batch(indices, self.device)
        return (real + 1) / 2 if self.recipe.output == "sigmoid" else real

    def inputs(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """What this process works on in a step.

        Returns:
            Indices of real images `(B,)`; latents `(updates, B, z_dim)`, one batch for each update
            of D, the last one for G; the instance noise's standard deviation and the average's
            decay `(2,)`.
        """
        recipe = self.recipe
        rng = torch.Generator().manual_seed(derive_seed(self.seed, "latents", step))
        batches = recipe.d_steps + recipe.fresh_latents
        latents = torch.stack(
            [
                distributed.own_part(draw_latent(recipe, recipe.batch_size, rng))
                for _ in range(batches)
            ]
        )
        indices = distributed.own_part(self.batch_indices(step))
        sigma = noise_sigma(step, self.total_steps, recipe.sigma0)
        schedules = torch.tensor([sigma, ramped_decay(step, recipe.ema_decay)])
        to = {"device": self.device, "non_blocking": True}
        return indices.to(self._images.images.device), latents.to(**to), schedules.to(**to)

    # The loop.

    def run(self, until: int | None = None) -> None:
        """Train up to step `until` (the recipe's end when None); TrainingDiverged on a bad loss."""
        with own_randomness(self.device), deterministic_kernels(self.device):
            for _ in range(self.step, self.total_steps if until is None else until):
                self._unread.append(self.update())
                self.step += 1
                if self.step % self.read_every == 0:
                    self._read_metrics()
                for callback in self.callbacks:
                    callback(self)
            self._read_metrics()

    def update(self) -> Tensor:
        """One step: D's updates and then G's; METRICS as a tensor `(6,)` on the device."""
        inputs = self.inputs(self.step)
        seed_device(derive_seed(self.seed, "step", self.step), self.device)
        return self._update(*inputs)

    def _play(self, indices: Tensor, latents: Tensor, schedules: Tensor) -> Tensor:
        recipe, g, d = self.recipe, self._g, self._d
        real, batches = self.real_batch(indices), latents.unbind()
        sigma, decay = schedules.unbind()
        d.sigma = sigma if recipe.sigma0 else None
        d.input_gradients = recipe.r1_gamma > 0
        for number, z in enumerate(batches[: recipe.d_steps], start=1):
            d.begin()
            g.keep = number == recipe.d_steps and not recipe.fresh_latents
            loss_d = discriminator_step(g, d, self.optimizer_d, real, z, self._loss_of_d)
        d.input_gradients = g.keep = False
        real_answers, fake_answers = d.answers
        with frozen(self.discriminator):
            d.begin()
            objective = self._against(real) if self.objective.compares else self.objective.generator
            loss_g = generator_step(g, d, self.optimizer_g, batches[-1], objective)
        d.begin()
        if self.ema is not None:
            self.ema.decay = decay
            self.ema.update(self.generator)
        return self._measure(loss_d, loss_g, real_answers, fake_answers)

    def _loss_of_d(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        recipe, (real, fake) = self.recipe, self._d.seen
        if recipe.smoothing:
            loss = self.objective.discriminator(real_logits, fake_logits, recipe.smoothing)
        else:
            loss = self.objective.discriminator(real_logits, fake_logits)
        if recipe.r1_gamma:
            loss = loss + recipe.r1_gamma / 2 * r1_penalty(real_logits, real)
        if recipe.gradient_penalty:
            loss = loss + recipe.gradient_penalty * gradient_penalty(self._d.judge, real, fake)
        return loss

    def _against(self, real: Tensor) -> Callable[[Tensor], Tensor]:
        """G's loss where generated images are compared with these real ones."""
        with torch.no_grad():
            real_logits = self._d(real)
        return lambda fake_logits: self.objective.generator(real_logits, fake_logits)

    def _measure(self, loss_d: Tensor, loss_g: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        boundary = self.objective.boundary
        score = torch.sigmoid if self.objective.has_logits else torch.as_tensor
        values = [
            loss_d,
            loss_g,
            score(real).mean(),
            score(fake).mean(),
            (real > boundary).float().mean(),
            (fake < boundary).float().mean(),
        ]
        return distributed.mean_over_processes(torch.stack(values))

    def _read_metrics(self) -> None:
        """Fetch the metrics of the steps since the last time; TrainingDiverged on a bad loss."""
        if not self._unread:
            return
        values = torch.stack(self._unread).tolist()
        first = self.step - len(values) + 1
        self._unread.clear()
        for step, row in enumerate(values, start=first):
            loss_d, loss_g = row[:2]
            if not (math.isfinite(loss_d) and math.isfinite(loss_g)):
                raise TrainingDiverged(
                    f"step {step}: D's loss is {loss_d}, G's {loss_g}. " + ADVICE
                )
            self._rows.append({"step": step, **dict(zip(METRICS, row, strict=True))})
        self.metrics = self._rows[-1]

    def take_metrics(self) -> list[dict[str, float]]:
        """The metrics of the steps since the last call, oldest first; waits for the device.

        Each has `step`, `loss_d`, `loss_g`, `d_real` and `d_fake` (D's mean scores of the real and
        the generated batch before the update, in [0, 1] where the loss has logits), `acc_real` and
        `acc_fake` (fractions that D got right).
        """
        self._read_metrics()
        rows, self._rows = self._rows, []
        return rows

    # What comes out, and what a run needs to go on.

    def sampler(self) -> nn.Module:
        """The generator to sample from, its images in [-1, 1]: the average where there is one."""
        if self.ema is None:
            return show_in_tanh_range(self.generator, self.recipe)
        weights = self.ema.model.state_dict()
        return show_in_tanh_range(
            averaged_generator(self.recipe, weights, self.device), self.recipe
        )

    def preview(self) -> Tensor:
        """What the sampler makes of the run's fixed latents, `(64, 3, S, S)` in [-1, 1]."""
        return sample(self.sampler(), self.fixed_z.to(self.device))

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

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }
        return parts if self.ema is None else {**parts, "ema": self.ema.model}

    def state_dict(self) -> dict:
        """All that a run needs to go on exactly from here."""
        return {
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
            "step": self.step,
            "images": len(self.faces),
            "data": self.data,
            "fixed_z": self.fixed_z,
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def load_state_dict(self, state: dict) -> None:
        """Put back what `state_dict` gave; ValueError when it belongs to other data or is too far.

        The learning rates are those of this trainer's recipe and the kernels those of its device,
        which may differ from the state's. An average that the state does not have yet begins at the
        generator's weights.
        """
        if (state["images"], state["data"]) != (len(self.faces), self.data):
            raise ValueError(
                f"the run was trained on {state['images']} images with fingerprint "
                f"{state['data']}, these are {len(self.faces)} with {self.data}: resume with the "
                "same data"
            )
        if state["step"] > self.total_steps:
            raise ValueError(
                f"the run has done {state['step']} steps, {self.recipe.epochs} epochs have only "
                f"{self.total_steps}: ask for more epochs, or go back to an earlier checkpoint"
            )
        optimizers = (self.optimizer_g, self.optimizer_d)
        own = [
            {key: optimizer.param_groups[0][key] for key in ("lr", "fused", "capturable")}
            for optimizer in optimizers
        ]
        for name, part in self._parts().items():
            begins = name == "ema" and name not in state
            part.load_state_dict(state["generator" if begins else name])
        for optimizer, settings in zip(optimizers, own, strict=True):
            for group in optimizer.param_groups:
                group.update(settings)
        self.seed, self.step, self.fixed_z = state["seed"], state["step"], state["fixed_z"]
        self._unread.clear()
        self._rows.clear()
        self._order = (-1, torch.empty(0))


def _require_fit(recipe: Recipe, faces: FaceArray) -> None:
    """ValueError when the recipe can't be trained on these images."""
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
    if recipe.batch_size % distributed.world_size():
        raise ValueError(
            f"batch_size {recipe.batch_size} can't be shared evenly by "
            f"{distributed.world_size()} processes"
        )
