"""Attributes, their classifier, and directions, on faces that are drawn from known factors."""

import copy
import dataclasses
import json
import math

import pytest
import torch
from torch import nn

from facegan_ref.attributes import (
    LEAST,
    AttributeClassifier,
    toy_attributes,
    train_classifier,
)
from facegan_ref.data.faces import Attributes, FaceArray, to_tanh_range
from facegan_ref.data.toyfaces import CATEGORIES, CONTINUOUS, ToyFaces, render, sample_factors
from facegan_ref.directions import Directions, find_directions, generator_hash, without
from facegan_ref.morph import attribute_direction
from facegan_ref.recipes import get_recipe
from facegan_ref.sampling import sample_latent

Z_DIM = 12
AXES = {"glasses": 0, "mouth_open": 1, "beard": 2, "brow": 3}  # turned by `FaceRenderer.turn`
RECIPE = dataclasses.replace(get_recipe("quick"), z_dim=Z_DIM)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


class FaceRenderer(nn.Module):
    """A generator whose latent is known: four factors along orthogonal axes, eight without use."""

    def __init__(self):
        super().__init__()
        turn = torch.linalg.qr(torch.randn(Z_DIM, Z_DIM, generator=rng(3))).Q
        self.register_buffer("turn", turn)

    def forward(self, z):
        places = z @ self.turn
        factors = sample_factors(1, seed=11)
        factors = {name: value.repeat(len(z)) for name, value in factors.items()}
        factors["hair_style"][:] = 0
        for name, axis in AXES.items():
            share = 0.5 * (1 + torch.erf(places[:, axis] / math.sqrt(2)))
            if name in CATEGORIES:
                factors[name] = (share > 0.5).long()
            else:
                low, high = CONTINUOUS[name]
                factors[name] = low + (high - low) * share
        return to_tanh_range(render(factors, 32))

    def axis(self, name):
        return self.turn[:, AXES[name]]


@pytest.fixture(scope="module")
def labelled():
    toys = ToyFaces(1200, 32, seed=5)
    known = toy_attributes(toys.labels)
    columns = [known.names.index(name) for name in AXES]
    return FaceArray(toys.images, {}, Attributes(tuple(AXES), known.values[:, columns]))


@pytest.fixture(scope="module")
def classifier(labelled):
    return train_classifier(labelled, rng())


@pytest.fixture(scope="module")
def renderer():
    return FaceRenderer()


@pytest.fixture(scope="module")
def directions(renderer, classifier):
    return find_directions(renderer, RECIPE, classifier, rng(1), faces=1000, reach=2.0)


# ---- attribute_direction --------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.0, 1.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_direction_is_that_along_which_the_labels_change(threshold, dtype):
    z = sample_latent(4000, 50, rng()).to(dtype)
    truth = torch.nn.functional.normalize(sample_latent(1, 50, rng(1))[0], dim=0).to(dtype)
    labels = z @ truth > threshold  # the second is had by 7 % only
    direction = attribute_direction(z, labels)
    assert direction.shape == (50,) and direction.dtype == dtype
    assert abs(direction.norm() - 1) < 1e-5
    assert direction @ truth > 0.96
    assert torch.allclose(attribute_direction(z, ~labels), -direction, atol=1e-5)
    assert torch.equal(attribute_direction(z, labels.long()), direction)


def test_the_direction_leaves_out_what_only_goes_along_with_the_labels():
    """Latents whose second coordinate follows the first: the means differ in both."""
    z = sample_latent(3000, 6, rng())
    labels = z[:, 0] + 0.3 * torch.randn(3000, generator=rng(1)) > 0
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    difference = z[labels].mean(0) - z[~labels].mean(0)
    assert difference[1] / difference.norm() > 0.5
    direction = attribute_direction(z, labels)
    assert direction[0] > 0.99 and direction[1].abs() < 0.1


def test_few_examples_give_a_direction_too():
    z = sample_latent(40, 100, rng())
    labels = z[:, 0] > 1
    direction = attribute_direction(z, labels)
    assert direction.isfinite().all() and direction[0] > 0.2
    one = attribute_direction(z[:2], torch.tensor([True, False]))
    assert torch.allclose(one, torch.nn.functional.normalize(z[0] - z[1], dim=0), atol=1e-5)


