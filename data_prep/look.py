"""What is in an array file: a picture of some images, and numbers about all of them."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from facegan_ref.data.faces import FaceArray
from facegan_ref.data.manifest import SPLITS, file_sha256, manifest_path

SAME_PICTURE = 5.0  # grey levels between two images, on average; a JPEG saved again differs by 1–3
_PART = 2048  # images that are read at once
_NEIGHBOURS = 4
_HASH_BITS = 64


def save_preview(faces: FaceArray, path: Path, n: int = 24, seed: int = 0) -> int:
    """Draw `n` images, chosen by `seed`, with their names and attributes, as PNG.

    Returns:
        How many were drawn: `n`, or all when there are fewer.
    """
    from matplotlib.figure import Figure

    n = min(n, len(faces))
    chosen = torch.randperm(len(faces), generator=torch.Generator().manual_seed(seed))[:n].sort()[0]
    captions = [_caption(faces, int(index)) for index in chosen]
    with_text = faces.attributes is not None
    columns = min(n, 4 if with_text else 8)
    rows = math.ceil(n / columns)
    width, height = (3.4, 1.62) if with_text else (1.35, 1.5)  # inches of a cell
    figure = Figure(figsize=(columns * width + 0.2, rows * height + 0.55), facecolor="white")
    total_width, total_height = figure.get_size_inches()
    figure.text(
        0.1 / total_width,
        1 - 0.1 / total_height,
        _title(faces, n),
        va="top",
        fontsize=9,
        color="#333333",
    )
    side = 1.4 if with_text else 1.2
    for cell, (index, (name, attributes)) in enumerate(zip(chosen.tolist(), captions, strict=True)):
        left = 0.1 + cell % columns * width
        top = total_height - 0.5 - cell // columns * height
        axes = figure.add_axes(
            (
                left / total_width,
                (top - side) / total_height,
                side / total_width,
                side / total_height,
            )
        )
        image = faces.images[index].permute(1, 2, 0).numpy()
        axes.imshow(np.broadcast_to(image, (*image.shape[:2], 3)), interpolation="nearest")
        axes.axis("off")
        if with_text:
            x = (left + side + 0.1) / total_width
            figure.text(x, top / total_height, name, va="top", fontsize=7.5, fontweight="bold")
            figure.text(
                x, (top - 0.17) / total_height, attributes, va="top", fontsize=6.5, color="#444444"
            )
        else:
            figure.text(
                (left + side / 2) / total_width,
                (top - side - 0.04) / total_height,
                name,
                va="top",
                ha="center",
                fontsize=6.5,
                color="#444444",
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return n


def _title(faces: FaceArray, n: int) -> str:
    made = faces.manifest
    return (
        f"{n} of {len(faces):,} images, {faces.image_size}×{faces.image_size}, from "
        f"{made.get('source', 'memory')}, crop {made.get('crop', 'unknown')}"
    )


def _caption(faces: FaceArray, index: int) -> tuple[str, str]:
    """An image's name, and its attributes with the person and the split."""
    names = faces.manifest.get("names")
    name = names[index] if names else f"image {index}"
    shortened = name if len(name) <= 22 else "…" + name[-21:]
    lines = []
    if faces.identities is not None:
        lines.append(f"person {int(faces.identities[index])}")
    if faces.split is not None:
        lines.append(SPLITS[int(faces.split[index])])
    text = [" · ".join(lines)] if lines else []
    if faces.attributes is not None:
        present = [
            label.replace("_", " ").lower()
            for label, there in zip(
                faces.attributes.names, faces.attributes.values[index].tolist(), strict=True
            )
            if there
        ]
        text += textwrap.wrap(", ".join(present) or "none of the attributes", 31)
    return shortened, "\n".join(text)


