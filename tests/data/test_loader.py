"""A loader's order is a function of its seed; each pass has every image once."""

from __future__ import annotations

import torch

from facegan_ref.data.loader import make_loader

NUMBERS = torch.arange(10)


def passes(loader, n: int = 2) -> list[list[list[int]]]:
    return [[batch.tolist() for batch in loader] for _ in range(n)]


def test_the_seed_fixes_the_order_whatever_else_is_drawn():
    first = passes(make_loader(NUMBERS, 4, seed=3))
    torch.rand(7)
    assert passes(make_loader(NUMBERS, 4, seed=3)) == first
    assert passes(make_loader(NUMBERS, 4, seed=4)) != first


def test_each_pass_has_every_sample_once_in_a_new_order():
    one, two = passes(make_loader(NUMBERS, 4, seed=0))
    assert one != two
    for batches in (one, two):
        assert [len(batch) for batch in batches] == [4, 4, 2]
        assert sorted(number for batch in batches for number in batch) == NUMBERS.tolist()


def test_torchs_own_random_state_is_left_alone():
    before = torch.get_rng_state()
    passes(make_loader(NUMBERS, 4, seed=0))
    assert torch.equal(torch.get_rng_state(), before)
