"""A plain training resumes to the bit, also in a new process, and every piece of it is needed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facegan_ref import checkpoint
from facegan_ref.checkpoint import (
    FORMAT,
    CheckpointError,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
    write_checkpoint,
)
from facegan_ref.data.loader import Batches
from facegan_ref.loop import TrainingState, train_step
from facegan_ref.randomness import capture_rng, restore_rng
from facegan_ref.stabilise import EMA, make_optimizers

ROOT = Path(__file__).parents[2]
IMAGES = torch.randn(22, 1, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def new_training(seed: int, width: int = 6) -> TrainingState:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    generator = nn.Sequential(
        nn.Linear(3, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 16), nn.Tanh(),
        nn.Unflatten(1, (1, 4, 4)),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(16, width), nn.LeakyReLU(0.2),
        nn.Linear(width, 1), nn.Flatten(0),
    )  # fmt: skip
    rng = torch.Generator().manual_seed(seed)
    return TrainingState(
        generator,
        discriminator,
        *make_optimizers(generator, discriminator, 0.01, 0.02),
        z_dim=3,
        rng=rng,
        batches=Batches(IMAGES, 5, seed),
        fixed_z=torch.randn(4, 3, generator=rng),
        ema=EMA(generator, 0.9),
    )


def train(state: TrainingState, steps: int) -> list[dict[str, float]]:
    losses = []
    for _ in range(steps):
        real = next(state.batches)
        if random.random() < 0.5:
            real = real.flip(3)
        losses.append(train_step(state, real * float(np.random.uniform(0.9, 1.1))))
        state.ema.update(state.generator)
    return losses


def fingerprint(state: TrainingState) -> str:
    """A hash of everything in the checkpoint of a training."""
    parts = {
        "step": state.step,
        "networks": [n.state_dict() for n in (state.generator, state.discriminator)],
        "optimizers": [o.state_dict() for o in (state.optimizer_g, state.optimizer_d)],
        "ema": state.ema.model.state_dict(),
        "rest": [state.fixed_z, state.rng.get_state(), capture_rng(), state.batches.state_dict()],
    }
    text = repr(_as_numbers(parts))
    return hashlib.sha256(text.encode()).hexdigest()


def _as_numbers(thing):
    if isinstance(thing, torch.Tensor):
        return thing.tolist()
    if isinstance(thing, dict):
        return {key: _as_numbers(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_as_numbers(value) for value in thing]
    return thing


def test_forty_steps_are_twenty_and_twenty_in_a_new_process(tmp_path):
    torch.set_num_threads(1)
    straight = new_training(0)
    losses = train(straight, 40)

    state = new_training(0)
    assert train(state, 20) == losses[:20]
    save_checkpoint(tmp_path / "last.pt", state)

    program = (
        f"import sys, json, torch; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "torch.set_num_threads(1); from test_loop_checkpoint import *; "
        "state = new_training(5); load_checkpoint(sys.argv[1], state); "
        "print(json.dumps([train(state, 20), fingerprint(state)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "last.pt")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    resumed, found = json.loads(done.stdout)
    assert resumed == losses[20:]

    state = new_training(7)
    load_checkpoint(tmp_path / "last.pt", state)
    assert train(state, 20) == losses[20:]
    assert found == fingerprint(state)


def test_saving_changes_nothing_and_the_file_holds_the_moment(tmp_path):
    state = new_training(0)
    train(state, 3)
    before = fingerprint(state)
    save_checkpoint(tmp_path / "a.pt", state)
    assert fingerprint(state) == before
    train(state, 3)
    other = new_training(1)
    load_checkpoint(str(tmp_path / "a.pt"), other)
    assert fingerprint(other) == before


def test_loading_is_in_place_and_keeps_the_states_own_settings(tmp_path):
    state, other = new_training(0), new_training(1)
    train(state, 3)
    save_checkpoint(tmp_path / "a.pt", state)
    other.optimizer_g.param_groups[0]["lr"] = 0.123
    before = [other.generator, other.optimizer_g, *other.generator.parameters()]
    load_checkpoint(tmp_path / "a.pt", other)
    after = [other.generator, other.optimizer_g, *other.optimizer_g.param_groups[0]["params"]]
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert other.optimizer_g.param_groups[0]["lr"] == 0.123
    assert other.optimizer_d.param_groups[0]["lr"] == 0.02


def test_what_is_none_stays_none_and_fixed_z_comes_from_the_file(tmp_path):
    bare, path = new_training(0), tmp_path / "a.pt"
    bare.batches = bare.fixed_z = bare.ema = None
    save_checkpoint(path, bare)
    other = new_training(1)
    other.batches = other.fixed_z = other.ema = None
    load_checkpoint(path, other)
    assert other.fixed_z is None
    full = new_training(2)
    save_checkpoint(path, full)
    load_checkpoint(path, other)
    assert torch.equal(other.fixed_z, full.fixed_z)


@pytest.mark.parametrize("fault", ["wider", "no step", "no average", "no place", "no optimizer"])
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, fault):
    path = tmp_path / "a.pt"
    save_checkpoint(path, new_training(0, width=9 if fault == "wider" else 6))
    contents = read_checkpoint(path)
    if fault == "no step":
        del contents["step"]
    elif fault == "no average":
        contents["ema"] = None
    elif fault == "no place":
        contents["batches"] = {"epoch": 3}
    elif fault == "no optimizer":
        contents["optimizer_d"] = None
    write_checkpoint(path, contents)
    with pytest.raises(CheckpointError, match=r"a\.pt: does not fit this training"):
        load_checkpoint(path, new_training(1))


def test_random_states_go_through_a_safe_file(tmp_path):
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    np.random.standard_normal()  # numpy and Python keep the second of a pair
    random.gauss(0, 1)

    def draw():
        return torch.rand(2).tolist(), np.random.standard_normal(), random.gauss(0, 1)

    state = capture_rng()
    expected = draw()
    torch.save(state, tmp_path / "rng.pt")
    draw()
    restore_rng(torch.load(tmp_path / "rng.pt", weights_only=True))
    assert draw() == expected
    restore_rng(state)
    assert draw() == expected


def test_batches_return_to_their_place():
    numbers = torch.arange(10)
    batches = Batches(numbers, 4, seed=1)
    first = [next(batches).tolist() for _ in range(3)]
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(n for batch in first for n in batch) == numbers.tolist()
    next(batches)
    place = batches.state_dict()
    rest = [next(batches).tolist() for _ in range(9)]
    other = Batches(numbers, 4, seed=8)
    other.load_state_dict(place)
    torch.rand(5)
    assert [next(other).tolist() for _ in range(9)] == rest
    assert [next(Batches(numbers, 4, seed=8)).tolist()] != first[:1]
    with pytest.raises(KeyError):
        other.load_state_dict({"epoch": 3})


def lesson_reader():
    """`read_checkpoint` as lesson 9 teaches it; the package's has a limit of size besides."""
    notebook = json.loads(
        (ROOT / "solutions/09_checkpoints/09_checkpoints.ipynb").read_text(encoding="utf-8")
    )
    (source,) = ("".join(cell["source"]) for cell in notebook["cells"] if cell["id"] == "task-9-3")
    names = {"torch": torch, "Path": Path, "FORMAT": FORMAT, "CheckpointError": CheckpointError}
    exec(source, names)
    return names["read_checkpoint"]


