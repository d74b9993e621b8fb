"""Random states as functions of a seed and a place in the training, not of what went before."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

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
