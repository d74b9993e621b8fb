"""What needs a CUDA device: `pytest tests/cuda` on a machine that has one; skipped elsewhere."""

import pytest
import torch


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if "cuda" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))
