"""One process of a training in two; importable there without pytest."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from facegan_ref import distributed
from facegan_ref.checkpoint import read_checkpoint, write_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.recipes import Recipe
from facegan_ref.training import Trainer


def train_until(step: int, path: Path, recipe: Recipe, images: torch.Tensor) -> Trainer:
    """Train up to `step`, from the checkpoint at `path` where there is one; save it there."""
    torch.set_num_threads(1)
    trainer = Trainer(recipe, FaceArray(images), seed=3)
    if path.exists():
        trainer.load_state_dict(read_checkpoint(path))
    distributed.wait_for_all()  # both have read before one writes
    trainer.run(until=step)
    if distributed.rank() == 0:
        write_checkpoint(path, {**trainer.state_dict(), "rows": trainer.take_metrics()})
    return trainer


def train_as(rank: int, port: int, *arguments) -> None:
    """`train_until` as process `rank` of two, which must come to the same weights."""
    os.environ.update(
        RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    distributed.join_torchrun(torch.device("cpu"))
    trainer = train_until(*arguments)
    for network in (trainer.generator, trainer.discriminator):
        for value in network.state_dict().values():
            mean = distributed.mean_over_processes(value.double())
            assert torch.equal(mean, value.double()), "the processes have drifted apart"
    distributed.leave()
