"""Feature extractors: what the measures of `metrics` see of an image.

An extractor takes images `(N, 3, S, S)` in [-1, 1], S from 8 to 256, and gives features `(N, dim)`
float32. Numbers from two extractors can't be compared: `describe()` says which one was used.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegan_ref.data.faces import from_tanh_range, to_tanh_range
from facegan_ref.data.toyfaces import CATEGORIES

SIZES = (8, 256)
ASSET = Path(__file__).parent / "assets" / "offline_features.npz"
INPUT = 64  # side in pixels of what the offline network sees
PIXELS = 16  # side of the thumbnails that are the pixel features
INCEPTION_DIM = 2048
INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
INCEPTION_HASH = "6726825d"  # what the file's SHA-256 begins with, as its name says
INCEPTION_VARIABLE = "FACEGAN_INCEPTION"


class Features:
    """What every extractor has in common; a new one gives `extract`, `name`, `dim`, `describe`.

    Images are rounded to the 256 levels of a picture file before anything is measured: a
    generator's are floats, the real ones were bytes, and that alone must not tell them apart.
    """

    name: str
    dim: int

    def describe(self) -> str:
        """One line: weights, size of the input, how it is resized, layer."""
        raise NotImplementedError

    def extract(self, images: Tensor) -> Tensor:
        """Features `(N, dim)` of valid images `(N, 3, S, S)` of 256 levels in [-1, 1]."""
        raise NotImplementedError

    def to(self, device: torch.device | str) -> Features:
        """This extractor with its weights on `device`."""
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features `(N, dim)` float32 of images `(N, 3, S, S)` in [-1, 1], on their device.

        Raises:
            ValueError: no such images.
        """
        shape = tuple(images.shape)
        square = len(shape) == 4 and shape[1] == 3 and shape[2] == shape[3]
        if not square or not SIZES[0] <= shape[3] <= SIZES[1] or not images.is_floating_point():
            raise ValueError(
                f"images are {images.dtype} of shape {shape}, expected floats of shape "
                f"(N, 3, S, S) with S from {SIZES[0]} to {SIZES[1]}"
            )
        return self.extract(to_tanh_range(from_tanh_range(images))).float()


def resize(images: Tensor, size: int) -> Tensor:
    """Images `(N, 3, S, S)` at `size` pixels, bilinear and antialiased."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True)


class FeatureNet(nn.Module):
    """A small convolutional network; its features are means over three of its layers.

    `(N, 3, 64, 64)` -> `(N, 336)`: 48 channels at 16×16 pixels, 96 at 8×8, and 96 at 4×4, whose
    upper and lower halves count apart: a face upside down is no face.
    """

    dim = 48 + 96 + 2 * 96

    def __init__(self) -> None:
        super().__init__()

        def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.1),
            )

        self.stages = nn.ModuleList(
            [
                nn.Sequential(block(3, 24, 2), block(24, 48, 2), block(48, 48, 1)),
                nn.Sequential(block(48, 96, 2), block(96, 96, 1)),
                block(96, 96, 2),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        fine = self.stages[0](x)
        middle = self.stages[1](fine)
        coarse = self.stages[2](middle)
        halves = coarse.mean(dim=3).unflatten(2, (2, 2)).mean(dim=3).flatten(1)
        return torch.cat([fine.mean(dim=(2, 3)), middle.mean(dim=(2, 3)), halves], dim=1)


class OfflineFeatures(Features):
    """Features of a small network that comes with the package: nothing is downloaded."""

    name = "offline"
    dim = FeatureNet.dim

    def __init__(self) -> None:
        # allow_pickle stays off: the file holds arrays and can hold no code.
        self.version = sha256(ASSET)[:8]
        with np.load(ASSET, allow_pickle=False) as file:
            arrays = {key: torch.from_numpy(file[key]).float() for key in file.files}
        self.mean, self.std = arrays.pop("mean"), arrays.pop("std")
        self.head = arrays.pop("head.weight"), arrays.pop("head.bias")
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn, then replaced
            self.net = FeatureNet()
        self.net.load_state_dict(arrays)
        self.net.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def describe(self) -> str:
        return (
            f"offline (network of facegan_ref, weights {self.version}, trained on drawn faces and "
            f"textures; images resized to {INPUT}×{INPUT}, bilinear, antialiased; means of three "
            f"layers, {self.dim} numbers; this is not FID and can only be compared with itself)"
        )

    def to(self, device: torch.device | str) -> OfflineFeatures:
        self.net.to(device)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def extract(self, images: Tensor) -> Tensor:
        x = resize(images, INPUT).contiguous(memory_format=torch.channels_last)
        return (self.net(x) - self.mean) / self.std

    def factors(self, features: Tensor) -> dict[str, Tensor]:
        """The categorical factors `(N,)` of drawn faces, guessed from their features `(N, dim)`."""
        weight, bias = (part.to(features) for part in self.head)
        scores = (features @ weight.T + bias).split([len(v) for v in CATEGORIES.values()], dim=1)
        return {name: s.argmax(dim=1) for name, s in zip(CATEGORIES, scores, strict=True)}


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class PixelFeatures(Features):
    """A 16×16 thumbnail's numbers: colour and layout, nothing finer."""

    name = "pixels"
    dim = 3 * PIXELS**2

    def describe(self) -> str:
        return (
            f"pixels (images resized to {PIXELS}×{PIXELS}, bilinear, antialiased; {self.dim} "
            "numbers in [-1, 1]; this is not FID)"
        )

    def extract(self, images: Tensor) -> Tensor:
        return resize(images, PIXELS).flatten(1)


