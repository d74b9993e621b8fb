"""Batches of a data set in a random order that a seed fixes, also from the middle of a pass."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from facegan_ref.randomness import derive_seed


def make_loader(dataset: Dataset, batch_size: int, seed: int) -> DataLoader:
    """Batches of a data set, each pass in a new random order; the last batch may be smaller.

    Two loaders with one seed give the same batches, pass by pass, whatever else draws random
    numbers meanwhile.

    Args:
        dataset: gives one sample for each index.
        batch_size: samples a batch.
        seed: fixes the order.
    """
    rng = torch.Generator().manual_seed(seed)
    return DataLoader(dataset, batch_size, shuffle=True, generator=rng)


class Batches:
    """Batches without end, each pass in a new random order; knows its place and can return to it.

    The next batch depends on the seed and the place alone. The last batch of a pass may be smaller.

    Args:
        dataset: gives one sample for each index from 0.
        batch_size: samples a batch.
        seed: fixes the orders of all passes.

    Attributes:
        epoch: passes done.
        position: samples of this pass that were handed out.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int):
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.epoch = self.position = 0

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        rng = torch.Generator().manual_seed(derive_seed(self.seed, "order", self.epoch))
        order = torch.randperm(len(self.dataset), generator=rng)
        chosen = order[self.position : self.position + self.batch_size].tolist()
        self.position += len(chosen)
        if self.position >= len(order):
            self.epoch, self.position = self.epoch + 1, 0
        return default_collate([self.dataset[index] for index in chosen])

    def state_dict(self) -> dict[str, int]:
        """The place, for a checkpoint."""
        return {"seed": self.seed, "epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to the place that `state_dict` named; KeyError when `state` names none."""
        self.seed, self.epoch, self.position = (state[k] for k in ("seed", "epoch", "position"))
