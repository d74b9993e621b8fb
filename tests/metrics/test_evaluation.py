"""A generator measured end to end: on a tiny real run, on samplers whose faults are known."""

import json
import time

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from facegan_ref.cli import cli
from facegan_ref.data.faces import FaceArray, to_tanh_range
from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.evaluation import (
    QualityMeasure,
    Report,
    evaluate,
    factor_coverage,
    kid_over_subsets,
)
from facegan_ref.features import ModuleFeatures, OfflineFeatures, PixelFeatures
from facegan_ref.metrics import kid
from facegan_ref.recipes import get_recipe
from facegan_ref.run import load_generator

RECIPE = get_recipe("quick")
THUMBNAILS = ModuleFeatures(nn.AvgPool2d(8), "thumbnails of 4×4 pixels", 32)  # quick and coarse


@pytest.fixture(scope="module")
def toys():
    return ToyFaces(700, 32, seed=0)


@pytest.fixture(scope="module")
def faces(toys):
    return FaceArray(toys.images, {"source": "toyfaces"})


class Sampler(nn.Module):
    """A generator that takes its images from a stock, each latent one of them."""

    def __init__(self, images):
        super().__init__()
        self.images = images

    def forward(self, z):
        return self.images[(z[:, 0] * 1e6).long() % len(self.images)]


def measure(images, faces, **options):
    return evaluate(Sampler(images), RECIPE, faces, **{"n": 500, "features": THUMBNAILS} | options)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A real run of the command: one epoch of the smallest networks."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    options = ("--ngf", 4, "--ndf", 4, "--images", 64, "--epochs", 1, "--device", "cpu")
    arguments = ["train", "--recipe", "quick", *options, "--out", folder]
    result = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


def test_the_command_measures_a_run(run, tmp_path):
    out = tmp_path / "made" / "report.json"
    arguments = ["evaluate", run, "--images", 300, "--n", 200, "--device", "cpu", "--out", out]
    result = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = Report(**json.loads(out.read_text(encoding="utf-8")))
    assert result.output.strip() == str(report)
    for part in ("Fréchet distance", "KID × 1000", "precision", "recall", "nearest", "modes"):
        assert part in result.output
    protocol = result.output.split("Protocol: ")[1]
    for part in (
        "200 generated images (recipe quick, normal z of 64, seed 0) against 200 real ones",
        "toyfaces, 32×32, 300 in all",
        OfflineFeatures().describe(),
        "20 subsets of 100",
        "k = 3",
        "240 training images, 60 held out",
        f"torch {torch.__version__}",
    ):
        assert part in protocol
    assert report.protocol == protocol.strip()
    # One step of training is noise: bad by every measure.
    assert report.precision < 0.05 and report.recall < 0.05 and report.kid > 0.1

    again = CliRunner().invoke(cli, [str(a) for a in arguments[:-2]], catch_exceptions=False)
    assert again.output == result.output


def test_real_images_score_best(faces):
    other = to_tanh_range(ToyFaces(2000, 32, seed=1).images)
    report = measure(other, faces, features=None)
    worse = measure((0.9 * other - 0.05), faces, features=None)
    assert abs(report.kid) < 3 * report.kid_spread
    assert worse.kid > 3 * worse.kid_spread and worse.frechet > 2 * report.frechet
    assert report.precision > 0.7 and report.recall > 0.6
    assert report.copied < 0.15
    assert report.fake_to_train == pytest.approx(report.held_out_to_train, rel=0.05)
    assert report.modes == pytest.approx(report.modes_of_real, abs=0.08)


def test_a_memoriser_is_caught(faces):
    report = measure(to_tanh_range(faces.images), faces)
    # One in five of the images was held out of the search.
    assert report.copied > 0.7 and report.fake_to_train < 0.01 * report.held_out_to_train
    assert report.precision > 0.9  # which no other measure shows


def test_a_collapsed_generator_is_caught(faces):
    one = to_tanh_range(ToyFaces(1, 32, seed=1).images).expand(600, -1, -1, -1)
    noise = 0.02 * torch.randn(one.shape, generator=torch.Generator().manual_seed(0))
    report = measure((one + noise).clamp(-1, 1), faces, features=None)
    assert report.recall < 0.02 and report.modes < 0.05 < report.modes_of_real
    assert report.kid > 5 * report.kid_spread


def test_a_generator_without_glasses_misses_their_modes(faces):
    toys = ToyFaces(700, 32, seed=3, weights={"glasses": (1, 0)})
    report = measure(to_tanh_range(toys.images), faces, features=None)
    assert report.modes < 0.75 * report.modes_of_real


