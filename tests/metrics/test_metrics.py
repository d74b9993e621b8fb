"""The measures: closed forms, samples whose answer is known, and a library's numbers."""

import math

import numpy as np
import pytest
import torch

from facegan_ref.metrics import (
    feature_statistics,
    frechet_distance,
    kid,
    mode_coverage,
    nearest_neighbours,
    precision_recall,
)


def normal(n, dim, seed, mean=0.0, std=1.0):
    rng = torch.Generator().manual_seed(seed)
    return mean + std * torch.randn(n, dim, generator=rng, dtype=torch.float64)


def covariance(dim, seed, rank=None):
    rows = normal(rank or 3 * dim, dim, seed)
    return rows.T @ rows / len(rows)


# Fréchet distance


def test_frechet_distance_of_equal_gaussians_is_zero():
    mu, sigma = normal(1, 6, 0)[0], covariance(6, 1)
    assert abs(frechet_distance(mu, sigma, mu, sigma)) < 1e-9


def test_frechet_distance_in_one_dimension():
    # (mu1 - mu2)² + (s1 - s2)²
    one = torch.tensor([1.0]), torch.tensor([[4.0]])
    two = torch.tensor([-2.0]), torch.tensor([[25.0]])
    assert frechet_distance(*one, *two) == pytest.approx(9 + 9, rel=1e-12)


def test_frechet_distance_of_rotated_gaussians():
    # Commuting covariances: the sum over axes of the squared differences of deviations.
    turn, _ = torch.linalg.qr(normal(4, 4, 2))
    s1, s2 = torch.tensor([1.0, 2, 3, 4]).double(), torch.tensor([2.0, 2, 1, 7]).double()
    sigma1, sigma2 = turn * s1**2 @ turn.T, turn * s2**2 @ turn.T
    zero = torch.zeros(4)
    assert frechet_distance(zero, sigma1, zero, sigma2) == pytest.approx(1 + 0 + 4 + 9, rel=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute():
    # In the plane, tr (AB)^½ = (tr AB + 2 (det AB)^½)^½.
    a, b = covariance(2, 3), covariance(2, 4)
    root = math.sqrt((a @ b).trace() + 2 * math.sqrt(torch.linalg.det(a @ b)))
    expected = (a.trace() + b.trace() - 2 * root).item()
    zero = torch.zeros(2)
    assert frechet_distance(zero, a, zero, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(zero, b, zero, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_singular_covariances():
    zero = torch.zeros(50)
    flat = covariance(50, 5, rank=7)
    variance = pytest.approx(flat.trace().item(), rel=1e-9)
    assert abs(frechet_distance(zero, flat, zero, flat)) < 1e-9
    assert frechet_distance(zero, flat, zero, 4 * flat) == variance
    # A point against a Gaussian: all of its variance.
    nothing = torch.zeros(50, 50)
    assert frechet_distance(zero, flat, zero, nothing) == variance
    # Spread in planes that have only the origin in common.
    left, right = torch.diag(torch.tensor([1.0, 4, 0, 0])), torch.diag(torch.tensor([0, 0, 9, 1.0]))
    assert frechet_distance(zero[:4], left, zero[:4], right) == pytest.approx(15, rel=1e-9)


def test_frechet_distance_keeps_its_digits_in_float32():
    mu, sigma = normal(1, 20, 6)[0] + 1000, covariance(20, 7)
    near = frechet_distance(mu.float(), sigma.float(), mu.float(), (1.01**2 * sigma).float())
    assert near == pytest.approx(0.01**2 * sigma.trace().item(), rel=1e-3)


def test_feature_statistics_are_those_of_all_batches_together():
    x = normal(1003, 5, 10, mean=1e4, std=0.1)
    mean, sigma = feature_statistics(x.split(100))
    torch.testing.assert_close(mean, x.mean(dim=0))
    torch.testing.assert_close(sigma, torch.cov(x.T), rtol=1e-9, atol=0)
    assert mean.dtype == sigma.dtype == torch.float64
    one_by_one = feature_statistics(x.float()[:50].split(1))[1]
    torch.testing.assert_close(one_by_one, torch.cov(x[:50].float().double().T))
    with pytest.raises(ValueError, match="1 images have no covariance"):
        feature_statistics([x[:1]])


# KID


def test_kid_of_two_pairs_by_hand():
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0]])
    # Kernel (ab + 1)³: within x 27, within y 1, across 1, 8, 1, 27.
    assert kid(x, y) == pytest.approx(27 + 1 - 2 * 37 / 4)


def test_kid_is_unbiased():
    values = [kid(normal(40, 6, 2 * s), normal(60, 6, 2 * s + 1)) for s in range(400)]
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert 0.2 < np.mean(np.array(values) < 0) < 0.8
    # The biased estimate is that much off, so that this test can tell.
    assert 4 * error < 0.5 * np.mean([(normal(40, 6, s) ** 2).sum(1).mean() for s in range(3)]) / 40


def test_kid_of_a_shift_is_that_of_the_populations():
    # For x ~ N(0, 1), y ~ N(m, 1) in one dimension, E k(x, x') etc. from the moments.
    def expected_kernel(a, b):
        first, second, third = a * b, (1 + a * a) * (1 + b * b), (a**3 + 3 * a) * (b**3 + 3 * b)
        return third + 3 * second + 3 * first + 1

    m = 0.7
    exact = expected_kernel(0, 0) + expected_kernel(m, m) - 2 * expected_kernel(0, m)
    values = [kid(normal(200, 1, 2 * s), normal(200, 1, 2 * s + 1, mean=m)) for s in range(100)]
    assert np.mean(values) == pytest.approx(exact, abs=4 * np.std(values) / 10)


