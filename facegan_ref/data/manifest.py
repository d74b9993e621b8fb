"""The manifest beside an array file: what the images are, and that the two belong together."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

MANIFEST_FORMAT = "facegan-faces-2"
READABLE_FORMATS = ("facegan-faces-1", MANIFEST_FORMAT)
SPLITS = ("train", "valid", "test")
SAMPLED_IMAGES = 64


def manifest_path(array_path: str | Path) -> Path:
    """Where the manifest of an array file lies: `faces.npy` has `faces.json` beside it."""
    return Path(array_path).with_suffix(".json")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sample_sha256(array: np.ndarray) -> str:
    """SHA-256 of 64 images spread over an array `(N, H, W, C)`: quick to compare at opening."""
    digest = hashlib.sha256()
    for index in np.linspace(0, len(array) - 1, min(len(array), SAMPLED_IMAGES)).round():
        digest.update(np.ascontiguousarray(array[int(index)]))
    return digest.hexdigest()


def pack_bits(values: np.ndarray) -> str:
    """A bool array `(N, A)` as text: its bits row by row, in base64."""
    return base64.b64encode(np.packbits(values)).decode("ascii")


def unpack_bits(text: str, shape: tuple[int, int]) -> np.ndarray:
    """The bool array `(N, A)` that `pack_bits` wrote. Raises ValueError when it doesn't fit."""
    packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    count = shape[0] * shape[1]
    if len(packed) != -(-count // 8):
        raise ValueError(f"{len(packed)} bytes of bits, expected {-(-count // 8)}")
    return np.unpackbits(packed, count=count).astype(bool).reshape(shape)


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest, one entry a line, so that it can be looked at with `head` and `grep`."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in manifest.items()]
    temporary = path.with_name(path.name + ".partial")
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    os.replace(temporary, path)


def read_manifest(array_path: Path, array: np.ndarray) -> dict[str, Any]:
    """The manifest of an array file, after checking that it describes this array `(N, S, S, C)`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it can't be read, or belongs to another array.
    """
    beside = manifest_path(array_path)
    if not beside.is_file():
        raise FileNotFoundError(
            f"{beside}: the manifest of {array_path.name} is missing. Copy it too, or make both "
            "again with `python -m data_prep`"
        )
    try:
        manifest = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{beside}: not readable as JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") not in READABLE_FORMATS:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ValueError(
            f'{beside}: no manifest with "format": "{MANIFEST_FORMAT}" (found {found!r}). Make it '
            "again with this version's `python -m data_prep`"
        )
    if manifest.get("shape") != list(array.shape):
        raise ValueError(
            f"{beside}: describes an array of shape {manifest.get('shape')}, but {array_path.name} "
            f"has {list(array.shape)}: the two files do not belong together"
        )
    sample = manifest.get("sample_sha256")  # since format 2
    if sample is not None and sample != sample_sha256(array):
        raise ValueError(
            f"{beside}: describes other images than {array_path.name} holds, though as many: the "
            "two files do not belong together, or the array was damaged. Make both again with "
            "`python -m data_prep`"
        )
    return manifest
