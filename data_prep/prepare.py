"""Make the array file: read, decode, crop and resize on all cores, resumable, then assemble.

The places of the pictures in the array follow from the listing alone, so neither the number of
workers nor an interruption changes a byte.
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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from data_prep.annotations import Annotations, read_annotations
from data_prep.crops import CROPS, FACE_CROPS, AnyCrop, Crop
from data_prep.errors import SourceError
from data_prep.journal import Done, Journal
from data_prep.parquet import list_parquet
from data_prep.pixels import RESIZE, BadPicture, crop_picture, decoder_name, resize
from data_prep.sources import Chunk, Listing, is_picture, list_folder, list_zip, walk
from facegan_ref.data.manifest import (
    MANIFEST_FORMAT,
    SPLITS,
    manifest_path,
    pack_bits,
    sample_sha256,
    write_manifest,
)

TERMS = {
    "celeba": "CelebA: non-commercial research only, no redistribution; "
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    "faces": "as the pictures' owners say",
}
BATCH = 16  # pictures resized at once
BATCH_PIXELS = 4_000_000  # ... and at most so many pixels of them
_IN_PROCESS = 4  # chunks; fewer are done before worker processes have started


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


def _context() -> multiprocessing.context.BaseContext:
    """How worker processes start: by fork, seconds faster than afresh, where that is safe."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _results(
    job: Job,
    todo: list[tuple[int, Chunk]],
    workers: int,
    context: multiprocessing.context.BaseContext,
) -> Iterator[Done]:
    """The chunks' results in whatever order they come; a few chunks a worker are under way."""
    if workers == 1 or len(todo) < _IN_PROCESS:
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