def test_the_lessons_reader_and_the_packages_agree(tmp_path):
    taught, path = lesson_reader(), tmp_path / "a.pt"
    write_checkpoint(path, {"step": 3, "weights": torch.arange(5.0)})
    one, other = taught(path), read_checkpoint(path)
    assert torch.equal(one.pop("weights"), other.pop("weights"))
    assert one == other
    whole = path.read_bytes()
    code = pickle.dumps({"format": FORMAT, "x": print})
    for content in (b"", whole[:200], whole[:-1], bytes(99), code):
        path.write_bytes(content)
        for reader in (taught, read_checkpoint):
            with pytest.raises(CheckpointError, match=r"a\.pt: "):
                reader(path)
    for thing in ([1], {"format": "facegan-checkpoint-0"}, {"weight": torch.zeros(2)}, None):
        torch.save(thing, path)
        for reader in (taught, read_checkpoint):
            with pytest.raises(CheckpointError, match=r"a\.pt: "):
                reader(path)
    for reader in (taught, read_checkpoint):
        with pytest.raises(FileNotFoundError, match=r"none\.pt"):
            reader(tmp_path / "none.pt")


def test_a_failed_save_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    path, state = tmp_path / "a.pt", new_training(0)
    save_checkpoint(path, state)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, state)
    assert path.read_bytes() == before
    assert [other.name for other in tmp_path.iterdir()] == ["a.pt"]
