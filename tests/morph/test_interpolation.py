"""lerp, slerp and morph against what geometry says, and inversion of a generator's own faces."""

import math

import pytest
import torch

from facegan_ref.morph import invert, latent_size, lerp, morph, slerp
from facegan_ref.sampling import sample, sample_latent


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def latents(n=5, z_dim=100, seed=0, dtype=torch.float32):
    a, b = sample_latent(2 * n, z_dim, rng(seed)).to(dtype).chunk(2)
    return a * torch.linspace(0.3, 2, n, dtype=dtype)[:, None], b


def angles(a, b):
    a, b = a / a.norm(dim=-1, keepdim=True), b / b.norm(dim=-1, keepdim=True)
    return (a * b).sum(-1).clamp(-1, 1).acos()


# ---- lerp and slerp -------------------------------------------------------------------------


@pytest.mark.parametrize("path", [lerp, slerp])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_ends_are_exact(path, dtype):
    a, b = latents(64, dtype=dtype)
    for t0, t1 in ((0, 1), (0.0, 1.0), (torch.zeros(64, 1), torch.ones(64, 1))):
        assert torch.equal(path(a, b, t0), a)
        assert torch.equal(path(a, b, t1), b)
    assert path(a, b, 0.3).dtype == dtype


def test_lerp_is_the_straight_line():
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([5.0, -2.0])
    assert lerp(a, b, 0.25).tolist() == [2.0, 1.0]
    t = torch.tensor([[0.0], [0.5], [1.0]])
    assert lerp(a, b, t).tolist() == [[1, 2], [3, 0], [5, -2]]


def test_slerp_of_the_plane_by_hand():
    a, b = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 2.0]).double()
    expected = 4 / 3 * torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6)]).double()
    assert torch.allclose(slerp(a, b, 1 / 3), expected, atol=1e-12)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_slerp_turns_evenly_and_changes_the_norm_evenly(t):
    a, b = latents(dtype=torch.float64)
    between = slerp(a, b, t)
    assert torch.allclose(angles(a, between), t * angles(a, b), atol=1e-9)
    assert torch.allclose(angles(between, b), (1 - t) * angles(a, b), atol=1e-9)
    assert torch.allclose(between.norm(dim=1), (1 - t) * a.norm(dim=1) + t * b.norm(dim=1))
    # and it stays in the plane of both
    basis = torch.linalg.qr(torch.stack([a[0], b[0]]).T).Q
    assert torch.allclose(basis @ (basis.T @ between[0]), between[0], atol=1e-9)


def test_slerp_there_is_slerp_back():
    a, b = latents(dtype=torch.float64)
    assert torch.allclose(slerp(a, b, 0.3), slerp(b, a, 0.7), atol=1e-12)


