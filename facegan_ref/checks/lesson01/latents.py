"""Checks of lesson 1's latents: task 1.3."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.random_states import changed, global_states

MANY = (2048, 24)  # enough numbers to tell distributions apart
NO_SEED = (
    "something is seeded inside the function (manual_seed, or a new generator), so that every call "
    "gives the same latents and the generator would see the same batch at every step: draw from "
    "the one that you were given"
)
NOT_PASSED = (
    "the generator is not passed on: torch.randn(…, generator=generator). Without it torch's "
    "global randomness decides"
)


def _draw(sample_latent, n: int, z_dim: int, *rest, **named) -> Tensor:
    """What the function returns; a float32 tensor `(n, z_dim)` without a graph."""
    try:
        z = sample_latent(n, z_dim, *rest, **named)
    except AttributeError as error:
        if "'NoneType'" in str(error):
            fail(
                "latents also when no generator is given",
                f"AttributeError: {error}",
                "generator is None then: torch.randn(…, generator=None) is allowed and draws from "
                "torch's global randomness",
            )
        raise
    what = f"a float32 tensor of shape ({n}, {z_dim})"
    if z is None:
        fail(what, "None", "the return is missing")
    if not isinstance(z, Tensor):
        likely = "return the tensor itself"
        if type(z).__module__ == "numpy":
            likely = "numpy knows nothing of torch's generators: use torch.randn"
        fail(what, f"a {type(z).__name__}", likely)
    if z.shape != (n, z_dim):
        likely = None
        if tuple(z.shape) == (n, z_dim, 1, 1):
            likely = (
                "(n, z_dim, 1, 1) is what one kind of generator needs inside: in this course a "
                "generator reshapes its latents itself"
            )
        elif tuple(z.shape) == (z_dim, n):
            likely = "n and z_dim are swapped: one row for each latent"
        fail(what, f"shape {tuple(z.shape)}", likely)
    if z.dtype != torch.float32:
        likely = "convert nothing: torch.randn gives float32 by itself"
        if not z.is_floating_point():
            likely = "randint gives whole numbers: torch.randn gives normal ones"
        fail(what, f"a tensor of {z.dtype}", likely)
    if z.requires_grad:
        fail(what + " without gradients", "requires_grad is True", "latents are data: leave it out")
    return z


def _largest_gap(numbers: Tensor) -> float:
    """The largest difference between a sample's distribution and the standard normal's."""
    ordered = numbers.flatten().double().sort().values
    n = len(ordered)
    normal = 0.5 * (1 + torch.erf(ordered / math.sqrt(2)))
    steps = torch.arange(n, dtype=torch.float64)
    return float(torch.maximum(normal - steps / n, (steps + 1) / n - normal).max())


def _name_distribution(z: Tensor) -> str | None:
    mean, std = float(z.mean()), float(z.std())
    low, high = float(z.min()), float(z.max())
    norms = z.norm(dim=1)
    if low == high:
        return f"every number is {number(low)}: nothing is random here"
    if float(norms.std()) < 1e-3 * float(norms.mean()):
        return "each latent is divided by its norm: a normal latent keeps its own length"
    if low >= 0 and high <= 1 and abs(mean - 0.5) < 0.03:
        return (
            "torch.rand is uniform on [0, 1]: mean 0.5, std 0.29. Its sister torch.randn is meant"
        )
    if abs(mean) < 0.05 and abs(std / high - 1 / math.sqrt(3)) < 0.02:
        return (
            "uniform numbers (torch.rand, stretched): some GANs use them, this course uses "
            "torch.randn"
        )
    if low >= 0:
        return "abs() or a square folds the numbers onto one side: leave them as torch.randn gives"
    if float((z == high).double().mean()) > 1e-3 or 1.5 < high < 3.2:
        return "the numbers are clamped or truncated: leave the rare large ones in"
    if abs(mean) < 0.05 and abs(std - 1) > 0.02:
        return (
            f"normal numbers, scaled to a standard deviation of {number(std)}: it is 1 for "
            "latents. (0.02 is for the first weights, and the second argument of torch.normal is "
            "a standard deviation, not a variance)"
        )
    if abs(mean) >= 0.05 and abs(std - 1) < 0.02:
        return f"normal numbers around {number(mean)}: latents lie around 0"
    return None


def standard_normal_latents(sample_latent, probe: Probe) -> None:
    """n latents of z_dim independent standard normal numbers: float32 of shape (n, z_dim)."""
    for n, z_dim in ((1, 8), (probe.integer(3, 7), probe.integer(9, 14)), (2, 1)):
        _draw(sample_latent, n, z_dim)
        z = _draw(sample_latent, n, z_dim, probe.rng)
        if not bool(torch.isfinite(z).all()):
            fail(
                f"finite numbers, also for n = {n}",
                "nan or inf",
                "the batch is standardised by its own mean and deviation: torch.randn is "
                "standard normal without that",
            )
    for z in (_draw(sample_latent, *MANY), _draw(sample_latent, *MANY, generator=probe.rng)):
        mean, std = float(z.mean()), float(z.std())
        came = f"mean {number(mean)}, std {number(std)}, values from {number(float(z.min()))} to "
        came += number(float(z.max()))
        what = "numbers of mean 0 and standard deviation 1, distributed normally"
        for across, kind in ((z, "latent"), (z.T, "column")):
            if bool((across == across[:1]).all()) and not bool((z == z[0, 0]).all()):
                fail(
                    "independent numbers",
                    f"the same {kind} {len(across)} times",
                    "one is drawn and repeated (expand, repeat): draw n * z_dim numbers",
                )
        # By chance a gap this large comes once in 10^9 draws, and so small a maximum never.
        tails = min(float(z.max()), -float(z.min()))
        root = math.sqrt(z.numel())
        far = abs(mean) > 7 / root or abs(std - 1) > 5 / root
        if far or _largest_gap(z) > 3.3 / root or tails < 3.2:
            fail(what, came, _name_distribution(z))
        for across, kind in ((z, "latents"), (z.T, "columns")):
            part = across[:24]
            related = (torch.corrcoef(part) - torch.eye(len(part))).abs().max()
            if float(related) > 7 / math.sqrt(part.shape[1]) and part.shape[1] > 100:
                fail(
                    "independent numbers",
                    f"{kind} with a correlation of {number(float(related))}",
                    "each number must be drawn by itself",
                )
        centred = max(float(z.mean(dim=0).abs().max()), float((z.std(dim=0) - 1).abs().max()))
        if centred < 1e-5 or (abs(mean) < 2e-7 and abs(std - 1) < 2e-6):
            fail(
                "independent numbers, whose mean over a batch is near 0 but not 0",
                f"a mean of {mean:.1e}",
                "the batch is centred on its own mean, which ties its latents together: "
                "torch.randn alone is enough",
            )


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _given_generator(sample_latent, n: int, z_dim: int, seed: int) -> None:
    before = global_states()
    rng = _seeded(seed)
    z = _draw(sample_latent, n, z_dim, generator=rng)
    owner = changed(before)
    again = _draw(sample_latent, n, z_dim, generator=_seeded(seed))
    if owner:
        fail(
            f"global random numbers ({owner}) left alone, because a generator was given",
            f"the global state of {owner} is another one than before",
            NOT_PASSED
            if not torch.equal(z, again)
            else "manual_seed sets the global seed of everybody, and a draw without generator= "
            "moves it on: draw from the given generator alone",
        )
    if not torch.equal(z, again):
        fail(
            f"the same latents from two generators with the seed {seed}",
            f"{number(float(z[0, 0]))} first in the one and {number(float(again[0, 0]))} first in "
            "the other",
            NOT_PASSED,
        )
    following = _draw(sample_latent, n, z_dim, generator=rng)
    if torch.equal(z, following):
        fail("new latents at the next call with this generator", "the same ones again", NO_SEED)
    if torch.equal(z, _draw(sample_latent, n, z_dim, generator=_seeded(seed + 1))):
        fail("other latents from a generator with another seed", "the same ones", NO_SEED)


def _global_generator(sample_latent, n: int, z_dim: int, seed: int) -> None:
    what = "without a generator: latents from torch's global randomness"
    draws: list[Tensor] = []
    for chosen in (seed, seed, seed + 1):
        torch.manual_seed(chosen)
        draws += [_draw(sample_latent, n, z_dim) for _ in range(2)]
    first, following, repeated, _, other, _ = draws
    if torch.equal(first, following):
        fail(
            what + ", new ones at each call",
            "the same latents at each call",
            "a torch.Generator made in the function always begins with the same seed, as does "
            "anything that is seeded there: pass generator=None on, torch.randn allows it",
        )
    if not torch.equal(first, repeated) or torch.equal(first, other):
        fail(
            what + ", which torch.manual_seed fixes",
            "other latents after the same torch.manual_seed"
            if not torch.equal(first, repeated)
            else "the same latents after another torch.manual_seed",
            "the randomness comes from elsewhere: from numpy, from random, from a generator of "
            "your own or from the clock",
        )


def _device(sample_latent, n: int, z_dim: int, seed: int) -> None:
    # "meta" is a device that every machine has: tensors with a shape and no numbers.
    for device in ("meta", torch.device("meta")):
        rng = _seeded(seed)
        z = _draw(sample_latent, n, z_dim, generator=rng, device=device)
        if z.device.type != "meta":
            fail(
                'latents on the device that was asked for, here device="meta"',
                f"latents on {z.device}",
                "device is not used: move the latents there at the end, .to(device)",
            )
        on_cpu = _seeded(seed)
        _draw(sample_latent, n, z_dim, generator=on_cpu)
        if not torch.equal(rng.get_state(), on_cpu.get_state()):
            fail(
                "numbers that are drawn on the CPU and then moved, so that one seed gives the same "
                "latents on every device",
                "the given generator has not moved on as it does on the CPU",
                "device= inside torch.randn draws on the device itself: on CUDA this gives other "
                "numbers, and refuses a CPU generator. Draw first, then .to(device)",
            )
    for named in ({}, {"device": None}, {"device": "cpu"}, {"device": torch.device("cpu")}):
        z = _draw(sample_latent, n, z_dim, **named)
        if z.device.type != "cpu":
            fail(f"latents on the CPU for {named or 'no device'}", f"latents on {z.device}", None)


def randomness_comes_from_the_given_generator(sample_latent, probe: Probe) -> None:
    """The given generator alone decides (else torch's global one); the device changes nothing."""
    n, z_dim, seed = probe.integer(3, 6), probe.integer(5, 9), probe.integer(1, 10_000)
    _given_generator(sample_latent, n, z_dim, seed)
    _global_generator(sample_latent, n, z_dim, seed)
    _device(sample_latent, n, z_dim, seed)


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 1.3 to the lesson."""
    checks: tuple[Callable, ...] = (
        standard_normal_latents,
        randomness_comes_from_the_given_generator,
    )
    for check in checks:
        lesson.check("1.3", points=0.5)(check)
