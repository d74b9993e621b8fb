"""Batches of a data set in a random order that a seed fixes."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader, Dataset


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
