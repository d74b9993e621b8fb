"""A run: one training with its folder, where metrics, previews and checkpoints are kept.

runs/quick/
    recipe.json      what is trained
    metrics.jsonl    one line a step
    samples/         a grid of the same 64 latents after each epoch
    curves.png       losses and D's mean scores
    progress.gif     the grids as a film
    last.pt          the checkpoint to resume from
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

from facegan_ref.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.pictures import image_grid, load_png, save_curves, save_gif, save_png
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import sample
from facegan_ref.training import Trainer, build_networks

CHECKPOINT = "last.pt"
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
    """Carries a trainer's results into its folder; each method is a callback of the trainer.

    Args:
        folder: where to write; made when missing.
        trainer: what is trained.
        checkpoint_every: steps between checkpoints, besides the one at each epoch's end.
    """

    def __init__(self, folder: str | Path, trainer: Trainer, checkpoint_every: int = 500):
        self.folder = Path(folder)
        self.trainer = trainer
        self.checkpoint_every = checkpoint_every
        self.history: list[dict] = []

    def start(self) -> None:
        """Write the recipe; refuses a folder that already holds a run (FileExistsError)."""
        if (self.folder / CHECKPOINT).exists() or (self.folder / "metrics.jsonl").exists():
            raise FileExistsError(
                f"{self.folder}: already holds a run. Go on with it by --resume {self.folder}, "
                "or choose another folder with --out"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_recipe()
        self.preview()
        # From now on the run can be resumed, even when it is stopped in its first minutes.
        save_checkpoint(self.folder / CHECKPOINT, self.trainer.state_dict())

    def resume(self) -> None:
        """Take up the run from its checkpoint; lines logged after it are dropped and made again."""
        state = load_checkpoint(self.folder / CHECKPOINT)
        self.trainer.load_state_dict(state)
        log = self.folder / "metrics.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
        kept = lines[: self.trainer.step]
        try:
            self.history = [json.loads(line) for line in kept]
            steps = [row["step"] for row in self.history]
        except (ValueError, KeyError, TypeError):
            steps = []
        if steps != list(range(1, self.trainer.step + 1)):
            raise CheckpointError(
                f"{log}: does not hold the {self.trainer.step} steps of the checkpoint; "
                "put back the log that belongs to it"
            )
        beside = log.with_name(log.name + ".partial")
        beside.write_text("".join(kept), encoding="utf-8")
        os.replace(beside, log)
        self._write_recipe()

    def train(self, quiet: bool = False) -> None:
        """Train to the recipe's end with progress bar, log, previews and checkpoints."""
        trainer = self.trainer
        with (
            open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as log,
            tqdm(
                total=trainer.total_steps,
                initial=trainer.step,
                desc=trainer.recipe.name,
                unit="step",
                disable=quiet,
                mininterval=0.5,
            ) as bar,
        ):

            def after_step(trainer: Trainer) -> None:
                row = {"step": trainer.step, **trainer.metrics}
                self.history.append(row)
                log.write(json.dumps(row) + "\n")
                bar.update()
                bar.set_postfix_str(describe(trainer.metrics), refresh=False)
                epoch_ends = trainer.step % trainer.steps_per_epoch == 0
                if epoch_ends or trainer.step % self.checkpoint_every == 0:
                    trainer.require_finite()
                    if epoch_ends:
                        self.preview()
                    # Log and preview reach the disk first: what a checkpoint resumes from is there.
                    log.flush()
                    os.fsync(log.fileno())
                    save_checkpoint(self.folder / CHECKPOINT, trainer.state_dict())

            trainer.callbacks.append(after_step)
            try:
                trainer.run()
            finally:
                trainer.callbacks.remove(after_step)
        self.finish()

    def _write_recipe(self) -> None:
        recipe = json.dumps(self.trainer.recipe.to_dict(), indent=1)
        (self.folder / "recipe.json").write_text(recipe + "\n", encoding="utf-8")

    def preview(self) -> None:
        """Write the grid of the run's fixed latents as they look now."""
        trainer = self.trainer
        images = sample(trainer.generator, trainer.fixed_z.to(trainer.device))
        grid = image_grid(images, GRID_COLUMNS)
        save_png(grid, self.folder / "samples" / f"epoch_{trainer.epoch:03d}.png")

    def finish(self) -> None:
        """Draw the curves and the progress GIF of all epochs so far."""
        if self.history:
            save_curves(self.history, self.folder / "curves.png")
        paths = (self.folder / "samples").glob("epoch_*.png")
        paths = sorted(paths, key=lambda path: (len(path.name), path.name))  # 999 before 1000
        save_gif([load_png(path) for path in paths], self.folder / "progress.gif", GIF_FPS)


def describe(metrics: dict[str, float]) -> str:
    """The last batch's metrics for the progress bar."""
    return (
        f"D {metrics['loss_d']:.2f} G {metrics['loss_g']:.2f} "
        f"D(x) {metrics['d_real']:.2f} D(G(z)) {metrics['d_fake']:.2f} "
        f"acc {metrics['acc_real']:.0%}/{metrics['acc_fake']:.0%}"
    )


def load_generator(path: str | Path) -> tuple[nn.Module, Recipe]:
    """The generator of a checkpoint file or run folder, in evaluation mode on the CPU.

    Raises:
        FileNotFoundError, CheckpointError: as `load_checkpoint`.
    """
    path = Path(path)
    path = path / CHECKPOINT if path.is_dir() else path
    state = load_checkpoint(path)
    try:
        recipe = Recipe.from_dict(state["recipe"])
        generator, _ = build_networks(recipe)
        generator.load_state_dict(state["generator"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: holds no generator of its recipe: {error}") from error
    return generator.eval(), recipe


def open_faces(data: str | Path | None, recipe: Recipe, images: int) -> FaceArray:
    """The images of an array file, or `images` embedded faces of the recipe's size when None."""
    if data is not None:
        return FaceArray.open(data)
    from facegan_ref.data.toyfaces import ToyFaces

    return FaceArray(ToyFaces(images, recipe.image_size, seed=0).images, {"source": "toyfaces"})
