"""Answers to lesson 6: sizes, the DCGAN's two networks, their initial weights."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong
from torch import nn


def doublings(image_size):
    count = round(math.log2(max(image_size, 1) / 4))
    if image_size < 8 or 4 * 2**count != image_size:
        raise ValueError(f"image_size {image_size}")
    return count


# ---------------------------------------------------------------- 6.1 conv_out, right


@right("6.1")
def as_in_the_documentation(n, kernel, stride, padding):
    return math.floor((n + 2 * padding - 1 * (kernel - 1) - 1) / stride + 1)


@right("6.1")
def counted_place_by_place(n, kernel, stride, padding):
    return len(range(0, n + 2 * padding - kernel + 1, stride))


@right("6.1")
def asked_torch(n, kernel, stride, padding):
    image = torch.empty(1, 1, n, n, device="meta")
    weight = torch.empty(1, 1, kernel, kernel, device="meta")
    return F.conv2d(image, weight, stride=stride, padding=padding).shape[-1]


@right("6.1")
def a_numpy_integer(n, kernel, stride, padding):
    return np.floor_divide(n + 2 * padding - kernel, stride) + 1


@right("6.1")
def one_stride_more(size, k, s, p):
    return (size + 2 * p - k + s) // s


# ---------------------------------------------------------------- 6.1 conv_out, wrong


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="first place counts too")
def without_plus_one(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="both edges")
def padding_once(n, kernel, stride, padding):
    return (n + padding - kernel) // stride + 1


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="the return is missing")
def printed(n, kernel, stride, padding):
    print((n + 2 * padding - kernel) // stride + 1)


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="divide with //")
def divided_to_a_float(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) / stride + 1


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="cut in stride")
def halved_by_the_stride(n, kernel, stride, padding):
    return n // stride


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="transposed convolution")
def the_other_formula(n, kernel, stride, padding):
    return (n - 1) * stride + kernel - 2 * padding


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="outside of the division")
def plus_one_inside(n, kernel, stride, padding):
    return (n + 2 * padding - kernel + 1) // stride


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="whole number")
def a_tensor(n, kernel, stride, padding):
    return torch.tensor((n + 2 * padding - kernel) // stride + 1)


@wrong("6.1", rejected_by="counts_the_places_of_the_kernel", says="not subtracted")
def kernel_forgotten(n, kernel, stride, padding):
    return (n + 2 * padding) // stride + 1


@wrong("6.1", rejected_by="rounds_down", says="round down")
def rounded_up(n, kernel, stride, padding):
    return math.ceil((n + 2 * padding - kernel) / stride) + 1


@wrong("6.1", rejected_by="rounds_down", says="round down")
def rounded_to_the_nearest(n, kernel, stride, padding):
    return round((n + 2 * padding - kernel) / stride) + 1


@wrong("6.1", rejected_by="rounds_down", says="fraction")
def a_fraction(n, kernel, stride, padding):
    size = (n + 2 * padding - kernel) / stride + 1
    return int(size) if size == int(size) else size


# ---------------------------------------------------------------- 6.2 conv_transpose_out, right


@right("6.2")
def as_in_the_documentation_of_the_transpose(n, kernel, stride, padding):
    return (n - 1) * stride - 2 * padding + 1 * (kernel - 1) + 0 + 1


@right("6.2")
def end_of_the_last_stamp(n, kernel, stride, padding):
    return max(i * stride + kernel for i in range(n)) - 2 * padding


@right("6.2")
def asked_torch_too(n, kernel, stride, padding):
    layer = nn.ConvTranspose2d(1, 1, kernel, stride, padding)
    return layer(torch.zeros(1, 1, n, n)).size(3)


@right("6.2")
def a_floor_that_is_not_needed(n, kernel, stride, padding):
    return math.floor(stride * (n - 1) + kernel - padding * 2)


@right("6.2")
def smallest_size_that_a_convolution_brings_back(n, kernel, stride, padding):
    wide = 1
    while (wide + 2 * padding - kernel) // stride + 1 < n:
        wide += 1
    return wide


# ---------------------------------------------------------------- 6.2 conv_transpose_out, wrong


@wrong("6.2", rejected_by="grows_as_in_dcgan", says="n - 1 strides")
def n_strides(n, kernel, stride, padding):
    return n * stride + kernel - 2 * padding


@wrong("6.2", rejected_by="grows_as_in_dcgan", says="both edges")
def padding_cut_once(n, kernel, stride, padding):
    return (n - 1) * stride + kernel - padding


@wrong("6.2", rejected_by="grows_as_in_dcgan", says="smaller")
def padding_added(n, kernel, stride, padding):
    return (n - 1) * stride + kernel + 2 * padding


@wrong("6.2", rejected_by="grows_as_in_dcgan", says="the last stamp")
def without_the_kernel(n, kernel, stride, padding):
    return (n - 1) * stride - 2 * padding


@wrong("6.2", rejected_by="grows_with_any_kernel", says="output_padding")
def output_padding_added(n, kernel, stride, padding):
    return (n - 1) * stride + kernel - 2 * padding + stride - 1


@wrong("6.2", rejected_by="grows_as_in_dcgan", says="the convolution itself")
def the_formula_of_the_convolution(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride + 1


@wrong("6.2", rejected_by="grows_with_any_kernel", says="twice the side")
def doubles_always(n, kernel, stride, padding):
    return kernel if n == 1 else 2 * n


@wrong("6.2", rejected_by="grows_with_any_kernel", says="kernel 4")
def doubles_by_stride(n, kernel, stride, padding):
    return n * stride


@wrong("6.2", rejected_by="grows_with_any_kernel", says="Expected")
def the_convolution_solved_for_n_with_a_ceiling(n, kernel, stride, padding):
    return n * stride + kernel - 2 * padding - 2 if stride == 2 else n - 1 + kernel


@wrong("6.2", rejected_by="grows_with_any_kernel", says="a whole number")
def half_of_a_double(n, kernel, stride, padding):
    return (2 * (n - 1) * stride + 2 * kernel - 4 * padding) / 2


@wrong("6.2", rejected_by="grows_as_in_dcgan", says="in your code")
def strings(n, kernel, stride, padding):
    return "(n - 1) * stride" - 2 * padding


# ---------------------------------------------------------------- 6.3 Generator, right


def up(a, b, bias=True):
    return [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=bias), nn.BatchNorm2d(b), nn.ReLU(True)]


@right("6.3")
class BlocksOfTheTutorial(nn.Module):
    """nz, ngf * 8 … as everybody knows it, with biases."""

    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        n = doublings(image_size)
        top = ngf * 2 ** (n - 1)
        layers = [nn.ConvTranspose2d(z_dim, top, 4, 1, 0), nn.BatchNorm2d(top), nn.ReLU(True)]
        for _ in range(n - 1):
            layers += up(top, top // 2)
            top //= 2
        layers += [nn.ConvTranspose2d(top, channels, 4, 2, 1), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, input):
        return self.main(input.view(input.size(0), -1, 1, 1))


@right("6.3")
class UpsampleAndConvolve(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        n = doublings(image_size)
        self.top = ngf * 2**n
        self.project = nn.Linear(z_dim, self.top * 16)
        self.norm = nn.BatchNorm2d(self.top)
        blocks, width = [], self.top
        for _ in range(n):
            blocks += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width, width // 2, 3, 1, 1),
                nn.BatchNorm2d(width // 2),
                nn.LeakyReLU(0.2),
            ]
            width //= 2
        self.blocks = nn.Sequential(*blocks)
        self.to_rgb = nn.Conv2d(width, channels, 3, 1, 1)

    def forward(self, z):
        x = F.relu(self.norm(self.project(z).view(-1, self.top, 4, 4)))
        return torch.tanh(self.to_rgb(self.blocks(x)))


@right("6.3")
class KernelOfFive(nn.Module):
    """As in the paper's own code: kernel 5, a linear projection that is normalised as a vector."""

    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        widths = [ngf * 2**i for i in range(doublings(image_size))][::-1]
        self.first = nn.Sequential(
            nn.Linear(z_dim, widths[0] * 16, bias=False), nn.BatchNorm1d(widths[0] * 16), nn.ReLU(),
            nn.Unflatten(1, (widths[0], 4, 4)),
        )  # fmt: skip
        self.rest = nn.ModuleList()
        for a, b in pairwise(widths):
            self.rest.append(
                nn.Sequential(
                    nn.ConvTranspose2d(a, b, 5, 2, 2, output_padding=1),
                    nn.BatchNorm2d(b),
                    nn.ReLU(),
                )
            )
        self.last = nn.ConvTranspose2d(ngf, channels, 5, 2, padding=2, output_padding=1)

    def forward(self, z):
        x = self.first(z)
        for block in self.rest:
            x = block(x)
        return self.last(x).tanh()


