"""Checks of task 9.1: capture_rng and restore_rng."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson09.machines import Machine
from facegan_ref.checks.random_states import changed, global_states

Draw = Callable[[], list[float]]
_NO_DEVICE = re.compile("nvidia|cuda|mps", re.IGNORECASE)
NOT_SAFE = "a dict of tensors, numbers, strings, lists and tuples, which torch.load takes with "
NOT_SAFE += "weights_only=True"


def _torch_draws() -> list[float]:
    dropped = F.dropout(torch.ones(12))
    return torch.cat([torch.rand(3), torch.randn(3), torch.randperm(9).float(), dropped]).tolist()


def _numpy_draws() -> list[float]:
    return [*np.random.standard_normal(3), *np.random.random_sample(3)]


def _python_draws() -> list[float]:
    return [random.gauss(0, 1), random.random(), float(random.randrange(10**6))]


SOURCES: dict[str, Draw] = {
    "torch": _torch_draws,
    "numpy": _numpy_draws,
    "Python's random": _python_draws,
}


def seed_everything(seed: int) -> None:
    """Seed the global random states of torch, numpy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def _begin(probe: Probe) -> int:
    """Random states in the middle of their streams; half of a normal pair is still to come."""
    seed = probe.integer(1, 10**6)
    seed_everything(seed)
    for _ in range(probe.integer(1, 5)):
        torch.rand(probe.integer(1, 9))
        np.random.random_sample(3)
        random.random()
    np.random.standard_normal()  # these make two numbers and keep one
    random.gauss(0, 1)
    return seed


def _draw_all() -> dict[str, list[float]]:
    return {name: draw() for name, draw in SOURCES.items()}


def _capture(capture: Callable) -> object:
    try:
        state = capture()
    except (RuntimeError, AssertionError) as error:
        if isinstance(error, NotImplementedError) or not _NO_DEVICE.search(str(error)):
            raise
        fail(
            "the random states, also on a machine without a GPU",
            f"{type(error).__name__}: {str(error).splitlines()[0]}",
            "torch.cuda.get_rng_state() needs a GPU, and torch.mps an Apple one: "
            "torch.cuda.get_rng_state_all() is an empty list where there is none, and "
            "torch.backends.mps.is_available() tells of MPS",
        )
    if state is None:
        fail("a dict with the random states", "None", "the return is missing in capture_rng")
    return state


def _explain(name: str, came: list[float], seed: int, scrambled: list[float]) -> str:
    """Which mistake makes the source `name` go on with the numbers `came`."""
    seed_everything(seed)
    if came == SOURCES[name]():
        return (
            "a seed says where a stream began, not where it is now: save the state "
            "(torch.get_rng_state and its like), not the seed"
        )
    if came == scrambled:
        return f"the random state of {name} is not restored, or not captured"
    return f"the state of {name} is changed on its way, or something draws or seeds after it is set"


def _require_restored(capture: Callable, restore: Callable, probe: Probe, names: list[str]) -> None:
    seed = _begin(probe)
    state = _capture(capture)
    expected = _draw_all()
    seed_everything(seed + 7)
    scrambled = _draw_all()
    seed_everything(seed + 7)
    restore(state)
    came = _draw_all()
    for name in names:
        if came[name] != expected[name]:
            fail(
                f"after restore_rng, {name} to draw again what it drew after capture_rng: "
                f"{_few(expected[name])}",
                _few(came[name]),
                _explain(name, came[name], seed, scrambled[name]),
            )


