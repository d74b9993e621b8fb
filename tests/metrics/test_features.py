"""The extractors: what they take and refuse, that they see what matters, and how loading fails."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facegan_ref import features as module
from facegan_ref.data.faces import to_tanh_range
from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.features import (
    INCEPTION_URL,
    FeatureNet,
    InceptionFeatures,
    ModuleFeatures,
    OfflineFeatures,
    PixelFeatures,
    get_features,
    resize,
)
from facegan_ref.features_training import Lesson, save, train
from facegan_ref.metrics import feature_statistics, frechet_distance, kid


@pytest.fixture(scope="module")
def offline():
    return OfflineFeatures()


@pytest.fixture(scope="module")
def toys():
    return ToyFaces(800, 32, seed=0)


@pytest.fixture(scope="module")
def halves(toys):
    """Two samples `(400, 3, 32, 32)` of the same faces."""
    return to_tanh_range(toys.images).split(400)


class Small(nn.Module):
    """An extractor of somebody's own, with dropout and batch statistics to go wrong by."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.conv(x))).mean(dim=(2, 3))


def extractors():
    torch.manual_seed(0)
    return [OfflineFeatures(), PixelFeatures(), ModuleFeatures(Small(), "small", 24)]


@pytest.mark.parametrize("size", [8, 32, 48, 64, 256])
def test_every_extractor_takes_every_size(size):
    images = to_tanh_range(ToyFaces(3, max(size, 16)).images)[..., :size, :size]
    for extractor in extractors():
        found = extractor(images)
        assert found.shape == (3, extractor.dim) and found.dtype == torch.float32
        assert found.isfinite().all() and not found.requires_grad
        # One image at a time gives the same: no image depends on its batch.
        torch.testing.assert_close(extractor(images[1:2]), found[1:2], rtol=1e-4, atol=1e-4)


