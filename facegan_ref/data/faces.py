"""Face images as one uint8 array: in memory, or memory-mapped from a file made by `data_prep`."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

MANIFEST_FORMAT = "facegan-faces-1"


def to_tanh_range(x: Tensor) -> Tensor:
    """Bytes 0…255 to float32 in [-1, 1]: 0 becomes -1, 255 becomes 1."""
    return x.float() / 127.5 - 1


def from_tanh_range(x: Tensor) -> Tensor:
    """Floats in [-1, 1] to bytes 0…255, rounded; what lies outside is clipped."""
    return ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def manifest_path(array_path: str | Path) -> Path:
    """Where the manifest of an array file lies: `faces.npy` has `faces.json` beside it."""
    return Path(array_path).with_suffix(".json")


@dataclass(frozen=True)
class Attributes:
    """Yes-or-no facts about each image of an array, such as CelebA's 40.

    `names` are theirs, `(A,)`; `values` is a bool tensor `(N, A)`.
    """

    names: tuple[str, ...]
    values: Tensor

    def __post_init__(self) -> None:
        if self.values.dtype != torch.bool or self.values.shape[1:] != (len(self.names),):
            raise ValueError(
                f"values are {self.values.dtype} of shape {tuple(self.values.shape)}, expected "
                f"torch.bool of shape (N, {len(self.names)})"
            )


def _npy_sha256(images: Tensor) -> str:
    """SHA-256 of the .npy file that would hold `images` `(N, C, H, W)` as `(N, H, W, C)`."""
    pixels = images.permute(0, 2, 3, 1)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": tuple(pixels.shape)}
    )
    digest = hashlib.sha256(header.getvalue())
    for part in pixels.split(1024):
        digest.update(part.contiguous().cpu().numpy())
    return digest.hexdigest()


class FaceArray(Dataset):
    """Images `(N, C, H, W)` uint8 that are handed out as float32 in [-1, 1].

    Args:
        images: uint8 tensor `(N, C, H, W)`, in any memory format.
        manifest: what is known about them (source, crop, names); may be empty.
        attributes: of the same images in the same order, or None when nothing is known.
    """

    def __init__(
        self,
        images: Tensor,
        manifest: dict | None = None,
        attributes: Attributes | None = None,
    ):
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f"images are {images.dtype} of shape {tuple(images.shape)}, "
                "expected torch.uint8 of shape (N, C, H, W)"
            )
        if attributes is not None and len(attributes.values) != len(images):
            raise ValueError(
                f"{len(images)} images have attributes for {len(attributes.values)}: "
                "the two do not belong together"
            )
        self.images = images
        self.manifest = manifest or {}
        self.attributes = attributes
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the images: the SHA-256 of their array file.

        Read from the manifest of an opened file; computed once, over all bytes, in memory.
        """
        if self._fingerprint is None:
            self._fingerprint = _npy_sha256(self.images)[:16]
        return self._fingerprint

    @classmethod
    def open(cls, path: str | Path) -> FaceArray:
        """Memory-map an array file `(N, S, S, C)` made by `python -m data_prep`.

        Raises:
            FileNotFoundError: the array or its manifest is missing.
            ValueError: the file is no face array, or array and manifest do not belong together.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such file. Make one with `python -m data_prep celeba SOURCE "
                f"--out {path}`"
            )
        try:
            # Copy-on-write: pages are read when touched and the file can't be changed.
            # `np.load` would open a zip too, such as CelebA's own.
            array = np.lib.format.open_memmap(path, mode="c")
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(
                f"{path}: not a complete .npy array ({error}). Make it again with "
                "`python -m data_prep`"
            ) from error
        square = array.ndim == 4 and array.shape[1] == array.shape[2]
        if array.dtype != np.uint8 or not square or array.shape[3] not in (1, 3):
            raise ValueError(
                f"{path}: holds {array.dtype} of shape {array.shape}, expected uint8 of shape "
                "(N, S, S, 3). Make it with `python -m data_prep`"
            )
        manifest = cls._read_manifest(path, array.shape)
        # The bytes stay (N, H, W, C), which is channels-last memory under an (N, C, H, W) shape.
        faces = cls(torch.from_numpy(array).permute(0, 3, 1, 2), manifest)
        if manifest.get("array_sha256"):
            faces._fingerprint = str(manifest["array_sha256"])[:16]
        return faces

    @staticmethod
    def _read_manifest(path: Path, shape: tuple[int, ...]) -> dict:
        beside = manifest_path(path)
        if not beside.is_file():
            raise FileNotFoundError(
                f"{beside}: the manifest of {path.name} is missing. Copy it too, or make both "
                "again with `python -m data_prep`"
            )
        try:
            manifest = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{beside}: not readable as JSON ({error})") from error
        if not isinstance(manifest, dict) or manifest.get("format") != MANIFEST_FORMAT:
            raise ValueError(f'{beside}: no manifest with "format": "{MANIFEST_FORMAT}"')
        if manifest.get("shape") != list(shape):
            raise ValueError(
                f"{beside}: describes an array of shape {manifest.get('shape')}, but {path.name} "
                f"has {list(shape)}: the two files do not belong together"
            )
        return manifest

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return self.images.shape[-1]

    def __len__(self) -> int:
        return self.images.shape[0]

    def __getitem__(self, index: int) -> Tensor:
        return to_tanh_range(self.images[index])

    def batch(self, indices: Tensor, device: torch.device | str = "cpu") -> Tensor:
        """The images `indices` `(B,)` as float32 `(B, C, H, W)` in [-1, 1] on `device`."""
        chosen = self.images[indices.to(self.images.device)].to(device, non_blocking=True)
        return to_tanh_range(chosen).contiguous(memory_format=torch.channels_last)
