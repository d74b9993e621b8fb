"""Answers to lesson 1: scalings, latents and loaders as people write them."""

from __future__ import annotations

import math
import random

import numpy as np
import torch
from bank import right, wrong
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    Subset,
    TensorDataset,
)

# 1.1 to_tanh_range: right, though different ---------------------------------------------------


@right("1.1")
def divided_by_half_the_range(x):
    return x.float() / 127.5 - 1


@right("1.1")
def times_two_minus_one(x):
    return (x.to(torch.float32) / 255.0) * 2.0 - 1.0


@right("1.1")
def normalize_half_half(x):
    x = x.float().div(255)
    mean, std = 0.5, 0.5
    return x.sub(mean).div(std)


@right("1.1")
def centred_first(x):
    return (x.type(torch.FloatTensor) - 127.5) / 127.5


@right("1.1")
def through_numpy_and_back(x):
    array = x.detach().cpu().numpy().astype(np.float32)
    return torch.from_numpy(np.asarray(array / 127.5 - 1, dtype=np.float32))


@right("1.1")
def lookup_table_for_bytes(x):
    if x.dtype == torch.uint8:
        table = torch.linspace(-1, 1, 256)
        return table[x.long()]
    return torch.lerp(torch.tensor(-1.0), torch.tensor(1.0), x.float() / 255)


@right("1.1")
def in_place_on_a_clone(x):
    y = x.clone().float()
    y /= 255
    y *= 2
    y -= 1
    return y


@right("1.1")
def calculated_in_double(x):
    return (2 * x.double() / 255 - 1).float()


@right("1.1")
def clamped_and_printed(x, low=-1.0, high=1.0):
    print("range", x.min().item(), x.max().item())
    return (x.float() * (high - low) / 255 + low).clamp(low, high)


@right("1.1")
def multiplied_by_the_reciprocal(x):
    return torch.addcmul(-torch.ones(()), x.float(), torch.tensor(1 / 127.5))


# 1.1 to_tanh_range: wrong ---------------------------------------------------------------------


@wrong("1.1", rejected_by="every_byte_in_its_place", says="times 2, minus 1")
def divided_by_255(x):
    return x / 255


@wrong("1.1", rejected_by="every_byte_in_its_place", says="times 2, minus 1")
def like_to_tensor(x):
    return x.float().div(255.0)


@wrong("1.1", rejected_by="every_byte_in_its_place", says="bytes wrap around")
def twice_a_byte(x):
    return (x * 2 - 255) / 255


@wrong("1.1", rejected_by="every_byte_in_its_place", says="bytes wrap around")
def byte_minus_128(x):
    return (x - 128) / 128


@wrong("1.1", rejected_by="every_byte_in_its_place", says="bytes wrap around")
def byte_minus_127_then_float(x):
    return (x - 127).float() / 127.5


@wrong("1.1", rejected_by="every_byte_in_its_place", says="bytes wrap around")
def twice_a_byte_over_255(x):
    return 2 * x / 255 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="the middle of 0…255 is 127.5")
def divided_by_128(x):
    return x.float() / 128 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="the middle of 0…255 is 127.5")
def centred_on_128(x):
    return (x.float() - 128) / 127.5


@wrong("1.1", rejected_by="every_byte_in_its_place", says="subtract 1")
def forgot_to_subtract(x):
    return x / 127.5


@wrong("1.1", rejected_by="every_byte_in_its_place", says="multiply by 2")
def centred_half_range(x):
    return x.float() / 255 - 0.5


@wrong("1.1", rejected_by="every_byte_in_its_place", says="divide by 255 before")
def unit_range_assumed(x):
    return x.float() * 2 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="divide by 255 before")
def normalize_without_to_tensor(x):
    return (x.float() - 0.5) / 0.5


@wrong("1.1", rejected_by="every_byte_in_its_place", says="cuts the fractions off")
def integer_division(x):
    return x // 127.5 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="cuts the fractions off")
