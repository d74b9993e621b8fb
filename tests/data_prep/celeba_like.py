"""Pictures in CelebA's shape, made from drawn faces, and the ways they come packed."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from facegan_ref.data.toyfaces import ToyFaces

REAL = Path(__file__).resolve().parents[3] / "shared/data/celeba-10k"
NAMES = [f"{i:06d}.jpg" for i in range(1, 7)]
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="no development copy of CelebA beside the repository"
)


def encode(image, kind="JPEG", **options):
    encoded = io.BytesIO()
    image.save(encoded, kind, **({"quality": 92} if kind == "JPEG" else {}), **options)
    return encoded.getvalue()


def aligned_pictures(count, width, height, seed=1):
    """Drawn faces in the frame of CelebA's aligned set."""
    faces = ToyFaces(count, 218, seed=seed).images.permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(face[:, 20:198]).resize((width, height)) for face in faces]


def write_zip(path, contents, order=None, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("img_align_celeba/", b"")
        for name, content in sorted(contents.items(), reverse=order == "reversed"):
            archive.writestr(name, content)
    return path


def write_folder(path, contents):
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path