class ModuleFeatures(Features):
    """What any module makes of images: `(N, 3, size, size)` in [-1, 1] -> `(N, ...)`.

    Args:
        module: run in evaluation mode without gradients; its mode is put back.
        name: what it is, for the protocol: name the weights too.
        size: images are resized to this side first.
    """

    def __init__(self, module: nn.Module, name: str, size: int):
        self.module, self.name, self.size = module, name, size
        weights = next(module.parameters(), torch.zeros(0))
        self.dim = self.extract(torch.zeros(1, 3, size, size, device=weights.device)).shape[1]

    def describe(self) -> str:
        return (
            f"{self.name} (images resized to {self.size}×{self.size}, bilinear, antialiased; "
            f"{self.dim} numbers; this is not FID)"
        )

    def to(self, device: torch.device | str) -> ModuleFeatures:
        self.module.to(device)
        return self

    @torch.no_grad()
    def extract(self, images: Tensor) -> Tensor:
        was_training = self.module.training
        self.module.eval()
        try:
            return self.module(resize(images, self.size)).flatten(1)
        finally:
            self.module.train(was_training)


class InceptionFeatures(Features):
    """The 2048 features of FID: Inception v3 as torch-fidelity converted it from TensorFlow.

    Args:
        weights: the weights file; the environment's FACEGAN_INCEPTION when None, else torch's
            cache, to which it is downloaded once.

    Raises:
        ValueError: torch-fidelity is not installed, or the file is not those weights.
        FileNotFoundError: there is no such file, and none could be downloaded.
    """

    name = "inception"
    dim = INCEPTION_DIM

    def __init__(self, weights: str | Path | None = None):
        try:
            import torch_fidelity
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError:
            raise ValueError(
                "features inception need torch-fidelity: pip install 'facegan-course[metrics]', "
                "or use --features offline"
            ) from None
        path = inception_weights(weights)
        try:
            # The library unpickles the file, which could run code: this refuses all but tensors.
            torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged bytes end in KeyError, EOFError and more
            raise ValueError(f"{path}: not a file of weights ({type(error).__name__})") from error
        self.version = torch_fidelity.__version__
        self.net = FeatureExtractorInceptionV3(
            "inception-v3-compat", [str(INCEPTION_DIM)], feature_extractor_weights_path=str(path)
        )

    def describe(self) -> str:
        return (
            f"inception (FID's Inception v3 of 2015-12-05, weights {INCEPTION_HASH}, by "
            f"torch-fidelity {self.version}; images as bytes, resized to 299×299, bilinear as "
            f"TensorFlow 1 does; last average pooling, {self.dim} numbers)"
        )

    def to(self, device: torch.device | str) -> InceptionFeatures:
        self.net.to(device)
        return self

    def extract(self, images: Tensor) -> Tensor:
        return self.net(from_tanh_range(images))[0]


def inception_weights(path: str | Path | None = None) -> Path:
    """The file of Inception's weights, looked up or downloaded, its bytes checked.

    Raises:
        ValueError: the file holds something else.
        FileNotFoundError: there is no such file, and none could be downloaded.
    """
    name = INCEPTION_URL.rsplit("/", 1)[1]
    path = path or os.environ.get(INCEPTION_VARIABLE)
    if path is not None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file of Inception's weights ({name})")
    else:
        path = Path(torch.hub.get_dir()) / "checkpoints" / name
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                torch.hub.download_url_to_file(INCEPTION_URL, str(path), INCEPTION_HASH)
            except (OSError, RuntimeError) as error:
                raise FileNotFoundError(
                    f"{path}: Inception's weights are missing and could not be downloaded "
                    f"({error}). Put {INCEPTION_URL} there by hand, or name the file in "
                    f"{INCEPTION_VARIABLE}, or use --features offline"
                ) from None
    digest = sha256(path)
    if not digest.startswith(INCEPTION_HASH):
        raise ValueError(
            f"{path}: SHA-256 begins with {digest[:8]}, expected {INCEPTION_HASH}: these are not "
            f"FID's weights, or not all of them. Delete the file and download {INCEPTION_URL}"
        )
    return path


EXTRACTORS = {"offline": OfflineFeatures, "inception": InceptionFeatures, "pixels": PixelFeatures}


def get_features(name: str) -> Features:
    """The extractor called `name`: offline, inception or pixels; ValueError for another."""
    if name not in EXTRACTORS:
        raise ValueError(f"no features {name!r}; there are: {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]()
