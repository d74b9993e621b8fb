"""Read the JPEGs of CelebA's aligned set from its zip or a folder and write one uint8 array."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from data_prep.crops import CROPS, Crop
from facegan_ref.data.faces import MANIFEST_FORMAT, manifest_path

SUFFIXES = (".jpg", ".jpeg", ".png")
# What decoding a picture and reading it from a damaged zip or folder may end in.
UNREADABLE = (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, OSError)


class SourceError(ValueError):
    """A source that can't be used; the message names it and says what was looked for."""


def list_images(source: Path) -> list[str]:
    """Names of the pictures in a zip or folder, sorted by file name.

    Raises:
        SourceError: no such source, no zip, or not one picture in it.
    """
    if source.is_dir():
        names = [p.relative_to(source).as_posix() for p in source.rglob("*")]
    elif not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    else:
        try:
            with zipfile.ZipFile(source) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile as error:
            raise SourceError(f"{source}: {_why_no_zip(source)}") from error
    images = [name for name in names if name.lower().endswith(SUFFIXES) and "__MACOSX" not in name]
    if not images:
        raise SourceError(
            f"{source}: no picture in it; looked for files ending in {', '.join(SUFFIXES)} at any "
            f"depth among {len(names)} names"
        )
    return sorted(images, key=lambda name: (PurePosixPath(name).name, name))


def _why_no_zip(source: Path) -> str:
    with open(source, "rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "not a zip file but a web page: the download met a quota; fetch it again by hand"
    if start.startswith(b"pk"):
        return "a zip file without its end: the download is not complete; fetch it again"
    return "not a zip file"


@contextlib.contextmanager
def open_source(source: Path) -> Iterator[Callable[[str], bytes]]:
    """A function from a picture's name to its encoded bytes, for a zip or folder."""
    if source.is_dir():
        yield lambda name: (source / name).read_bytes()
    else:
        with zipfile.ZipFile(source) as archive:
            yield archive.read


def prepare_image(encoded: bytes, crop: Crop, size: int) -> np.ndarray:
    """Decode, crop and resize (bilinear, antialiased) one picture to uint8 `(size, size, 3)`.

    Raises:
        RuntimeError: the bytes are no complete picture.
    """
    if not encoded:
        raise RuntimeError("the file is empty")
    try:
        # Pillow: torchvision's own decoders are faster, but deprecated since torchvision 0.29.
        with Image.open(io.BytesIO(encoded)) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise RuntimeError(str(error) or "no picture that can be decoded") from error
    top, left, height, width = crop.box(image.width, image.height)
    image = image.crop((left, top, left + width, top + height))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def prepare(source: Path, out: Path, crop: str = "centre-178", size: int = 64) -> dict:
    """Write the pictures of `source` to the array `out` `(N, size, size, 3)` and its manifest.

    Pictures that can't be decoded are left out and named in the manifest with the reason. The
    array takes its name only when it is complete.

    Returns:
        The manifest.

    Raises:
        SourceError: the source holds no usable picture.
        ValueError: unknown crop, or `out` doesn't end in .npy.
    """
    if crop not in CROPS:
        raise ValueError(f"no crop {crop!r}; there are: {', '.join(CROPS)}")
    if out.suffix != ".npy":
        raise ValueError(f"{out}: the array file's name must end in .npy")
    names = list_images(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    array = np.lib.format.open_memmap(
        partial, mode="w+", dtype=np.uint8, shape=(len(names), size, size, 3)
    )
    kept: list[str] = []
    rejected: dict[str, str] = {}
    with open_source(source) as read:
        for name in tqdm(names, desc="preparing", unit="img"):
            try:
                array[len(kept)] = prepare_image(read(name), CROPS[crop], size)
            except UNREADABLE as error:
                rejected[name] = str(error).splitlines()[0]
            else:
                kept.append(name)
    if not kept:
        del array
        partial.unlink()
        raise SourceError(
            f"{source}: none of its {len(names)} pictures could be decoded; the first: "
            f"{next(iter(rejected.items()))}"
        )
    array.flush()
    del array
    if rejected:
        _shorten(partial, len(kept))
    manifest = {
        "format": MANIFEST_FORMAT,
        "source": source.name,
        "source_sha256": file_hash(source) if source.is_file() else None,
        "crop": crop,
        "resize": "bilinear, antialiased",
        "shape": [len(kept), size, size, 3],
        "array_sha256": file_hash(partial),
        "rejected": rejected,
        "names": [PurePosixPath(name).name for name in kept],
    }
    # A crash here leaves an array without manifest, which is refused, never with an older one.
    manifest_path(out).unlink(missing_ok=True)
    os.replace(partial, out)
    manifest_path(out).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def _shorten(path: Path, count: int) -> None:
    """Rewrite an array file with its first `count` images only."""
    shorter = path.with_name(path.name + ".shorter")
    whole = np.load(path, mmap_mode="r")
    target = np.lib.format.open_memmap(
        shorter, mode="w+", dtype=np.uint8, shape=(count, *whole.shape[1:])
    )
    for start in range(0, count, 4096):
        stop = min(start + 4096, count)
        target[start:stop] = whole[start:stop]
    target.flush()
    del whole, target
    os.replace(shorter, path)
