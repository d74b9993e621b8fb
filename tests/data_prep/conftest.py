"""Drawn faces as the files of a data set."""

import numpy as np
import pytest
from celeba_like import NAMES, aligned_pictures, encode, write_zip
from PIL import Image


@pytest.fixture(scope="session")
def full():
    return [encode(picture) for picture in aligned_pictures(6, 178, 218)]


@pytest.fixture(scope="session")
def half():
    return [encode(picture) for picture in aligned_pictures(6, 89, 109)]


@pytest.fixture(scope="session")
def many():
    """Pictures for 9 chunks, so that several processes have something to do."""
    rng = np.random.default_rng(3)
    bases = [np.asarray(picture).astype(int) for picture in aligned_pictures(6, 45, 55)]
    tints = rng.integers(-40, 40, (2200, 1, 1, 3))
    return {
        f"{i + 1:06d}.jpg": encode(
            Image.fromarray((bases[i % 6] + tint).clip(0, 255).astype(np.uint8))
        )
        for i, tint in enumerate(tints)
    }


@pytest.fixture
def source(tmp_path, half):
    contents = {f"img_align_celeba/{n}": data for n, data in zip(NAMES, half, strict=True)}
    return write_zip(tmp_path / "img_align_celeba.zip", contents)
