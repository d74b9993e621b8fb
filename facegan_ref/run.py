"""A run: one training that keeps metrics, previews and checkpoints in its folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import torch
from torch import nn
from tqdm.auto import tqdm

from facegan_ref import distributed
from facegan_ref.architectures import averaged_generator, build_networks, show_in_tanh_range
from facegan_ref.checkpoint import CheckpointError, read_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.export import SHIPPED, SUFFIX, load_exported
from facegan_ref.interrupt import StopRequest, TrainingStopped, stop_signals
from facegan_ref.latents import faces_of
from facegan_ref.pictures import image_grid, load_png, save_curves, save_gif, save_png
from facegan_ref.randomness import derive_seed
from facegan_ref.recipes import Recipe
from facegan_ref.run_folder import LAST, RunFolder, rows_until
from facegan_ref.sampling import draw_latent
from facegan_ref.tensorboard import Board
from facegan_ref.training import Trainer, TrainingDiverged

if TYPE_CHECKING:
    from facegan_ref.evaluation import QualityMeasure

GRID_COLUMNS = 8
GIF_FPS = 4


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; for "auto" the first there is of CUDA, MPS and CPU.

    Raises:
        ValueError: this machine has no such device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, yes in there.items() if yes), "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"no device is called {name!r}; use auto, cpu, cuda or mps") from None
    if not there.get(device.type, device.type == "cpu"):
        raise ValueError(f"device {name} is not there; use cpu, or auto to take what there is")
    return device


class Run:
    """Carries a trainer's results into its folder (`run_folder` says what lies there).

    Of several processes that train together, only the first writes.

    Args:
        folder: where to write; made when missing.
        trainer: what is trained.
        checkpoint_every: steps between checkpoints, besides the one at each epoch's end.
        keep: how many checkpoints to keep, the last one included.
        measure: judges the sampler's images `(M, 3, S, S)` in [-1, 1] at each epoch's end, lower
            is better, and has a `protocol` that says how; None for no best checkpoint.
        quality_images: how many images it gets.
        tensorboard: also write TensorBoard's event files (extra `[tensorboard]`).
    """

    def __init__(
        self,
        folder: str | Path,
        trainer: Trainer,
        checkpoint_every: int = 500,
        keep: int = 3,
        measure: QualityMeasure | None = None,
        quality_images: int = 1000,
        tensorboard: bool = False,
    ):
        self.files = RunFolder(folder, keep)
        self.folder = self.files.path
        self.trainer = trainer
        self.checkpoint_every = checkpoint_every
        self.measure = measure
        self.quality_images = quality_images
        self.tensorboard = tensorboard
        self.history: list[dict] = []
        self.best: dict | None = None
        self._writes = distributed.rank() == 0

    # ---- beginning and going on

    def start(self) -> None:
        """Write the recipe; refuses a folder that already holds a run (FileExistsError)."""
        if self._writes:
            self.files.create(self.trainer.recipe)
            self.preview()
            # From now on the run can be resumed, even when it is stopped in its first minutes.
            self.files.save(self.state_dict())

    def resume(self, checkpoint: str | Path | None = None) -> None:
        """Take up the run from its last checkpoint, or from another one; later things are undone.

        Raises:
            FileNotFoundError, CheckpointError: as `read_checkpoint`, or a log does not belong.
            ValueError: the trainer's images are not those of the run.
        """
        path = self.files.last if checkpoint is None else Path(checkpoint)
        state = read_checkpoint(path)
        self.trainer.load_state_dict(state)
        step = self.trainer.step
        self.history = rows_until(self.files.metrics, step)
        if [row["step"] for row in self.history] != list(range(1, step + 1)):
            raise CheckpointError(
                f"{self.files.metrics}: does not hold the {step} steps of the checkpoint; "
                "put back the log that belongs to it"
            )
        if (
            state["best"]
            and state["best"]["step"] != step
            and not self.files.holds_best(state["best"])
        ):
            state["best"] = None  # its file belongs to steps that are being undone
        self.best = state["best"]
        distributed.wait_for_all()
        if self._writes:
            with self.files.alone():
                self.files.return_to(path, state, self.trainer.steps_per_epoch)
                if self.trainer.recipe.to_dict() != state["recipe"]:
                    self.files.save(self.state_dict())  # the wishes hold from now on
                self.files.write_recipe(self.trainer.recipe)
        distributed.wait_for_all()

    def state_dict(self) -> dict:
        """The trainer's state, and what the run's best checkpoint is."""
        return {**self.trainer.state_dict(), "best": self.best}

    # ---- the training

    def train(self, quiet: bool = False) -> None:
        """Train to the recipe's end with progress bar, log, previews and checkpoints.

        Raises:
            TrainingStopped: SIGTERM or Ctrl-C came; the run is saved at the step it had reached.
            TrainingDiverged: a loss or weight is not finite; the last checkpoint is from before.
        """
        trainer = self.trainer
        with contextlib.ExitStack() as stack:
            request = stack.enter_context(stop_signals())
            write = None
            if self._writes:
                stack.enter_context(self.files.alone())
                log = stack.enter_context(open(self.files.metrics, "a", encoding="utf-8"))
                bar = stack.enter_context(
                    tqdm(
                        total=trainer.total_steps,
                        initial=trainer.step,
                        unit="step",
                        disable=quiet,
                        mininterval=0.5,
                    )
                )
                board = stack.enter_context(Board(self.folder, trainer.step, self.tensorboard))
                write = self._writer(log, bar, board)
            after_step = self._after_step(request, write)
            trainer.callbacks.append(after_step)
            try:
                trainer.run()
            except TrainingDiverged:
                if self._writes:  # the steps before the bad one are what to look at
                    log.writelines(json.dumps(row) + "\n" for row in trainer.take_metrics())
                raise
            finally:
                trainer.callbacks.remove(after_step)
        if self._writes:
            self.finish()

    def _after_step(self, request: StopRequest, write):
        """The trainer's callback: reads metrics and finds out what is due, in all processes."""

        def after_step(trainer: Trainer) -> None:
            epoch_ends = trainer.step % trainer.steps_per_epoch == 0
            preview = epoch_ends or _is_due(trainer.step, trainer.recipe.preview_every)
            save = epoch_ends or _is_due(trainer.step, self.checkpoint_every)
            if not (preview or save or _is_due(trainer.step, trainer.read_every)):
                return
            rows = trainer.take_metrics()
            stop = distributed.any_process(request.number is not None, trainer.device)
            if save or stop:
                trainer.require_finite()
            if write is not None:
                write(rows, epoch_ends, preview, save or stop)
            if stop:
                raise TrainingStopped(request.number or signal.SIGTERM, trainer.step)

        return after_step

    def _writer(self, log: TextIO, bar: tqdm, board: Board):
        """Writes what is due after a step, in the process that writes."""
        recipe = self.trainer.recipe

        def write(rows: list[dict], epoch_ends: bool, preview: bool, save: bool) -> None:
            self.history += rows
            log.writelines(json.dumps(row) + "\n" for row in rows)
            board.add(rows)
            bar.update(len(rows))
            bar.set_description_str(
                f"{recipe.name} epoch {self.trainer.epoch}/{recipe.epochs}", refresh=False
            )
            bar.set_postfix_str(describe(rows[-1]), refresh=False)
            if preview:
                self.preview()
            if epoch_ends and self.measure is not None:
                self._measure_quality()
            if save:
                # What a checkpoint goes on from reaches the disk before it.
                log.flush()
                os.fsync(log.fileno())
                self.files.save(self.state_dict())

        return write

    def _measure_quality(self) -> None:
        step, recipe = self.trainer.step, self.trainer.recipe
        rng = torch.Generator().manual_seed(derive_seed(self.trainer.seed, "quality", 0))
        z = draw_latent(recipe, self.quality_images, rng)
        value = self.measure(faces_of(self.trainer.sampler(), z.to(self.trainer.device)).cpu())
        row = {"step": step, "quality": value, "protocol": self.measure.protocol}
        with open(self.files.quality, "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
            log.flush()
            os.fsync(log.fileno())
        if self.best is None or value < self.best["quality"]:
            self.best = row

    def preview(self) -> None:
        """Write the grid of the run's fixed latents as they look now."""
        path = self.files.preview_path(self.trainer.step, self.trainer.steps_per_epoch)
        save_png(image_grid(self.trainer.preview(), GRID_COLUMNS), path)

    def finish(self) -> None:
        """Draw the curves and the progress GIF of all previews so far."""
        if self.history:
            objective = self.trainer.objective
            save_curves(
                self.history, self.folder / "curves.png", objective.at_chance, objective.has_logits
            )
        frames = [load_png(path) for path in self.files.previews()]
        save_gif(frames, self.folder / "progress.gif", GIF_FPS)


def _is_due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def describe(metrics: dict[str, float]) -> str:
    """The last batch's metrics for the progress bar."""
    return (
        f"D {metrics['loss_d']:.2f} G {metrics['loss_g']:.2f} "
        f"D(x) {metrics['d_real']:.2f} D(G(z)) {metrics['d_fake']:.2f} "
        f"acc {metrics['acc_real']:.0%}/{metrics['acc_fake']:.0%}"
    )


def load_generator(path: str | Path | None = None) -> tuple[nn.Module, Recipe]:
    """The generator of a run's folder, a checkpoint or an exported file; None: the package's own.

    It is in evaluation mode on the CPU, its images are in [-1, 1]. Where the recipe averages the
    generator's weights, it is the average.

    Raises:
        FileNotFoundError, CheckpointError: as `read_checkpoint` and `load_exported`.
    """
    path = SHIPPED if path is None else Path(path)
    if path.suffix == SUFFIX:
        return load_exported(path)
    path = path / LAST if path.is_dir() else path
    state = read_checkpoint(path)
    try:
        recipe = Recipe.from_dict(state["recipe"])
        if recipe.ema_decay:
            generator = averaged_generator(recipe, state["ema"])
        else:
            generator, _ = build_networks(recipe)
            generator.load_state_dict(state["generator"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: holds no generator of its recipe: {error}") from error
    return show_in_tanh_range(generator, recipe).eval(), recipe


def open_faces(data: str | Path | None, recipe: Recipe, images: int) -> FaceArray:
    """The images of an array file, or `images` embedded faces of the recipe's size when None."""
    if data is not None:
        return FaceArray.open(data)
    from facegan_ref.data.toyfaces import ToyFaces

    return FaceArray(ToyFaces(images, recipe.image_size, seed=0).images, {"source": "toyfaces"})


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
