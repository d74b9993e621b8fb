"""Priors, seeds, truncation and two-way grids."""

import dataclasses
import math

import pytest
import torch

from facegan_ref.latents import (
    faces_of,
    interpolation,
    latent_grid,
    latents_of_seeds,
    move,
    sample_truncated_latent,
    truncate,
)
from facegan_ref.morph import lerp, slerp
from facegan_ref.recipes import get_recipe
from facegan_ref.sampling import sample, sample_latent

NORMAL = get_recipe("quick")
UNIFORM = dataclasses.replace(NORMAL, latent="uniform")


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_seed_names_one_face_in_any_company():
    z = latents_of_seeds(NORMAL, [5, 6, 5])
    assert z.shape == (3, NORMAL.z_dim)
    assert torch.equal(z[0], z[2]) and not torch.equal(z[0], z[1])
    assert torch.equal(latents_of_seeds(NORMAL, [6])[0], z[1])
    assert torch.equal(latents_of_seeds(NORMAL, [5, 6], 0.5), 0.5 * z[:2])
    cube = latents_of_seeds(UNIFORM, range(20))
    assert cube.abs().max() <= 1 and abs(cube.std() - 3**-0.5) < 0.03


def test_the_way_between_suits_the_prior():
    assert interpolation(NORMAL) is slerp and interpolation(NORMAL, "lerp") is lerp
    assert interpolation(UNIFORM) is lerp
    with pytest.raises(ValueError, match="slerp leaves the cube"):
        interpolation(UNIFORM, "slerp")
    with pytest.raises(ValueError, match="'spiral', expected slerp or lerp"):
        interpolation(NORMAL, "spiral")
    # what the refusal is about: corners of a square whose arc bulges out of it
    a, b = torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])
    assert slerp(a, b, 0.5).abs().max() > 1 and lerp(a, b, 0.5).abs().max() <= 1


def test_truncation_scales_towards_the_mean():
    z = sample_latent(3, 4, rng())
    assert torch.equal(truncate(z, 0.25), z / 4) and torch.equal(truncate(z, 1), z)
    for factor in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="expected from 0"):
            truncate(z, factor)


@pytest.mark.parametrize("threshold", [0.04, 0.5, 2.0, 9.0])
def test_truncated_normal_is_what_redrawing_gives(threshold):
    z = sample_truncated_latent(400, 50, threshold, rng())
    assert z.shape == (400, 50) and z.dtype == torch.float32 and z.isfinite().all()
    assert z.abs().max() <= threshold
    assert torch.equal(z, sample_truncated_latent(400, 50, threshold, rng()))
    density = math.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
    inside = math.erf(threshold / math.sqrt(2))
    std = math.sqrt(1 - 2 * threshold * density / inside)  # of a normal cut at ±threshold
    assert abs(z.std() / std - 1) < 0.02 and abs(z.mean()) < 0.03 * std
    if threshold == 2.0:
        normal = sample_latent(900, 50, rng(1)).flatten()
        redrawn = normal[normal.abs() <= threshold]
        points = torch.linspace(0.05, 0.95, 19)
        gap = z.flatten().quantile(points) - redrawn.quantile(points)
        assert gap.abs().max() < 0.03


@pytest.mark.parametrize("threshold", [0, -1.0, math.nan])
def test_truncation_needs_a_threshold(threshold):
    with pytest.raises(ValueError, match="expected more than 0"):
        sample_truncated_latent(1, 2, threshold)


def test_a_grid_has_its_corners_and_is_bilinear_with_lerp():
    corners = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 6.0], [8.0, 6.0]])
    grid = latent_grid(corners, rows=3, columns=5, path=lerp).unflatten(0, (3, 5))
    for row in range(3):
        for column in range(5):
            assert grid[row, column].tolist() == [2 * column, 3 * row]


def test_a_grid_by_slerp_keeps_the_norm():
    corners = torch.nn.functional.normalize(sample_latent(4, 30, rng()), dim=1)
    grid = latent_grid(corners, rows=4, columns=3)
    assert grid.shape == (12, 30)
    assert torch.allclose(grid.norm(dim=1), torch.ones(12), atol=1e-5)
    assert torch.equal(grid[[0, 2, 9, 11]], corners)
    assert torch.allclose(grid[3], slerp(corners[0], corners[2], 1 / 3), atol=1e-6)


@pytest.mark.parametrize("n, rows, columns", [(3, 2, 2), (4, 1, 2), (4, 2, 1)])
def test_a_grid_needs_four_corners(n, rows, columns):
    with pytest.raises(ValueError, match="expected 4 corners and at least 2 rows"):
        latent_grid(torch.ones(n, 2), rows, columns)


def test_moves_go_face_by_face_and_stay_in_a_cube():
    z = torch.tensor([[0.0, 0.0], [0.5, 0.5]])
    direction, amounts = torch.tensor([0.0, 1.0]), torch.tensor([-1.0, 0.0, 2.0])
    moved = move(NORMAL, z, direction, amounts)
    assert moved.tolist() == [[0, -1], [0, 0], [0, 2], [0.5, -0.5], [0.5, 0.5], [0.5, 2.5]]
    assert move(UNIFORM, z, direction, amounts)[5].tolist() == [0.5, 1.0]


def test_faces_of_many_latents_are_those_of_each(settled_generator):
    settled_generator.train()
    z = sample_latent(260, 8, rng())
    faces = faces_of(settled_generator, z)
    assert faces.shape == (260, 3, 16, 16)
    assert torch.allclose(faces[255:258], sample(settled_generator, z[255:258]), atol=1e-5)
    assert settled_generator.training
