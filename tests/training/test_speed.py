"""Speed around the steps: the same sums as torch's, to rounding, in every derivative."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from facegan_ref import products
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.products import Fold, Patches, SmallMapsAsProducts
from facegan_ref.recipes import get_recipe
from facegan_ref.speed import tune_memory
from facegan_ref.training import Trainer

GAINING = {
    "down": (nn.Conv2d(128, 128, 4, 2, 1, bias=False), (3, 128, 8, 8)),
    "down, not square": (nn.Conv2d(128, 128, 4, 2, 1, bias=False), (3, 128, 4, 8)),
    "to a logit": (nn.Conv2d(256, 1, 4, 1, 0, bias=False), (3, 256, 4, 4)),
    "up": (nn.ConvTranspose2d(256, 64, 4, 2, 1, bias=False), (3, 256, 4, 4)),
    "from a latent": (nn.ConvTranspose2d(100, 64, 4, 1, 0, bias=False), (3, 100, 1, 1)),
}
OTHERS = {
    "a large map": (nn.Conv2d(128, 128, 4, 2, 1, bias=False), (1, 128, 16, 16)),
    "few weights": (nn.Conv2d(64, 64, 4, 2, 1, bias=False), (1, 64, 8, 8)),
    "another kernel": (nn.Conv2d(256, 128, 3, 2, 1, bias=False), (1, 256, 8, 8)),
    "an odd side": (nn.Conv2d(128, 128, 4, 2, 1, bias=False), (1, 128, 7, 7)),
    "a bias": (nn.Conv2d(128, 128, 4, 2, 1), (1, 128, 8, 8)),
    "groups": (nn.Conv2d(512, 128, 4, 2, 1, groups=2, bias=False), (1, 512, 8, 8)),
    "dilation": (nn.Conv2d(128, 128, 4, 2, 3, dilation=2, bias=False), (1, 128, 8, 8)),
    "another padding": (nn.Conv2d(128, 128, 4, 2, 0, bias=False), (1, 128, 8, 8)),
    "output padding": (
        nn.ConvTranspose2d(256, 64, 4, 2, 1, output_padding=1, bias=False),
        (1, 256, 4, 4),
    ),
    "half a step": (nn.ConvTranspose2d(100, 64, 4, (1, 2), 0, bias=False), (1, 100, 1, 1)),
}


@pytest.fixture
def used(monkeypatch):
    """Which layers were computed as products."""
    calls = []
    for kind, (product, usual) in list(products.LAYERS.items()):

        def noted(*args, product=product):
            calls.append(product.__name__)
            return product(*args)

        monkeypatch.setitem(products.LAYERS, kind, (noted, usual))
    return calls


def derivatives(layer, maps, precision):
    """Output, first derivatives, and those of the gradient's square: all that a step can need."""
    layer.zero_grad()
    maps = maps.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        out = layer(maps)
    out = out.float()
    slope = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((out * slope).tanh().sum(), maps, create_graph=True)
    (out.square().mean() + gradient.square().mean()).backward()
    return out.detach(), gradient.detach(), maps.grad, layer.weight.grad


@pytest.mark.parametrize("memory", ["channels_last", "contiguous_format"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", GAINING)
def test_a_product_is_the_convolution_in_all_derivatives(name, precision, memory, used):
    layer, shape = GAINING[name]
    layer = layer.to(memory_format=getattr(torch, memory))
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = derivatives(layer, maps, precision)
    with SmallMapsAsProducts(torch.bfloat16 if precision == "bf16" else torch.float32):
        got = derivatives(layer, maps, precision)
    assert len(used) == 1
    tolerance = 2e-5 if precision == "fp32" else 2e-2
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.dtype == theirs.dtype == torch.float32
        assert (ours - theirs).norm() <= tolerance * theirs.norm()
    assert got[0].is_contiguous(memory_format=torch.channels_last)
    assert got[3].stride() == layer.weight.stride()


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_are_torchs_own_to_the_bit(name, used):
    layer, shape = OTHERS[name]
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with SmallMapsAsProducts():
        got = layer(maps)
    assert not used
    assert torch.equal(got, layer(maps))


def test_patches_and_fold_are_each_others_transpose():
    """<patches(x), y> = <x, fold(y)>, in float64 for any x and y."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64, generator=rng)
    y = torch.randn(2 * 3 * 4, 16 * 3, dtype=torch.float64, generator=rng)
    assert Patches.apply(x).shape == y.shape
    left, right = (Patches.apply(x) * y).sum(), (x * Fold.apply(y, x.shape)).sum()
    torch.testing.assert_close(left, right, rtol=1e-12, atol=0)


def test_a_training_on_the_cpu_uses_them(used, monkeypatch):
    """Of a 64-pixel DCGAN the two layers at 4×4 of each network, in every pass."""
    monkeypatch.setattr(products, "FEWEST_WEIGHTS", 2**16)
    monkeypatch.setattr(products, "FEWEST_WEIGHTS_ON_ALL", 2**11)
    recipe = get_recipe("laptop-mps").override(
        ngf=16, ndf=16, batch_size=2, gradient_penalty=1.0, r1_gamma=1.0
    )
    trainer = Trainer(recipe, FaceArray(ToyFaces(2, 64, seed=0).images))
    trainer.run(until=1)
    # G once; D for real, for fake, for the penalty's mixture, and in G's step.
    assert sorted(used) == ["convolve"] * 8 + ["convolve_transposed"] * 2
    used.clear()
    trainer.preview()
    assert not used  # outside of the steps networks are left as they are


def load_benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "training.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_training", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for the pictures of a DataLoader without workers
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["laptop-mps", "morphing-app", "mlp-goodfellow"])
def test_the_benchmarks_plain_loop_makes_the_trainers_updates(name):
    """Else the ratio of their speeds would say nothing; two steps, see `AGREE` for the rest."""
    benchmark = load_benchmark()
    benchmark.CASES[name].update({"ngf": 8, "ndf": 8, "batch_size": 8})
    arguments = type("Arguments", (), {"device": "cpu"})
    assert benchmark.compare_losses(name, arguments) < 1e-4


def test_operations_are_those_of_the_papers_network():
    benchmark = load_benchmark()
    # Multiplications of one image in a pass: 4×4 kernels on 32², 16², 8² and 4² pixels, and the
    # kernel between 1×1 and 4×4; the layer next to the data has no gradient for the data.
    middle = 3 * 16 * 64 * 128 * 16**2
    edge, logit, latent = 16 * 3 * 64 * 32**2, 16 * 512, 16 * 100 * 512
    generator = 3 * (middle + edge) + 2 * latent
    discriminator = 8 * (middle + logit) + 6 * edge
    recipe = benchmark.case_recipe("laptop-mps")
    assert benchmark.flop_per_image(recipe) == (2 * (generator + discriminator), 0)
    recipe = benchmark.case_recipe("mlp-goodfellow").override(image_size=16, ngf=5, ndf=7, z_dim=2)
    generator = 2 * 2 * 5 + 3 * (5 * 5 + 5 * 768)
    discriminator = 6 * 768 * 7 + 8 * (7 * 7 + 7)
    assert benchmark.flop_per_image(recipe) == (0, 2 * (generator + discriminator))


def test_memory_is_kept_on_linux_and_work_goes_on():
    assert tune_memory() == sys.platform.startswith("linux")
    assert torch.ones(2**22).sum() == 2**22
