"""Machines with as many GPUs as a check asks for, as far as their random states go.

What torch says of its devices' random states is replaced for a while, so that a machine without a
GPU can see whether code would save all of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from unittest import mock

import torch
from torch import Tensor


class Machine:
    """A machine with `gpus` CUDA devices, and MPS or not; each device has a random state.

    Args:
        seed: the devices' states follow from it.
    """

    def __init__(self, gpus: int, mps: bool, seed: int):
        self.gpus = [torch.Generator().manual_seed(seed + 1 + n) for n in range(gpus)]
        self.mps = torch.Generator().manual_seed(seed) if mps else None

    def states(self) -> dict[str, Tensor]:
        """The random state of each device by the device's name."""
        found = {f"cuda:{n}": gpu.get_state() for n, gpu in enumerate(self.gpus)}
        return found if self.mps is None else {**found, "mps": self.mps.get_state()}

    @contextlib.contextmanager
    def is_here(self) -> Iterator[None]:
        """In this block torch's functions speak of this machine's devices."""
        with contextlib.ExitStack() as stack:
            for place, names in self._functions().items():
                for name, function in names.items():
                    if hasattr(place, name):
                        stack.enter_context(mock.patch.object(place, name, function))
            yield

    def _functions(self) -> dict[object, dict[str, object]]:
        states = {
            "get_rng_state": self._get,
            "get_rng_state_all": lambda: [gpu.get_state() for gpu in self.gpus],
            "set_rng_state": self._set,
            "set_rng_state_all": self._set_all,
        }
        cuda = {
            **states,
            "is_available": lambda: bool(self.gpus),
            "is_initialized": lambda: bool(self.gpus),
            "device_count": lambda: len(self.gpus),
            "current_device": lambda: 0,
            "default_generators": tuple(self.gpus),
        }
        has_mps = {"is_available": lambda: self.mps is not None}
        mps = {**has_mps, "get_rng_state": self._get_mps, "set_rng_state": self._set_mps}
        return {
            torch.cuda: cuda,
            torch.cuda.random: states,
            torch.backends.mps: has_mps,
            torch.mps: mps,
        }

    def _gpu(self, device: object) -> torch.Generator:
        if not isinstance(device, int):
            device = torch.device(device).index or 0
        return self.gpus[device]

    def _get(self, device: object = "cuda") -> Tensor:
        if not self.gpus:
            raise RuntimeError("there is no CUDA device on this machine")
        return self._gpu(device).get_state()

    def _set(self, new_state: Tensor, device: object = "cuda") -> None:
        if self.gpus:  # without a device, torch waits for one and says nothing
            self._gpu(device).set_state(new_state)

    def _set_all(self, new_states: Sequence[Tensor]) -> None:
        for index, state in enumerate(new_states):
            self._set(state, index)

    def _get_mps(self, device: object = "mps") -> Tensor:
        if self.mps is None:
            raise RuntimeError("there is no MPS device on this machine")
        return self.mps.get_state()

    def _set_mps(self, new_state: Tensor, device: object = "mps") -> None:
        if self.mps is None:
            raise RuntimeError("there is no MPS device on this machine")
        self.mps.set_state(new_state)