def integer_division_by_255(x):
    return (x // 255).float() * 2 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="black and white are swapped")
def negative(x):
    return 1 - x / 127.5


@wrong("1.1", rejected_by="every_byte_in_its_place", says="ImageNet")
def imagenet_statistics(x):
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    return (x.float() / 255 - mean) / std


@wrong("1.1", rejected_by="every_byte_in_its_place", says="tanh is the generator's last layer")
def tanh_of_the_bytes(x):
    return torch.tanh(x.float())


@wrong("1.1", rejected_by="every_byte_in_its_place", says="tanh is the generator's last layer")
def tanh_on_top(x):
    return torch.tanh(x.float() / 127.5 - 1)


@wrong("1.1", rejected_by="every_byte_in_its_place", says="convert to float32, and not back")
def signed_bytes(x):
    return (x.int() - 128).to(torch.int8)


@wrong("1.1", rejected_by="every_byte_in_its_place", says="the axes were moved")
def channels_first(x):
    return (x.float() / 127.5 - 1).permute(2, 0, 1)


@wrong("1.1", rejected_by="every_byte_in_its_place", says="no numpy is needed")
def numpy_array(x):
    return np.asarray(x).astype("float32") / 127.5 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="return is missing")
def no_return_of_the_scaled(x):
    x = x.float() / 127.5 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="a tensor has .to(torch.float32)")
def astype_of_numpy(x):
    return x.astype(np.float32) / 127.5 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="bytes of the input, which hold no")
def divided_in_place(x):
    x /= 127.5
    x -= 1
    return x


@wrong("1.1", rejected_by="one_scale_for_all_images", says="its own darkest and brightest")
def stretched_to_its_own_range(x):
    x = x.float()
    return 2 * (x - x.min()) / (x.max() - x.min()) - 1


@wrong("1.1", rejected_by="one_scale_for_all_images", says="its own darkest and brightest")
def divided_by_its_maximum(x):
    return x.float() / x.max() * 2 - 1


@wrong("1.1", rejected_by="every_byte_in_its_place", says="own mean and standard deviation")
def standardised(x):
    x = x.float()
    return (x - x.mean()) / x.std()


@wrong("1.1", rejected_by="one_scale_for_all_images", says="chosen by looking at the values")
def guessed_from_the_maximum(x):
    x = x.float()
    if x.max() > 1:
        x = x / 255
    return x * 2 - 1


@wrong("1.1", rejected_by="float32_for_any_input", says="whatever came in")
def double_stays_double(x):
    return x / 127.5 - 1


@wrong("1.1", rejected_by="float32_for_any_input", says="as if they were in [0, 1]")
def floats_taken_for_unit_range(x):
    if x.dtype == torch.uint8:
        x = x.float() / 255
    return x.float() * 2 - 1


@wrong("1.1", rejected_by="float32_for_any_input", says="same formula is right for all")
def through_bytes(x):
    return x.byte().float() / 127.5 - 1


@wrong("1.1", rejected_by="float32_for_any_input", says="another dtype than torch.float32")
def half_precision(x):
    return (x.float() / 127.5 - 1).half()


@wrong("1.1", rejected_by="float32_for_any_input", says="any shape")
def channel_by_channel(x):
    n, c, h, w = x.shape if x.ndim == 4 else (1, *x.shape)
    return (x.view(n, c, h, w).float() / 127.5 - 1).view(x.shape)


@wrong("1.1", rejected_by="leaves_the_input_alone", says="x.float() makes no copy")
def in_place_on_what_float_returns(x):
    return x.float().div_(127.5).sub_(1)


# 1.2 from_tanh_range: right, though different -------------------------------------------------


@right("1.2")
def clamped_then_scaled(x):
    x = torch.clamp(x, min=-1.0, max=1.0)
    return torch.round((x + 1) / 2 * 255).to(torch.uint8)


@right("1.2")
def half_added_then_cut(x):
    return x.mul(127.5).add(127.5 + 0.5).clamp(0, 255).type(torch.uint8)


@right("1.2")
def like_save_image(x):
    x = x * 0.5 + 0.5
    return x.mul(255).add_(0.5).clamp_(0, 255).byte()