def describe(faces: FaceArray, path: Path) -> Iterator[str]:
    """Lines about an opened array file; reads it all.

    Raises:
        ValueError: the file's bytes are not those that its manifest describes.
    """
    made = faces.manifest
    size = faces.image_size
    yield f"{path}: {len(faces):,} images of {size}×{size}, {path.stat().st_size / 1e6:,.1f} MB"
    yield (
        f"made from {made.get('source')} ({made.get('kind', 'celeba')}), crop {made.get('crop')}, "
        f"{made.get('resize')}, JPEGs decoded by {made.get('decoder', 'Pillow')}"
    )
    yield check_bytes(path, made)
    rejected = made.get("rejected", {})
    reasons = Counter(reason.split(":")[0] for reason in rejected.values())
    yield f"left out: {len(rejected):,}" + "".join(
        f"\n  {count:,} × {reason}" for reason, count in reasons.most_common()
    )
    hashes, mean, deviation = _scan(faces)
    colours = zip(("red", "green", "blue")[: len(mean)], mean, deviation, strict=False)
    yield "colour (0…255, mean ± deviation): " + ", ".join(
        f"{name} {m:.1f} ± {d:.1f}" for name, m, d in colours
    )
    if faces.split is not None:
        counts = np.bincount(faces.split.numpy(), minlength=len(SPLITS))
        yield "split: " + ", ".join(f"{n} {c:,}" for n, c in zip(SPLITS, counts, strict=True))
    if faces.identities is not None:
        images_each = Counter(faces.identities.tolist()).values()
        yield f"people: {len(images_each):,}, with 1 to {max(images_each)} images each"
    if faces.attributes is not None:
        labels = faces.attributes.names
        shares = faces.attributes.values.float().mean(0).tolist()
        yield f"attributes: {len(shares)}, present in"
        cells = [f"{share:6.1%} {name}" for name, share in zip(labels, shares, strict=True)]
        for row in range(math.ceil(len(cells) / 3)):
            yield "  " + "".join(f"{cell:<29}" for cell in cells[row :: math.ceil(len(cells) / 3)])
    groups = duplicates(faces, hashes)
    copies = sum(len(group) - 1 for group in groups)
    yield f"duplicates by perceptual hash: {copies:,} images, in {len(groups):,} groups"
    names = made.get("names") or [str(index) for index in range(len(faces))]
    for group in groups[:10]:
        yield "  " + " = ".join(names[index] for index in group[:6])


def check_bytes(path: Path, manifest: dict) -> str:
    """Compare the whole file with the hash in its manifest; a line that says so.

    Raises:
        ValueError: they differ.
    """
    found = file_sha256(path)
    if found != manifest.get("array_sha256"):
        raise ValueError(
            f"{path}: its bytes are not those that {manifest_path(path).name} describes (SHA-256 "
            f"{found[:16]}…, expected {str(manifest.get('array_sha256'))[:16]}…): "
            "damaged, or of another set. Make it again with `python -m data_prep`"
        )
    return f"every byte is as the manifest says, SHA-256 {found[:16]}…"


def _scan(faces: FaceArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Perceptual hashes `(N,)`, mean and deviation of each colour `(C,)`, in one pass."""
    hashes, total, squares, pixels = [], 0.0, 0.0, 0
    for part in faces.images.split(_PART):
        values = part.permute(0, 2, 3, 1).numpy().astype(np.float32)
        hashes.append(difference_hash(values))
        flat = values.reshape(-1, values.shape[-1])
        total = total + flat.sum(0, dtype=np.float64)
        squares = squares + np.square(flat).sum(0, dtype=np.float64)
        pixels += len(flat)
    mean = total / pixels
    return np.concatenate(hashes), mean, np.sqrt(squares / pixels - mean**2)


def difference_hash(images: np.ndarray) -> np.ndarray:
    """Perceptual hash of images `(N, H, W, C)` as uint64 `(N,)`.

    Each bit says whether one of 8×9 cells is brighter than its right neighbour: what survives
    scaling and saving again (dHash, N. Krawetz, "Kind of Like That", 2013).
    """
    grey = torch.from_numpy(images.mean(-1))[:, None]
    cells = torch.nn.functional.interpolate(grey, (8, 9), mode="area")[:, 0].numpy()
    bits = (cells[:, :, 1:] > cells[:, :, :-1]).reshape(len(images), _HASH_BITS)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def duplicates(faces: FaceArray, hashes: np.ndarray) -> list[list[int]]:
    """Groups of images that show the same picture, each by its indices, the largest first.

    Candidates have neighbouring hashes in one of four sortings, each by other leading bits;
    of these count those whose pixels differ by less than `SAME_PICTURE` on average.
    """
    leader = list(range(len(hashes)))

    def root(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for shift in range(0, _HASH_BITS, _HASH_BITS // 4):
        turned = (
            hashes
            if shift == 0
            else (hashes << np.uint64(shift)) | (hashes >> np.uint64(_HASH_BITS - shift))
        )
        ranked = np.argsort(turned, kind="stable")
        for step in range(1, _NEIGHBOURS + 1):
            one, other = ranked[:-step], ranked[step:]
            apart = np.unpackbits(
                (hashes[one] ^ hashes[other]).view(np.uint8).reshape(-1, 8), axis=1
            )
            for at in np.flatnonzero(apart.sum(1) <= 6):
                a, b = int(one[at]), int(other[at])
                if root(a) != root(b) and _difference(faces, a, b) < SAME_PICTURE:
                    leader[max(root(a), root(b))] = min(root(a), root(b))
    groups: dict[int, list[int]] = {}
    for index in range(len(hashes)):
        groups.setdefault(root(index), []).append(index)
    return sorted((g for g in groups.values() if len(g) > 1), key=lambda g: (-len(g), g))


def _difference(faces: FaceArray, a: int, b: int) -> float:
    return (faces.images[a].float() - faces.images[b].float()).abs().mean().item()
