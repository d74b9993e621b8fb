"""A tiny training in a process of its own, to be killed; importable there without pytest."""

from __future__ import annotations

import torch

from facegan_ref.data.faces import FaceArray
from facegan_ref.evaluation import QualityMeasure
from facegan_ref.recipes import Recipe
from facegan_ref.run import Run
from facegan_ref.training import Trainer

# 16 epochs of 5 steps with everything that has a state of its own; checkpoints at each third step.
RECIPE = Recipe(
    name="killed", source="the tests", image_size=16, z_dim=8, ngf=4, ndf=4, batch_size=8,
    epochs=16, dropout=0.1, spectral_norm=True, sigma0=0.2, augment="translation", ema_decay=0.9,
    lr_g=1e-3, lr_d=1e-3,
)  # fmt: skip


class Darkness(QualityMeasure):
    """A quality that rises and falls, without the features' cost."""

    protocol = "mean value"

    def __init__(self) -> None:
        pass

    def __call__(self, fake: torch.Tensor) -> float:
        return round(fake.mean().item(), 3)


def train_on(folder: str, images: torch.Tensor) -> None:
    """Start the run in `folder`, or go on with it, to its end."""
    torch.set_num_threads(1)
    trainer = Trainer(RECIPE, FaceArray(images), seed=5)
    run = Run(folder, trainer, checkpoint_every=3, measure=Darkness(), quality_images=16)
    if run.files.last.exists():
        run.resume()
    else:
        run.start()
    run.train(quiet=True)