@right("1.2")
def nearest_in_numpy(x):
    array = np.rint((x.detach().cpu().numpy() + 1) * 127.5)
    return torch.from_numpy(np.clip(array, 0, 255).astype(np.uint8))


@right("1.2")
def in_place_on_a_copy(x):
    y = x.clone()
    y += 1
    y *= 127.5
    y.round_().clamp_(0, 255)
    return y.to(dtype=torch.uint8)


@right("1.2")
def with_min_and_max(x):
    level = ((x + 1) * 127.5).round()
    level = torch.minimum(torch.maximum(level, torch.zeros_like(level)), torch.tensor(255.0))
    return level.to(torch.uint8)


@right("1.2")
def bucketized(x):
    edges = (torch.arange(255) + 0.5) / 127.5 - 1
    return torch.bucketize(x, edges).to(torch.uint8)


# 1.2 from_tanh_range: wrong -------------------------------------------------------------------

rounds = "nearest_byte_for_each_value"
clips = "clips_what_lies_outside"


@wrong("1.2", rejected_by=rounds, says="cut off in place of rounding")
def cut_off(x):
    return ((x + 1) * 127.5).clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="cut off in place of rounding")
def cut_off_at_matching_formula(x):
    return (x * 127.5 + 127.5).clamp(0, 255).byte()


@wrong("1.2", rejected_by=rounds, says="cut off in place of rounding")
def rounded_up(x):
    return ((x + 1) * 127.5).ceil().clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="as if they lay in [0, 1]")
def from_unit_range(x):
    return (x * 255).round().clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="as if they lay in [0, 1]")
def clamped_to_unit_range(x):
    return (x.clamp(0, 1) * 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="as if they lay in [0, 1]")
def from_unit_range_wrapping(x):
    return (x * 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="own darkest and brightest")
def stretched_back(x):
    x = (x - x.min()) / (x.max() - x.min())
    return (x * 255).round().to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="own darkest and brightest")
def each_image_stretched_back(x):
    low, high = x.amin((-3, -2, -1), keepdim=True), x.amax((-3, -2, -1), keepdim=True)
    return (255 * (x - low) / (high - low)).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="the factor is 127.5")
def times_128(x):
    return ((x + 1) * 128).clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="the factor is 127.5")
def times_127_plus_128(x):
    return (x * 127 + 128).round().clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="1 is not added")
def one_not_added(x):
    return (x * 127.5).round().clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="twice as bright")
def not_halved(x):
    return ((x + 1) * 255).clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="only black and white are left")
def rounded_too_early(x):
    return (torch.round((x + 1) / 2) * 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="to(torch.uint8) is missing")
def still_floats(x):
    return ((x + 1) * 127.5).round().clamp(0, 255)


@wrong("1.2", rejected_by=rounds, says="goes to another dtype")
def as_int(x):
    return ((x + 1) * 127.5).round().clamp(0, 255).int()


@wrong("1.2", rejected_by=rounds, says="no numpy is needed")
def as_a_picture_array(x):
    return ((x + 1) * 127.5).round().clamp(0, 255).numpy().astype(np.uint8)


@wrong("1.2", rejected_by=rounds, says="the axes were moved")
def ready_for_imshow(x):
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1)


@wrong("1.2", rejected_by=rounds, says="tanh is applied a second time")
def tanh_again(x):
    return ((torch.tanh(x) + 1) * 127.5).round().to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="swapped")
def photographic_negative(x):
    return ((1 - x) * 127.5).round().clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="as if they lay in [0, 1]")
def guessed_from_the_minimum(x):
    if x.min() < 0:
        x = (x + 1) / 2
    return (x * 255).round().clamp(0, 255).to(torch.uint8)


@wrong("1.2", rejected_by=rounds, says="both ends")
def never_quite_white(x):
    return ((x + 1) * 127.5).round().clamp(0, 254).to(torch.uint8)


