"""Checks of task 9.4: save_checkpoint and load_checkpoint."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from facegan_ref.checkpoint import read_checkpoint as true_read
from facegan_ref.checkpoint import write_checkpoint as true_write
from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson09.reading import (
    damaged_files,
    require_missing_is_named,
    require_refused,
)
from facegan_ref.checks.lesson09.rng import seed_everything
from facegan_ref.checks.lesson09.training import (
    IMAGE,
    IMAGES,
    Piece,
    advance,
    differing,
    new_training,
    pieces,
    require_in_place,
    things,
)
from facegan_ref.checks.lesson09.writing import (
    empty_folder,
)
from facegan_ref.loop import TrainingState

NAME = "last.pt"
_REFUSED = re.compile(r"(?:GLOBAL|global|instance of) ([\w.]+)")


def own_images(probe: Probe) -> Tensor:
    return probe.randn(IMAGES, *IMAGE).clamp(-1, 1)


def started_training(probe: Probe, images: Tensor) -> TrainingState:
    """A training in the middle of its first pass over the data."""
    seed = probe.integer(1, 10**6)
    state = new_training(seed, images)
    seed_everything(seed)
    advance(state, probe.integer(2, 3))
    return state


def other_training(state: TrainingState, probe: Probe, started: bool = False) -> TrainingState:
    """A training with the same networks that is elsewhere in every way."""
    seed = probe.integer(10**6 + 1, 10**7)
    other = new_training(seed, state.batches.dataset)
    seed_everything(seed)
    if started:
        advance(other, 2)
    return other


def call_save(save: Callable, path: Path, state: TrainingState) -> None:
    save(path, state)
    if not path.is_file():
        names = ", ".join(sorted(p.name for p in path.parent.iterdir()))
        fail(
            f"a file {path.name} after save_checkpoint",
            f"in the folder: {names}" if names else "nothing in the folder",
            "nothing is written, or under another name",
        )


def call_load(load: Callable, path: Path, state: TrainingState) -> None:
    """Load, which changes the parts of `state` and not which they are."""
    before = things(state)
    try:
        load(path, state)
    except NotImplementedError:
        raise
    except Exception:
        _require_plain(path)
        raise
    require_in_place(state, before)


def _require_plain(path: Path) -> None:
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        refused = _REFUSED.search(str(error))
        what = refused[1] if refused else type(error).__name__
        fail(
            "a file of tensors, numbers, strings, dicts, lists and tuples, which torch.load reads "
            "with weights_only=True",
            f"a refusal because of {what}",
            "an object itself is saved: save its state_dict(), or of a generator its get_state()",
        )


def _require_back(
    saved: dict[str, Piece],
    state: TrainingState,
    words: tuple[str, ...],
    now: dict[str, Piece] | None = None,
) -> None:
    """The pieces of `saved` whose names contain one of `words` are in `state`."""
    came = pieces(state)
    for name in differing(saved, came):
        if any(word in name for word in words):
            likely = f"{name}: not saved, or not loaded"
            living = any(word in name for word in ("weights", "buffers", "means"))
            if now and living and name not in differing({name: came[name]}, now):
                likely = (
                    "these are the values of now, not those of the saving: what is loaded is not "
                    "from the file, or is a living reference"
                )
            fail(f"{name} after load_checkpoint as when it was saved", "other values", likely)


def _roundtrip(save: Callable, load: Callable, probe: Probe, words: tuple[str, ...]) -> None:
    """Save, train on, load into another training: the named pieces are those of the saving."""
    with empty_folder() as folder:
        path = folder / NAME
        state = started_training(probe, own_images(probe))
        saved = pieces(state)
        call_save(save, path, state)
        advance(state, 1)
        other = other_training(state, probe)
        call_load(load, path, other)
        _require_back(saved, other, words, pieces(state))


def _add_state_checks(lesson: Lesson) -> None:
    @lesson.check("9.4", points=1)
    def networks_come_back(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """Both networks come back with weights and buffers, in place."""
        _roundtrip(save_checkpoint, load_checkpoint, probe, ("generator's", "discriminator's"))

    @lesson.check("9.4", points=1)
    def optimizers_come_back(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """Both optimizers come back with their running means and step counts, in place."""
        _roundtrip(save_checkpoint, load_checkpoint, probe, ("optimizer_g's", "optimizer_d's"))

    @lesson.check("9.4", points=0.5)
    def learning_rates_are_the_states_own(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """The learning rates of the state that is loaded into hold, not those of the file."""
        with empty_folder() as folder:
            state = started_training(probe, own_images(probe))
            call_save(save_checkpoint, folder / NAME, state)
            other = other_training(state, probe)
            for optimizer, lr in ((other.optimizer_g, 0.003), (other.optimizer_d, 0.007)):
                optimizer.param_groups[0]["lr"] = lr
            call_load(load_checkpoint, folder / NAME, other)
            for name, wanted, filed in (("optimizer_g", 0.003, 0.01), ("optimizer_d", 0.007, 0.02)):
                came = getattr(other, name).param_groups[0]["lr"]
                if came == wanted:
                    continue
                likely = "the learning rate is changed by load_checkpoint"
                if came == filed:
                    likely = (
                        "optimizer.load_state_dict also takes the file's settings, silently: put "
                        "the state's own back, or load only the file's running means"
                    )
                fail(
                    f"{name}'s learning rate {wanted}, as it was edited before the resume",
                    f"{came}",
                    likely,
                )

    @lesson.check("9.4", points=1)
    def step_and_random_numbers_come_back(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """The step, the latents' generator and all global random states come back."""
        words = ("step", "rng", "random state")
        _roundtrip(save_checkpoint, load_checkpoint, probe, words)

    @lesson.check("9.4", points=1)
    def place_previews_and_average_come_back(
        save_checkpoint, load_checkpoint, probe: Probe
    ) -> None:
        """Batches, fixed z and EMA come back where there are some, and may be None."""
        words = ("batches", "fixed_z", "ema")
        _roundtrip(save_checkpoint, load_checkpoint, probe, words)
        images = own_images(probe)
        bare = new_training(probe.integer(1, 99), images, extras=False)
        other = new_training(probe.integer(100, 199), images, extras=False)
        with empty_folder() as folder:
            try:
                call_save(save_checkpoint, folder / NAME, bare)
                call_load(load_checkpoint, folder / NAME, other)
            except (AttributeError, TypeError, ValueError) as error:
                fail(
                    "a state whose batches, fixed_z and ema are None to be saved and loaded",
                    f"{type(error).__name__}: {error}",
                    "these three are optional: look whether they are None",
                )
        _require_back(pieces(bare), other, ("generator's",))
        state = new_training(probe.integer(200, 299), images)
        wanted = state.fixed_z
        with empty_folder() as folder:
            call_save(save_checkpoint, folder / NAME, state)
            state.fixed_z = None
            call_load(load_checkpoint, folder / NAME, state)
        if not isinstance(state.fixed_z, Tensor) or not torch.equal(state.fixed_z, wanted):
            fail(
                "fixed_z from the file in a state whose fixed_z is None",
                "None" if state.fixed_z is None else "something else",
                "fixed_z is filled only where there is one already: assign state.fixed_z",
            )

    @lesson.check("9.4", points=0.5)
    def other_files_are_refused(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """A file of another training, or a damaged one, is refused with CheckpointError."""
        images = own_images(probe)
        state = started_training(probe, images)
        with empty_folder() as folder:
            path = folder / NAME

            def load(file: Path) -> object:
                load_checkpoint(file, other_training(state, probe))
                return "training that went on with it"

            call_save(save_checkpoint, path, state)
            whole = path.read_bytes()
            call_save(save_checkpoint, path, new_training(3, images, width=9))
            require_refused(load, path, "a checkpoint of wider networks")
            true_write(path, {"step": 3})
            require_refused(load, path, "a file that holds a step and nothing else")
            contents = true_read_or_none(whole, path)
            if contents is not None:
                contents.pop("format")
                _rename_layers(contents)
                true_write(path, contents)
                require_refused(load, path, "a checkpoint of networks with other layers")
            damaged = damaged_files(whole, probe)
            for what in ("an empty file", "a file that ends in its first half"):
                path.write_bytes(damaged[what])
                require_refused(load, path, what)
            require_missing_is_named(load, folder / "none.pt")


def true_read_or_none(whole: bytes, path: Path) -> dict | None:
    """The contents of a student's file, None where it is not of our format."""
    path.write_bytes(whole)
    try:
        return true_read(path)
    except ValueError:
        return None


def _rename_layers(contents: dict) -> None:
    """Give the networks' layers in a checkpoint other names, wherever they lie in it."""
    for key, value in list(contents.items()):
        if isinstance(value, dict):
            _rename_layers(value)
        if isinstance(key, str) and key.endswith(".weight"):
            contents[f"net.{key}"] = contents.pop(key)


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 9.4."""
    _add_state_checks(lesson)