def test_a_direction_needs_both_kinds_of_examples():
    z = sample_latent(5, 4, rng())
    with pytest.raises(ValueError, match="5 faces have the attribute and 0 do not"):
        attribute_direction(z, torch.ones(5, dtype=torch.bool))
    with pytest.raises(ValueError, match="0 faces have the attribute and 5 do not"):
        attribute_direction(z, torch.zeros(5))
    with pytest.raises(ValueError, match=r"labels have shape \(4,\), expected one for each of 5"):
        attribute_direction(z, torch.ones(4))


def test_held_directions_are_taken_out():
    direction, *others = torch.nn.functional.normalize(sample_latent(3, 9, rng()), dim=1)
    rest = without(direction, torch.stack(others))
    assert abs(rest.norm() - 1) < 1e-5 and rest @ direction > 0.5
    assert all(abs(rest @ other) < 1e-5 for other in others)
    with pytest.raises(ValueError, match="hold fewer"):
        without(direction, torch.stack([others[0], direction]))


# ---- attributes and classifier --------------------------------------------------------------


def test_toy_factors_as_attributes():
    labels = sample_factors(300, seed=2)
    known = toy_attributes(labels)
    column = dict(zip(known.names, known.values.T, strict=True))
    assert torch.equal(column["glasses"], labels["glasses"] == 1)
    dark = CATEGORIES["hair_colour"].index("dark brown")
    assert torch.equal(column["hair_colour_dark_brown"], labels["hair_colour"] == dark)
    assert torch.equal(column["smile"], labels["smile"] > 0.35)
    kinds = [name for name in known.names if name.startswith("background_")]
    assert torch.stack([column[name] for name in kinds]).sum(0).eq(1).all()


def test_the_classifier_is_measured_on_pictures_that_it_has_not_seen(classifier, labelled):
    assert classifier.names == tuple(AXES) and not classifier.training
    share = labelled.attributes.values.float().mean(0)
    assert torch.allclose(classifier.baseline, torch.maximum(share, 1 - share), atol=0.05)
    assert (classifier.accuracy > classifier.baseline + 0.1).all()
    fresh = ToyFaces(400, 32, seed=77)
    truth = toy_attributes(fresh.labels)
    truth = truth.values[:, [truth.names.index(name) for name in AXES]]
    right = ((classifier(to_tanh_range(fresh.images)) > 0) == truth).float().mean(0)
    assert torch.allclose(right, classifier.accuracy, atol=0.06)


def test_training_a_classifier_leaves_the_global_generator_alone(labelled):
    few = FaceArray(
        labelled.images[:120],
        {},
        Attributes(("glasses",), labelled.attributes.values[:120, :1]),
    )
    before = torch.get_rng_state()
    one = train_classifier(few, rng(4), epochs=1)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    other = train_classifier(few, rng(4), epochs=1)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_attributes_of_too_few_pictures_are_refused(labelled):
    values = torch.zeros(100, 2, dtype=torch.bool)
    values[: LEAST - 1, 0] = True
    values[: LEAST + 20, 1] = True
    faces = FaceArray(labelled.images[:100], {}, Attributes(("rare", "enough"), values))
    assert train_classifier(faces, rng(), epochs=1).names == ("enough",)
    with pytest.raises(ValueError, match=r"'rare' is unknown, or fewer than 25 .* are: enough"):
        train_classifier(faces, rng(), ["rare"])
    faces = FaceArray(labelled.images[:100], {}, Attributes(("rare",), values[:, :1]))
    with pytest.raises(ValueError, match="no attribute has 25 pictures with it"):
        train_classifier(faces, rng())
    with pytest.raises(ValueError, match=r"a\.zip: there are no attributes"):
        train_classifier(FaceArray(labelled.images, {"source": "a.zip"}), rng())


# ---- from end to end ------------------------------------------------------------------------


@pytest.mark.parametrize("name", AXES)
def test_a_direction_moves_its_factor_and_not_the_others(directions, renderer, name):
    found = directions[name]
    assert found.tensor() @ renderer.axis(name) > 0.9
    back, forth = found.effects[name]
    assert back < 0.25 and forth > 0.75
    for other in set(AXES) - {name}:
        back, forth = found.effects[other]
        assert abs(forth - back) < 0.3, other
    assert 0.3 < found.share < 0.7 and found.accuracy > found.baseline