@wrong("1.2", rejected_by=clips, says="bytes wrap around")
def not_clipped(x):
    return ((x + 1) * 127.5).round().to(torch.uint8)


@wrong("1.2", rejected_by=clips, says="bytes wrap around")
def neither_rounded_nor_clipped(x):
    return ((x + 1) * 127.5).to(torch.uint8)


@wrong("1.2", rejected_by=clips, says="bytes wrap around")
def clipped_too_late(x):
    return ((x + 1) * 127.5).round().to(torch.uint8).clamp(0, 255)


@wrong("1.2", rejected_by=clips, says="bytes wrap around")
def clipped_at_256(x):
    return ((x + 1) * 127.5).round().clamp(0, 256).to(torch.uint8)


@wrong("1.2", rejected_by=clips, says="bytes wrap around")
def clipped_above_only(x):
    return ((x + 1) * 127.5).round().clamp(max=255).to(torch.uint8)


@wrong("1.2", rejected_by=clips, says="the input as it was")
def clipped_in_place(x):
    return ((x.clamp_(-1, 1) + 1) * 127.5).round().to(torch.uint8)


@wrong("1.2", rejected_by=clips, says="write into the input")
def calculated_in_place(x):
    x += 1
    x *= 127.5
    return x.round().clamp(0, 255).to(torch.uint8)


# 1.3 sample_latent: right, though different ---------------------------------------------------


@right("1.3")
def moved_only_if_asked(n, z_dim, generator=None, device=None):
    z = torch.randn((n, z_dim), generator=generator)
    if device is not None:
        z = z.to(device)
    return z


@right("1.3")
def with_torch_normal(n, z_dim, generator=None, device=None):
    if device is None:
        device = torch.device("cpu")
    return torch.normal(0.0, 1.0, size=(n, z_dim), generator=generator).to(device)


@right("1.3")
def filled_in_place(n, z_dim, generator=None, device=None):
    return torch.empty(n, z_dim).normal_(generator=generator).to(device=device)


@right("1.3")
def default_generator_by_name(n, z_dim, generator=None, device=None):
    generator = torch.default_generator if generator is None else generator
    z = torch.randn(n * z_dim, generator=generator, dtype=torch.float32, device="cpu")
    return z.view(n, z_dim).to("cpu" if device is None else device, non_blocking=True)


@right("1.3")
def box_and_muller(n, z_dim, generator=None, device=None):
    u = torch.rand(2, n, z_dim, generator=generator, dtype=torch.float64)
    z = torch.sqrt(-2 * torch.log1p(-u[0])) * torch.cos(2 * math.pi * u[1])
    return z.float().to(device or "cpu")


@right("1.3")
def one_latent_after_the_other(n, z_dim, generator=None, device=None):
    rows = [torch.randn(z_dim, generator=generator) for _ in range(n)]
    return torch.stack(rows).to(device if device else torch.device("cpu"))


# 1.3 sample_latent: wrong ---------------------------------------------------------------------

normal = "standard_normal_latents"
source = "randomness_comes_from_the_given_generator"


@wrong("1.3", rejected_by=normal, says="Its sister torch.randn")
def rand_for_randn(n, z_dim, generator=None, device=None):
    return torch.rand(n, z_dim, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="this course uses torch.randn")
def uniform_on_both_sides(n, z_dim, generator=None, device=None):
    return (torch.rand(n, z_dim, generator=generator) * 2 - 1).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="this course uses torch.randn")
def uniform_of_variance_one(n, z_dim, generator=None, device=None):
    u = torch.rand(n, z_dim, generator=generator) * 2 - 1
    return (u * math.sqrt(3)).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="a generator reshapes its latents itself")
def four_dimensions(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, 1, 1, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="n and z_dim are swapped")
def z_dim_first(n, z_dim, generator=None, device=None):
    return torch.randn(z_dim, n, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="numpy knows nothing of torch's generators")
def numpy_normal(n, z_dim, generator=None, device=None):
    return np.random.randn(n, z_dim)


