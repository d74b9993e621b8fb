"""Checks of tasks 5.2 and 5.3: a look at the generator, and the film of a training."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from facegan_ref.checks.engine import Lesson, Probe, fail
from facegan_ref.checks.lesson05.pictures import require_picture, same_picture
from facegan_ref.checks.lesson05.players import (
    OWN_LATENTS,
    SHAPE,
    TRAIN_MODE,
    Z_DIM,
    ProbeGenerator,
    Snapshot,
    columns_for,
    kept_by,
    new_recorder,
    noisy_generator,
    require_look,
)


def add_to(lesson: Lesson) -> None:
    """Add the checks of tasks 5.2 and 5.3."""
    _add_look_checks(lesson)
    _add_recorder_checks(lesson)


def _add_look_checks(lesson: Lesson) -> None:
    @lesson.check("5.2", points=0.5)
    def shows_what_z_becomes(fixed_latent_grid, probe: Probe) -> None:
        """The picture shows generator(z) for the given z, nearly square."""
        for n in (probe.integer(5, 6), 4, 1, probe.integer(10, 12)):
            generator = ProbeGenerator(probe.rng, noisy=False)
            z = probe.randn(n, Z_DIM)
            kept = z.clone()
            came = fixed_latent_grid(generator, z)
            what = f"{n} latents, {columns_for(n)} columns"
            require_look(came, generator, kept, what)
            if not torch.equal(z, kept):
                fail("z to be the same after the call", "other latents", "z is changed in place")

    @lesson.check("5.2", points=0.5)
    def looks_in_evaluation_mode(fixed_latent_grid, probe: Probe) -> None:
        """The generator runs in evaluation mode, also in the middle of a training."""
        for training in (True, False):
            generator = noisy_generator(probe).train(training)
            z = probe.randn(probe.integer(5, 9), Z_DIM)
            came = fixed_latent_grid(generator, z)
            runs = generator.diary.runs
            if any(was_training for _, was_training, _ in runs):
                fail(
                    "a run of the generator in evaluation mode",
                    "a run in training mode",
                    TRAIN_MODE,
                )
            what = "a generator with dropout and batch normalisation"
            require_look(came, generator, z, what)

    @lesson.check("5.2", points=0.5)
    def puts_the_mode_back(fixed_latent_grid, probe: Probe) -> None:
        """Afterwards the generator is in the mode in which it was, training or evaluation."""
        for training in (True, False):
            generator = noisy_generator(probe).train(training)
            before = Snapshot(generator)
            require_picture(fixed_latent_grid(generator, probe.randn(4, Z_DIM)), "the picture")
            name = "training" if training else "evaluation"
            before.require_modes(f"after a look at a generator in {name} mode")

    @lesson.check("5.2", points=0.5)
    def leaves_no_trace(fixed_latent_grid, probe: Probe) -> None:
        """Weights, buffers, gradients and random states stay, and no graph is built."""
        generator = noisy_generator(probe, planted=True)
        before = Snapshot(generator)
        require_picture(fixed_latent_grid(generator, probe.randn(4, Z_DIM)), "the picture")
        before.require_contents("after a look")
        before.require_random_states("after a look")
        runs = generator.diary.runs
        if not runs:
            fail("a run of the generator", "none", "the generator that was given is not run")
        if any(with_gradients for *_, with_gradients in runs):
            fail(
                "a run of the generator without a graph",
                "a run with gradients switched on",
                "`with torch.no_grad():` is missing around generator(z). The graph would hold the "
                "output of each layer in memory, for nothing",
            )


def _few(steps: list) -> str:
    return f"[{', '.join(map(str, steps[:8]))}{', …' * (len(steps) > 8)}]"


def _add_recorder_checks(lesson: Lesson) -> None:
    @lesson.check("5.3", points=0.5)
    def records_when_it_is_due(TrainingRecorder, probe: Probe) -> None:
        """record keeps a frame when the step is a multiple of `every`, also step 0."""
        every = probe.integer(3, 6)
        generator, z = ProbeGenerator(probe.rng, noisy=False), probe.randn(4, Z_DIM)
        recorder = new_recorder(TrainingRecorder, generator, z, every)
        # The last ones as after a resume: the steps before are not told to this recorder.
        calls = [0, 1, every - 1, every, every + 1, 2 * every, 100 * every - 1]
        calls += [number * every for number in range(100, 120)]
        for step in calls:
            recorder.record(step)
        steps, frames = kept_by(recorder)
        due = [step for step in calls if step % every == 0]
        if steps != due:
            fail(
                f"steps == {_few(due)} after record was called with {_few(calls)}, every = {every}",
                f"steps == {_few(steps)}",
                _explain_steps(steps, calls, every),
            )
        if len(frames) != len(due):
            fail(
                f"{len(due)} frames, one for each of the steps {_few(due)}",
                f"{len(frames)} frames",
                "steps and frames must grow together",
            )
        new_recorder(TrainingRecorder, generator, z, every)

    @lesson.check("5.3", points=0.5)
    def frames_show_their_moment(TrainingRecorder, probe: Probe) -> None:
        """A frame shows the generator as it was at its step, and stays like that."""
        generator = ProbeGenerator(probe.rng, noisy=False)
        z = probe.randn(probe.integer(5, 9), Z_DIM)
        recorder = new_recorder(TrainingRecorder, generator, z, 10)
        moments, early = [], []
        for step in (0, 10, 20):
            moments.append(copy.deepcopy(generator))
            recorder.record(step)
            _, frames = kept_by(recorder)
            if len(frames) != len(moments):
                fail(f"{len(moments)} frames after so many calls", f"{len(frames)}", None)
            early.append(require_picture(frames[-1], f"the frame of step {step}").copy())
            generator.new_weights(probe.rng)
        frames = [require_picture(frame, "a frame") for frame in kept_by(recorder)[1]]
        last_ones = all(np.array_equal(early[0], frame) for frame in [*early, frames[-1]])
        if last_ones and not np.array_equal(frames[0], frames[-1]):
            fail(
                "frames in the order in which they were recorded",
                "the latest frame in the first place",
                "frames grow at the end, with append",
            )
        if any(not np.array_equal(a, b) for a, b in zip(early, frames, strict=True)):
            fail(
                "a frame to stay as it was recorded",
                "an earlier frame that changed when a later one was recorded",
                "all frames are one array, which is written over: keep a new one at each step",
            )
        if all(np.array_equal(frames[0], frame) for frame in frames):
            fail(
                "three different frames of a generator whose weights changed twice",
                "three times the same frame",
                "the recorder keeps a copy of the generator, or a picture that it made once: keep "
                "the generator itself, and look at each step",
            )
        for step, moment, frame in zip((0, 10, 20), moments, frames, strict=True):
            require_look(frame, moment, z, f"the frame of step {step}")

    @lesson.check("5.3", points=0.5)
    def keeps_its_latents(TrainingRecorder, probe: Probe) -> None:
        """All frames are of the latents that the recorder was made with, whatever becomes of z."""
        generator = ProbeGenerator(probe.rng, noisy=False)
        z = probe.randn(4, Z_DIM)
        kept = z.clone()
        recorder = new_recorder(TrainingRecorder, generator, z, 1)
        recorder.record(0)
        z.copy_(probe.randn(4, Z_DIM))  # somebody uses the tensor for something else
        recorder.record(1)
        seen = [run[0] for run in generator.diary.runs]
        frames = [require_picture(frame, "a frame") for frame in kept_by(recorder)[1]]
        if seen and any(torch.equal(latents, z) for latents in seen):
            fail(
                "the latents that z held when the recorder was made",
                "those that were written into z later",
                "the recorder keeps z itself: a copy, z.clone(), is its own",
            )
        if len(frames) != 2:
            fail("two frames after two calls with every = 1", f"{len(frames)}", None)
        for step, frame in enumerate(frames):
            if not same_picture(frame, frames[0]):
                fail(
                    "two equal frames: nothing has changed but the caller's z",
                    "two different ones",
                    OWN_LATENTS,
                )
            require_look(frame, generator, kept, f"frame {step}")

    @lesson.check("5.3", points=0.5)
    def training_is_the_same_with_it(TrainingRecorder, probe: Probe) -> None:
        """A training with the recorder ends where it ends without, to the bit."""
        generator = noisy_generator(probe, planted=True)
        z = probe.randn(4, Z_DIM)
        before = Snapshot(generator)
        recorder = new_recorder(TrainingRecorder, generator, z, 2)
        recorder.record(0)
        before.require_modes("after record")
        before.require_contents("after record")
        before.require_random_states("after record")
        start = noisy_generator(probe)
        alone = _train(copy.deepcopy(start), probe.seed, lambda step: None)
        twin = copy.deepcopy(start)
        recorder = new_recorder(TrainingRecorder, twin, z, 2)
        recorded = _train(twin, probe.seed, recorder.record)
        for name, value in alone.items():
            if not torch.equal(value, recorded[name]):
                gap = float((value.double() - recorded[name].double()).abs().max())
                fail(
                    f"the same {name} after six steps with the recorder as without",
                    f"a difference of up to {gap:.3g}",
                    "something is left behind after record: a mode, a random state, gradients or "
                    "statistics. The checks of task 5.2 say what",
                )
        if not len(kept_by(recorder)[1]):
            fail("a frame at each second of six steps", "no frame", "see records_when_it_is_due")


def _explain_steps(steps: list, calls: list[int], every: int) -> str | None:
    if steps == calls:
        return "`every` is not used: look at the remainder, step % every == 0"
    if not steps:
        return "steps stays empty: record must append to self.steps"
    if steps == [step for step in calls if step % every == 0 and step]:
        return "step 0 is left out, but the film begins before the first update"
    if steps == [step for index, step in enumerate(calls) if index % every == 0] or steps == [
        step for index, step in enumerate(calls, 1) if index % every == 0
    ]:
        return "the calls are counted: a step is the number that record is given"
    if steps == list(range(len(steps))):
        return "frames are counted instead of keeping the step that record is given"
    for rest in range(1, every):
        if steps == [step for step in calls if step % every == rest]:
            return f"frames are kept when step % every is {rest}: it must be 0"
    return None


def _train(
    generator: ProbeGenerator, seed: int, at_each_step: Callable[[int], object]
) -> dict[str, torch.Tensor]:
    """Six steps of a tiny GAN on global random numbers; all that they leave behind."""
    torch.manual_seed(seed)
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(int(np.prod(SHAPE)), 8),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Linear(8, 1),
    )
    optimizer_g = torch.optim.SGD(generator.parameters(), lr=0.1)
    optimizer_d = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    softplus = nn.functional.softplus
    for step in range(6):
        at_each_step(step)
        real = torch.rand(6, *SHAPE)
        fake = generator(torch.randn(6, Z_DIM))
        loss = softplus(-discriminator(real)).mean() + softplus(discriminator(fake.detach())).mean()
        optimizer_d.zero_grad()
        loss.backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        softplus(-discriminator(fake)).mean().backward()
        optimizer_g.step()
    found = {f"generator's {name}": value for name, value in generator.state_dict().items()}
    for name, value in discriminator.state_dict().items():
        found[f"discriminator's {name}"] = value
    return {**found, "random state": torch.get_rng_state()}
