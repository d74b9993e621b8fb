"""Decode, crop and resize on all cores.

A chunk's result depends on nothing but the chunk, so it does not matter which process makes it.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import multiprocessing.context
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
import torch

from data_prep.crops import AnyCrop, Crop
from data_prep.journal import Done
from data_prep.pixels import BadPicture, crop_picture, resize
from data_prep.sources import Chunk

BATCH = 16  # pictures resized at once
BATCH_PIXELS = 4_000_000  # ... and at most so many pixels of them
_FEW = 1000  # pictures; fewer are done before worker processes have started


@dataclass(frozen=True)
class Job:
    """What a worker needs to know besides its chunk."""

    partial: str
    crop: Crop | AnyCrop
    size: int


def work(job: Job, index: int, chunk: Chunk) -> Done:
    """Prepare a chunk's pictures and write them to their places in the partial array."""
    array = np.lib.format.open_memmap(job.partial, mode="r+")
    digests, rejected = {}, {}
    group: list[tuple[int, np.ndarray]] = []

    def write() -> None:
        if group:
            places, pictures = zip(*group, strict=True)
            array[list(places)] = resize(pictures, job.size)
            group.clear()

    for place, encoded in chunk.read():
        try:
            if isinstance(encoded, BadPicture):
                raise encoded
            digests[place] = hashlib.sha256(encoded).hexdigest()
            picture = crop_picture(encoded, job.crop)
        except BadPicture as error:
            rejected[place] = str(error).splitlines()[0]
            continue
        same_size = bool(group) and group[0][1].shape == picture.shape
        full = len(group) == BATCH or (len(group) + 1) * picture.size > 3 * BATCH_PIXELS
        if not same_size or full:
            write()
        group.append((place, picture))
    write()
    return Done(index, digests, rejected)


def _start_worker() -> None:
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    # A worker whose parent was killed would wait for work for ever.
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def process_context() -> multiprocessing.context.BaseContext:
    """How worker processes start: by fork, seconds faster than afresh, where that is safe."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def results(
    job: Job,
    todo: list[tuple[int, Chunk]],
    workers: int,
    context: multiprocessing.context.BaseContext,
) -> Iterator[Done]:
    """The chunks' results in whatever order they come; a few chunks a worker are under way."""
    if workers == 1 or sum(len(chunk) for _, chunk in todo) < _FEW:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for index, chunk in todo:
                yield work(job, index, chunk)
        finally:
            torch.set_num_threads(threads)
        return
    pool = ProcessPoolExecutor(min(workers, len(todo)), context, initializer=_start_worker)
    try:
        running: set[Future[Done]] = set()
        waiting = iter(todo)
        while True:
            for index, chunk in waiting:
                running.add(pool.submit(work, job, index, chunk))
                if len(running) >= 2 * workers:
                    break
            if not running:
                return
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ready)
    except BrokenProcessPool as error:
        raise OSError(
            "a worker process was killed, likely for want of memory: run the same command again to "
            "go on, with fewer --workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
