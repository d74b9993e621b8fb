"""Face images as one uint8 array: in memory, or memory-mapped from a file made by `data_prep`."""

from __future__ import annotations

import hashlib
import io
import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facegan_ref.data.manifest import SPLITS, manifest_path, read_manifest, unpack_bits


def to_tanh_range(x: Tensor) -> Tensor:
    """Bytes 0…255 to float32 in [-1, 1]: 0 becomes -1, 255 becomes 1."""
    return x.to(torch.float32, copy=True).div_(127.5).sub_(1)  # in place: a third of the memory


def from_tanh_range(x: Tensor) -> Tensor:
    """Floats in [-1, 1] to bytes 0…255, rounded; what lies outside is clipped."""
    return ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


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


def _annotations(path: Path, manifest: dict) -> dict[str, Attributes | Tensor | None]:
    """Attributes, identities and split as a manifest holds them; absent ones are None."""
    n = manifest["shape"][0]
    attributes, identities, split = map(manifest.get, ("attributes", "identities", "split"))
    try:
        if attributes is not None:
            names = tuple(attributes["names"])
            values = torch.from_numpy(unpack_bits(attributes["bits"], (n, len(names))))
            attributes = Attributes(names, values)
        if identities is not None:
            identities = torch.tensor(identities, dtype=torch.int64)
        if split is not None:
            split = torch.from_numpy(np.frombuffer(split.encode(), np.uint8) - ord("0"))
            if (split >= len(SPLITS)).any():
                raise ValueError(f"the split has other digits than 0 to {len(SPLITS) - 1}")
        for values in (identities, split):
            if values is not None and values.shape != (n,):
                raise ValueError(f"{len(values)} entries for {n} images")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{manifest_path(path)}: its attributes, identities or split are damaged "
            f"({error}). Make it again with `python -m data_prep`"
        ) from error
    return {"attributes": attributes, "identities": identities, "split": split}


class FaceArray(Dataset):
    """Images `(N, C, H, W)` uint8 that are handed out as float32 in [-1, 1].

    Args:
        images: uint8 tensor `(N, C, H, W)`, in any memory format.
        manifest: what is known about them (source, crop, names); may be empty.
        attributes: of the same images in the same order, or None when nothing is known.
        identities: number of the person on each image, int64 `(N,)`, or None.
        split: CelebA's official split, uint8 `(N,)`: 0 train, 1 valid, 2 test; or None.
    """

    def __init__(
        self,
        images: Tensor,
        manifest: dict | None = None,
        attributes: Attributes | None = None,
        identities: Tensor | None = None,
        split: Tensor | None = None,
    ):
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f"images are {images.dtype} of shape {tuple(images.shape)}, "
                "expected torch.uint8 of shape (N, C, H, W)"
            )
        known = {
            "attributes": None if attributes is None else attributes.values,
            "identities": identities,
            "split": split,
        }
        for name, values in known.items():
            if values is not None and len(values) != len(images):
                raise ValueError(
                    f"{len(images)} images have {name} for {len(values)}: "
                    "the two do not belong together"
                )
        self.images = images
        self.manifest = manifest or {}
        self.attributes = attributes
        self.identities = identities
        self.split = split
        self._fingerprint: str | None = None
        self._file: np.memmap | None = None

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
        if path.stat().st_size != array.offset + array.nbytes:
            raise ValueError(
                f"{path}: {path.stat().st_size} bytes, expected {array.offset + array.nbytes} for "
                f"its shape {array.shape}. Make it again with `python -m data_prep`"
            )
        manifest = read_manifest(path, array)
        # The bytes stay (N, H, W, C), which is channels-last memory under an (N, C, H, W) shape.
        faces = cls(
            torch.from_numpy(array).permute(0, 3, 1, 2), manifest, **_annotations(path, manifest)
        )
        faces._file = array
        if manifest.get("array_sha256"):
            faces._fingerprint = str(manifest["array_sha256"])[:16]
        return faces

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
        indices = indices.to(self.images.device)
        if self._file is not None:
            _ask_for(self._file, indices)
        # A row of (N, H, W, C) is one run of bytes: gathering it is three times as fast.
        rows = self.images.permute(0, 2, 3, 1)
        if rows.is_contiguous():
            chosen = rows.index_select(0, indices).permute(0, 3, 1, 2)
        else:
            chosen = self.images.index_select(0, indices)
        chosen = to_tanh_range(chosen.to(device, non_blocking=True))
        return chosen.contiguous(memory_format=torch.channels_last)

    def to(self, device: torch.device | str) -> FaceArray:
        """The same images with all that is known of them, their bytes on `device`."""
        moved = FaceArray(
            self.images.to(device), self.manifest, self.attributes, self.identities, self.split
        )
        moved._fingerprint = self._fingerprint
        return moved


def _ask_for(array: np.memmap, indices: Tensor) -> None:
    """Have the system read these images of a mapped file now, all at once and nothing else.

    Left to itself it reads one after the other when touched, and a long way around each: from a
    file larger than memory that was 50 times the bytes and 20 times the time.
    """
    if not isinstance(array.base, mmap.mmap) or not hasattr(mmap, "MADV_WILLNEED"):
        return
    each = array.nbytes // len(array)
    for index in indices.tolist():
        begin = array.offset + index * each
        page = begin - begin % mmap.PAGESIZE
        array.base.madvise(mmap.MADV_WILLNEED, page, begin + each - page)
