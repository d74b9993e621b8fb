"""Options and settings that all tests share."""

from __future__ import annotations

import os
from collections import Counter

import pytest

# Before torch is imported: tests run side by side, and threads that wait for each other are slow.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_addoption(parser):
    parser.addoption(
        "--notebooks",
        choices=("lessons", "solutions"),
        default="lessons",
        help="which notebooks tests/lessons checks: yours in lessons/, or the course's own",
    )


# Files that take a minute or more for few tests. They start first, and after them the files with
# the most tests, so that side by side no process waits long for another one's last file.
LONG = ("test_kill.py", "test_processes.py", "test_other_lessons.py", "test_every_recipe.py")


def pytest_collection_modifyitems(items):
    count = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.name not in LONG, -count[item.path], item.path))


@pytest.fixture(autouse=True)
def one_thread():
    """Sums are the same bits only for the same number of threads; tiny work needs just one."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_recipe():
    """Three epochs of four steps on 35 images of 16 pixels, which leave three images over."""
    from facegan_ref.recipes import Recipe

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
    """35 embedded faces, uint8 `(35, 3, 16, 16)`."""
    from facegan_ref.data.toyfaces import ToyFaces

    return ToyFaces(35, 16, seed=0).images


@pytest.fixture
def tiny_faces(tiny_images):
    """The same as a data set, its own copy for each test."""
    from facegan_ref.data.faces import FaceArray

    return FaceArray(tiny_images.clone())