def list_source(source: Path, kind: str) -> tuple[Path, Listing]:
    """List a zip, a folder or parquet files; a folder may hold the one zip instead of pictures.

    Returns:
        The path that was listed, and what is there.

    Raises:
        SourceError: there is no such source, or not one picture in it.
    """
    by_file_name = kind == "celeba"
    if source.is_dir():
        paths = walk(source)
        if not any(map(is_picture, paths)):
            tables = [source / path for path in paths if path.endswith(".parquet")]
            zips = [source / path for path in paths if path.endswith(".zip")]
            if tables:
                return source, list_parquet(tables, source, by_file_name)
            if len(zips) == 1:
                return zips[0], list_zip(zips[0], by_file_name)
        return source, list_folder(source, paths, by_file_name)
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    if source.suffix == ".parquet":
        return source, list_parquet([source], source, by_file_name)
    return source, list_zip(source, by_file_name)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def prepare(
    source: Path,
    out: Path,
    crop: str | None = None,
    size: int = 64,
    kind: str = "celeba",
    workers: int | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Write the pictures of `source` to the array `out` `(N, size, size, 3)` and its manifest.

    Pictures that can't be used are left out and named in the manifest with the reason. The array
    takes its name only when it is complete; a call that was killed is gone on with by the same
    call.

    Args:
        crop: a name of `CROPS`, or of `FACE_CROPS` for kind "faces"; None for the first.
        kind: "celeba" for the aligned set, "faces" for any pictures.
        workers: processes; None for one a core.

    Returns:
        The manifest.

    Raises:
        SourceError: the source holds no usable picture, or its text files don't fit it.
        ValueError: unknown crop, or `out` doesn't end in .npy.
        OSError: a file can't be read or written.
    """
    crops: dict[str, Any] = {"celeba": CROPS, "faces": FACE_CROPS}[kind]
    crop = crop or next(iter(crops))
    if crop not in crops:
        raise ValueError(f"no crop {crop!r}; there are: {', '.join(crops)}")
    if out.suffix != ".npy":
        raise ValueError(f"{out}: the array file's name must end in .npy")
    source, listing = list_source(source, kind)
    annotations = listing.columns
    if annotations is None and kind == "celeba":
        annotations = read_annotations(source, listing.names, listing.others)
    out.parent.mkdir(parents=True, exist_ok=True)
    count = len(listing.names)
    request = {"kind": kind, "crop": crop, "size": size, "resize": RESIZE}
    journal = Journal(
        out, {**request, "decoder": decoder_name(), "state": listing.state}, (count, size, size, 3)
    )
    try:
        _fill(journal, listing, Job(str(journal.partial), crops[crop], size), workers, progress)
    except BaseException:
        journal.close()
        raise
    digests, rejected = {}, {}
    for done in journal.done:
        digests.update(done.digests)
        rejected.update(done.rejected)
    reasons = dict(listing.rejected)
    reasons.update((listing.members[place], rejected[place]) for place in sorted(rejected))
    kept = np.array([place for place in range(count) if place not in rejected], int)
    if not len(kept):
        journal.remove()
        raise SourceError(
            f"{source}: none of its {count} pictures can be used; the first: "
            f"{next(iter(reasons.items()))}"
        )
    whole = _without(journal.partial, kept, count)
    array = np.load(whole, mmap_mode="r")
    manifest = {
        "format": MANIFEST_FORMAT,
        **request,
        "decoder": decoder_name(),
        "source": source.name,
        "source_sha256": file_sha256(source) if source.is_file() else None,
        "pictures_sha256": hashlib.sha256(
            "".join(digests[place] for place in kept).encode()
        ).hexdigest(),
        "shape": list(array.shape),
        "array_sha256": file_sha256(whole),
        "sample_sha256": sample_sha256(array),
        "terms": TERMS[kind],
        "rejected": reasons,
        "other_files": {"count": len(listing.others), "first": listing.others[:5]},
        **_packed(annotations.take(kept) if annotations else Annotations()),
        "names": [listing.names[place] for place in kept],
    }
    del array
    # A kill between these lines leaves an array without manifest, which is refused, or the journal
    # of an array that is complete, which the next call takes for none. Never a wrong pair.
    manifest_path(out).unlink(missing_ok=True)
    os.replace(whole, out)
    write_manifest(manifest_path(out), manifest)
    journal.remove()
    return manifest


def _fill(
    journal: Journal, listing: Listing, job: Job, workers: int | None, progress: bool
) -> None:
    """Prepare the chunks that the journal lacks."""
    done = {entry.chunk for entry in journal.done}
    todo = [(i, chunk) for i, chunk in enumerate(listing.chunks) if i not in done]
    resumed = sum(len(listing.chunks[i]) for i in done)
    workers = workers or available_cores()
    context = _context()  # before the progress bar starts a thread
    with tqdm(
        total=len(listing.names),
        initial=resumed,
        desc=f"going on at {resumed}" if resumed else "preparing",
        unit=" images",
        disable=not progress,
    ) as bar:
        for result in _results(job, todo, workers, context):
            journal.add(result)
            bar.update(len(listing.chunks[result.chunk]))
            left_out = sum(len(entry.rejected) for entry in journal.done)
            if left_out:
                bar.set_postfix_str(f"{left_out} left out", refresh=False)
    journal.flush()


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _without(partial: Path, kept: np.ndarray, count: int) -> Path:
    """The file with the `kept` images only: the partial one itself when that is all."""
    if len(kept) == count:
        return partial
    whole = np.load(partial, mmap_mode="r")
    shorter = partial.with_name(partial.name + ".new")
    target = np.lib.format.open_memmap(
        shorter, mode="w+", dtype=np.uint8, shape=(len(kept), *whole.shape[1:])
    )
    for start in range(0, len(kept), 4096):
        target[start : start + 4096] = whole[kept[start : start + 4096]]
    target.flush()
    return shorter


def _packed(known: Annotations) -> dict[str, Any]:
    """Annotations as the manifest holds them."""
    return {
        "annotations_from": list(known.sources),
        "attributes": None
        if known.values is None
        else {"names": list(known.names), "bits": pack_bits(known.values)},
        "identities": None if known.identities is None else known.identities.tolist(),
        "split_names": list(SPLITS),
        "split": None if known.split is None else "".join(map(str, known.split.tolist())),
    }