@wrong("1.3", rejected_by=normal, says="convert nothing")
def numpy_normal_as_tensor(n, z_dim, generator=None, device=None):
    return torch.from_numpy(np.random.normal(0, 1, (n, z_dim)))


@wrong("1.3", rejected_by=normal, says="whole numbers")
def whole_numbers(n, z_dim, generator=None, device=None):
    return torch.randint(-3, 4, (n, z_dim), generator=generator)


@wrong("1.3", rejected_by=normal, says="return is missing")
def latents_not_returned(n, z_dim, generator=None, device=None):
    torch.randn(n, z_dim, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="divided by its norm")
def on_the_unit_sphere(n, z_dim, generator=None, device=None):
    z = torch.randn(n, z_dim, generator=generator)
    return (z / z.norm(dim=1, keepdim=True)).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="clamped or truncated")
def clamped_to_three(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, generator=generator).clamp(-3, 3).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="clamped or truncated")
def truncated_at_two(n, z_dim, generator=None, device=None):
    z = torch.empty(n, z_dim)
    return torch.nn.init.trunc_normal_(z, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="0.02 is for the first weights")
def with_the_std_of_weights(n, z_dim, generator=None, device=None):
    return torch.normal(0.0, 0.02, (n, z_dim), generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="normal numbers, scaled")
def a_little_narrower(n, z_dim, generator=None, device=None):
    return (0.95 * torch.randn(n, z_dim, generator=generator)).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="latents lie around 0")
def shifted(n, z_dim, generator=None, device=None):
    return (torch.randn(n, z_dim, generator=generator) + 0.5).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="one is drawn and repeated")
def one_latent_for_all(n, z_dim, generator=None, device=None):
    return torch.randn(1, z_dim, generator=generator).expand(n, z_dim).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="one is drawn and repeated")
def one_number_for_each_latent(n, z_dim, generator=None, device=None):
    return torch.randn(n, 1, generator=generator).repeat(1, z_dim).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="standardised by its own mean")
def standardised_columns(n, z_dim, generator=None, device=None):
    z = torch.randn(n, z_dim, generator=generator)
    return ((z - z.mean(0)) / z.std(0)).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="centred on its own mean")
def standardised_altogether(n, z_dim, generator=None, device=None):
    z = torch.randn(n, z_dim, generator=generator)
    return ((z - z.mean()) / z.std()).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="latents are data")
def latents_that_learn(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, generator=generator, requires_grad=True).to(device or "cpu")


@wrong("1.3", rejected_by=normal, says="generator=None) is allowed")
def a_generator_is_always_there(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, generator=generator, device=generator.device)


@wrong("1.3", rejected_by=source, says="the generator is not passed on")
def generator_ignored(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, device=device)


@wrong("1.3", rejected_by=source, says="manual_seed sets the global seed of everybody")
def global_seed_inside(n, z_dim, generator=None, device=None):
    torch.manual_seed(42)
    return torch.randn(n, z_dim).to(device or "cpu")


@wrong("1.3", rejected_by=source, says="something is seeded inside")
def given_generator_seeded_inside(n, z_dim, generator=None, device=None):
    if generator is not None:
        generator.manual_seed(0)
    return torch.randn(n, z_dim, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=source, says="something is seeded inside")
def starts_anew_at_each_call(n, z_dim, generator=None, device=None):
    if generator is not None:
        generator = torch.Generator().manual_seed(generator.initial_seed())
    return torch.randn(n, z_dim, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=source, says="always begins with the same seed")
def a_new_generator_by_default(n, z_dim, generator=None, device=None):
    generator = generator or torch.Generator()
    return torch.randn(n, z_dim, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=source, says="the randomness comes from elsewhere")
def seeded_by_the_clock_by_default(n, z_dim, generator=None, device=None):
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    return torch.randn(n, z_dim, generator=generator).to(device or "cpu")


@wrong("1.3", rejected_by=source, says="device is not used")
def device_ignored(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, generator=generator)


@wrong("1.3", rejected_by=source, says="device is not used")
def result_of_to_dropped(n, z_dim, generator=None, device=None):
    z = torch.randn(n, z_dim, generator=generator)
    z.to(device or "cpu")
    return z


