"""Recipes: complete, plain to write down, and held to values that can train."""

import json

import pytest

from facegan_ref.models import Discriminator, Generator
from facegan_ref.recipes import RECIPES, Recipe, get_recipe
from facegan_ref.training import build_networks


def test_the_laptop_recipe_is_what_its_source_says():
    recipe = get_recipe("laptop-mps")
    expected = {
        "model": "dcgan",
        "image_size": 64,
        "z_dim": 100,
        "ngf": 64,
        "ndf": 64,
        "batch_size": 128,
        "epochs": 10,
        "lr_g": 2e-4,
        "lr_d": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "precision": "fp32",
    }
    assert {name: getattr(recipe, name) for name in expected} == expected
    assert len(recipe.faults) == 3
    generator, discriminator = build_networks(recipe)
    assert isinstance(generator, Generator) and isinstance(discriminator, Discriminator)
    assert sum(p.numel() for p in generator.parameters()) == 3_576_704
    assert sum(p.numel() for p in discriminator.parameters()) == 2_765_568


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name):
    recipe = RECIPES[name]
    assert recipe.name == name and recipe.source
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_an_unknown_recipe_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"no recipe 'dcgna'; there are: quick, mlp-goodfellow"):
        get_recipe("dcgna")


def test_override_makes_another_recipe():
    recipe = get_recipe("quick")
    assert recipe.override(ngf=8, lr_g=1e-3) == Recipe(
        **{**recipe.__dict__, "ngf": 8, "lr_g": 1e-3}
    )
    assert recipe.ngf == 32
    with pytest.raises(ValueError, match="no recipe field colour, depth; there are"):
        recipe.override(depth=3, colour=2)


@pytest.mark.parametrize(
    "field, value",
    [
        ("image_size", 0),
        ("z_dim", -1),
        ("ngf", 0),
        ("ndf", 0),
        ("batch_size", 0),
        ("epochs", 0),
        ("lr_g", 0.0),
        ("lr_d", float("nan")),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("beta2", float("nan")),
        ("model", "resnet"),
        ("precision", "fp16"),
    ],
)
def test_values_that_can_not_train_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is .*{value}.*expected"):
        get_recipe("quick").override(**{field: value})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "x"},
        {"name": "x", "source": "y", "depth": 3},
        {"name": "x", "source": "y", "ngf": "64"},
        [],
        None,
    ],
    ids=str,
)
def test_what_is_no_recipe_is_refused(values):
    with pytest.raises(ValueError, match="not a recipe of this version"):
        Recipe.from_dict(values)
