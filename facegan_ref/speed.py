"""What makes the same training faster: memory that is kept, data on the device, captured steps."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from facegan_ref.data.faces import FaceArray

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
WARM_UP = 3  # steps before the capture, in which libraries choose and load their kernels
MOST_OF_MEMORY = 0.5  # of the free memory of a device that images may take


def tune_memory() -> bool:
    """Let this process keep the memory that tensors free, where glibc manages it (Linux).

    By default glibc returns each large block to the system, which zeroes it page by page when the
    next tensor asks for it: dozens of times a step. True when it was set.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library, such as musl
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def on_device(faces: FaceArray, device: torch.device) -> FaceArray:
    """The same faces with their bytes in a CUDA device's memory, where they fit; else unchanged."""
    if device.type != "cuda" or faces.images.device == device:
        return faces
    free, _ = torch.cuda.mem_get_info(device)
    if faces.images.numel() > MOST_OF_MEMORY * free:
        return faces
    return faces.to(device)


@contextlib.contextmanager
def deterministic_kernels(device: torch.device) -> Iterator[None]:
    """Within this block CUDA's convolutions sum in one order, so that a resume is exact."""
    cudnn = torch.backends.cudnn
    if device.type != "cuda":
        yield
        return
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


class CapturedUpdate:
    """A step on a CUDA device, replayed as one CUDA graph.

    A DCGAN's step is hundreds of small kernels, and launching them takes longer than running them.
    The first calls run as usual; then the step is captured once and replayed with new inputs.

    Args:
        update: takes tensors on the device, always of the same shapes, and returns one; must not
            wait for the device. Its work, random draws included, is the same when replayed.
    """

    def __init__(self, update: Callable[..., Tensor]):
        self.update = update
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream()
        self.inputs: tuple[Tensor, ...] = ()
        self.output = torch.empty(0)

    def __call__(self, *inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.calls <= WARM_UP:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                output = self.update(*inputs)
            torch.cuda.current_stream().wait_stream(self.stream)
            return output
        if self.graph is None:
            self.inputs = tuple(given.clone() for given in inputs)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=self.stream):
                self.output = self.update(*self.inputs)
        for held, given in zip(self.inputs, inputs, strict=True):
            held.copy_(given, non_blocking=True)
        self.graph.replay()
        return self.output.clone()
