"""The drawn faces: the same image anywhere, labels that tell the truth, clear errors."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from facegan_ref.data import _drawing
from facegan_ref.data.toyfaces import (
    CATEGORIES,
    CONTINUOUS,
    ToyFaces,
    render,
    sample_factors,
)


def plain_face(**changes):
    """One face that looks straight ahead, with some factors changed."""
    factors = {name: torch.tensor([0]) for name in CATEGORIES}
    factors |= {name: torch.tensor([0.0]) for name in CONTINUOUS}
    factors["skin"] = torch.tensor([2])
    for name, value in changes.items():
        if isinstance(value, str):
            value = CATEGORIES[name].index(value)
        factors[name] = torch.tensor([value])
    return factors


def difference(first, second, size=64):
    """Where two faces differ: (size, size) float, in grey levels."""
    change = render(first, size).float() - render(second, size).float()
    return change[0].abs().mean(dim=0)


def stretched(factors):
    """The same faces with every continuous factor at one end of its range."""
    ends = {}
    for name, (low, high) in CONTINUOUS.items():
        ends[name] = torch.where(factors[name] < (low + high) / 2, low, high).float()
    return {**factors, **ends}


# --- the same image anywhere ---------------------------------------------------------------------


def test_an_image_depends_on_seed_and_index_alone():
    many = ToyFaces(150, 32, seed=7)
    few = ToyFaces(9, 32, seed=7, start=100)
    assert torch.equal(many.images[100:109], few.images)
    for name, values in few.labels.items():
        assert torch.equal(many.labels[name][100:109], values), name


def test_an_image_does_not_depend_on_its_batch():
    factors = sample_factors(90, seed=3)
    together = render(factors, 32)
    mixed = torch.randperm(90, generator=torch.Generator().manual_seed(0))
    shuffled = render({name: values[mixed] for name, values in factors.items()}, 32)
    assert torch.equal(shuffled, together[mixed])
    for i in (0, 41, 89):
        alone = render({name: values[i : i + 1] for name, values in factors.items()}, 32)
        assert torch.equal(alone[0], together[i])


def test_torch_global_random_state_plays_no_part():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = ToyFaces(4, 16, seed=1).images
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(ToyFaces(4, 16, seed=1).images, first)


def test_the_hash_never_changes():
    # Written down once: a new factor or a refactoring must not redraw the published images.
    factors = sample_factors(3, seed=0)
    assert factors["skin"].tolist() == [1, 6, 6]
    assert factors["smile"].tolist() == pytest.approx([0.233941, 0.244964, 0.124797], abs=1e-6)


def test_seeds_and_images_differ():
    faces = ToyFaces(200, 16, seed=0)
    assert len(torch.unique(faces.images.flatten(1), dim=0)) == 200
    assert not torch.equal(faces.images, ToyFaces(200, 16, seed=1).images)


# --- form ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 33, 64, 256])
def test_sizes_and_types(size):
    images = render(sample_factors(2, seed=0), size)
    assert images.shape == (2, 3, size, size)
    assert images.dtype == torch.uint8


def test_a_set_of_faces_works_with_a_data_loader():
    faces = ToyFaces(10, 16, seed=0)
    assert len(faces) == 10
    assert faces[3].shape == (3, 16, 16) and faces[3].dtype == torch.uint8
    batches = list(torch.utils.data.DataLoader(faces, batch_size=4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert torch.equal(torch.cat(batches), faces.images)


def test_an_empty_set_is_allowed():
    assert ToyFaces(0, 32).images.shape == (0, 3, 32, 32)


def test_labels_have_the_documented_types_and_ranges():
    labels = ToyFaces(500, 16, seed=0).labels
    assert set(labels) == set(CATEGORIES) | set(CONTINUOUS)
    for name, names in CATEGORIES.items():
        assert labels[name].dtype == torch.int64
        assert set(labels[name].tolist()) == set(range(len(names))), name
    for name, (low, high) in CONTINUOUS.items():
        assert labels[name].dtype == torch.float32
        assert low <= labels[name].min() and labels[name].max() <= high
        assert labels[name].min() < low + 0.05 * (high - low), name
        assert labels[name].max() > high - 0.05 * (high - low), name


def test_faces_fill_the_tonal_range():
    images = ToyFaces(100, 32, seed=0).images.float()
    spread = images.flatten(1).std(dim=1)
    assert images.min() < 40 and images.max() > 240
    assert (spread > 20).all(), "an image is nearly flat"


# --- labels and images agree ---------------------------------------------------------------------

# (factor, from, to, rows, columns) as shares of the picture: where the change must lie.
CHANGES = [
    ("glasses", "without", "with", (0.35, 0.70), (0.15, 0.85)),
    ("eyes", "brown", "blue", (0.40, 0.62), (0.20, 0.80)),
    ("smile", 0.0, 1.0, (0.40, 0.85), (0.20, 0.80)),
    ("mouth_open", 0.0, 1.0, (0.60, 0.85), (0.30, 0.70)),
    ("brow", -1.0, 1.0, (0.30, 0.60), (0.20, 0.80)),
    ("beard", "without", "with", (0.40, 0.95), (0.15, 0.85)),
    ("clothes", "blue", "red", (0.75, 1.0), (0.0, 1.0)),
    ("hair_style", "long", "bald", (0.0, 1.0), (0.0, 1.0)),
    ("eye_distance", -1.0, 1.0, (0.30, 0.66), (0.15, 0.85)),
]


@pytest.mark.parametrize("name, first, second, rows, columns", CHANGES)
def test_a_factor_changes_its_region_and_no_other(name, first, second, rows, columns):
    change = difference(plain_face(**{name: first}), plain_face(**{name: second}))
    inside = torch.zeros_like(change, dtype=torch.bool)
    (top, bottom), (left, right) = rows, columns
    inside[int(top * 64) : int(bottom * 64), int(left * 64) : int(right * 64)] = True
    assert change[inside].max() > 30, f"{name} changes nothing that can be seen"
    assert change[~inside].sum() == 0, f"{name} also changes pixels elsewhere"


@pytest.mark.parametrize(
    "name", ["skin", "hair_colour", "background", "width", "yaw", "tilt", "jaw"]
)
def test_every_other_factor_can_be_seen(name):
    ends = CONTINUOUS.get(name, (0, len(CATEGORIES.get(name, " ")) - 1))
    assert difference(plain_face(**{name: ends[0]}), plain_face(**{name: ends[1]})).max() > 30


@pytest.mark.parametrize("name", list(CATEGORIES))
def test_each_value_of_a_category_looks_different(name):
    faces = [render(plain_face(**{name: i}), 32)[0].float() for i in range(len(CATEGORIES[name]))]
    for i, face in enumerate(faces):
        for other in faces[i + 1 :]:
            assert (face - other).abs().max() > 15


def test_skin_tones_run_from_light_to_dark():
    cheeks = [render(plain_face(skin=i), 64)[0, :, 36:40, 30:34].float().mean() for i in range(8)]
    assert all(lighter > darker + 5 for lighter, darker in pairwise(cheeks))


def test_yaw_moves_the_features_with_it():
    def eyes_middle(yaw):
        blue, brown = plain_face(yaw=yaw, eyes="blue"), plain_face(yaw=yaw, eyes="brown")
        columns = difference(blue, brown).sum(dim=0)
        return float((columns * torch.arange(64)).sum() / columns.sum())

    left, straight, right = (eyes_middle(yaw) for yaw in (-1.0, 0.0, 1.0))
    assert left < straight - 3 and right > straight + 3


def test_parts_are_not_cut_off_by_their_windows(monkeypatch):
    # Each part is painted in a rectangle that has to hold it at every extreme of the factors.
    factors = stretched(sample_factors(200, seed=5))
    expected = render(factors, 32).int()
    window = _drawing.Canvas.window

    def wider(self, left, right, top, bottom, which=None, frame=None):
        # The neck goes on upwards behind the face, where the window ends it on purpose.
        top = top if frame is None else top - 0.15
        return window(self, left - 0.15, right + 0.15, top, bottom + 0.15, which, frame)

    monkeypatch.setattr(_drawing.Canvas, "window", wider)
    assert (render(factors, 32).int() - expected).abs().max() <= 2


# --- anti-aliasing -------------------------------------------------------------------------------


def test_halving_a_larger_picture_gives_the_smaller_one():
    factors = sample_factors(40, seed=2)
    large, small = render(factors, 128).float(), render(factors, 64).float()
    halved = torch.nn.functional.avg_pool2d(large, 2)
    gap = (halved - small).abs()
    assert gap.mean() < 1.5
    assert (gap > 40).float().mean() < 0.002
    # A picture sampled without anti-aliasing is several times as far away.
    assert (large[:, :, ::2, ::2] - halved).abs().mean() > 1.5 * gap.mean()


# --- weights and held-out combinations -----------------------------------------------------------


def test_weights_are_respected():
    labels = sample_factors(4000, seed=0, weights={"glasses": (0.95, 0.05), "skin": [1] + [0] * 7})
    assert 0.035 < labels["glasses"].float().mean() < 0.065
    assert (labels["skin"] == 0).all()


def test_defaults_are_even_but_for_beards():
    labels = sample_factors(8000, seed=0)
    for name, names in CATEGORIES.items():
        shares = torch.bincount(labels[name], minlength=len(names)) / 8000
        expected = torch.tensor([0.75, 0.25]) if name == "beard" else 1 / len(names)
        assert (shares - expected).abs().max() < 0.025, name


def test_factors_are_independent():
    labels = sample_factors(8000, seed=0)
    values = np.stack([labels[name].numpy().astype(float) for name in labels])
    correlation = np.corrcoef(values) - np.eye(len(values))
    assert np.abs(correlation).max() < 0.05


def test_excluded_combinations_never_appear_and_their_parts_do():
    excluded = [{"glasses": 1, "hair_style": "long"}, {"skin": "deep"}]
    labels = sample_factors(3000, seed=0, exclude=excluded)
    glasses, long_hair = labels["glasses"] == 1, labels["hair_style"] == 1
    assert not (glasses & long_hair).any()
    assert glasses.any() and long_hair.any()
    assert not (labels["skin"] == 6).any()


def test_excluded_sets_do_not_depend_on_the_batch_either():
    exclude = [{"glasses": 1}, {"background": 0}]
    many = sample_factors(60, seed=0, exclude=exclude)
    few = sample_factors(10, seed=0, start=50, exclude=exclude)
    for name in many:
        assert torch.equal(many[name][50:], few[name]), name


def test_excluding_leaves_all_other_images_as_they_were():
    free = sample_factors(1000, seed=0)
    held = sample_factors(1000, seed=0, exclude=[{"glasses": 1, "hair_style": "long"}])
    kept = ~((free["glasses"] == 1) & (free["hair_style"] == 1))
    for name in free:
        assert torch.equal(free[name][kept], held[name][kept]), name
    assert torch.equal(free["smile"], held["smile"])


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [15, 257, 0, 32.0, "32", True])
def test_a_bad_size_is_named(size):
    with pytest.raises(ValueError, match=r"size is .*16 to 256"):
        render(sample_factors(1, seed=0), size)


@pytest.mark.parametrize("name, value", [("n", -1), ("n", 2.5), ("seed", -3), ("start", "a")])
def test_a_bad_count_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} is"):
        sample_factors(**{"n": 1, "seed": 0, name: value})


@pytest.mark.parametrize(
    "weights, message",
    [
        ({"hat": (1, 0)}, "no factor 'hat'"),
        ({"smile": (1, 0)}, "'smile' is a continuous factor"),
        ({"glasses": (1, 0, 0)}, "3 numbers; expected 2"),
        ({"glasses": 0.05}, "1 numbers; expected 2"),
        ({"glasses": (1.1, -0.1)}, "not negative"),
        ({"glasses": (0, 0)}, "one of them above 0"),
        ({"glasses": (float("nan"), 1)}, "not negative"),
    ],
)
def test_bad_weights_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        sample_factors(1, seed=0, weights=weights)


@pytest.mark.parametrize(
    "exclude, message",
    [
        ([{"hat": 1}], "no factor 'hat'"),
        ([{"hair_style": "mohawk"}], "'mohawk'"),
        ([{"glasses": 2}], "label 0 … 1"),
        ([{"smile": 1}], "continuous"),
        ([{}], "empty combination"),
        ({"glasses": 1}, "expected a list"),
        ([{"glasses": 0}, {"glasses": 1}], "leaves 0.00%"),
    ],
)
def test_a_bad_exclusion_is_named(exclude, message):
    with pytest.raises(ValueError, match=message):
        sample_factors(1, seed=0, exclude=exclude)


def test_bad_factors_are_named():
    factors = plain_face()
    with pytest.raises(ValueError, match="lack 'yaw'"):
        render({name: values for name, values in factors.items() if name != "yaw"})
    with pytest.raises(ValueError, match=r"'skin'.* 0 to 7"):
        render({**factors, "skin": torch.tensor([8])})
    with pytest.raises(ValueError, match=r"'skin'.* 0 to 7"):
        render({**factors, "skin": torch.tensor([0.5])})
    with pytest.raises(ValueError, match=r"'smile'.*\(2,\)"):
        render({**factors, "smile": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"'smile'.*not finite"):
        render({**factors, "smile": torch.tensor([float("nan")])})


def test_values_out_of_range_are_held_to_it():
    assert torch.equal(render(plain_face(smile=9.0), 32), render(plain_face(smile=1.0), 32))
