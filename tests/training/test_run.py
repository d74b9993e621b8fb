"""A run and its folder: what it writes, how it stops, and that a resume is exact."""

import json
import math

import pytest
import torch
from PIL import Image

from facegan_ref import run as run_module
from facegan_ref.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.pictures import load_png
from facegan_ref.run import Run, choose_device, describe, load_generator, open_faces
from facegan_ref.sampling import sample
from facegan_ref.training import Trainer, TrainingDiverged, build_networks


@pytest.fixture(autouse=True)
def plain_curves(request, monkeypatch):
    """Curves as text, which shows the same in a fraction of the time, but for those who look."""
    if "drawn_curves" not in request.fixturenames:
        monkeypatch.setattr(
            run_module,
            "save_curves",
            lambda history, path, *_: path.write_text(json.dumps(history)),
        )


@pytest.fixture
def drawn_curves():
    """Asked for by tests that look at the curves' picture."""


@pytest.fixture
def new_run(tmp_path, tiny_recipe, tiny_images):
    """Makes a run on the tiny faces in a folder of the test's."""

    def make(name="run", seed=0, checkpoint_every=500, **changes):
        recipe = tiny_recipe.override(**changes)
        trainer = Trainer(recipe, FaceArray(tiny_images), seed=seed)
        return Run(tmp_path / name, trainer, checkpoint_every)

    return make


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def bytes_of(folder):
    """All files by name; the checkpoint as its numbers, since its container names the file."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.suffix != ".pt"
    }


def flat(state, prefix=""):
    """Every tensor and value of a nested state by its path."""
    if isinstance(state, dict):
        items = state.items()
    elif isinstance(state, (list, tuple)):
        items = enumerate(state)
    else:
        return {prefix: state.numpy().tobytes() if isinstance(state, torch.Tensor) else state}
    return {k: v for key, value in items for k, v in flat(value, f"{prefix}/{key}").items()}


def assert_same_runs(a, b):
    assert bytes_of(a) == bytes_of(b)
    one, two = (flat(read_checkpoint(folder / "last.pt")) for folder in (a, b))
    assert one == two


class Stopped(Exception):
    """Stands for a kill: nothing of the run's gets to tidy up."""


def stop_at(step):
    def callback(trainer):
        if trainer.step == step:
            raise Stopped

    return callback


def interrupted(run, step):
    """Train until the process dies in the step after `step`, whose line is still in the log."""
    run.start()
    after = run.trainer.run

    def with_stop(*arguments):
        run.trainer.callbacks.append(stop_at(step))
        try:
            after(*arguments)
        finally:
            run.trainer.callbacks.pop()

    run.trainer.run = with_stop
    with pytest.raises(Stopped):
        run.train(quiet=True)


# ---- what is in the folder ------------------------------------------------------------------


def test_a_run_fills_its_folder(new_run, drawn_curves):
    run = new_run()
    run.start()
    run.train(quiet=True)
    assert set(bytes_of(run.folder)) == {
        "recipe.json",
        "metrics.jsonl",
        "curves.png",
        "progress.gif",
        *(f"samples/epoch_{i:03d}.png" for i in range(4)),
    }
    assert json.loads((run.folder / "recipe.json").read_text()) == run.trainer.recipe.to_dict()
    lines = rows(run.folder)
    assert [row["step"] for row in lines] == list(range(1, 13)) and lines == run.history
    keys = {"step", "loss_d", "loss_g", "d_real", "d_fake", "acc_real", "acc_fake"}
    assert all(set(row) == keys and all(map(math.isfinite, row.values())) for row in lines)
    assert lines[-1] == run.trainer.metrics
    for name in ("curves.png", "samples/epoch_003.png"):
        assert load_png(run.folder / name).ndim == 3
    with Image.open(run.folder / "progress.gif") as film:
        assert film.n_frames == 4 and film.info["loop"] == 0
        assert film.size == (8 * 18 - 2, 8 * 18 - 2)
    assert read_checkpoint(run.folder / "last.pt")["step"] == 12


def test_previews_show_the_same_latents_from_the_first_moment(new_run):
    run = new_run()
    latents = run.trainer.fixed_z.clone()
    first = sample(run.trainer.generator, latents)
    run.start()
    run.train(quiet=True)
    last = sample(run.trainer.generator, latents)
    for images, name in ((first, "epoch_000"), (last, "epoch_003")):
        grid = run_module.image_grid(images, 8)
        assert (load_png(run.folder / "samples" / f"{name}.png") == grid).all()