def _few(values: list[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values[:3]) + ", …"


def _require_unmoved(before: dict[str, object], what: str) -> None:
    owner = changed(before)
    if owner:
        fail(
            f"{what} to leave the random state of {owner} as it is",
            "another state",
            "it draws a number, or seeds: then the training with checkpoints is not the one "
            "without",
        )


def through_a_safe_file(state: object) -> object:
    """`state` saved and loaded with `weights_only`; fails with the kind of object that forbids."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    try:
        return torch.load(buffer, weights_only=True)
    except Exception as error:
        refused = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = refused[1] if refused else f"{type(error).__name__}"
        likely = None
        if "numpy" in what or "dtype" in what:
            likely = "a numpy array or number is in it: turn it into a list (.tolist()) or a tensor"
        elif "Generator" in what:
            likely = "a generator is in it, not its state: take .get_state()"
        fail(NOT_SAFE, f"a refusal because of {what}", likely)


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 9.1."""

    @lesson.check("9.1", points=0.5)
    def restores_torch(capture_rng, restore_rng, probe: Probe) -> None:
        """After restore_rng, torch goes on as it did after capture_rng."""
        _require_restored(capture_rng, restore_rng, probe, ["torch"])

    @lesson.check("9.1", points=0.5)
    def restores_numpy_and_python(capture_rng, restore_rng, probe: Probe) -> None:
        """After restore_rng, numpy and Python's random go on as they did after capture_rng."""
        _require_restored(capture_rng, restore_rng, probe, ["numpy", "Python's random"])

    @lesson.check("9.1", points=0.5)
    def takes_a_still_picture(capture_rng, restore_rng, probe: Probe) -> None:
        """capture_rng draws nothing, and its result can be restored any number of times."""
        _begin(probe)
        before = global_states()
        state = _capture(capture_rng)
        _require_unmoved(before, "capture_rng")
        expected = _draw_all()
        for again in (1, 2):
            restore_rng(state)
            if _draw_all() != expected:
                fail(
                    "the same numbers after each restore_rng with one captured state",
                    f"other numbers after restore number {again}",
                    "the captured state is not a copy: it is the living generator, and moves on "
                    "with it",
                )

    @lesson.check("9.1", points=0.5)
    def goes_into_a_safe_file(capture_rng, restore_rng, probe: Probe) -> None:
        """What capture_rng returns can be saved, loaded with weights_only=True, and restored."""
        seed = _begin(probe)
        state = _capture(capture_rng)
        expected = _draw_all()
        loaded = through_a_safe_file(state)
        seed_everything(seed + 7)
        restore_rng(loaded)
        for name, came in _draw_all().items():
            if came != expected[name]:
                fail(
                    f"{name} to go on as before, from a state that went through a file",
                    "other numbers",
                    f"what the file can't hold is lost, or {name} is left out altogether",
                )

    @lesson.check("9.1", points=0.5)
    def includes_every_gpu(capture_rng, restore_rng, probe: Probe) -> None:
        """On a machine with GPUs the states of all of them are captured and restored."""
        seed = probe.integer(1, 10**6)
        for machine in (Machine(2, False, seed), Machine(3, False, seed), Machine(0, True, seed)):
            expected = machine.states()
            with machine.is_here():
                state = _capture(capture_rng)
                for device in (*machine.gpus, *filter(None, [machine.mps])):
                    device.manual_seed(seed + 99)
                restore_rng(state)
            came = machine.states()
            lost = [name for name in expected if not torch.equal(expected[name], came[name])]
            if not lost:
                continue
            likely = "torch.get_rng_state() is the CPU's: torch.cuda has states of its own"
            if lost == ["mps"]:
                likely = "torch.mps has a state of its own where torch.backends.mps.is_available()"
            elif "cuda:0" not in lost:
                likely = (
                    "torch.cuda.get_rng_state() is that of one device: use "
                    "torch.cuda.get_rng_state_all()"
                )
            fail(
                f"on a machine with {', '.join(expected)}, the state of each to be restored",
                f"{', '.join(lost)} not restored",
                likely,
            )

    @lesson.check("9.1", points=0.5)
    def moves_to_another_machine(capture_rng, restore_rng, probe: Probe) -> None:
        """A state is also restored where there are fewer GPUs, more of them, or none."""
        seed = probe.integer(1, 10**6)
        for here, there in ((2, 0), (2, 1), (0, 2), (1, 1)):
            first, second = Machine(here, here == 1, seed), Machine(there, False, seed + 50)
            _begin(probe)
            with first.is_here():
                state = _capture(capture_rng)
            expected = _draw_all()
            wanted = {**second.states(), **first.states()}
            seed_everything(seed + 7)
            where = f"a state of a machine with {here} GPUs, restored on one with {there}"
            try:
                with second.is_here():
                    restore_rng(state)
            except Exception as error:
                fail(
                    f"{where}, without an error",
                    f"{type(error).__name__}: {error}",
                    "restore the states of the devices that are here, and skip the others",
                )
            for name, came in _draw_all().items():
                if came != expected[name]:
                    fail(
                        f"{where}: {name} to go on as before",
                        "other numbers",
                        f"the random state of {name} is not restored, or not captured",
                    )
            for name, came in second.states().items():
                if not torch.equal(came, wanted[name]):
                    fail(
                        f"{where}: the state of {name} as captured, or untouched where none was",
                        "another state",
                        "the states of the GPUs that are on both machines are not restored",
                    )
