"""SIGTERM and Ctrl-C save and leave; checkpoints that are kept, the best one, and going back."""

import os
import signal
import sys
import threading

import pytest
import torch
from exact import assert_same
from killed import Darkness

from facegan_ref.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.interrupt import TrainingStopped, stop_signals
from facegan_ref.run import Run
from facegan_ref.training import Trainer, TrainingDiverged


@pytest.fixture
def new_run(tmp_path, tiny_recipe, tiny_images):
    def make(name="run", epochs=3, **options):
        trainer = Trainer(tiny_recipe.override(epochs=epochs), FaceArray(tiny_images), seed=2)
        return Run(tmp_path / name, trainer, **options)

    return make


def at_step(step, action):
    return lambda trainer: action() if trainer.step == step else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves_and_the_run_goes_on_exactly(new_run, number):
    straight = new_run("straight")
    straight.start()
    straight.train(quiet=True)
    run = new_run()
    run.start()
    run.trainer.callbacks.append(at_step(6, lambda: os.kill(os.getpid(), number)))
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingStopped, match=rf"{number.name} after step 6; saved") as stopped:
        run.train(quiet=True)
    assert stopped.value.number == number
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    assert read_checkpoint(run.folder / "last.pt")["step"] == 6
    again = new_run()
    again.resume()
    again.train(quiet=True)
    assert_same(again.state_dict(), straight.state_dict())
    one, two = (r.folder / "metrics.jsonl" for r in (again, straight))
    assert one.read_bytes() == two.read_bytes()


def test_a_second_ctrl_c_is_obeyed_at_once():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    try:
        obey_the_second_ctrl_c()
    finally:
        signal.signal(signal.SIGINT, before)


def obey_the_second_ctrl_c():
    with pytest.raises(KeyboardInterrupt), stop_signals() as request:
        signal.raise_signal(signal.SIGINT)
        assert request.number == signal.SIGINT
        signal.raise_signal(signal.SIGINT)


def test_a_run_in_a_thread_leaves_signals_alone(new_run):
    run = new_run()
    run.start()
    thread = threading.Thread(target=run.train, args=(True,))
    thread.start()
    thread.join()
    assert read_checkpoint(run.folder / "last.pt")["step"] == 12


def names(folder):
    return sorted(path.name for path in (folder / "checkpoints").glob("*"))


@pytest.mark.parametrize("keep, kept", [(1, []), (2, [8]), (3, [4, 8]), (9, [0, 4, 8])])
def test_the_last_k_checkpoints_are_kept(new_run, keep, kept):
    run = new_run(keep=keep)
    run.start()
    run.train(quiet=True)
    assert names(run.folder) == [f"step_{step:08d}.pt" for step in kept]
    for step in kept:
        path = run.folder / "checkpoints" / f"step_{step:08d}.pt"
        assert read_checkpoint(path)["step"] == step
    assert read_checkpoint(run.folder / "last.pt")["step"] == 12


def test_the_best_checkpoint_is_the_one_with_the_best_quality(new_run):
    values = iter([0.5, 0.2, 0.7, 0.2])

    class Told(Darkness):
        def __call__(self, fake):
            assert fake.shape == (16, 3, 16, 16)
            return next(values)

    run = new_run(epochs=4, measure=Told(), quality_images=16)
    run.start()
    run.train(quiet=True)
    best = read_checkpoint(run.folder / "best.pt")
    assert best["step"] == 8  # the first of equals, whatever the losses were
    assert best["best"] == {"step": 8, "quality": 0.2, "protocol": "mean value"}
    rows = [line.split(",")[0] for line in (run.folder / "quality.jsonl").open()]
    assert rows == [f'{{"step": {step}' for step in (4, 8, 12, 16)]