def test_features_are_of_the_256_levels_of_a_file():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    levels = to_tanh_range(((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
    for extractor in extractors():
        assert torch.equal(extractor(images), extractor(levels))


def test_a_module_keeps_its_mode_and_statistics():
    network = Small().train()
    extractor = ModuleFeatures(network, "small", 24)
    before = network.norm.running_mean.clone()
    extractor(torch.zeros(2, 3, 32, 32))
    assert network.training and network.drop.training
    assert torch.equal(network.norm.running_mean, before)


@pytest.mark.parametrize(
    ("images", "phrase"),
    [
        (torch.zeros(2, 1, 32, 32), r"shape \(2, 1, 32, 32\)"),
        (torch.zeros(2, 3, 32, 16), r"shape \(2, 3, 32, 16\)"),
        (torch.zeros(3, 32, 32), r"shape \(3, 32, 32\)"),
        (torch.zeros(2, 3, 4, 4), "from 8 to 256"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "torch.uint8"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(offline, images, phrase):
    with pytest.raises(ValueError, match=phrase):
        offline(images)


def test_descriptions_say_what_was_used():
    for extractor in extractors():
        text = extractor.describe()
        assert text.startswith(extractor.name) and "\n" not in text
        assert str(extractor.dim) in text and "resized to" in text and "not FID" in text
    with pytest.raises(ValueError, match="no features 'clip'; there are: offline, inception"):
        get_features("clip")
    assert get_features("pixels").name == "pixels"


# the offline network


def test_the_offline_network_is_small():
    assert sum(p.numel() for p in FeatureNet().parameters()) < 300_000
    assert module.ASSET.stat().st_size < 1_000_000
    with np.load(module.ASSET, allow_pickle=False) as file:
        assert all(file[key].dtype == np.float16 for key in file.files)


def gaussian_blur(x, sigma):
    offset = torch.arange(-6, 7.0)
    kernel = torch.exp(-(offset**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    x = F.pad(x, (6, 6, 6, 6), mode="reflect")
    x = F.conv2d(x, kernel[:, :, None], groups=3)
    return F.conv2d(x, kernel[:, :, :, None], groups=3)


def add_noise(x, sigma):
    return x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))


def brighten(x, shift):
    return x + shift


def occlude(x, share):
    side = round(share * x.shape[-1])
    x = x.clone()
    x[:, :, 8 : 8 + side, 4 : 4 + side] = -0.2
    return x


def swirl(x, angle):
    place = torch.linspace(-1, 1, x.shape[-1])
    y, h = torch.meshgrid(place, place, indexing="ij")
    turn = angle * (1 - (h**2 + y**2).sqrt()).clamp(min=0)
    grid = torch.stack([turn.cos() * h - turn.sin() * y, turn.sin() * h + turn.cos() * y], dim=2)
    return F.grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=True)


def drop_modes(x, share):
    """Only the images whose mean is among the lowest."""
    return x[x.mean(dim=(1, 2, 3)).argsort()[: round((1 - share) * len(x))]]


@pytest.mark.parametrize(
    ("distortion", "strengths"),
    [
        (gaussian_blur, (0.5, 0.8, 1.5)),
        (add_noise, (0.06, 0.15, 0.4)),
        (brighten, (0.06, 0.15, 0.4)),
        (occlude, (0.15, 0.3, 0.6)),
        (swirl, (0.3, 0.7, 1.3)),
        (drop_modes, (0.25, 0.5, 0.8)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_distances_grow_with_the_distortion(offline, halves, distortion, strengths):
    real = offline(halves[0])
    statistics = feature_statistics([real])
    found = [offline(halves[1])]
    found += [offline(distortion(halves[1], s).clamp(-1, 1)) for s in strengths]
    distances = [frechet_distance(*statistics, *feature_statistics([x])) for x in found]
    kernel = [kid(real, x) for x in found]
    assert distances == sorted(distances) and kernel == sorted(kernel), (distances, kernel)
    assert distances[1] > 1.05 * distances[0]


def test_factors_of_drawn_faces_are_recognised(offline):
    toys = ToyFaces(500, 32, seed=77)
    guessed = offline.factors(offline(to_tanh_range(toys.images)))
    right = {k: (guessed[k] == toys.labels[k]).double().mean().item() for k in guessed}
    for name, least in LEAST_RIGHT.items():
        assert right[name] > least, right


LEAST_RIGHT = {"background": 0.95, "glasses": 0.9, "hair_style": 0.75, "hair_colour": 0.6}


def test_training_is_deterministic_and_its_file_is_the_extractors(tmp_path, monkeypatch):
    monkeypatch.setattr("facegan_ref.features_training.FACES", 128)
    monkeypatch.setattr("facegan_ref.features_training.TEXTURES", 250)
    monkeypatch.setattr("facegan_ref.features_training.BATCH", 32)
    state = torch.get_rng_state()
    lessons = [train(2, quiet=True) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    for index, lesson in enumerate(lessons):
        save(lesson, tmp_path / f"{index}.npz")
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()
    untrained = Lesson().net.stages[0][0][0].weight
    assert not torch.equal(untrained, lessons[0].net.stages[0][0][0].weight)

    monkeypatch.setattr(module, "ASSET", tmp_path / "0.npz")
    images = to_tanh_range(ToyFaces(4, 64).images)
    with torch.no_grad():
        expected = lessons[0].norm(lessons[0].net(images))
    # The file holds half precision.
    torch.testing.assert_close(OfflineFeatures()(images), expected, rtol=0.05, atol=0.05)


# Inception


NAME = INCEPTION_URL.rsplit("/", 1)[1]


def test_missing_inception_weights_end_in_one_line(tmp_path):
    """The real command in a process of its own, whose downloads all fail."""
    pytest.importorskip("torch_fidelity", reason="needs the extra [metrics]")
    program = "from facegan_ref.features import get_features; get_features('inception')"
    environment = {
        **os.environ,
        "TORCH_HOME": str(tmp_path),
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    environment.pop("FACEGAN_INCEPTION", None)
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("FileNotFoundError: ") and NAME in last
    assert "FACEGAN_INCEPTION" in last and "--features offline" in last
    assert "could not be downloaded" in last
    assert list(tmp_path.rglob("*.pth*")) == []


def test_inception_weights_from_elsewhere_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs the extra [metrics]")
    with pytest.raises(FileNotFoundError, match=r"none.pth: no such file of Inception's weights"):
        InceptionFeatures(tmp_path / "none.pth")
    (tmp_path / NAME).write_bytes(b"half of it")
    monkeypatch.setenv("FACEGAN_INCEPTION", str(tmp_path / NAME))
    with pytest.raises(ValueError, match=r"SHA-256 begins with .* expected 6726825d"):
        InceptionFeatures()


def test_without_torch_fidelity_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ValueError, match=r"pip install 'facegan-course\[metrics\]'"):
        get_features("inception")
    with pytest.raises(ValueError, match=r"--features offline"):
        InceptionFeatures("any.pth")


def test_inception_runs_with_a_file_of_weights(tmp_path, monkeypatch):
    """torch-fidelity's own network and loading; its published weights can't be had in a test."""
    library = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="needs the extra [metrics]"
    )
    cls = library.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(library, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(cls, "load_state_dict", lambda self, state: None)
        drawn = cls("drawn", ["2048"])
    path = tmp_path / NAME
    torch.save(drawn.state_dict(), path)
    monkeypatch.setattr(module, "INCEPTION_HASH", module.sha256(path)[:8])
    inception = InceptionFeatures(path)
    images = to_tanh_range(ToyFaces(2, 32).images)
    found = inception(images)
    assert found.shape == (2, 2048) and found.dtype == torch.float32 and found.std() > 0
    torch.testing.assert_close(found, drawn(ToyFaces(2, 32).images)[0])
    assert "torch-fidelity" in inception.describe() and "299" in inception.describe()


def test_a_file_that_runs_code_never_reaches_the_library(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs the extra [metrics]")

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    path = tmp_path / "evil.pth"
    torch.save(Evil(), path)
    monkeypatch.setattr(module, "INCEPTION_HASH", module.sha256(path)[:8])
    with pytest.raises(ValueError, match=r"evil.pth: .*weights"):
        InceptionFeatures(path)
    assert not (tmp_path / "ran").exists()


def test_resize_keeps_a_flat_image_and_the_right_size():
    flat = torch.full((1, 3, 48, 48), 0.25)
    assert resize(flat, 48) is flat
    torch.testing.assert_close(resize(flat, 64), torch.full((1, 3, 64, 64), 0.25))
