"""The ring of Gaussians, and what counts as a covered mode."""

import math

import pytest
import torch

from facegan_ref.data.ring import RADIUS, STD, count_modes, ring, ring_centres


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_points_have_the_promised_form():
    points = ring(1000, generator=seeded())
    assert points.shape == (1000, 2) and points.dtype == torch.float32
    assert points.abs().max() <= 1


def test_centres_are_evenly_spread_on_the_circle():
    centres = ring_centres(8, 0.5)
    assert centres.shape == (8, 2) and centres.dtype == torch.float32
    assert torch.allclose(centres.norm(dim=1), torch.full((8,), 0.5))
    assert torch.allclose(centres[0], torch.tensor([0.5, 0.0]))
    assert torch.allclose(centres[2], torch.tensor([0.0, 0.5]), atol=1e-6)
    side = 2 * 0.5 * math.sin(math.pi / 8)
    gaps = (centres - centres.roll(1, dims=0)).norm(dim=1)
    assert torch.allclose(gaps, torch.full((8,), side))


def test_each_mode_is_an_even_gaussian():
    points = ring(40_000, modes=5, radius=0.6, std=0.05, generator=seeded())
    nearest = torch.cdist(points, ring_centres(5, 0.6)).argmin(dim=1)
    for mode, centre in enumerate(ring_centres(5, 0.6)):
        own = points[nearest == mode]
        assert abs(len(own) - 8000) < 400
        assert torch.allclose(own.mean(dim=0), centre, atol=0.003)
        assert torch.allclose(own.std(dim=0), torch.tensor([0.05, 0.05]), atol=0.002)


def test_the_generator_decides_and_only_it():
    state = torch.get_rng_state()
    assert torch.equal(ring(50, generator=seeded(1)), ring(50, generator=seeded(1)))
    assert not torch.equal(ring(50, generator=seeded(1)), ring(50, generator=seeded(2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_true_samples_cover_all_modes():
    count = count_modes(ring(10_000, generator=seeded()))
    assert count.modes == 8
    assert count.good > 0.999
    assert int(count.points_per_mode.sum()) == round(count.good * 10_000)


def test_a_collapsed_sample_covers_one_mode():
    count = count_modes(ring_centres()[:1].repeat(500, 1))
    assert count.modes == 1 and count.good == 1.0
    assert count.points_per_mode.tolist() == [500] + [0] * 7


def test_noise_covers_no_mode():
    cloud = torch.rand(10_000, 2, generator=seeded()) * 2 - 1
    count = count_modes(cloud)
    assert count.modes == 0 and count.good < 0.1


def test_a_point_is_good_up_to_the_limit():
    centre = ring_centres()[0]
    for deviations, good in ((3.9, 1.0), (4.1, 0.0)):
        point = centre + torch.tensor([0.0, deviations * STD])
        assert count_modes(point[None]).good == good
    assert count_modes((centre + torch.tensor([0.0, 2 * STD]))[None], within=1.5).good == 0.0


def test_a_mode_needs_a_quarter_of_its_fair_share():
    # 800 points on 8 modes: the fair share is 100, the least share 25.
    for held, modes in ((24, 1), (25, 2)):
        first, second = ring_centres()[:2]
        points = torch.cat((first.repeat(800 - held, 1), second.repeat(held, 1)))
        assert count_modes(points).modes == modes


def test_other_rings_are_counted_with_their_own_numbers():
    points = ring(5000, modes=3, radius=0.5, std=0.01, generator=seeded())
    assert count_modes(points, modes=3, radius=0.5, std=0.01).modes == 3
    assert count_modes(points).modes == 0


def test_broken_points_are_not_good():
    for points in (torch.full((10, 2), math.nan), torch.full((10, 2), math.inf), torch.zeros(0, 2)):
        count = count_modes(points)
        assert count.modes == 0 and count.good == 0.0
        assert count.points_per_mode.tolist() == [0] * 8


def test_points_of_a_generator_in_training_are_taken():
    points = ring(100, generator=seeded()).requires_grad_()
    assert count_modes(points).good > 0.98


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n": -1}, "n is -1"),
        ({"n": 1.5}, "n is 1.5"),
        ({"n": 1, "modes": 0}, "modes is 0"),
        ({"n": 1, "radius": 0.95}, "at most 1"),
        ({"n": 1, "std": -0.1}, "must not be negative"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ring(**arguments)


@pytest.mark.parametrize("shape", [(10,), (10, 3), (2, 10, 2)])
def test_points_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(N, 2\)"):
        count_modes(torch.zeros(shape))


def test_the_defaults_lie_inside_the_square():
    assert RADIUS + 6 * STD <= 1
