"""Lesson 13: the reference's own recipe, and the lesson's answers beside the package's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from facegan_ref import export, model_card
from facegan_ref.architectures import build_networks
from facegan_ref.capstone import count_parameters, own_recipe
from facegan_ref.checks.answer_file import run_answer
from facegan_ref.checks.engine import Probe
from facegan_ref.checks.lesson13 import lesson
from facegan_ref.checks.lesson13.card import CELEBA, TOYS, folder_of, new_story
from facegan_ref.checks.lesson13.exported import recipes, trained
from facegan_ref.recipes import RECIPES
from facegan_ref.sampling import draw_latent, sample

NOTEBOOK = Path(__file__).parents[2] / "solutions" / "13_capstone" / "13_capstone.ipynb"


@pytest.fixture(scope="module")
def answers():
    """The answers of the lesson's own notebook, by name."""
    found = run_answer(NOTEBOOK, lesson)
    assert not found.problems
    names = ("export_generator", "load_exported", "model_card")
    return {name: found.find(name) for name in names}


@pytest.mark.parametrize("name", RECIPES)
def test_parameters_are_counted_without_drawing_or_holding_them(name):
    before = torch.get_rng_state()
    count = count_parameters(RECIPES[name])
    assert torch.equal(before, torch.get_rng_state())
    with torch.random.fork_rng(devices=[]):
        networks = build_networks(RECIPES[name])
    assert count == sum(p.numel() for network in networks for p in network.parameters())


def test_the_largest_recipe_that_is_allowed_fits_every_budget():
    for size in (16, 32, 64):
        for images, steps, weights in ((64, 4, 200_000), (202_599, 12_662, 10_000_000)):
            recipe = own_recipe(images, size, steps, weights)
            done = recipe.epochs * (images // recipe.batch_size)
            assert steps / 2 <= done <= steps
            assert weights / 4 <= count_parameters(recipe) <= weights


def test_files_of_the_lesson_and_of_the_package_are_the_same_format(answers, tmp_path):
    probe = Probe(5)
    for count, recipe in enumerate(recipes(probe).values()):
        generator = trained(recipe, probe)
        z = draw_latent(recipe, 4, probe.rng)
        expected = sample(generator, z)
        for writer, reader in (
            (answers["export_generator"], export.load_exported),
            (export.export_generator, answers["load_exported"]),
        ):
            path = tmp_path / f"{count}.safetensors"
            writer(generator, recipe, path)
            loaded, found = reader(path)
            assert found == recipe and torch.allclose(sample(loaded, z), expected, atol=1e-6)


@pytest.mark.parametrize("data", [TOYS, CELEBA])
def test_cards_of_the_lesson_and_of_the_package_say_the_same(answers, data):
    """Of the same quality rows: the same best row, terms, and what is missing."""
    story = new_story(Probe(3), data)
    best = story.best
    facts = {"steps": story.steps, "images": 2000, "data": data.split(", ")[-1]}
    with folder_of(story) as run:
        theirs = answers["model_card"](run)
        rows = model_card._quality_rows(run, facts)
    ours = {
        "Quality": model_card._quality(rows, facts, None),
        "Data and its terms": model_card._data(facts, [best["protocol"]], None),
    }
    assert list(theirs) == list(model_card.SECTIONS)
    shown = f"{best['quality']:.4g} at step {best['step']:,}"
    assert shown in ours["Quality"].replace("\\", "")
    assert f"{best['quality']:.4g} at step {best['step']}" in theirs["Quality"]
    for words in ("non-commercial", "toyfaces"):
        same = {words in card["Data and its terms"] for card in (ours, theirs)}
        assert len(same) == 1, words
    assert json.dumps(theirs)  # plain text
