"""Checks of tasks 9.4 and 9.5: save_checkpoint and load_checkpoint, and all together."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from facegan_ref.checkpoint import read_checkpoint as true_read
from facegan_ref.checkpoint import write_checkpoint as true_write
from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson09_files import (
    damaged_files,
    empty_folder,
    require_missing_is_named,
    require_refused,
    require_replaced_in_one_step,
    require_whole_after_interruption,
)
from facegan_ref.checks.lesson09_rng import seed_everything
from facegan_ref.checks.lesson09_training import (
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
from facegan_ref.loop import TrainingState

NAME = "last.pt"
_REFUSED = re.compile(r"(?:GLOBAL|global|instance of) ([\w.]+)")


def _images(probe: Probe) -> Tensor:
    return probe.randn(IMAGES, *IMAGE).clamp(-1, 1)


def _started(probe: Probe, images: Tensor) -> TrainingState:
    """A training in the middle of its first pass over the data."""
    seed = probe.integer(1, 10**6)
    state = new_training(seed, images)
    seed_everything(seed)
    advance(state, probe.integer(2, 3))
    return state


def _other(state: TrainingState, probe: Probe, started: bool = False) -> TrainingState:
    """A training with the same networks that is elsewhere in every way."""
    seed = probe.integer(10**6 + 1, 10**7)
    other = new_training(seed, state.batches.dataset)
    seed_everything(seed)
    if started:
        advance(other, 2)
    return other


def _save(save: Callable, path: Path, state: TrainingState) -> None:
    save(path, state)
    if not path.is_file():
        names = ", ".join(sorted(p.name for p in path.parent.iterdir()))
        fail(
            f"a file {path.name} after save_checkpoint",
            f"in the folder: {names}" if names else "nothing in the folder",
            "nothing is written, or under another name",
        )


def _load(load: Callable, path: Path, state: TrainingState) -> None:
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
        state = _started(probe, _images(probe))
        saved = pieces(state)
        _save(save, path, state)
        advance(state, 1)
        other = _other(state, probe)
        _load(load, path, other)
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
            state = _started(probe, _images(probe))
            _save(save_checkpoint, folder / NAME, state)
            other = _other(state, probe)
            for optimizer, lr in ((other.optimizer_g, 0.003), (other.optimizer_d, 0.007)):
                optimizer.param_groups[0]["lr"] = lr
            _load(load_checkpoint, folder / NAME, other)
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
        images = _images(probe)
        bare = new_training(probe.integer(1, 99), images, extras=False)
        other = new_training(probe.integer(100, 199), images, extras=False)
        with empty_folder() as folder:
            try:
                _save(save_checkpoint, folder / NAME, bare)
                _load(load_checkpoint, folder / NAME, other)
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
            _save(save_checkpoint, folder / NAME, state)
            state.fixed_z = None
            _load(load_checkpoint, folder / NAME, state)
        if not isinstance(state.fixed_z, Tensor) or not torch.equal(state.fixed_z, wanted):
            fail(
                "fixed_z from the file in a state whose fixed_z is None",
                "None" if state.fixed_z is None else "something else",
                "fixed_z is filled only where there is one already: assign state.fixed_z",
            )

    @lesson.check("9.4", points=0.5)
    def other_files_are_refused(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """A file of another training, or a damaged one, is refused with CheckpointError."""
        images = _images(probe)
        state = _started(probe, images)
        with empty_folder() as folder:
            path = folder / NAME

            def load(file: Path) -> object:
                load_checkpoint(file, _other(state, probe))
                return "training that went on with it"

            _save(save_checkpoint, path, state)
            whole = path.read_bytes()
            _save(save_checkpoint, path, new_training(3, images, width=9))
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


# ---- all together


def _require_same_losses(
    straight: list, resumed: list, lost: list[str], where: str, changed: list[str]
) -> None:
    if straight == resumed:
        return
    first = next(n for n, (a, b) in enumerate(zip(straight, resumed, strict=True)) if a != b)
    if changed:
        likely = f"save_checkpoint itself changes {'; '.join(changed)}"
    elif lost:
        likely = f"not restored: {'; '.join(lost)}"
    else:
        likely = "something that the next steps depend on is changed after it is restored"
    fail(
        f"the losses of the uninterrupted training, to the bit, {where}",
        f"other losses from the {first + 1}. step after the resume on",
        likely,
    )


def _add_resume_checks(lesson: Lesson) -> None:
    @lesson.check("9.5", points=1.5)
    def resumes_to_the_bit(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """40 steps are 20, a checkpoint, all objects new, and 20 more: to the bit."""
        images, seed = _images(probe), probe.integer(1, 10**6)
        straight = new_training(seed, images)
        seed_everything(seed)
        losses = advance(straight, 40)
        end = pieces(straight)

        state = new_training(seed, images)
        seed_everything(seed)
        advance(state, 20)
        with empty_folder() as folder:
            path = folder / NAME
            before = pieces(state)
            _save(save_checkpoint, path, state)
            changed = differing(before, pieces(state))
            state = _other(state, probe)
            _load(load_checkpoint, path, state)
            lost = differing(before, pieces(state))
            resumed = advance(state, 20)
        _require_same_losses(losses[20:], resumed, lost, "after 20 + 20 steps", changed)
        different = differing(end, pieces(state))
        if different:
            fail(
                "after 20 + 20 steps all pieces as after 40, to the bit",
                f"other values in {'; '.join(different)}",
                f"not restored: {'; '.join(lost)}" if lost else None,
            )

    @lesson.check("9.5", points=0.5)
    def saving_leaves_the_training_alone(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """A training that saves again and again is the one that never saves."""
        images = _images(probe)
        state = _started(probe, images)
        modes = [network.training for network in (state.generator, state.discriminator)]
        before = pieces(state)
        with empty_folder() as folder:
            for _ in range(2):
                _save(save_checkpoint, folder / NAME, state)
        changed = differing(before, pieces(state))
        if changed:
            fail(
                "the training as it was, after saving it",
                f"other values in {'; '.join(changed)}",
                "save_checkpoint draws random numbers, or changes what it saves",
            )
        if modes != [network.training for network in (state.generator, state.discriminator)]:
            fail(
                "both networks in the mode of before, after saving",
                "another mode",
                "a network is put into eval() or train() and not back: saving needs neither",
            )

    @lesson.check("9.5", points=0.5)
    def resumes_again_and_again(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """A training resumed after every few steps, from one file, is the uninterrupted one."""
        images, seed = _images(probe), probe.integer(1, 10**6)
        straight = new_training(seed, images)
        seed_everything(seed)
        advance(straight, 9)
        end = pieces(straight)
        state = new_training(seed, images)
        seed_everything(seed)
        with empty_folder() as folder:
            path = folder / NAME
            for steps in (1, 5, 3):
                advance(state, steps)
                _save(save_checkpoint, path, state)
                state = _other(state, probe, started=steps == 5)
                _load(load_checkpoint, path, state)
                if state.step != straight.step and steps == 3:
                    fail(
                        f"step {straight.step} after three resumes",
                        f"step {state.step}",
                        "the file was not written anew each time, or the steps are counted twice",
                    )
        different = differing(end, pieces(state))
        if different:
            fail(
                "after three resumes the pieces of the uninterrupted training, to the bit",
                f"other values in {'; '.join(different)}",
                "the first checkpoint may be right, and a later one, over it, is not",
            )

    @lesson.check("9.5", points=0.5)
    def a_crash_while_saving_costs_nothing(save_checkpoint, load_checkpoint, probe: Probe) -> None:
        """A crash while save_checkpoint works leaves the checkpoint of before, whole."""
        state = _started(probe, _images(probe))
        with empty_folder() as folder:
            path = folder / "run" / NAME
            path.parent.mkdir()
            _save(save_checkpoint, path, state)
            before, saved = path.read_bytes(), pieces(state)
            advance(state, 2)
            require_replaced_in_one_step(path, lambda: _save(save_checkpoint, path, state))
            path.write_bytes(before)
            state.fixed_z = _Breaks()
            require_whole_after_interruption(path, before, lambda: save_checkpoint(path, state))
            other = _other(state, probe)
            _load(load_checkpoint, path, other)
            lost = differing(saved, pieces(other))
            if lost:
                fail(
                    "the checkpoint of before to be loaded after the crash",
                    f"other values in {'; '.join(lost)}",
                    None,
                )


class _Breaks:
    """Stands where a tensor should, and breaks off every write."""

    def __reduce__(self):
        raise RuntimeError("the power went")

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self  # .cpu(), .detach(), .clone(), .to(...)


def add_to(lesson: Lesson) -> None:
    """Add the checks of tasks 9.4 and 9.5."""
    _add_state_checks(lesson)
    _add_resume_checks(lesson)