def test_the_trainers_callbacks_are_as_before(new_run):
    run = new_run()
    mine = run.trainer.callbacks.append
    mine(print_nothing := lambda trainer: None)
    run.start()
    run.train(quiet=True)
    assert run.trainer.callbacks == [print_nothing]


def test_a_folder_with_a_run_is_not_overwritten(new_run):
    first = new_run()
    first.start()
    before = bytes_of(first.folder)
    with pytest.raises(FileExistsError, match=r"already holds a run.*--resume .*run.*--out"):
        new_run(seed=1).start()
    assert bytes_of(first.folder) == before


def test_the_film_keeps_the_order_beyond_a_thousand_epochs(new_run):
    run = new_run()
    run.start()
    for epoch, grey in ((999, 50), (1000, 200)):
        picture = Image.new("RGB", (8 * 18 - 2, 8 * 18 - 2), (grey, grey, grey))
        picture.save(run.folder / "samples" / f"epoch_{epoch}.png")
    run.finish()
    with Image.open(run.folder / "progress.gif") as film:
        film.seek(2)
        assert film.convert("RGB").getpixel((0, 0)) == (200, 200, 200)


# ---- resume ---------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"model": "mlp"}, {"precision": "bf16"}], ids=str)
def test_a_resumed_run_equals_a_straight_one(new_run, changes):
    straight = new_run("straight", seed=4, **changes)
    straight.start()
    straight.train(quiet=True)

    # Checkpoints at steps 3, 4, 6, ...: it dies in step 8 with the checkpoint of step 6, mid-epoch.
    interrupted(new_run("broken", seed=4, checkpoint_every=3, **changes), 7)
    folder = straight.folder.with_name("broken")
    assert read_checkpoint(folder / "last.pt")["step"] == 6
    assert len(rows(folder)) == 7  # one line more than the checkpoint

    again = new_run("broken", seed=99, **changes)
    again.resume()
    assert again.trainer.step == 6 and len(again.history) == len(rows(folder)) == 6
    again.train(quiet=True)
    assert_same_runs(folder, straight.folder)


def test_a_run_stopped_before_its_first_checkpoint_can_be_resumed(new_run):
    straight = new_run("straight")
    straight.start()
    straight.train(quiet=True)
    interrupted(new_run("broken"), 2)
    again = new_run("broken")
    again.resume()
    assert again.trainer.step == 0
    again.train(quiet=True)
    assert_same_runs(again.folder, straight.folder)


def test_a_run_goes_on_with_more_epochs_as_if_it_had_had_them(new_run):
    longer = new_run("longer", epochs=4)
    longer.start()
    longer.train(quiet=True)
    first = new_run("extended")
    first.start()
    first.train(quiet=True)
    second = new_run("extended", epochs=4)
    second.resume()
    second.train(quiet=True)
    assert_same_runs(second.folder, longer.folder)


def test_resuming_a_finished_run_changes_nothing(new_run):
    run = new_run()
    run.start()
    run.train(quiet=True)
    before, state = bytes_of(run.folder), flat(read_checkpoint(run.folder / "last.pt"))
    again = new_run()
    again.resume()
    again.train(quiet=True)
    assert bytes_of(run.folder) == before
    assert flat(read_checkpoint(run.folder / "last.pt")) == state


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: "".join(text.splitlines(keepends=True)[:3]),
        lambda text: "".join(text.splitlines(keepends=True)[1:]),
        lambda text: text.replace('"step": 2,', '"step": 3,'),
        lambda text: "not json\n" + text,
        lambda text: text.replace('"step"', '"stop"', 1),
        lambda text: "[1]\n" + text,
    ],
    ids=["empty", "short", "first line lost", "doubled", "not json", "no step", "no row"],
)
def test_a_log_that_does_not_belong_is_refused_and_kept(new_run, damage):
    run = new_run()
    run.start()
    run.train(quiet=True)
    log = run.folder / "metrics.jsonl"
    log.write_text(damage(log.read_text()))
    before = log.read_bytes()
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl: .*put back the log"):
        new_run().resume()
    assert log.read_bytes() == before


def test_a_torn_last_line_is_dropped(new_run):
    run = new_run()
    run.start()
    run.train(quiet=True)
    whole = bytes_of(run.folder)
    with open(run.folder / "metrics.jsonl", "a") as log:
        log.write('{"step": 13, "loss_')
    again = new_run()
    again.resume()
    assert bytes_of(run.folder) == whole