def test_the_table_says_what_was_measured(directions):
    head, *lines = directions.table().splitlines()
    assert "at -2" in head and len(lines) == 4
    row = next(line for line in lines if line.startswith("mouth_open")).split()
    found = directions["mouth_open"]
    assert row[1] == f"{found.accuracy:.1%}" and row[2] == f"{found.baseline:.1%}"
    assert row[4] == f"{found.effects['mouth_open'][0]:.0%}"


def test_attributes_that_few_generated_faces_have_are_refused(renderer, classifier):
    class Rare(nn.Module):
        """One face in twenty with glasses."""

        def forward(self, z):
            return renderer(z - 1.6 * renderer.axis("glasses"))

    arguments = (Rare(), RECIPE, classifier)
    with pytest.raises(
        ValueError, match=r"'glasses': [1-9]\d? of 200 generated faces .* more faces may help"
    ):
        find_directions(*arguments, rng(), ["glasses"], faces=200)
    with pytest.raises(ValueError, match=r"'hat' is unknown"):
        find_directions(*arguments, rng(), ["hat"], faces=200)
    result = find_directions(*arguments, rng(), faces=200)
    assert "glasses" in result.skipped and "mouth_open" in result.found
    assert "glasses" in result.table() and "left out" in result.table()
    with pytest.raises(ValueError, match=r"no direction 'glasses' \(\d+ of 200 generated"):
        result["glasses"]


def test_attributes_that_the_classifier_has_not_learnt_are_refused(renderer, classifier):
    doubtful = copy.copy(classifier)
    doubtful.accuracy = classifier.accuracy.clone()
    doubtful.accuracy[0] = doubtful.baseline[0]
    with pytest.raises(ValueError, match=r"'glasses': the classifier gets .*% of unseen"):
        find_directions(renderer, RECIPE, doubtful, rng(), ["glasses"], faces=200)
    result = find_directions(renderer, RECIPE, doubtful, rng(), faces=200)
    assert list(result.skipped) == ["glasses"]


# ---- the file -------------------------------------------------------------------------------


def test_directions_come_back_as_they_were(directions, renderer, tmp_path):
    directions.save(tmp_path / "new" / "d.json")
    loaded = Directions.load(tmp_path / "new" / "d.json", renderer)
    assert loaded.reach == 2.0 and loaded.found.keys() == directions.found.keys()
    for name in AXES:
        assert torch.equal(loaded[name].tensor(), directions[name].tensor())
        assert loaded[name].accuracy == directions[name].accuracy
        assert {k: tuple(v) for k, v in loaded[name].effects.items()} == directions[name].effects


def test_directions_of_another_generator_are_refused(directions, renderer, tmp_path):
    directions.save(tmp_path / "d.json")
    other = FaceRenderer()
    assert generator_hash(other) == generator_hash(renderer)
    other.turn[0, 0] += 1e-6
    assert generator_hash(other) != generator_hash(renderer)
    with pytest.raises(ValueError, match=r"d\.json: these directions belong to another generator"):
        Directions.load(tmp_path / "d.json", other)


def test_damaged_files_of_directions_are_refused(directions, renderer, tmp_path):
    path = tmp_path / "d.json"
    with pytest.raises(FileNotFoundError, match=r"d\.json: no such file. Make it with `facegan"):
        Directions.load(path, renderer)
    directions.save(path)
    whole = path.read_text()
    content = json.loads(whole)
    lacking = {name: value for name, value in content.items() if name != "generator"}
    content["found"]["brow"].pop("vector")
    for text in (
        whole[: len(whole) // 2],
        "",
        "[]",
        "{}",
        whole.replace("facegan-directions-1", "facegan-directions-0"),
        json.dumps(lacking),
        json.dumps(content),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"d\.json: not a complete file of directions"):
            Directions.load(path, renderer)


def test_classifiers_take_pictures_of_any_size():
    classifier = AttributeClassifier(("a", "b")).eval()
    for size in (16, 32, 48, 64):
        assert classifier(torch.zeros(2, 3, size, size)).shape == (2, 2)
