"""The `facegan` command as people use it; in a process of its own where that matters."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from unittest import mock

import numpy as np
import pytest
import torch

from facegan_ref import cli
from facegan_ref.checkpoint import read_checkpoint
from facegan_ref.pictures import load_png

DATA = ("--images", 35, "--device", "cpu")
SIZES = ("--image-size", 16, "--z-dim", 8, "--ngf", 4, "--ndf", 4)
TINY = (*DATA, *SIZES, "--batch-size", 8, "--epochs", 3, "--seed", 4, "--quality-images", 0)


def facegan(*arguments, cwd):
    """Run the command here. An error that would end in a traceback ends the test."""
    argv = ["facegan", *map(str, arguments)]
    out, err, here = io.StringIO(), io.StringIO(), os.getcwd()
    status = 0
    os.chdir(cwd)
    try:
        with (
            mock.patch.object(sys, "argv", argv),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            cli.main()
    except SystemExit as end:
        status = end.code
    finally:
        os.chdir(here)
    return subprocess.CompletedProcess(argv, status, out.getvalue(), err.getvalue())


def facegan_process(*arguments, cwd, program="from facegan_ref.cli import main; main()"):
    """Run the command, or another program, in a new process."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


def assert_one_line(result, *phrases, status=2):
    """Exit status and exactly one line on stderr: no traceback, no warning."""
    assert result.returncode == status, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for phrase in phrases:
        assert phrase in lines[0]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A finished tiny run, trained in a process of its own."""
    folder = tmp_path_factory.mktemp("cli")
    result = facegan_process("train", *TINY, "--out", "runs/tiny", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "96 images in" in result.stdout and "on cpu; grids, curves" in result.stdout
    return folder / "runs" / "tiny"


def weights(folder):
    return read_checkpoint(folder / "last.pt")["generator"]


def test_train_writes_a_run(run_folder):
    assert len((run_folder / "metrics.jsonl").read_text().splitlines()) == 12
    recipe = json.loads((run_folder / "recipe.json").read_text())
    assert (recipe["name"], recipe["ngf"], recipe["epochs"]) == ("quick", 4, 3)
    for name in ("curves.png", "progress.gif", "samples/epoch_003.png", "last.pt"):
        assert (run_folder / name).stat().st_size > 500


# The command with checkpoints every three steps, whose process dies when it wants the data of the
# step that its last argument names: nothing is closed or tidied up.
KILLED = """
import os, sys
from facegan_ref import cli, run, training
kill_at = int(sys.argv.pop())
sys.argv += ["--checkpoint-every", "3"]
inputs = training.Trainer.inputs
training.Trainer.inputs = lambda trainer, step: (
    os._exit(9) if step == kill_at else inputs(trainer, step)
)
cli.main()
"""


def test_a_killed_run_goes_on_in_a_new_process_as_if_nothing_had_been(run_folder, tmp_path):
    killed = facegan_process("train", *TINY, "--out", "tiny", 7, cwd=tmp_path, program=KILLED)
    assert killed.returncode == 9, killed.stderr
    folder = tmp_path / "tiny"
    assert read_checkpoint(folder / "last.pt")["step"] == 6  # epochs have four steps
    with open(folder / "metrics.jsonl", "a") as log:  # what a later kill would have left
        log.write('{"step": 99}\n{"ste')
    result = facegan_process(
        "train", "--resume", "tiny", *DATA, "--quality-images", 0, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    for name in ("metrics.jsonl", "recipe.json", "curves.png", "progress.gif"):
        assert (folder / name).read_bytes() == (run_folder / name).read_bytes(), name
    for preview in (run_folder / "samples").iterdir():
        assert (folder / "samples" / preview.name).read_bytes() == preview.read_bytes()
    mine, straight = (read_checkpoint(f / "last.pt") for f in (folder, run_folder))
    assert torch.equal(mine["fixed_z"], straight["fixed_z"])
    for network in ("generator", "discriminator"):
        for key, value in straight[network].items():
            assert torch.equal(mine[network][key], value), key


def test_list_names_recipes_and_their_faults(tmp_path):
    result = facegan("train", "--list", cwd=tmp_path)
    assert result.returncode == 0 and not list(tmp_path.iterdir())
    assert "quick" in result.stdout and "laptop-mps" in result.stdout
    assert "known fault of the original: keeps no checkpoint" in result.stdout


def test_sample_draws_the_same_faces_for_the_same_seed(run_folder, tmp_path):
    grids = []
    for name, seed, source in (
        ("a.png", 3, run_folder),
        ("b.png", 3, run_folder / "last.pt"),
        ("c.png", 5, run_folder),
    ):
        command = ("sample", source, "--n", 6, "--columns", 3, "--seed", seed, "--out", name)
        result = facegan(*command, cwd=tmp_path)
        assert result.returncode == 0 and f"{name}: 6 faces of 16×16" in result.stdout
        grids.append(load_png(tmp_path / name))
    assert grids[0].shape == (2 * 34, 2 * 52, 3)
    assert np.array_equal(grids[0], grids[1]) and not np.array_equal(grids[0], grids[2])


def test_sampling_needs_no_more_memory_for_more_faces(run_folder, tmp_path):
    few = facegan("sample", run_folder, "--n", 2, "--scale", 1, "--out", "few.png", cwd=tmp_path)
    many = facegan("sample", run_folder, "--n", 300, "--scale", 1, "--out", "m.png", cwd=tmp_path)
    assert few.returncode == many.returncode == 0
    few, many = load_png(tmp_path / "few.png"), load_png(tmp_path / "m.png")
    assert many.shape == (38 * 18 - 2, 8 * 18 - 2, 3)
    assert np.abs(few[:16, :34].astype(int) - many[:16, :34]).max() <= 1  # batches of 2 and 256


def test_a_resume_takes_as_many_drawn_faces_as_the_run_had(run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "copy")
    again = ("train", "--resume", "copy", "--epochs", 4, "--device", "cpu", "--quality-images", 0)
    result = facegan(*again, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert read_checkpoint(tmp_path / "copy" / "last.pt")["step"] == 16
    for wish, phrase in ((("--seed", 7), "has seed 4"), (("--recipe", "course"), "run of quick")):
        assert_one_line(facegan("train", "--resume", "copy", *wish, cwd=tmp_path), phrase)
    assert_one_line(
        facegan("train", "--resume", "copy", "--epochs", 2, cwd=tmp_path), "has done 16 steps"
    )


def test_a_resume_may_go_on_longer_but_not_change_the_networks(run_folder, tmp_path):
    assert_one_line(
        facegan("train", "--resume", run_folder, *DATA, "--ngf", 8, cwd=tmp_path),
        "ngf can't be changed",
        "epochs, lr_d, lr_g, precision",
    )
    assert_one_line(
        facegan("train", "--resume", run_folder, *DATA, "--out", "x", cwd=tmp_path),
        "leave --out away",
    )
    assert_one_line(
        facegan("train", "--resume", run_folder, "--images", 30, cwd=tmp_path),
        "trained on 35 images",
    )


def test_a_diverging_run_says_so_in_one_line(tmp_path):
    result = facegan("train", *TINY, "--lr-g", 1e38, "--out", "bad", cwd=tmp_path)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert "lower lr_g" in last and "--resume bad" in last
    state = read_checkpoint(tmp_path / "bad" / "last.pt")
    assert all(v.isfinite().all() for v in state["generator"].values())
    better = ("--lr-g", 1e-4, "--lr-d", 1e-4, "--epochs", 1)
    result = facegan("train", "--resume", "bad", *DATA, *better, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_memory_that_is_too_small_is_said_in_one_line(tmp_path):
    result = facegan("train", *TINY, "--z-dim", 10**12, cwd=tmp_path)
    assert_one_line(result, "memory of cpu is not enough", "z_dim 1000000000000", status=1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Files that are none of what the commands want."""
    folder = tmp_path_factory.mktemp("sources")
    with zipfile.ZipFile(folder / "celeba.zip", "w") as archive:
        archive.writestr("img_align_celeba/000001.jpg", b"x")
    (folder / "page.npy").write_text("<html>quota</html>")
    np.save(folder / "small.npy", np.zeros((9, 8, 8, 3), np.uint8))
    manifest = {"format": "facegan-faces-1", "shape": [9, 8, 8, 3]}
    (folder / "small.json").write_text(json.dumps(manifest))
    (folder / "foreign.pt").write_bytes(b"not a checkpoint")
    torch.save({"weight": torch.zeros(1)}, folder / "other.pt")
    return folder


