"""kill -9 at random moments, also while a checkpoint is being written: nothing is lost."""

import multiprocessing
import random
import signal

import pytest
from exact import assert_same
from killed import train_on

from facegan_ref.checkpoint import read_checkpoint
from facegan_ref.data.toyfaces import ToyFaces

KILLS = 20


@pytest.fixture(scope="module")
def start():
    """Starts `train_on` in a process that does not have to import torch first."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["facegan_ref.run", "facegan_ref.evaluation"])
    images = ToyFaces(40, 16, seed=0).images

    def start(folder):
        process = context.Process(target=train_on, args=(str(folder), images))
        process.start()
        return process

    return start


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".partial")
    }


def assert_same_runs(one, two):
    """The same files; checkpoints the same numbers, all else the same bytes."""
    mine, straight = files_of(one), files_of(two)
    assert mine.keys() == straight.keys()
    for name, path in mine.items():
        if path.suffix == ".pt":
            assert_same(read_checkpoint(path), read_checkpoint(straight[name]))
        else:
            assert path.read_bytes() == straight[name].read_bytes(), name


def kill_in_the_middle_of_a_checkpoint(process, folder, rng):
    """Kill as soon as the file that a checkpoint is written to is there."""
    partial = folder / "last.pt.partial"
    for _ in range(rng.randrange(1, 4)):
        while process.is_alive() and partial.exists():
            pass
        while process.is_alive() and not partial.exists():
            pass
    process.kill()


def kill_at_some_moment(process, folder, rng):
    process.join(rng.uniform(0.0, 0.6))
    process.kill()


def test_twenty_kills_lose_nothing(start, tmp_path):
    straight = tmp_path / "straight"
    process = start(straight)
    process.join()
    assert process.exitcode == 0
    rng = random.Random(7)
    killed = in_the_middle = runs = 0
    while killed < KILLS:
        folder, finished = tmp_path / f"run{runs}", False
        runs += 1
        assert runs < 40, "the runs end before they can be killed"
        while not finished:
            process = start(folder)
            if killed < KILLS:
                moment = rng.choice([kill_at_some_moment, kill_in_the_middle_of_a_checkpoint])
                moment(process, folder, rng)
            process.join()
            finished = process.exitcode == 0
            if not finished:
                assert process.exitcode == -signal.SIGKILL
                killed += 1
                in_the_middle += (folder / "last.pt.partial").exists()
                if (folder / "last.pt").exists():
                    read_checkpoint(folder / "last.pt")  # complete, whatever was being written
        assert_same_runs(folder, straight)
    assert in_the_middle >= 3, "hardly any kill came while a checkpoint was written"