@right("6.3")
class FunctionsAndParameters(nn.Module):
    """No layers at all: parameters and functions, but for the normalisation."""

    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        widths = [z_dim, *(ngf * 2**i for i in reversed(range(doublings(image_size))))]
        self.kernels = nn.ParameterList(
            [nn.Parameter(0.02 * torch.randn(a, b, 4, 4)) for a, b in pairwise([*widths, channels])]
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])

    def forward(self, z):
        x = z.unsqueeze(-1).unsqueeze(-1)
        for i, (kernel, norm) in enumerate(zip(self.kernels, self.norms, strict=False)):
            x = F.conv_transpose2d(x, kernel, stride=2 if i else 1, padding=1 if i else 0)
            x = F.leaky_relu(norm(x), 0.2)
        return torch.tanh(F.conv_transpose2d(x, self.kernels[-1], stride=2, padding=1))


@right("6.3")
class ActivationBeforeNormalisation(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        n = doublings(image_size)
        widths = [z_dim] + [8 * ngf] * n
        self.layers = nn.ModuleList()
        for i, (a, b) in enumerate(pairwise(widths)):
            conv = nn.ConvTranspose2d(a, b, 3, 2, 1, 1) if i else nn.ConvTranspose2d(a, b, 4)
            self.layers.append(nn.Sequential(conv, nn.ELU(), nn.BatchNorm2d(b), nn.Dropout2d(0.2)))
        self.end = nn.Sequential(nn.ConvTranspose2d(8 * ngf, channels, 2, 2), nn.Sigmoid())

    def forward(self, z):
        z = z[..., None, None]
        for layer in self.layers:
            z = layer(z)
        return 2 * self.end(z) - 1


@right("6.3")
class PixelShuffleFromEight(nn.Module):
    """Starts from 8×8 where the image is large enough, as the Keras project does."""

    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        n = doublings(image_size)
        self.start = 8 if n > 1 else 4
        self.width = 2 * ngf
        self.fc = nn.Linear(z_dim, self.width * self.start**2)
        self.bn = nn.BatchNorm2d(self.width)
        layers = []
        for _ in range(n - (self.start == 8)):
            layers += [
                nn.Conv2d(self.width, 4 * self.width, 3, padding=1), nn.BatchNorm2d(4 * self.width),
                nn.PixelShuffle(2), nn.ReLU(),
            ]  # fmt: skip
        self.body = nn.Sequential(*layers, nn.Conv2d(self.width, channels, 5, padding=2), nn.Tanh())

    def forward(self, z):
        x = self.fc(z).reshape(len(z), self.width, self.start, self.start)
        return self.body(F.relu(self.bn(x)))


@right("6.3")
def a_function_that_returns_a_sequential(z_dim, ngf, channels, image_size):
    widths = [ngf * 2**i for i in reversed(range(doublings(image_size)))]
    return nn.Sequential(
        nn.Unflatten(1, (z_dim, 1, 1)),
        nn.ConvTranspose2d(z_dim, widths[0], 4), nn.BatchNorm2d(widths[0]), nn.ReLU(),
        *[layer for a, b in pairwise(widths) for layer in up(a, b, bias=False)],
        nn.ConvTranspose2d(ngf, channels, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip


@right("6.3")
class LazyLayersAndSpectralNorm(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        sn = nn.utils.parametrizations.spectral_norm
        widths = [ngf * 2**i for i in reversed(range(doublings(image_size)))]
        self.first = nn.LazyConvTranspose2d(widths[0], 4)
        self.first_norm = nn.LazyBatchNorm2d()
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(
                    sn(nn.ConvTranspose2d(a, b, 4, 2, 1)),
                    nn.BatchNorm2d(b, momentum=0.2),
                    nn.SiLU(),
                )
                for a, b in pairwise(widths)
            ]
        )
        self.last = nn.ConvTranspose2d(ngf, channels, 6, 2, 2)

    def forward(self, z):
        x = F.silu(self.first_norm(self.first(z[:, :, None, None])))
        return torch.tanh(self.last(self.blocks(x)))


# ---------------------------------------------------------------- 6.3 Generator, wrong


class _Generator(nn.Module):
    """What the wrong ones vary."""

    def __init__(
        self, z_dim, ngf, channels, image_size, end=nn.Tanh, norm=nn.BatchNorm2d,
        activation=nn.ReLU, last=(), first_norm=True,
    ):  # fmt: skip
        super().__init__()
        self.z_dim, self.channels, self.image_size = z_dim, channels, image_size
        widths = [ngf * 2**i for i in reversed(range(doublings(image_size)))]
        layers = [nn.ConvTranspose2d(z_dim, widths[0], 4, 1, 0, bias=False)]
        layers += [norm(widths[0])] if first_norm else []
        layers += [activation()]
        for a, b in pairwise(widths):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), norm(b), activation()]
        layers += [nn.ConvTranspose2d(ngf, channels, 4, 2, 1, bias=False), *last, end()]
        self.net = nn.Sequential(*layers)

    def forward(self, z):
        return self.net(z[:, :, None, None])