@wrong("1.3", rejected_by=source, says="draws on the device itself")
def drawn_on_the_device(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, generator=generator, device=device)


# 1.4 make_loader: right, though different -----------------------------------------------------


@right("1.4")
def keywords_throughout(dataset, batch_size, seed):
    generator = torch.Generator()
    generator.manual_seed(seed)
    return DataLoader(
        dataset=dataset, batch_size=batch_size, shuffle=True, generator=generator, drop_last=False
    )


@right("1.4")
def sampler_and_loader_share_a_generator(dataset, batch_size, seed):
    g = torch.Generator().manual_seed(int(seed))
    sampler = RandomSampler(dataset, generator=g)
    return DataLoader(dataset, batch_size=batch_size, sampler=sampler, generator=g, num_workers=0)


@right("1.4")
def batch_sampler(dataset, batch_size, seed):
    rng = torch.Generator().manual_seed(seed)
    batches = BatchSampler(RandomSampler(dataset, generator=rng), batch_size, drop_last=False)
    return DataLoader(dataset, batch_sampler=batches, generator=torch.Generator())


class _Batches:
    def __init__(self, dataset, batch_size, seed):
        self.dataset, self.batch_size = dataset, batch_size
        self.rng = torch.Generator().manual_seed(seed)

    def __len__(self):
        return math.ceil(len(self.dataset) / self.batch_size)

    def __iter__(self):
        order = torch.randperm(len(self.dataset), generator=self.rng)
        for chosen in order.split(self.batch_size):
            yield torch.stack([self.dataset[i] for i in chosen])


@right("1.4")
def an_iterable_by_hand(dataset, batch_size, seed):
    return _Batches(dataset, batch_size, seed)


@right("1.4")
def a_seed_for_each_pass(dataset, batch_size, seed):
    class Loader:
        epoch = 0

        def __iter__(self):
            order = list(range(len(dataset)))
            random.Random(1000 * seed + self.epoch).shuffle(order)
            self.epoch += 1
            for first in range(0, len(order), batch_size):
                yield torch.stack([dataset[i] for i in order[first : first + batch_size]])

    return Loader()


@right("1.4")
def numpy_generator(dataset, batch_size, seed):
    rng = np.random.default_rng(seed)

    class Order(Sampler):
        def __init__(self):
            pass

        def __iter__(self):
            return iter(rng.permutation(len(dataset)).tolist())

        def __len__(self):
            return len(dataset)

    return DataLoader(dataset, batch_size, sampler=Order(), generator=torch.Generator())


@right("1.4")
def collated_by_hand(dataset, batch_size, seed):
    print(f"{len(dataset)} samples")
    rng = torch.Generator("cpu")
    rng.manual_seed(seed)
    return DataLoader(
        dataset, batch_size, True, generator=rng, collate_fn=lambda samples: torch.stack(samples)
    )


# 1.4 make_loader: wrong -----------------------------------------------------------------------

once = "every_sample_once_in_batches"
anew = "new_random_order_in_each_pass"
alone = "the_seed_alone_fixes_the_order"
untouched = "leaves_global_random_numbers_alone"


def _own(seed):
    return torch.Generator().manual_seed(seed)


@wrong("1.4", rejected_by=once, says="drop_last=True")
def last_batch_dropped(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, shuffle=True, generator=_own(seed), drop_last=True)


@wrong("1.4", rejected_by=once, says="replacement")
def with_replacement(dataset, batch_size, seed):
    sampler = RandomSampler(dataset, replacement=True, generator=_own(seed))
    return DataLoader(dataset, batch_size, sampler=sampler, generator=_own(seed))


@wrong("1.4", rejected_by=once, says="batch_size is not passed on")
def batch_size_forgotten(dataset, batch_size, seed):
    return DataLoader(dataset, shuffle=True, generator=_own(seed))


@wrong("1.4", rejected_by=once, says="batches of [5")
def fixed_batch_size(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size=64, shuffle=True, generator=_own(seed))


