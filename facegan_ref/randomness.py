"""Random states: as functions of a seed and a place in the training, or captured and restored."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def derive_seed(seed: int, purpose: str, number: int) -> int:
    """A seed for one of a run's draws, such as the latents of a step: from 0 to 2**63 - 1."""
    text = f"{seed} {purpose} {number}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def seed_device(seed: int, device: torch.device) -> None:
    """Seed the generator that layers such as dropout draw from on `device`."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@contextlib.contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Within this block torch's global random states may be used; afterwards they are as before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        on_mps = torch.mps.get_rng_state() if device.type == "mps" else None
        try:
            yield
        finally:
            if on_mps is not None:
                torch.mps.set_rng_state(on_mps)


def capture_rng() -> dict:
    """The global random states of torch (CPU, every CUDA device, MPS), numpy and Python.

    Nothing is drawn. The dict holds tensors, numbers and strings only, so that `torch.load` takes
    it with `weights_only=True`.
    """
    name, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
        "numpy": (name, keys.tolist(), *rest),
        "python": random.getstate(),
    }


def restore_rng(state: dict) -> None:
    """Put back what `capture_rng` returned; the states of devices that are absent are skipped."""
    torch.set_rng_state(state["torch"])
    torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])