# ---- bad ends -------------------------------------------------------------------------------


def test_a_nan_keeps_the_last_good_checkpoint(new_run):
    run = new_run()

    def spoil(trainer):
        if trainer.step == 6:
            with torch.no_grad():
                next(trainer.generator.parameters())[0, 0] = math.nan

    run.start()
    run.trainer.callbacks.append(spoil)
    with pytest.raises(TrainingDiverged, match=r"step 7: .*last checkpoint"):
        run.train(quiet=True)
    state = read_checkpoint(run.folder / "last.pt")
    assert state["step"] == 4
    assert all(v.isfinite().all() for v in state["generator"].values())
    assert len(rows(run.folder)) == 6


def test_spoilt_weights_do_not_overwrite_a_good_checkpoint(new_run):
    """The step that spoils the generator reports a good loss, and may end an epoch."""
    run = new_run()

    def spoil(trainer):
        if trainer.step == 8:
            with torch.no_grad():
                next(trainer.generator.parameters())[0, 0] = math.inf

    run.start()
    run.trainer.callbacks.append(spoil)
    with pytest.raises(TrainingDiverged, match=r"step 8: G's net\.0\.weight is not finite"):
        run.train(quiet=True)
    assert read_checkpoint(run.folder / "last.pt")["step"] == 4
    assert not (run.folder / "samples" / "epoch_002.png").exists()
    again = new_run(lr_g=1e-5, lr_d=1e-5)  # as the message advises
    again.resume()
    again.train(quiet=True)
    assert again.trainer.step == 12
    assert json.loads((again.folder / "recipe.json").read_text())["lr_g"] == 1e-5


# ---- sampling from a run --------------------------------------------------------------------


@pytest.mark.parametrize("model", ["dcgan", "mlp"])
def test_the_generator_of_a_run_draws_its_last_preview(new_run, model):
    run = new_run(model=model)
    run.start()
    run.train(quiet=True)
    for path in (run.folder, run.folder / "last.pt", str(run.folder)):
        generator, recipe = load_generator(path)
        assert not generator.training and recipe == run.trainer.recipe
        grid = run_module.image_grid(generator(run.trainer.fixed_z), 8)
        assert (load_png(run.folder / "samples" / "epoch_003.png") == grid).all()


@pytest.mark.parametrize("fault", ["no recipe", "other recipe", "no generator", "bad recipe"])
def test_a_checkpoint_without_its_generator_is_refused(tmp_path, tiny_recipe, fault):
    generator, _ = build_networks(tiny_recipe)
    state = {"recipe": tiny_recipe.to_dict(), "generator": generator.state_dict()}
    if fault == "no recipe":
        del state["recipe"]
    elif fault == "no generator":
        del state["generator"]
    elif fault == "other recipe":
        state["recipe"]["ngf"] = 5
    else:
        state["recipe"]["image_size"] = 17
    write_checkpoint(tmp_path / "last.pt", state)
    with pytest.raises(CheckpointError, match=r"last\.pt: holds no generator of its recipe"):
        load_generator(tmp_path)


def test_an_empty_folder_has_no_generator(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"last\.pt: no such checkpoint"):
        load_generator(tmp_path)


# ---- small things ---------------------------------------------------------------------------


def test_open_faces_draws_the_embedded_ones(tiny_recipe, tiny_images):
    faces = open_faces(None, tiny_recipe, 35)
    assert torch.equal(faces.images, tiny_images) and faces.manifest == {"source": "toyfaces"}


def test_devices_are_chosen_by_name_or_by_what_is_there(monkeypatch):
    for cuda, mps, best in ((False, False, "cpu"), (False, True, "mps"), (True, True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert choose_device() == choose_device("auto") == torch.device(best)
        assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device cuda is not there; use cpu, or auto"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="no device is called 'gpu'"):
        choose_device("gpu")


def test_progress_text_names_all_metrics():
    metrics = {
        "loss_d": 1.386,
        "loss_g": 0.693,
        "d_real": 0.512,
        "d_fake": 0.488,
        "acc_real": 0.75,
        "acc_fake": 1.0,
    }
    assert describe(metrics) == "D 1.39 G 0.69 D(x) 0.51 D(G(z)) 0.49 acc 75%/100%"
