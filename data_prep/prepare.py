"""Make the array file: read, decode, crop and resize on all cores, resumable, then assemble.

The places of the pictures in the array follow from the listing alone, so neither the number of
workers nor an interruption changes a byte.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.annotations import Annotations, read_annotations
from data_prep.crops import CROPS, FACE_CROPS
from data_prep.errors import SourceError
from data_prep.journal import Journal
from data_prep.parquet import list_parquet
from data_prep.pixels import RESIZE, decoder_name
from data_prep.sources import Listing, is_picture, list_folder, list_zip, walk
from data_prep.workers import Job, available_cores, process_context, results
from facegan_ref.data.manifest import (
    MANIFEST_FORMAT,
    SPLITS,
    file_sha256,
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
                listing = list_parquet(tables, source, by_file_name)
                listing.others = sorted(p for p in paths if not p.endswith(".parquet"))
                return source, listing
            if len(zips) == 1:
                return zips[0], list_zip(zips[0], by_file_name)
        return source, list_folder(source, paths, by_file_name)
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    if source.suffix == ".parquet":
        return source, list_parquet([source], source, by_file_name)
    return source, list_zip(source, by_file_name)


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
    context = process_context()  # before the progress bar starts a thread
    with tqdm(
        total=len(listing.names),
        initial=resumed,
        desc=f"going on at {resumed}" if resumed else "preparing",
        unit=" images",
        disable=not progress,
    ) as bar:
        for result in results(job, todo, workers, context):
            journal.add(result)
            bar.update(len(listing.chunks[result.chunk]))
            left_out = sum(len(entry.rejected) for entry in journal.done)
            if left_out:
                bar.set_postfix_str(f"{left_out} left out", refresh=False)
    journal.flush()


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
