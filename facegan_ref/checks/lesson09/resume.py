"""Checks of task 9.5: a training that goes on to the bit."""

from __future__ import annotations

from collections.abc import Callable

from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson09.rng import seed_everything
from facegan_ref.checks.lesson09.state import (
    NAME,
    call_load,
    call_save,
    other_training,
    own_images,
    started_training,
)
from facegan_ref.checks.lesson09.training import (
    advance,
    differing,
    new_training,
    pieces,
)
from facegan_ref.checks.lesson09.writing import (
    empty_folder,
    require_replaced_in_one_step,
    require_whole_after_interruption,
)


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
        images, seed = own_images(probe), probe.integer(1, 10**6)
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
            call_save(save_checkpoint, path, state)
            changed = differing(before, pieces(state))
            state = other_training(state, probe)
            call_load(load_checkpoint, path, state)
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
        images = own_images(probe)
        state = started_training(probe, images)
        modes = [network.training for network in (state.generator, state.discriminator)]
        before = pieces(state)
        with empty_folder() as folder:
            for _ in range(2):
                call_save(save_checkpoint, folder / NAME, state)
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
        images, seed = own_images(probe), probe.integer(1, 10**6)
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
                call_save(save_checkpoint, path, state)
                state = other_training(state, probe, started=steps == 5)
                call_load(load_checkpoint, path, state)
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
        state = started_training(probe, own_images(probe))
        with empty_folder() as folder:
            path = folder / "run" / NAME
            path.parent.mkdir()
            call_save(save_checkpoint, path, state)
            before, saved = path.read_bytes(), pieces(state)
            advance(state, 2)
            require_replaced_in_one_step(path, lambda: call_save(save_checkpoint, path, state))
            path.write_bytes(before)
            state.fixed_z = _Breaks()
            require_whole_after_interruption(path, before, lambda: save_checkpoint(path, state))
            other = other_training(state, probe)
            call_load(load_checkpoint, path, other)
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
    """Add the checks of task 9.5."""
    _add_resume_checks(lesson)
