"""The game on paper has its closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from facegan_ref.game import js_divergence, optimal_discriminator, value_function


def distributions(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    p, q = torch.rand(2, 6, generator=rng, dtype=torch.float64)
    p[0], q[1], p[2], q[2] = 0, 0, 0, 0
    return p / p.sum(), q / q.sum()


@pytest.mark.parametrize("seed", range(5))
def test_value_of_the_best_discriminator_is_the_divergence(seed):
    p, q = distributions(seed)
    value = value_function(optimal_discriminator(p, q), p, q)
    assert value.item() == pytest.approx(2 * js_divergence(p, q).item() - 2 * math.log(2))


@pytest.mark.parametrize("seed", range(5))
def test_no_other_discriminator_is_better(seed):
    p, q = distributions(seed)
    best = optimal_discriminator(p, q)
    rng = torch.Generator().manual_seed(seed)
    for scale in (1e-3, 0.1, 1.0):
        other = (best + scale * torch.randn(6, generator=rng, dtype=torch.float64)).clamp(0, 1)
        assert value_function(other, p, q) <= value_function(best, p, q) + 1e-12


def test_equal_and_disjoint_distributions():
    p = torch.tensor([0.25, 0.75, 0.0])
    assert torch.equal(optimal_discriminator(p, p), torch.full((3,), 0.5))
    assert js_divergence(p, p).item() == pytest.approx(0, abs=1e-7)
    far = torch.tensor([0.0, 0.0, 1.0])
    assert js_divergence(p, far).item() == pytest.approx(math.log(2))
    assert value_function(optimal_discriminator(p, far), p, far).item() == 0