def test_going_back_to_an_earlier_checkpoint_undoes_what_came_after(new_run):
    straight = new_run("straight", measure=Darkness(), quality_images=16)
    straight.start()
    straight.train(quiet=True)
    run = new_run(measure=Darkness(), quality_images=16)
    run.start()
    run.train(quiet=True)
    again = new_run(measure=Darkness(), quality_images=16)
    again.resume(run.folder / "checkpoints" / "step_00000004.pt")
    assert again.trainer.step == 4 and names(run.folder) == ["step_00000004.pt"]
    assert len((run.folder / "metrics.jsonl").read_text().splitlines()) == 4
    assert len((run.folder / "quality.jsonl").read_text().splitlines()) == 1
    assert [p.name for p in again.files.previews()] == ["epoch_000.png", "epoch_001.png"]
    assert read_checkpoint(run.folder / "last.pt")["step"] == 4
    if (run.folder / "best.pt").exists():
        assert read_checkpoint(run.folder / "best.pt")["step"] <= 4
    again.train(quiet=True)
    a, b = (read_checkpoint(r.folder / "last.pt") for r in (again, straight))
    a.pop("best"), b.pop("best")
    assert_same(a, b)


def leftovers(folder):
    return [path.name for path in folder.rglob("*.partial")]


class Falling(Darkness):
    """Each measurement is better than the one before; notes what was judged."""

    def __init__(self):
        self.judged = []

    def __call__(self, fake):
        self.judged.append(fake)
        return -float(len(self.judged))


def test_a_lost_best_checkpoint_comes_back_and_goes_when_its_step_is_undone(new_run):
    run = new_run(measure=Falling(), quality_images=16)
    run.start()
    run.train(quiet=True)
    (run.folder / "best.pt").unlink()  # killed between the last checkpoint and its second name
    again = new_run(measure=Falling(), quality_images=16)
    again.resume()
    assert read_checkpoint(run.folder / "best.pt")["step"] == 12 == again.best["step"]
    back = new_run(measure=Falling(), quality_images=16)
    back.resume(run.folder / "checkpoints" / "step_00000008.pt")
    assert back.best["step"] == 8 == read_checkpoint(run.folder / "best.pt")["step"]
    back.train(quiet=True)
    assert not leftovers(run.folder)


def test_a_best_checkpoint_of_undone_steps_is_no_longer_the_best(new_run):
    run = new_run(epochs=4, keep=9, measure=Falling(), quality_images=16)
    run.start()
    run.train(quiet=True)
    path = run.folder / "checkpoints" / "step_00000008.pt"
    state = read_checkpoint(path)
    write_checkpoint(path, {**state, "best": {**state["best"], "step": 4}})
    back = new_run(epochs=4, measure=Falling(), quality_images=16)
    back.resume(path)  # its best was step 4, whose file later steps have replaced
    assert back.best is None and not (run.folder / "best.pt").exists()


def test_quality_is_measured_on_the_same_latents_each_epoch(new_run):
    measure = Falling()
    run = new_run(measure=measure, quality_images=16)
    run.trainer.recipe = run.trainer.recipe.override(lr_g=1e-12)
    for group in run.trainer.optimizer_g.param_groups:
        group["lr"] = 0.0  # the generator stays as it is, but for running statistics
    for module in run.trainer.generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    run.start()
    run.train(quiet=True)
    assert len(measure.judged) == 3
    assert all(torch.equal(faces, measure.judged[0]) for faces in measure.judged)