@wrong("1.4", rejected_by=once, says="used up after one pass")
def a_function_with_yield(dataset, batch_size, seed):
    order = torch.randperm(len(dataset), generator=_own(seed))
    for chosen in order.split(batch_size):
        yield torch.stack([dataset[int(i)] for i in chosen])


@wrong("1.4", rejected_by=once, says="used up after one pass")
def an_iterator(dataset, batch_size, seed):
    return iter(DataLoader(dataset, batch_size, shuffle=True, generator=_own(seed)))


@wrong("1.4", rejected_by=once, says="hand the dataset to the DataLoader as it is")
def wrapped_in_a_tensor_dataset(dataset, batch_size, seed):
    samples = TensorDataset(torch.stack([dataset[i] for i in range(len(dataset))]))
    return DataLoader(samples, batch_size, shuffle=True, generator=_own(seed))


@wrong("1.4", rejected_by=once, says="one number i at a time")
def many_indices_at_once(dataset, batch_size, seed):
    class Loader:
        rng = _own(seed)

        def __iter__(self):
            order = torch.randperm(len(dataset), generator=self.rng)
            for first in range(0, len(dataset), batch_size):
                yield dataset[order[first : first + batch_size]]

    return Loader()


@wrong("1.4", rejected_by=once, says="filled up with samples that have come already")
def last_batch_filled_up(dataset, batch_size, seed):
    class Loader:
        rng = _own(seed)

        def __iter__(self):
            order = torch.randperm(len(dataset), generator=self.rng).tolist()
            while len(order) % batch_size:
                order.append(order[len(order) % batch_size])
            for first in range(0, len(order), batch_size):
                yield torch.stack([dataset[i] for i in order[first : first + batch_size]])

    return Loader()


@wrong("1.4", rejected_by=once, says="an endless loop")
def without_end(dataset, batch_size, seed):
    class Loader:
        rng = _own(seed)

        def __iter__(self):
            while True:
                for chosen in torch.randperm(len(dataset), generator=self.rng).split(batch_size):
                    yield torch.stack([dataset[i] for i in chosen])

    return Loader()


@wrong("1.4", rejected_by=once, says="stack the samples")
def lists_of_samples(dataset, batch_size, seed):
    return DataLoader(
        dataset, batch_size, shuffle=True, generator=_own(seed), collate_fn=lambda batch: batch
    )


@wrong("1.4", rejected_by=once, says="change nothing in the samples")
def scaled_on_the_way(dataset, batch_size, seed):
    def collate(samples):
        return torch.stack(samples).float() / 127.5 - 1

    return DataLoader(dataset, batch_size, True, generator=_own(seed), collate_fn=collate)


@wrong("1.4", rejected_by=once, says="return is missing")
def loader_not_returned(dataset, batch_size, seed):
    loader = DataLoader(dataset, batch_size, shuffle=True, generator=_own(seed))  # noqa: F841


@wrong("1.4", rejected_by=anew, says="shuffle=True is missing")
def not_shuffled(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, generator=_own(seed))


@wrong("1.4", rejected_by=anew, says="seeded again at each pass")
def one_order_for_all_passes(dataset, batch_size, seed):
    order = torch.randperm(len(dataset), generator=_own(seed)).tolist()
    return DataLoader(Subset(dataset, order), batch_size, generator=_own(seed))


@wrong("1.4", rejected_by=anew, says="seeded again at each pass")
def seeded_again_at_each_pass(dataset, batch_size, seed):
    class Loader:
        def __iter__(self):
            order = torch.randperm(len(dataset), generator=_own(seed))
            for chosen in order.split(batch_size):
                yield torch.stack([dataset[i] for i in chosen])

    return Loader()


@wrong("1.4", rejected_by=anew, says="only whole batches change places")
def whole_batches_shuffled(dataset, batch_size, seed):
    class Loader:
        rng = _own(seed)

        def __iter__(self):
            batches = torch.arange(len(dataset)).split(batch_size)
            for i in torch.randperm(len(batches), generator=self.rng).tolist():
                yield torch.stack([dataset[j] for j in batches[i]])

    return Loader()


