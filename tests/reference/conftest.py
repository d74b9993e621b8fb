"""Tiny faces and recipes, so that whole trainings take a second."""

from __future__ import annotations

import pytest
import torch

from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.recipes import Recipe


@pytest.fixture(autouse=True)
def one_thread():
    """Sums are the same bits only for the same number of threads; tiny work needs just one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_recipe():
    """Three epochs of four steps on 35 images of 16 pixels, which leave three images over."""
    return Recipe(
        name="tiny",
        source="the tests",
        image_size=16,
        z_dim=8,
        ngf=4,
        ndf=4,
        batch_size=8,
        epochs=3,
    )


@pytest.fixture(scope="session")
def tiny_images():
    return ToyFaces(35, 16, seed=0).images


@pytest.fixture
def tiny_faces(tiny_images):
    return FaceArray(tiny_images.clone())
