"""What lesson 11 teaches agrees in value with the package, which works chunk by chunk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from facegan_ref import metrics

LESSON = Path(__file__).parents[2] / "solutions" / "11_measuring" / "11_measuring.ipynb"


@pytest.fixture(scope="module")
def lesson():
    """The names that the answer cells of the solution define."""
    names = {"torch": torch, "Tensor": Tensor}
    for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]:
        if cell["id"].startswith("task-") and cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    return names


@pytest.fixture(params=[64, 1024], autouse=True)
def chunk(request, monkeypatch):
    monkeypatch.setattr(metrics, "CHUNK", request.param)


def drawn(*shape, seed, mean=0.0):
    return mean + torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [1, 3, 10])
def test_precision_and_recall(lesson, k):
    real, fake = drawn(150, 6, seed=0), 0.8 * drawn(130, 6, seed=1, mean=0.3)
    found = lesson["precision_recall"](real, fake, k)
    assert found == metrics.precision_recall(real, fake, k)
    assert 0 < found[0] <= 1 and 0 < found[1] <= 1


@pytest.mark.parametrize("shape", [(7,), (3, 4, 4)])
def test_nearest_neighbours(lesson, shape):
    train = drawn(150, *shape, seed=2)
    fake = torch.cat([drawn(40, *shape, seed=3), train[[5, 149]]])
    distances, indices = lesson["nearest_neighbours"](fake, train)
    right, where = metrics.nearest_neighbours(fake, train)
    assert torch.equal(indices, where) and indices[-2:].tolist() == [5, 149]
    torch.testing.assert_close(distances, right, atol=1e-6, rtol=1e-6)


def test_nearest_neighbours_of_bytes(lesson):
    rng = torch.Generator().manual_seed(4)
    images = torch.randint(0, 256, (90, 3, 4, 4), generator=rng).to(torch.uint8)
    found, right = (f(images[:20], images[20:]) for f in (lesson["nearest_neighbours"],
                                                          metrics.nearest_neighbours))  # fmt: skip
    assert torch.equal(found[1], right[1])
    torch.testing.assert_close(found[0], right[0])