# precision and recall


def test_precision_recall_of_the_same_distribution():
    precision, recall = precision_recall(normal(600, 4, 0), normal(500, 4, 1), 3)
    assert precision > 0.85 and recall > 0.85


def test_a_collapsed_sampler_is_precise_and_recalls_nothing():
    real = normal(500, 4, 2)
    fake = real.mean(dim=0) + 1e-3 * normal(400, 4, 3)
    precision, recall = precision_recall(real, fake, 3)
    assert precision == 1 and recall < 0.02


def test_a_sampler_that_misses_half_of_the_modes():
    modes = torch.tensor([[-20.0, 0.0], [20.0, 0.0]]).double()
    real = torch.cat([modes[0] + normal(300, 2, 4), modes[1] + normal(300, 2, 5)])
    precision, recall = precision_recall(real, modes[0] + normal(600, 2, 6), 3)
    assert precision > 0.9 and 0.4 < recall < 0.51


def test_a_sampler_of_too_much():
    modes = torch.tensor([[-20.0, 0.0], [20.0, 0.0]]).double()
    fake = torch.cat([modes[0] + normal(300, 2, 4), modes[1] + normal(300, 2, 5)])
    precision, recall = precision_recall(modes[0] + normal(600, 2, 6), fake, 3)
    assert 0.4 < precision < 0.51 and recall > 0.9


def test_the_ball_reaches_to_the_kth_neighbour_itself_not_counted():
    real = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    # k = 1: balls [-1, 1], [0, 2], [1, 5], [3, 11].
    fake = torch.tensor([[-1.5], [2.1], [11.0], [11.5]])
    assert precision_recall(real, fake, 1)[0] == 0.5
    # k = 2: balls [-3, 3], [-1, 3], [0, 6], [1, 13].
    assert precision_recall(real, fake, 2)[0] == 1.0


def test_chunks_do_not_show(monkeypatch):
    real, fake = normal(97, 3, 7), normal(101, 3, 8)
    whole = precision_recall(real, fake, 3), nearest_neighbours(fake, real)
    monkeypatch.setattr("facegan_ref.metrics.CHUNK", 10)
    assert precision_recall(real, fake, 3) == whole[0]
    for ours, theirs in zip(nearest_neighbours(fake, real), whole[1], strict=True):
        assert torch.equal(ours, theirs)


# modes and neighbours


def test_mode_coverage():
    assert mode_coverage(torch.tensor([0, 0, 3, 3, 3]), 8) == 0.25
    assert mode_coverage(torch.arange(8).repeat(5), 8) == 1
    assert mode_coverage(torch.tensor([], dtype=torch.int64), 8) == 0


def test_nearest_neighbours_finds_the_copies():
    train = normal(300, 12, 9).reshape(300, 3, 2, 2).float() + 50
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))[:40]
    distances, indices = nearest_neighbours(train[order], train)
    assert torch.equal(indices, order)
    assert (distances == 0).all() and distances.dtype == torch.float64


def test_nearest_neighbours_are_the_nearest():
    fake, train = normal(30, 5, 10), normal(70, 5, 11)
    distances, indices = nearest_neighbours(fake, train)
    table = (fake[:, None] - train[None]).norm(dim=2)
    torch.testing.assert_close(distances, table.min(dim=1).values)
    assert torch.equal(indices, table.argmin(dim=1))


def test_nearest_neighbours_holds_little_in_memory():
    """Memory is what 200,000 by 200,000 distances lack: no tensor is larger than a chunk's."""
    tracked = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                tracked.append(out.numel())
            return out

    with Watch():
        nearest_neighbours(torch.zeros(1500, 2), torch.ones(5000, 2))
    assert max(tracked) <= 1024 * 1024


# the same numbers as torch-fidelity's, on the same features


@pytest.fixture(scope="module")
def pair():
    """Skewed and correlated features, as networks give them: real and fake `(N, 64)` float32."""
    mix = normal(64, 64, 20) / 8
    real = torch.relu(normal(1500, 64, 21) @ mix + 0.3)
    fake = torch.relu(normal(1400, 64, 22) @ mix * 0.8 + 0.4)
    return real.float(), fake.float()


NO_LIBRARY = "torch-fidelity is not installed: pip install 'facegan-course[metrics]'"


def test_frechet_distance_agrees_with_torch_fidelity(pair):
    library = pytest.importorskip("torch_fidelity.metric_fid", reason=NO_LIBRARY)
    statistics = [library.fid_features_to_statistics(x.double()) for x in pair]
    theirs = library.fid_statistics_to_metric(*statistics, verbose=False)
    ours = frechet_distance(*feature_statistics([pair[0]]), *feature_statistics([pair[1]]))
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)


def test_kid_agrees_with_torch_fidelity(pair):
    library = pytest.importorskip("torch_fidelity.metric_kid", reason=NO_LIBRARY)
    real, fake = (x[:1400].double() for x in pair)
    theirs = library.kid_features_to_metric(
        real, fake, kid_subsets=1, kid_subset_size=1400, verbose=False
    )
    assert kid(real, fake) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)


def test_precision_recall_agrees_with_torch_fidelity(pair):
    library = pytest.importorskip("torch_fidelity.metric_prc", reason=NO_LIBRARY)
    real, fake = pair
    theirs = library.prc_features_to_metric(
        fake, real, prc_neighborhood=3, prc_batch_size=512, save_cpu_ram=True, verbose=False
    )
    precision, recall = precision_recall(real, fake, 3)
    assert precision == pytest.approx(theirs["precision"], rel=1e-3)
    assert recall == pytest.approx(theirs["recall"], rel=1e-3)
    assert 0.05 < recall < 0.95