@pytest.mark.parametrize(
    "arguments, phrases",
    [
        ("train --data none.npy", ("none.npy: no such file", "python -m data_prep")),
        ("train --data celeba.zip", ("celeba.zip: not a complete .npy array", "data_prep")),
        ("train --data page.npy", ("page.npy: not a complete .npy array",)),
        ("train --data small.npy", ("8 pixels wide", "--image-size 8")),
        ("train --data small.npy --image-size 8", ("9 images do not fill a batch of 64",)),
        ("train --recipe dcgna", ("no recipe 'dcgna'", "quick, mlp-goodfellow")),
        ("train --image-size 48 --images 64", ("image_size is 48", "power of two")),
        ("train --ngf 0", ("ngf is 0",)),
        ("train --lr-g inf", ("lr_g is inf, expected a finite number",)),
        ("train --model mlp --image-size 5", ("image_size is 5, expected at least 8",)),
        ("train --quality-images 8", ("--quality-images is 8, expected 0 (none) or 16",)),
        ("train --images 64 --out celeba.zip", ("celeba.zip: is a file, expected a folder",)),
        ("train --out . --images 64", ("--out is empty",)),
        ("train --loss hinge --smoothing 0.1", ("loss hinge has no labels to smooth",)),
        ("train --augment flip", ("'flip' is not known; there are color",)),
        ("train --capture --images 64 --device cpu", ("only steps on a CUDA device",)),
        ("train --device gpu --images 64", ("no device is called 'gpu'",)),
        ("train --resume nowhere", ("last.pt: no such checkpoint",)),
        ("sample nowhere", ("nowhere: no such checkpoint",)),
        ("sample foreign.pt", ("foreign.pt: not a readable checkpoint",)),
        ("sample other.pt", ("other.pt: format is None",)),
    ],
)
def test_mistakes_end_in_one_line(sources, arguments, phrases):
    before = sorted(sources.iterdir())
    assert_one_line(facegan(*arguments.split(), cwd=sources), *phrases)
    assert sorted(sources.iterdir()) == before


def test_a_mistake_ends_in_one_line_in_a_process_too(sources):
    """Where warnings of libraries, and whatever imports print, would show."""
    result = facegan_process("train", "--data", "celeba.zip", cwd=sources)
    assert_one_line(result, "celeba.zip: not a complete .npy array")
    assert result.stdout == ""


def test_an_existing_run_is_kept(run_folder):
    before = (run_folder / "last.pt").read_bytes()
    result = facegan("train", *TINY, "--out", run_folder, cwd=run_folder)
    assert_one_line(result, "already holds a run", "--resume")
    assert (run_folder / "last.pt").read_bytes() == before


def test_a_place_that_can_not_be_written_to_ends_in_one_line(run_folder):
    result = facegan("sample", run_folder, "--n", 1, "--out", "last.pt/faces.png", cwd=run_folder)
    assert_one_line(result, "last.pt")


def test_wrong_options_show_the_usage(tmp_path):
    for arguments in (("train", "--epoch", 3), ("train", "--seed", -1), ("card",), ("trian",)):
        result = facegan(*arguments, cwd=tmp_path)
        assert result.returncode == 2 and result.stderr.startswith("Usage: ")
        assert "Traceback" not in result.stderr