@wrong("6.3", rejected_by="maps_latents_to_images", says="image of one pixel")
class LatentsAsTheyAre(_Generator):
    def forward(self, z):
        return self.net(z)


@wrong("6.3", rejected_by="maps_latents_to_images", says="squeeze()")
class SqueezedImages(_Generator):
    def forward(self, z):
        return super().forward(z).squeeze(0)


@wrong("6.3", rejected_by="maps_latents_to_images", says="follow from image_size")
class Always64(nn.Module):
    """The tutorial's network, with image_size as an argument that nobody reads."""

    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        self.net = _Generator(z_dim, ngf, channels, 64).net

    def forward(self, z):
        return self.net(z[:, :, None, None])


@wrong("6.3", rejected_by="maps_latents_to_images", says="side stays too small")
class OneLayerTooFew(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        self.net = nn.Sequential(
            nn.ConvTranspose2d(z_dim, ngf, 4, 1, 0), nn.BatchNorm2d(ngf), nn.ReLU(),
            *[layer for _ in range(doublings(image_size) - 1) for layer in up(ngf, ngf)][:-3],
            nn.ConvTranspose2d(ngf, channels, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z):
        return self.net(z[:, :, None, None])


@wrong("6.3", rejected_by="maps_latents_to_images", says="out_channels")
class AlwaysColour(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, 3, image_size)


@wrong("6.3", rejected_by="maps_latents_to_images", says="in_channels differ")
class WidthsDoNotMeet(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size)
        self.net[-2] = nn.ConvTranspose2d(2 * ngf, channels, 4, 2, 1)


@wrong("6.3", rejected_by="maps_latents_to_images", says="a normalisation's width")
class NormalisesTheWrongWidth(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size)
        self.net[1] = nn.BatchNorm2d(ngf * 32)


@wrong("6.3", rejected_by="maps_latents_to_images", says="forward has no return")
class NoReturn(_Generator):
    def forward(self, z):
        super().forward(z)


@wrong("6.3", rejected_by="maps_latents_to_images", says="side")
class KernelThreeWithoutOutputPadding(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        layers = [nn.ConvTranspose2d(z_dim, ngf, 4, 1, 0), nn.BatchNorm2d(ngf), nn.ReLU()]
        for _ in range(doublings(image_size) - 1):
            layers += [nn.ConvTranspose2d(ngf, ngf, 3, 2, 1), nn.BatchNorm2d(ngf), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(ngf, channels, 3, 2, 1), nn.Tanh())

    def forward(self, z):
        return self.net(z[:, :, None, None])


@wrong("6.3", rejected_by="refuses_other_sizes", says="another size than asked for")
class RoundsTheSize(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, 2 ** int(math.log2(image_size)))


@wrong("6.3", rejected_by="refuses_other_sizes", says="call count_doublings")
class AssertsTheSize(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        assert math.log2(image_size) % 1 == 0
        super().__init__(z_dim, ngf, channels, image_size)


@wrong("6.3", rejected_by="stays_in_range", says="tanh")
class NoTanh(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size, end=nn.Identity)


@wrong("6.3", rejected_by="stays_in_range", says="a sigmoid")
class SigmoidForData01(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size, end=nn.Sigmoid)


@wrong("6.3", rejected_by="stays_in_range", says="tanh after the last layer is missing")
class Bytes(_Generator):
    def forward(self, z):
        return (super().forward(z) + 1) * 127.5


@wrong("6.3", rejected_by="stays_in_range", says="scaled after the tanh")
class HalfOfTheRange(_Generator):
    def forward(self, z):
        return super().forward(z) / 2


@wrong("6.3", rejected_by="depends_on_all_of_its_latent", says="0 of them")
class NoiseOfItsOwn(_Generator):
    def forward(self, z):
        return super().forward(torch.randn(len(z), self.z_dim, requires_grad=True))


@wrong("6.3", rejected_by="depends_on_all_of_its_latent", says="dependence on 6 of them")
class HalfOfTheLatent(_Generator):
    def forward(self, z):
        keep = torch.arange(self.z_dim) < self.z_dim // 2
        return super().forward(z * keep)


@wrong("6.3", rejected_by="depends_on_all_of_its_latent", says="without a graph")
class UnderNoGrad(_Generator):
    @torch.no_grad()
    def forward(self, z):
        return super().forward(z)


@wrong("6.3", rejected_by="each_image_from_its_own_latent", says="statistics of the batch")
class BatchStatisticsForEver(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        def norm(width):
            return nn.BatchNorm2d(width, track_running_stats=False)

        super().__init__(z_dim, ngf, channels, image_size, norm=norm)


@wrong("6.3", rejected_by="each_image_from_its_own_latent", says="made anew in forward")
class NewLayersInForward(_Generator):
    def forward(self, z):
        x = self.net[:-2](z[:, :, None, None])
        last = nn.ConvTranspose2d(x.shape[1], self.channels, 4, 2, 1)
        return torch.tanh(last(x)) + 0 * self.net[-2].weight.sum()


@wrong("6.3", rejected_by="each_image_from_its_own_latent", says="batch dimension is mixed")
class NormalisesTheLatentsOverTheBatch(_Generator):
    def forward(self, z):
        return super().forward(z / z.norm(dim=0))


@wrong("6.3", rejected_by="each_image_from_its_own_latent", says="forward calls eval()")
class AlwaysInEvaluationMode(_Generator):
    def forward(self, z):
        self.eval()
        return super().forward(z)


@wrong("6.3", rejected_by="is_convolutional", says="fully connected")
class PerceptronInDisguise(nn.Module):
    """The MLP of lesson 4 with a reshape at its end."""

    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        doublings(image_size)
        self.shape = (channels, image_size, image_size)
        self.net = nn.Sequential(
            nn.Linear(z_dim, ngf), nn.BatchNorm1d(ngf), nn.ReLU(),
            nn.Linear(ngf, 2 * ngf), nn.BatchNorm1d(2 * ngf), nn.ReLU(),
            nn.Linear(2 * ngf, math.prod(self.shape)), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z):
        return self.net(z).view(-1, *self.shape)


@wrong("6.3", rejected_by="is_convolutional", says="fully connected")
class OneTransposedKernelAsLargeAsTheImage(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        doublings(image_size)
        self.net = nn.Sequential(
            nn.Conv2d(z_dim, ngf, 1), nn.BatchNorm2d(ngf), nn.ReLU(),
            nn.ConvTranspose2d(ngf, channels, image_size), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z):
        return self.net(z[:, :, None, None])


@wrong("6.3", rejected_by="normalises_all_but_the_last", says="nn.BatchNorm2d is missing")
class NoNormalisation(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size, norm=lambda width: nn.Identity())


@wrong("6.3", rejected_by="normalises_all_but_the_last", says="the projection of z has one too")
class NoNormalisationOfTheProjection(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size, first_norm=False)


@wrong("6.3", rejected_by="normalises_all_but_the_last", says="instance normalisation")
class InstanceNorm(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size, norm=nn.InstanceNorm2d)


@wrong("6.3", rejected_by="normalises_all_but_the_last", says="group normalisation")
class GroupNorm(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(
            z_dim, ngf, channels, image_size, norm=lambda width: nn.GroupNorm(2, width)
        )


@wrong("6.3", rejected_by="normalises_all_but_the_last", says="none after")
class OneOfTheNormsForgotten(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size)
        del self.net[-4]  # the one before the last ReLU


@wrong("6.3", rejected_by="leaves_the_output_alone", says="batch normalisation at the output")
class NormalisedOutput(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size, last=[nn.BatchNorm2d(channels)])


@wrong("6.3", rejected_by="ngf_sets_the_width", says="ngf is not used")
class FixedWidths(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, 8, channels, image_size)


@wrong("6.3", rejected_by="ngf_sets_the_width", says="a multiple of ngf")
class WidestLayerFixed(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        n = doublings(image_size)
        self.net = nn.Sequential(
            nn.ConvTranspose2d(z_dim, 32, 4), nn.BatchNorm2d(32), nn.ReLU(),
            *[layer for i in range(n - 1) for layer in up(ngf if i else 32, ngf)],
            nn.ConvTranspose2d(ngf if n > 1 else 32, channels, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z):
        return self.net(z[:, :, None, None])


@wrong("6.3", rejected_by="ngf_sets_the_width", says="plain Python list")
class PlainListOfLayers(nn.Module):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__()
        self.layers = list(_Generator(z_dim, ngf, channels, image_size).net)

    def forward(self, z):
        z = z[:, :, None, None]
        for layer in self.layers:
            z = layer.train(self.training)(z)
        return z


@wrong("6.3", rejected_by="all_of_it_learns", says="affine")
class NoActivations(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size, activation=nn.Identity)


@wrong("6.3", rejected_by="all_of_it_learns", says="not used in forward")
class LayerThatIsNotUsed(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size)
        self.fc = nn.Linear(z_dim, 16 * ngf)


@wrong("6.3", rejected_by="all_of_it_learns", says="requires_grad = False")
class FrozenProjection(_Generator):
    def __init__(self, z_dim, ngf, channels, image_size):
        super().__init__(z_dim, ngf, channels, image_size)
        self.net[0].weight.requires_grad_(False)


# ---------------------------------------------------------------- 6.4 Discriminator, right


def down(a, b, bias=True):
    return [nn.Conv2d(a, b, 4, 2, 1, bias=bias), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, True)]


@right("6.4")
class OnePixelLogits(nn.Module):
    """As in the tutorial, without its sigmoid: (N, 1, 1, 1)."""

    def __init__(self, channels, ndf, image_size):
        super().__init__()
        layers, width = [nn.Conv2d(channels, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)], ndf
        for _ in range(doublings(image_size) - 1):
            layers += down(width, 2 * width, bias=False)
            width *= 2
        self.main = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 0, bias=False))

    def forward(self, input):
        return self.main(input)


@right("6.4")
class LinearHead(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        widths = [ndf * 2**i for i in range(doublings(image_size))]
        self.first = nn.Conv2d(channels, ndf, 5, 2, 2)
        self.blocks = nn.ModuleList(nn.Sequential(*down(a, b)) for a, b in pairwise(widths))
        self.head = nn.Linear(16 * widths[-1], 1)

    def forward(self, x):
        x = F.leaky_relu(self.first(x), 0.2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.view(x.size(0), -1))


@right("6.4")
class KernelOfThreeAndDropout(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        n = doublings(image_size)
        body = [nn.Conv2d(channels, ndf, 3, 2, 1), nn.ReLU(), nn.Dropout2d(0.25)]
        for _ in range(n - 1):
            body += [nn.Conv2d(ndf, ndf, 3, 2, 1), nn.BatchNorm2d(ndf, 0.8), nn.ReLU()]
            body += [nn.Dropout(0.25)]
        self.body = nn.Sequential(*body, nn.Flatten(), nn.Linear(16 * ndf, 1))

    def forward(self, x):
        return self.body(x).squeeze(1)


@right("6.4")
class PooledFeatures(nn.Module):
    """Stride 1 and average pooling; the mean over all places, then a linear layer."""

    def __init__(self, channels, ndf, image_size):
        super().__init__()
        n = doublings(image_size)
        layers = [nn.Conv2d(channels, ndf, 3, padding=1), nn.LeakyReLU(0.2), nn.AvgPool2d(2)]
        for _ in range(n):
            layers += [nn.Conv2d(ndf, 2 * ndf, 3, padding=1), nn.BatchNorm2d(2 * ndf)]
            layers += [nn.LeakyReLU(0.2), nn.MaxPool2d(2)]
            ndf *= 2
        self.features = nn.Sequential(*layers)
        self.score = nn.Linear(ndf, 1)

    def forward(self, x):
        return self.score(self.features(x).mean(dim=(2, 3))).flatten()


@right("6.4")
class SpectralNormToo(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        sn = nn.utils.parametrizations.spectral_norm
        widths = [ndf * 2**i for i in range(doublings(image_size))]
        layers = [sn(nn.Conv2d(channels, ndf, 4, 2, 1)), nn.LeakyReLU(0.1)]
        for a, b in pairwise(widths):
            layers += [sn(nn.Conv2d(a, b, 4, 2, 1)), nn.BatchNorm2d(b), nn.LeakyReLU(0.1)]
        self.net = nn.Sequential(*layers, sn(nn.Conv2d(widths[-1], 1, 4)), nn.Flatten())

    def forward(self, x):
        return self.net(x)[:, 0]


@right("6.4")
def lazy_sequential(channels, ndf, image_size):
    layers = [nn.LazyConv2d(ndf, 4, 2, 1), nn.LeakyReLU(0.2)]
    for i in range(1, doublings(image_size)):
        layers += [nn.LazyConv2d(ndf * 2**i, 4, 2, 1), nn.LeakyReLU(0.2), nn.LazyBatchNorm2d()]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0))


@right("6.4")
class FunctionalConvolutions(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        widths = [channels, *(ndf * 2**i for i in range(doublings(image_size)))]
        self.kernels = nn.ParameterList(
            [nn.Parameter(0.05 * torch.randn(b, a, 4, 4)) for a, b in pairwise(widths)]
        )
        self.norms = nn.ModuleList([nn.Identity(), *(nn.BatchNorm2d(b) for b in widths[2:])])
        self.last = nn.Parameter(0.05 * torch.randn(1, widths[-1], 4, 4))

    def forward(self, x):
        for kernel, norm in zip(self.kernels, self.norms, strict=True):
            x = F.leaky_relu(norm(F.conv2d(x, kernel, stride=2, padding=1)), 0.2)
        return F.conv2d(x, self.last).reshape(-1)


# ---------------------------------------------------------------- 6.4 Discriminator, wrong


class _Discriminator(nn.Module):
    def __init__(
        self, channels, ndf, image_size, start=(), end=(), norm=nn.BatchNorm2d,
        activation=lambda: nn.LeakyReLU(0.2), first=(),
    ):  # fmt: skip
        super().__init__()
        widths = [ndf * 2**i for i in range(doublings(image_size))]
        layers = [*start, nn.Conv2d(channels, ndf, 4, 2, 1, bias=False), *first, activation()]
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 4, 2, 1, bias=False), norm(b), activation()]
        self.net = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False), *end)

    def forward(self, x):
        return self.net(x).flatten()


@wrong("6.4", rejected_by="gives_one_logit_an_image", says="use flatten()")
class SqueezedLogits(_Discriminator):
    def forward(self, x):
        return self.net(x).squeeze()


@wrong("6.4", rejected_by="gives_one_logit_an_image", says="a map is left over")
class PatchesOfLogits(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        doublings(image_size)
        self.net = nn.Sequential(
            nn.Conv2d(channels, ndf, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(ndf, 1, 3, 1, 1)
        )

    def forward(self, x):
        return self.net(x)


@wrong("6.4", rejected_by="gives_one_logit_an_image", says="must follow from image_size")
class FourLayersWhateverTheSize(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        doublings(image_size)
        self.net = _Discriminator(channels, ndf, 64).net

    def forward(self, x):
        return self.net(x).flatten()


@wrong("6.4", rejected_by="gives_one_logit_an_image", says="for one image_size")
class LinearHeadFor64(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        doublings(image_size)
        self.net = nn.Sequential(
            nn.Conv2d(channels, ndf, 4, 2, 1), nn.LeakyReLU(0.2), *down(ndf, 2 * ndf),
            nn.Flatten(), nn.Linear(2 * ndf * 16 * 16, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


@wrong("6.4", rejected_by="gives_one_logit_an_image", says="flatten()")
class MeanOfTheBatch(_Discriminator):
    def forward(self, x):
        return self.net(x).mean()


@wrong("6.4", rejected_by="gives_one_logit_an_image", says="in_channels differ")
class ColourOnly(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(3, ndf, image_size)


@wrong("6.4", rejected_by="gives_logits_not_scores", says="a sigmoid at the end")
class SigmoidHead(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, end=[nn.Sigmoid()])


@wrong("6.4", rejected_by="gives_logits_not_scores", says="tanh at the end")
class TanhHead(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, end=[nn.Tanh()])


@wrong("6.4", rejected_by="gives_logits_not_scores", says="LeakyReLU after the last layer")
class LeakyHead(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, end=[nn.LeakyReLU(0.01)])


@wrong("6.4", rejected_by="gives_logits_not_scores", says="one sign")
class ReluHead(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, end=[nn.ReLU()])


@wrong("6.4", rejected_by="refuses_other_sizes_too", says="another size than asked for")
class TakesAnySize(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, 4 * 2 ** int(math.log2(image_size / 4)))


@wrong("6.4", rejected_by="refuses_other_sizes_too", says="call count_doublings")
class LooksTheSizeUp(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        {8: 1, 16: 2, 32: 3, 64: 4, 128: 5, 256: 6}[image_size]
        super().__init__(channels, ndf, image_size)


@wrong("6.4", rejected_by="each_logit_from_its_own_image", says="statistics of the batch")
class BatchStatisticsInEvaluation(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        def norm(width):
            return nn.BatchNorm2d(width, track_running_stats=False)

        super().__init__(channels, ndf, image_size, norm=norm)


@wrong("6.4", rejected_by="each_logit_from_its_own_image", says="some of its channels")
class LooksAtOneChannel(_Discriminator):
    def forward(self, x):
        keep = torch.zeros(x.shape[1], 1, 1)
        keep[0] = 1
        return super().forward(x * keep)


@wrong("6.4", rejected_by="each_logit_from_its_own_image", says="multiplied by 0")
class DetachesTheImage(_Discriminator):
    def forward(self, x):
        return super().forward(x.detach())


@wrong("6.4", rejected_by="each_logit_from_its_own_image", says="dropout")
class DropoutThatNeverEnds(_Discriminator):
    def forward(self, x):
        return super().forward(F.dropout(x, 0.3))


@wrong("6.4", rejected_by="each_logit_from_its_own_image", says="alone")
class SubtractsTheMeanImage(_Discriminator):
    def forward(self, x):
        return super().forward(x - x.mean(dim=0))


@wrong("6.4", rejected_by="is_convolutional_too", says="fully connected")
class FlattensAtOnce(nn.Module):
    """The MLP of lesson 4 under another name."""

    def __init__(self, channels, ndf, image_size):
        super().__init__()
        doublings(image_size)
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * image_size**2, ndf), nn.LeakyReLU(0.2),
            nn.Linear(ndf, 2 * ndf), nn.BatchNorm1d(2 * ndf), nn.LeakyReLU(0.2),
            nn.Linear(2 * ndf, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x).flatten()


@wrong("6.4", rejected_by="is_convolutional_too", says="fully connected")
class KernelAsLargeAsTheImage(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        doublings(image_size)
        self.net = nn.Sequential(
            nn.Conv2d(channels, ndf, image_size), nn.LeakyReLU(0.2),
            nn.Conv2d(ndf, ndf, 1), nn.BatchNorm2d(ndf), nn.LeakyReLU(0.2), nn.Conv2d(ndf, 1, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x).flatten()


@wrong("6.4", rejected_by="normalises_between_the_ends", says="nn.BatchNorm2d is missing")
class NoNormalisationInD(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, norm=lambda width: nn.Dropout(0.2))


@wrong("6.4", rejected_by="normalises_between_the_ends", says="layer normalisation")
class LayerNormAsInWassersteinGans(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, norm=lambda width: nn.GroupNorm(1, width))
        self.net.append(nn.LayerNorm([1, 1, 1], elementwise_affine=False))


@wrong("6.4", rejected_by="normalises_between_the_ends", says="none after")
class SecondLayerNotNormalised(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size)
        if image_size > 16:
            del self.net[3]


@wrong("6.4", rejected_by="leaves_both_ends_alone", says="after the first layer")
class NormalisedFirstLayer(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, first=[nn.BatchNorm2d(ndf)])


@wrong("6.4", rejected_by="leaves_both_ends_alone", says="how bright")
class NormalisedImages(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, start=[nn.BatchNorm2d(channels)])


@wrong("6.4", rejected_by="leaves_both_ends_alone", says="normalisation of the logit")
class NormalisedLogit(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, end=[nn.BatchNorm2d(1)])


@wrong("6.4", rejected_by="ndf_sets_the_width_and_all_learns", says="ndf is not used")
class FixedWidthsInD(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, 16, image_size)


@wrong("6.4", rejected_by="ndf_sets_the_width_and_all_learns", says="affine")
class NoActivationsInD(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size, activation=nn.Identity)


@wrong("6.4", rejected_by="ndf_sets_the_width_and_all_learns", says="plain Python list")
class PlainListInD(nn.Module):
    def __init__(self, channels, ndf, image_size):
        super().__init__()
        self.layers = list(_Discriminator(channels, ndf, image_size).net)

    def forward(self, x):
        for layer in self.layers:
            x = layer.train(self.training)(x)
        return x.flatten()


@wrong("6.4", rejected_by="ndf_sets_the_width_and_all_learns", says="not used in forward")
class LayerLeftOut(_Discriminator):
    def __init__(self, channels, ndf, image_size):
        super().__init__(channels, ndf, image_size)
        self.fc = nn.Linear(ndf, 1)


# ---------------------------------------------------------------- 6.5 init_weights, right


@right("6.5")
def by_class_name(m):
    """As in PyTorch's tutorial."""
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


@right("6.5")
def in_place_under_no_grad(module):
    with torch.no_grad():
        if type(module) in (nn.Conv2d, nn.ConvTranspose2d):
            module.weight.normal_(0, 0.02)
            if module.bias is not None:
                module.bias.zero_()
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.weight.normal_(1, 0.02)
            module.bias.fill_(0)


@right("6.5")
@torch.no_grad()
def copied_from_randn(layer):
    if isinstance(layer, nn.modules.conv._ConvNd):
        layer.weight.copy_(0.02 * torch.randn_like(layer.weight))
    elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
        layer.weight.copy_(1 + 0.02 * torch.randn_like(layer.weight))
        layer.bias.mul_(0)
    return layer


@right("6.5")
def through_data(m):
    match m:
        case nn.Conv2d() | nn.ConvTranspose2d():
            m.weight.data = torch.randn(m.weight.shape) * 0.02
        case nn.BatchNorm2d():
            m.weight.data.normal_(1.0, 0.02)
            m.bias.data = torch.zeros_like(m.bias)


@right("6.5")
def of_a_whole_network(network):
    """Walks through the modules itself; `apply` repeats it, which changes nothing in law."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.trunc_normal_(module.weight, std=0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
            nn.init.constant_(module.bias, 0.0)


# ---------------------------------------------------------------- 6.5 init_weights, wrong


def _init(module, conv=(nn.Conv2d, nn.ConvTranspose2d), scale=1.0, std=0.02):
    if isinstance(module, conv):
        nn.init.normal_(module.weight, 0.0, std)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, scale, std)
        nn.init.zeros_(module.bias)


@wrong("6.5", rejected_by="transposed_convolutions_too", says="nn.ConvTranspose2d is skipped")
def skips_transposed(module):
    _init(module, conv=nn.Conv2d)


@wrong("6.5", rejected_by="convolutions_start_small", says="meets no nn.Conv2d")
def matches_no_layer(module):
    if module.__class__.__name__ in ("conv", "Conv", "batchnorm"):
        nn.init.normal_(module.weight, 0.0, 0.02)


@wrong("6.5", rejected_by="convolutions_start_small", says="meets no nn.Conv2d")
def looks_for_a_prefix_that_is_not_there(module):
    if str(module).startswith("Conv2D") or isinstance(module, nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)


@wrong("6.5", rejected_by="scales_start_around_one", says="is a scale")
def scales_around_zero(module):
    _init(module, scale=0.0)


@wrong("6.5", rejected_by="scales_start_around_one", says="nn.BatchNorm2d is skipped")
def convolutions_only(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)


@wrong("6.5", rejected_by="scales_start_around_one", says="set the bias")
def bias_of_norms_forgotten(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


@wrong("6.5", rejected_by="scales_start_around_one", says="set to exactly 1")
def scales_exactly_one(module):
    _init(module)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)


@wrong("6.5", rejected_by="convolutions_start_small", says="nn.init.normal_, which does that")
def in_place_without_no_grad(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        module.weight.normal_(0, 0.02)


@wrong("6.5", rejected_by="convolutions_start_small", says="ask with isinstance first")
def every_module_has_a_weight(module):
    nn.init.normal_(module.weight, 0.0, 0.02)


@wrong("6.5", rejected_by="convolutions_start_small", says="itself, not its square root")
def variance_for_std(module):
    _init(module, std=0.02**2)


@wrong("6.5", rejected_by="transposed_convolutions_too", says="not the variance")
def root_of_std(module):
    _init(module, std=0.02**0.5)


@wrong("6.5", rejected_by="convolutions_start_small", says="multiply by 0.02")
def standard_normal(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        module.weight.data = torch.randn_like(module.weight)


@wrong("6.5", rejected_by="convolutions_start_small", says="uniform_")
def flat_distribution(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.uniform_(module.weight, -(0.0012**0.5), 0.0012**0.5)


@wrong("6.5", rejected_by="convolutions_start_small", says="Kaiming")
def kaiming(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.kaiming_normal_(module.weight)


@wrong("6.5", rejected_by="convolutions_start_small", says="all the same number")
def constant(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.constant_(module.weight, 0.02)


@wrong("6.5", rejected_by="convolutions_start_small", says="or not each")
def only_those_without_a_bias(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is None:
        nn.init.normal_(module.weight, 0.0, 0.02)


@wrong("6.5", rejected_by="scales_start_around_one", says="is a scale")
def every_parameter(module):
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.0, 0.02)


@wrong("6.5", rejected_by="convolutions_start_small", says="the mean should be 0")
def mean_and_std_swapped(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.02, 0.02)


@wrong("6.5", rejected_by="changes_nothing_else", says="new parameter objects")
def new_parameters(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        module.weight = nn.Parameter(0.02 * torch.randn_like(module.weight))
    elif isinstance(module, nn.BatchNorm2d):
        module.weight = nn.Parameter(1 + 0.02 * torch.randn_like(module.weight))
        module.bias = nn.Parameter(torch.zeros_like(module.bias))


@wrong("6.5", rejected_by="changes_nothing_else", says="nn.Linear is neither")
def linear_layers_too(module):
    _init(module, conv=(nn.Conv2d, nn.ConvTranspose2d, nn.Linear))


@wrong("6.5", rejected_by="changes_nothing_else", says="more layers than meant")
def whatever_has_a_weight(module):
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
    elif getattr(module, "weight", None) is not None:
        nn.init.normal_(module.weight, 0.0, 0.02)


@wrong("6.5", rejected_by="changes_nothing_else", says="only the weights of convolutions")
def biases_of_convolutions_too(module):
    _init(module)
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
        nn.init.normal_(module.bias, 0.0, 0.02)


@wrong("6.5", rejected_by="changes_nothing_else", says="a seed is set inside")
def seeds_inside(module):
    torch.manual_seed(42)
    _init(module)


@wrong("6.5", rejected_by="changes_nothing_else", says="numpy")
def drawn_by_numpy(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        numbers = np.random.normal(0.0, 0.02, tuple(module.weight.shape))
        module.weight.data.copy_(torch.from_numpy(numbers))
    else:
        _init(module)


# ---------------------------------------------------------------- 6.6 all three together


@right("6.6")
def as_in_the_tutorial():
    return BlocksOfTheTutorial, OnePixelLogits, by_class_name


@right("6.6")
def upsampling_and_pooling():
    return UpsampleAndConvolve, PooledFeatures, in_place_under_no_grad


@right("6.6")
def kernels_of_five_and_three():
    return KernelOfFive, KernelOfThreeAndDropout, copied_from_randn


@right("6.6")
def functions():
    return FunctionsAndParameters, FunctionalConvolutions, of_a_whole_network


@right("6.6")
def factories_and_lazy_layers():
    return a_function_that_returns_a_sequential, lazy_sequential, through_data


class _Plain:
    G, D = BlocksOfTheTutorial, OnePixelLogits


@wrong("6.6", rejected_by="networks_fit_each_other", says="in_channels differ")
def discriminator_for_colour():
    return _Plain.G, ColourOnly, by_class_name


@wrong("6.6", rejected_by="networks_fit_each_other", says="expected")
def generator_of_64_only():
    return Always64, _Plain.D, by_class_name


@wrong("6.6", rejected_by="networks_fit_each_other", says="see task 6.4")
def mean_of_the_logits():
    return _Plain.G, MeanOfTheBatch, by_class_name


@wrong("6.6", rejected_by="networks_fit_each_other", says="see task 6.5")
def all_weights_zero():
    def init_weights(module):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.zeros_(module.weight)

    return _Plain.G, _Discriminator, init_weights


@wrong("6.6", rejected_by="networks_fit_each_other", says="apply calls the function for every")
def init_without_a_condition():
    return _Plain.G, _Plain.D, every_module_has_a_weight


@wrong("6.6", rejected_by="networks_fit_each_other", says="the class itself")
def an_instance():
    return _Plain.G(8, 4, 3, 16), _Plain.D, by_class_name


@wrong("6.6", rejected_by="a_step_moves_all_of_it", says="no gradient reaches it")
def discriminator_detaches():
    return _Plain.G, DetachesTheImage, by_class_name


@wrong("6.6", rejected_by="a_step_moves_all_of_it", says="no gradient reaches it")
def generator_with_a_spare_layer():
    return LayerThatIsNotUsed, _Plain.D, by_class_name


@wrong("6.6", rejected_by="a_step_moves_all_of_it", says="no gradient reaches it")
def frozen_by_the_init():
    def init_weights(module):
        _init(module)
        module.requires_grad_(False)
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(True)

    return _Plain.G, _Plain.D, init_weights


@wrong("6.6", rejected_by="a_step_moves_all_of_it", says="share a layer")
def one_kernel_for_both():
    kernel = nn.Parameter(0.1 * torch.randn(8, 3, 4, 4))

    class SharedG(_Generator):
        def __init__(self, z_dim, ngf, channels, image_size):
            super().__init__(z_dim, 8, channels, image_size)
            if channels == 3:
                self.net[-2].weight = kernel

    class SharedD(_Discriminator):
        def __init__(self, channels, ndf, image_size):
            super().__init__(channels, 8, image_size)
            if channels == 3:
                self.net[0].weight = kernel

    return SharedG, SharedD, by_class_name