@wrong("1.4", rejected_by=anew, says="only within their batch")
def shuffled_within_each_batch(dataset, batch_size, seed):
    rng = _own(seed)

    def collate(samples):
        order = torch.randperm(len(samples), generator=rng).tolist()
        return torch.stack([samples[i] for i in order])

    return DataLoader(dataset, batch_size, generator=rng, collate_fn=collate)


@wrong("1.4", rejected_by=alone, says="at the moment when the loop begins")
def global_seed_and_shuffle(dataset, batch_size, seed):
    torch.manual_seed(seed)
    return DataLoader(dataset, batch_size, shuffle=True)


@wrong("1.4", rejected_by=alone, says="at the moment when the loop begins")
def shuffled_without_a_seed(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, shuffle=True)


@wrong("1.4", rejected_by=alone, says="at the moment when the loop begins")
def numpy_seed(dataset, batch_size, seed):
    np.random.seed(seed)

    class Loader:
        def __iter__(self):
            order = np.random.permutation(len(dataset)).tolist()
            for first in range(0, len(order), batch_size):
                yield torch.stack([dataset[i] for i in order[first : first + batch_size]])

    return Loader()


@wrong("1.4", rejected_by=alone, says="seed is not used")
def seed_42_as_always(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, shuffle=True, generator=_own(42))


@wrong("1.4", rejected_by=alone, says="seed is not used")
def generator_never_seeded(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, shuffle=True, generator=torch.Generator())


@wrong("1.4", rejected_by=alone, says="not seeded with seed")
def generator_seeded_by_the_clock(dataset, batch_size, seed):
    rng = torch.Generator()
    rng.seed()
    return DataLoader(dataset, batch_size, shuffle=True, generator=rng)


@wrong("1.4", rejected_by=alone, says="seed 0 is taken for no seed")
def no_seed_when_it_is_zero(dataset, batch_size, seed):
    rng = _own(seed) if seed else None
    return DataLoader(dataset, batch_size, shuffle=True, generator=rng)


_SHARED = torch.Generator()


@wrong("1.4", rejected_by=alone, says="all loaders share one generator")
def one_generator_for_all_loaders(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, shuffle=True, generator=_SHARED.manual_seed(seed))


@wrong("1.4", rejected_by=untouched, says="seed a torch.Generator of the loader's own")
def both_kinds_of_seed(dataset, batch_size, seed):
    torch.manual_seed(seed)
    np.random.seed(seed)
    return DataLoader(dataset, batch_size, shuffle=True, generator=_own(seed))


@wrong("1.4", rejected_by=untouched, says="even when its sampler has a generator")
def only_the_sampler_has_a_generator(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, sampler=RandomSampler(dataset, generator=_own(seed)))


@wrong("1.4", rejected_by=anew, says="or the order is rotated")
def begins_elsewhere_in_each_pass(dataset, batch_size, seed):
    class Loader:
        rng = _own(seed)

        def __iter__(self):
            first = int(torch.randint(1, len(dataset), (), generator=self.rng))
            for chosen in torch.arange(len(dataset)).roll(first).split(batch_size):
                yield torch.stack([dataset[i] for i in chosen])

    return Loader()


@wrong("1.4", rejected_by=once, says="one sample after the other")
def the_dataset_itself(dataset, batch_size, seed):
    return dataset


class _Order(Sampler):
    def __init__(self, n, seed):
        self.n, self.seed, self.turn = n, seed, 0

    def __len__(self):
        return self.n

    def __iter__(self):
        torch.manual_seed(hash((self.seed, self.turn)))
        self.turn += 1
        return iter(torch.randperm(self.n).tolist())


@wrong("1.4", rejected_by=untouched, says="of torch after looping")
def global_seed_for_each_pass(dataset, batch_size, seed):
    return DataLoader(dataset, batch_size, sampler=_Order(len(dataset), seed), generator=_own(0))