def test_saving_the_same_step_twice_keeps_no_twin(new_run):
    run = new_run(keep=9)
    run.start()
    run.trainer.callbacks.append(at_step(4, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    with pytest.raises(TrainingStopped):
        run.train(quiet=True)
    again = new_run(keep=9)
    again.resume()
    again.files.save(again.state_dict())
    assert names(run.folder) == ["step_00000000.pt"] and not leftovers(run.folder)


def test_new_wishes_hold_from_the_resume_on(new_run):
    run = new_run()
    run.start()
    run.train(quiet=True)
    longer = new_run(epochs=5)
    longer.resume()  # and killed before its first checkpoint
    assert read_checkpoint(run.folder / "last.pt")["recipe"]["epochs"] == 5
    with pytest.raises(ValueError, match="has done 12 steps, 2 epochs have only 8"):
        new_run(epochs=2).resume()
    assert read_checkpoint(run.folder / "last.pt")["recipe"]["epochs"] == 5


def test_two_do_not_train_in_one_folder(new_run):
    run = new_run()
    run.start()
    run.trainer.callbacks.append(at_step(2, lambda: refused.append(second())))

    def second():
        with pytest.raises(BlockingIOError, match="another process is training this run"):
            new_run().resume()
        return True

    refused = []
    run.train(quiet=True)
    assert refused == [True]
    new_run().resume()  # and afterwards the folder is free


def test_a_checkpoint_of_another_run_does_not_get_this_ones_log(new_run):
    run, other = new_run(), new_run("other")
    run.start(), other.start()
    other.train(quiet=True)
    with pytest.raises(CheckpointError, match="does not hold the 12 steps"):
        new_run().resume(other.folder / "last.pt")
    assert read_checkpoint(run.folder / "last.pt")["step"] == 0


def test_spoilt_weights_stop_the_run_before_the_good_checkpoint_is_lost(new_run):
    def spoil():
        with torch.no_grad():
            run.trainer.generator.net[0].weight[0].fill_(torch.nan)

    run = new_run(checkpoint_every=3)
    run.start()
    run.trainer.callbacks.append(at_step(7, spoil))
    with pytest.raises(TrainingDiverged, match="Look at the last lines"):
        run.train(quiet=True)
    state = read_checkpoint(run.folder / "last.pt")
    assert state["step"] == 6
    assert all(value.isfinite().all() for value in state["generator"].values())
    again = new_run()
    again.resume()
    again.train(quiet=True)
    assert again.trainer.step == 12


def test_a_stop_does_not_save_spoilt_weights(new_run):
    def spoil_and_stop():
        with torch.no_grad():
            run.trainer.generator.net[0].weight[0].fill_(torch.nan)
        os.kill(os.getpid(), signal.SIGTERM)

    run = new_run(checkpoint_every=3)
    run.start()
    run.trainer.callbacks.append(at_step(5, spoil_and_stop))
    with pytest.raises(TrainingDiverged):
        run.train(quiet=True)
    assert read_checkpoint(run.folder / "last.pt")["step"] == 4


def test_the_steps_before_a_bad_one_are_in_the_log(new_run):
    """Also where metrics are read now and then only, as on CUDA."""

    def spoil():
        with torch.no_grad():
            run.trainer.generator.net[0].weight.fill_(torch.nan)

    run = new_run(epochs=10)
    run.trainer.read_every = 10**6
    run.start()
    run.trainer.callbacks.append(at_step(6, spoil))
    with pytest.raises(TrainingDiverged, match="step 7: D's loss is nan"):
        run.train(quiet=True)
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 6
    new_run(epochs=10).resume()


def test_previews_between_epochs_are_in_the_film_in_order(tmp_path, tiny_recipe, tiny_images):
    trainer = Trainer(tiny_recipe.override(preview_every=3, epochs=2), FaceArray(tiny_images))
    run = Run(tmp_path, trainer)
    run.start()
    run.train(quiet=True)
    assert [path.name for path in run.files.previews()] == [
        "epoch_000.png",
        "epoch_000_step_00000003.png",
        "epoch_001.png",
        "epoch_001_step_00000006.png",
        "epoch_002.png",
    ]


def test_tensorboard_gets_the_metrics(new_run):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = new_run(tensorboard=True)
    run.start()
    run.train(quiet=True)
    events = reader.EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    losses = events.Scalars("loss/G")
    assert [event.step for event in losses] == list(range(1, 13))
    assert losses[-1].value == pytest.approx(run.trainer.metrics["loss_g"])


def test_tensorboard_that_is_missing_is_named(new_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run = new_run(tensorboard=True)
    run.start()
    with pytest.raises(ValueError, match=r"pip install tensorboard.*has the same numbers"):
        run.train(quiet=True)