def test_modes_are_combinations_of_the_factors():
    labels = ToyFaces(1, 16).labels
    assert factor_coverage(labels) == 1 / (8 * 6 * 6 * 2)
    everything = torch.cartesian_prod(*(torch.arange(n) for n in (8, 6, 6, 2)))
    names = ("skin", "hair_colour", "hair_style", "glasses")
    assert factor_coverage(dict(zip(names, everything.T, strict=True))) == 1


def test_evaluation_leaves_everything_as_it_was(run, faces):
    generator, recipe = load_generator(run)
    generator.train()
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    state = torch.get_rng_state()
    evaluate(generator, recipe, faces, n=40, features=THUMBNAILS)
    assert generator.training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())


def test_the_batch_size_does_not_show_and_the_seed_does(faces):
    images = to_tanh_range(ToyFaces(300, 32, seed=2).images)
    report = measure(images, faces, n=100)
    assert measure(images, faces, n=100, batch_size=33) == report
    assert measure(images, faces, n=100, seed=1).frechet != report.frechet
    assert "seed 1" in measure(images, faces, n=100, seed=1).protocol


def test_few_training_images_are_searched_where_wished(faces):
    report = measure(to_tanh_range(faces.images), faces, n=100, train_images=200)
    assert "160 training images, 40 held out" in report.protocol
    assert 0.1 < report.copied < 0.5  # the others were copied from images not searched


def test_kid_over_subsets_has_the_value_of_the_whole():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(900, 5, generator=rng), torch.randn(800, 5, generator=rng) + 0.5
    mean, spread, size = kid_over_subsets(real, fake, rng)
    assert size == 400 and 0 < spread < mean
    assert mean == pytest.approx(kid(real, fake), abs=3 * spread / 20**0.5)


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        ({"n": 8}, "n is 8; expected at least 16"),
        ({"faces": FaceArray(torch.zeros(5, 3, 32, 32, dtype=torch.uint8))}, "real images is 5"),
        (
            {"faces": FaceArray(torch.zeros(50, 3, 48, 48, dtype=torch.uint8))},
            "generated images are 32 pixels wide, the real ones 48",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(faces, options, phrase):
    options = {"faces": faces, "n": 50, "features": THUMBNAILS} | options
    with pytest.raises(ValueError, match=phrase):
        evaluate(Sampler(torch.zeros(9, 3, 32, 32)), RECIPE, **options)


def test_errors_of_the_command(run, tmp_path):
    def complaint(*arguments):
        result = CliRunner().invoke(cli, ["evaluate", *map(str, arguments)])
        assert result.exit_code != 0
        return str(result.exception) + result.output

    assert "no such checkpoint" in complaint(tmp_path / "none")
    assert "no such file" in complaint(run, "--data", tmp_path / "none.npy")
    assert "expected at least 16" in complaint(run, "--n", 3, "--images", 64)


# the quality that training keeps its best checkpoint by


def test_quality_falls_as_images_get_worse(faces):
    quality = QualityMeasure(faces, n=400)
    images = to_tanh_range(ToyFaces(400, 32, seed=5).images)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    values = [quality((images + s * noise).clamp(-1, 1)) for s in (0, 0.05, 0.15, 0.5)]
    assert values == sorted(values) and values[3] > 10 * abs(values[0])


def test_quality_is_deterministic_and_quick(faces):
    images = to_tanh_range(ToyFaces(500, 32, seed=5).images)
    quality = QualityMeasure(faces, n=500)
    state = torch.get_rng_state()
    start = time.process_time()
    value = quality(images)
    assert time.process_time() - start < 2  # 1000 images may take 2 s on one core
    assert QualityMeasure(faces, n=500)(images) == value
    assert torch.equal(torch.get_rng_state(), state)
    assert QualityMeasure(faces, n=500, seed=1)(images) != value
    assert 1000 * kid(quality.real, quality.features(images)) == pytest.approx(value, rel=1e-6)


def test_quality_names_its_protocol(faces):
    text = QualityMeasure(faces, n=100, seed=7).protocol
    for part in ("KID × 1000", "100 real images", "seed 7", "not FID", faces.fingerprint):
        assert part in text
    quality = QualityMeasure(faces, n=100, features=PixelFeatures())
    assert "pixels" in quality.protocol
    with pytest.raises(ValueError, match="generated images is 3; expected at least 16"):
        quality(torch.zeros(3, 3, 32, 32))
    with pytest.raises(ValueError, match="16 pixels wide, the real ones 32"):
        quality(torch.zeros(20, 3, 16, 16))