def test_rows_do_not_depend_on_each_other_and_t_may_differ_by_row():
    a, b = latents(4)
    b[2] = -a[2]
    t = torch.tensor([0.2, 0.5, 0.5, 0.9])[:, None]
    together = slerp(a, b, t)
    for i in range(4):
        assert torch.allclose(together[i], slerp(a[i], b[i], float(t[i])), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_there_is_no_one_arc_it_is_the_straight_line(dtype):
    a, _ = latents(1, dtype=dtype)
    zero = torch.zeros_like(a)
    for b in (a, 3 * a, -a, -0.5 * a, zero):
        for t in (0.0, 0.3, 0.5, 1.0):
            assert torch.allclose(slerp(a, b, t), lerp(a, b, t), atol=1e-5)
            assert torch.allclose(slerp(b, a, t), lerp(b, a, t), atol=1e-5)
    assert torch.equal(slerp(zero, zero, 0.5), zero)


@pytest.mark.parametrize("turn", [0.0, 1e-7, 1e-5, 1e-3, 0.5])
@pytest.mark.parametrize("opposite", [False, True])
def test_nearly_parallel_and_nearly_opposite_latents_stay_finite_and_bounded(turn, opposite):
    a, other = latents(1)
    other = other - (other @ a.T) / (a @ a.T) * a
    b = math.cos(turn) * a + math.sin(turn) * other / other.norm() * a.norm()
    b = -b if opposite else b
    t = torch.linspace(0, 1, 21)[:, None]
    way = slerp(a, b, t)
    assert way.isfinite().all()
    assert (way.norm(dim=1) <= 1.001 * a.norm()).all()
    if not opposite or turn >= 1e-3:
        assert (way.norm(dim=1) >= 0.999 * a.norm()).all()


@pytest.mark.parametrize("case", ["usual", "same", "antipodal", "zero"])
def test_gradients_are_finite(case):
    a, b = latents(3, dtype=torch.float64)
    b = {"usual": b, "same": a.clone(), "antipodal": -a, "zero": torch.zeros_like(a)}[case]
    a.requires_grad_(), b.requires_grad_()
    slerp(a, b, 0.3).square().sum().backward()
    assert a.grad.isfinite().all() and b.grad.isfinite().all()
    if case == "usual":
        assert torch.autograd.gradcheck(lambda x, y: slerp(x, y, 0.3), (a[:, :4], b[:, :4]))


# ---- morph ----------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_a_morph_begins_and_ends_with_the_two_faces(settled_generator, unchanged, training):
    settled_generator.train(training)
    z0, z1 = sample_latent(2, 8, rng())
    with unchanged(settled_generator):
        frames = morph(settled_generator, z0, z1, 7)
    ends = sample(settled_generator, torch.stack([z0, z1]))
    assert frames.shape == (7, 3, 16, 16) and not frames.requires_grad
    assert torch.allclose(frames[[0, -1]], ends, atol=1e-5)
    assert torch.allclose(
        frames[3:4], sample(settled_generator, slerp(z0, z1, 0.5)[None]), atol=1e-5
    )
    assert torch.equal(frames, morph(settled_generator, z0[None], z1[None], 7))


def test_a_morph_changes_little_by_little_and_keeps_the_generators_values(settled_generator):
    z0, z1 = sample_latent(2, 8, rng(3))
    frames = morph(settled_generator, z0, z1, 41)
    moves = (frames[1:] - frames[:-1]).abs().mean(dim=(1, 2, 3))
    assert moves.max() < 0.2 * (frames[-1] - frames[0]).abs().mean()
    assert frames.min() > -1 and frames.max() < 1


def test_a_morph_along_another_path(settled_generator):
    z0, z1 = sample_latent(2, 8, rng())
    middle = sample(settled_generator, lerp(z0, z1, 0.5)[None])
    assert torch.allclose(morph(settled_generator, z0, z1, 3, lerp)[1:2], middle, atol=1e-5)


def test_a_morph_has_two_ends(settled_generator):
    z0, z1 = sample_latent(2, 8, rng())
    with pytest.raises(ValueError, match="morph of 1 frames; expected at least 2"):
        morph(settled_generator, z0, z1, 1)


# ---- inversion ------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_inversion_finds_a_generated_face_again(settled_generator, unchanged, training):
    settled_generator.train(training)
    image = sample(settled_generator, sample_latent(1, 8, rng(7)))[0]
    for parameter in settled_generator.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    with unchanged(settled_generator):
        z, losses = invert(settled_generator, image, 120, rng=rng(1))
    assert z.shape == (1, 8) and losses.shape == (121,)
    assert not z.requires_grad and not losses.requires_grad
    error = (sample(settled_generator, z)[0] - image).square().mean()
    assert torch.allclose(losses[-1], error, atol=1e-6)
    assert losses[-1] < 0.02 * losses[0] and losses[-1] < 0.02 * image.var()


def test_inversion_is_the_same_for_the_same_seed_and_better_with_more_starts(settled_generator):
    image = sample(settled_generator, sample_latent(1, 8, rng(7)))[0]
    again = [invert(settled_generator, image, 5, rng=rng(1))[0] for _ in range(2)]
    assert torch.equal(*again)
    starts = sample_latent(8, 8, rng(1))
    losses = [float(invert(settled_generator, image, 20, start[None])[1][-1]) for start in starts]
    _, best = invert(settled_generator, image, 20, starts)
    assert float(best[-1]) < 1.5 * min(losses) and min(losses) < 0.8 * max(losses)


def test_inversion_stays_near_the_shell_even_where_the_picture_lies_elsewhere(settled_generator):
    starts = sample_latent(6, 8, rng(2))
    far = sample(settled_generator, 4 * starts[:1])[0]
    z, losses = invert(settled_generator, far, 80, starts)
    assert losses[-1] < losses[0] and z.norm() < 2 * starts.norm(dim=1).mean()


def test_inversion_keeps_within_a_cube(settled_generator):
    image = sample(settled_generator, 2.5 * torch.ones(1, 8))[0]
    starts = 2 * torch.rand(4, 8, generator=rng()) - 1
    z, _ = invert(settled_generator, image, 60, starts, limit=1.0)
    assert z.abs().max() <= 1
    z, _ = invert(settled_generator, image, 60, starts)
    assert z.abs().max() > 1


def test_the_size_of_latents_is_read_off_the_first_layer(settled_generator):
    assert latent_size(settled_generator) == 8
    assert latent_size(torch.nn.Sequential(torch.nn.Linear(5, 12), torch.nn.Linear(12, 3))) == 5
    with pytest.raises(ValueError, match="give `starts`"):
        latent_size(torch.nn.ReLU())
