"""Exported generators: safetensors and ONNX files, hostile ones, and the commands that use them."""

import contextlib
import io
import json
import math
import os
import stat
import sys
from unittest import mock

import pytest
import torch
from safetensors.torch import load, save

from facegan_ref import cli, export
from facegan_ref.architectures import build_networks, show_in_tanh_range
from facegan_ref.checkpoint import CheckpointError, read_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.directions import Direction, Directions, generator_hash
from facegan_ref.evaluation import QualityMeasure
from facegan_ref.export import (
    FORMAT,
    export_generator,
    export_onnx,
    exported_facts,
    load_exported,
    training_facts,
)
from facegan_ref.latents import latents_of_seeds
from facegan_ref.pictures import image_grid, load_png
from facegan_ref.recipes import RECIPES
from facegan_ref.run import Run, load_generator
from facegan_ref.sampling import draw_latent, sample
from facegan_ref.training import Trainer

SMALL = {"ngf": 8, "ndf": 8}


def made(recipe, seed=0):
    """A generator of the recipe that shows what it is: statistics of its own, a filled range."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, _ = build_networks(recipe)
        with torch.no_grad():
            for _ in range(20):
                generator(torch.randn(32, recipe.z_dim))
            [p for p in generator.parameters() if p.ndim > 1][-1].mul_(20)
    return show_in_tanh_range(generator, recipe).eval()


@pytest.fixture(scope="module")
def trained(tiny_recipe, tiny_images, tmp_path_factory):
    """The folder of a run of 12 steps with an average of the weights and measured quality."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    faces = FaceArray(tiny_images, {"source": "toyfaces"})
    trainer = Trainer(tiny_recipe.override(ema_decay=0.9), faces, seed=3)
    run = Run(folder, trainer, measure=QualityMeasure(faces, 32), quality_images=32)
    run.start()
    run.train(quiet=True)
    return folder


@pytest.fixture
def exported(tiny_recipe, tmp_path):
    path = tmp_path / "g.safetensors"
    export_generator(made(tiny_recipe), tiny_recipe, path)
    return path


def facegan(*arguments, cwd):
    """Run the command here: exit status, stdout, stderr; a traceback ends the test."""
    out, err, here, status = io.StringIO(), io.StringIO(), os.getcwd(), 0
    os.chdir(cwd)
    try:
        with (
            mock.patch.object(sys, "argv", ["facegan", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                cli.main()
            except SystemExit as end:
                status = end.code
    finally:
        os.chdir(here)
    return status, out.getvalue(), err.getvalue()


# ---- weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_the_generator_of_each_recipe_comes_back(name, half, tmp_path):
    recipe = RECIPES[name].override(**SMALL)
    generator, path = made(recipe), tmp_path / "g.safetensors"
    rng = torch.get_rng_state()
    export_generator(generator, recipe, path, half=half)
    loaded, found = load_exported(path)
    assert torch.equal(rng, torch.get_rng_state())
    assert found == recipe and not any(m.training for m in loaded.modules())
    assert {v.dtype for v in loaded.parameters()} == {torch.float32}
    for n in (1, 7):
        z = draw_latent(recipe, n, torch.Generator().manual_seed(n))
        apart = (sample(loaded, z) - sample(generator, z)).abs().max().item()
        assert apart <= (0.02 if half else 0), apart
        assert sample(loaded, z).abs().max() <= 1


def test_only_the_generator_is_in_the_file(exported, tiny_recipe):
    generator = made(tiny_recipe)
    tensors = load(exported.read_bytes())
    assert set(tensors) == set(generator.state_dict())
    size = sum(v.numel() * v.element_size() for v in tensors.values())
    assert exported.stat().st_size < size + 8000
    assert stat.S_IMODE(exported.stat().st_mode) & 0o044, "others may read it"


def test_half_is_half_as_large_and_keeps_the_statistics(tiny_recipe, tmp_path):
    recipe = tiny_recipe.override(ngf=32)
    generator = made(recipe)
    with torch.no_grad():
        generator.net[1].running_var.fill_(1e-9)  # which float16 makes 0
    export_generator(generator, recipe, tmp_path / "full.safetensors")
    export_generator(generator, recipe, tmp_path / "half.safetensors", half=True)
    full, half = ((tmp_path / f"{n}.safetensors").stat().st_size for n in ("full", "half"))
    assert half < 0.55 * full
    loaded, _ = load_exported(tmp_path / "half.safetensors")
    assert torch.equal(loaded.net[1].running_var, generator.net[1].running_var)
    # Once rounded, nothing is lost any more: directions belong to the loaded generator.
    export_generator(loaded, recipe, tmp_path / "again.safetensors", half=True)
    assert generator_hash(load_exported(tmp_path / "again.safetensors")[0]) == generator_hash(
        loaded
    )


def test_a_generator_in_channels_last_memory_on_training_is_exported_as_it_is(
    tiny_recipe, tmp_path
):
    generator = made(tiny_recipe).to(memory_format=torch.channels_last).train()
    export_generator(generator, tiny_recipe, tmp_path / "g.safetensors")
    assert generator.training
    loaded, _ = load_exported(tmp_path / "g.safetensors")
    z = torch.randn(3, tiny_recipe.z_dim, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(loaded(z), sample(generator, z), atol=1e-6)


def test_a_generator_that_is_not_its_recipe_s_is_not_written(tiny_recipe, tmp_path):
    path = tmp_path / "g.safetensors"
    with pytest.raises(ValueError, match=r"the generator: net\.0\.weight has shape"):
        export_generator(made(tiny_recipe), tiny_recipe.override(ngf=5), path)
    broken = made(tiny_recipe)
    with torch.no_grad():
        broken.net[0].weight[0, 0] = math.inf
    with pytest.raises(ValueError, match=r"net\.0\.weight has values that are not finite$"):
        export_generator(broken, tiny_recipe, path)
    with torch.no_grad():
        broken.net[0].weight[0, 0] = 1e5
    with pytest.raises(ValueError, match=r"not finite; leave half away"):
        export_generator(broken, tiny_recipe, path, half=True)
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        export_generator(made(tiny_recipe), tiny_recipe, path, {"quality": math.nan})
    assert not list(tmp_path.iterdir())


def test_an_export_that_fails_leaves_the_one_before(exported, tiny_recipe, monkeypatch):
    before = exported.read_bytes()

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.os, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        export_generator(made(tiny_recipe, seed=1), tiny_recipe, exported)
    assert exported.read_bytes() == before and list(exported.parent.iterdir()) == [exported]


def changed(path, tensors=None, **metadata):
    """The file with other tensors or metadata; None takes an entry away."""
    found, now = export._read(path)[::-1]
    now = {k: v for k, v in (now | metadata).items() if v is not None}
    path.write_bytes(save(found if tensors is None else tensors(found), now))


def huge(**fields):
    return lambda recipe: json.dumps({**recipe.to_dict(), **fields})


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"ngf": 2_000_000}, "net.0.weight has shape"),  # a terabyte, if it were built
        ({"ngf": 10**30}, "no network can be built"),
        ({"image_size": 2**62}, "no network can be built|net.*has shape|lacks"),
        ({"image_size": 10**5000}, "no network can be built|recipe.* not readable|can't be used"),
        ({"image_size": 17}, "no network can be built"),
        ({"ngf": "64"}, "its recipe can't be used"),
        ({"ngf": 4.5}, "no network can be built|has shape"),
        ({"ngf": [4]}, "its recipe can't be used"),
        ({"model": "mlp"}, "lacks net.* and has"),
        ({"model": "other"}, "its recipe can't be used: model"),
        ({"surprise": 1}, "its recipe can't be used: not a recipe of this version"),
        ({"faults": None}, "its recipe can't be used"),
        ({"lr_g": math.nan}, "its recipe can't be used: lr_g is nan"),
    ],
)
def test_a_recipe_that_lies_is_refused_at_once(exported, tiny_recipe, fields, message):
    with contextlib.suppress(ValueError):  # of numbers with too many digits to write
        changed(exported, recipe=huge(**fields)(tiny_recipe))
        with pytest.raises(CheckpointError, match=message):
            load_exported(exported)


def test_metadata_of_other_kinds_are_refused(exported):
    whole = exported.read_bytes()
    for metadata, message in (
        ({"format": None}, f'format is None, expected "{FORMAT}": the file holds something else'),
        ({"format": "pt"}, "format is 'pt'"),
        ({"format": "facegan-generator-9"}, "another version of the package wrote it"),
        ({"recipe": None}, "its recipe's fields are not readable"),
        ({"recipe": "[" * 100_000}, "its recipe's fields are not readable"),
        ({"recipe": "[1]"}, "its recipe's fields are not readable"),
        ({"recipe": "{}"}, "its recipe can't be used"),
    ):
        exported.write_bytes(whole)
        changed(exported, **metadata)
        with pytest.raises(CheckpointError, match=message) as caught:
            load_exported(exported)
        assert str(exported) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda t: {k: v for k, v in t.items() if k != "net.1.bias"},
            "lacks net.1.bias: these are",
        ),
        (lambda t: t | {"net.99.weight": torch.ones(1)}, "has net.99.weight besides"),
        (lambda t: {}, r"lacks net\.0\.weight, .* and \d+ more"),
        (lambda t: t | {"net.1.bias": torch.ones(3)}, r"net\.1\.bias has shape \(3,\)"),
        (lambda t: t | {"net.1.bias": t["net.1.bias"] / 0}, "net.1.bias has values that are not"),
        (
            lambda t: t | {"net.1.bias": t["net.1.bias"].int()},
            "net.1.bias is torch.int32, expected",
        ),
        (
            lambda t: t | {"net.1.num_batches_tracked": torch.tensor(0.5)},
            "num_batches_tracked is torch.float32, expected torch.int64",
        ),
    ],
)
def test_tensors_that_are_not_the_recipe_s_are_refused(exported, change, message):
    changed(exported, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_exported(exported)
    assert str(caught.value).startswith(str(exported))


def test_damaged_and_foreign_files_are_refused(exported, tmp_path):
    whole = exported.read_bytes()
    cases = {
        "empty": b"",
        "short": whole[: len(whole) // 2],
        "longer": whole + b"\0",
        "header": (2**40).to_bytes(8, "little") + whole[8:],
        "text": b"not a generator at all, but a longer text",
        "zip": b"PK\x03\x04" + bytes(200),
        "places": whole.replace(b'"data_offsets":[0,', b'"data_offsets":[9,'),
    }
    for name, content in cases.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=f"{name}.safetensors: not a readable"):
            load_exported(path)
    with pytest.raises(FileNotFoundError, match="no such exported generator"):
        load_exported(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="no such exported generator"):
        load_exported(tmp_path)  # a folder
    (tmp_path / "pickle.safetensors").symlink_to(tmp_path / "code.pt")
    torch.save({"a": torch.ones(2)}, tmp_path / "code.pt")
    with pytest.raises(CheckpointError, match="not a readable"):
        load_exported(tmp_path / "pickle.safetensors")


def test_a_package_without_its_generator_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("facegan_ref.run.SHIPPED", tmp_path / "generator.safetensors")
    monkeypatch.setattr(export, "SHIPPED", tmp_path / "generator.safetensors")
    status, out, err = facegan("sample", cwd=tmp_path)
    assert status == 2 and out == "" and err.count("\n") == 1
    assert "this copy of the package comes without its trained generator" in err


# ---- facts ------------------------------------------------------------------------------------


def test_facts_are_those_of_the_run_and_travel_with_the_weights(trained, tmp_path):
    facts = training_facts(trained)
    state = read_checkpoint(trained / "last.pt")
    assert facts["steps"] == state["step"] == 12 and facts["images"] == 35 and facts["seed"] == 3
    assert facts["data"] == state["data"] and facts["averaged"] is True
    assert facts["quality"] == state["best"] and "torch" in facts["package"]
    assert training_facts(trained / "last.pt") == facts
    path = tmp_path / "g.safetensors"
    export_generator(*load_generator(trained), path, facts)
    assert exported_facts(path) == training_facts(path) == facts
    for text in ('{"steps": "many"}', "[]", "{", json.dumps(facts | {"quality": {"step": 1}})):
        changed(path, facts=text)
        with pytest.raises(CheckpointError, match="its facts are not"):
            exported_facts(path)
    changed(path, facts=None)
    assert exported_facts(path) == {}


def test_the_average_of_the_weights_is_what_is_exported(trained, tmp_path):
    path = tmp_path / "g.safetensors"
    assert facegan("export", "weights", trained, "--out", path, cwd=tmp_path)[0] == 0
    state = read_checkpoint(trained / "last.pt")
    tensors = load(path.read_bytes())
    weights = {k: v for k, v in state["ema"].items() if k.endswith(("weight", "bias"))}
    assert weights and all(torch.equal(tensors[k], v) for k, v in weights.items())
    assert not torch.equal(tensors["net.0.weight"], state["generator"]["net.0.weight"])


# ---- ONNX -------------------------------------------------------------------------------------


def onnxruntime():
    pytest.importorskip("onnx", reason="extra [export] is not installed")
    return pytest.importorskip("onnxruntime", reason="extra [export] is not installed")


@pytest.mark.parametrize("name", RECIPES)
def test_onnx_gives_the_same_images_for_any_number_of_latents(name, tmp_path):
    runtime = onnxruntime()
    recipe = RECIPES[name].override(**SMALL)
    generator, path = made(recipe), tmp_path / "made" / "g.onnx"
    generator.train()
    rng = torch.get_rng_state()
    difference = export_onnx(generator, recipe, path)
    assert difference <= 1e-5 and generator.training
    assert torch.equal(rng, torch.get_rng_state())
    assert list(path.parent.iterdir()) == [path]  # one file
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (z_in,), (images_out,) = session.get_inputs(), session.get_outputs()
    assert (z_in.name, images_out.name) == ("z", "images")
    assert json.loads(session.get_modelmeta().custom_metadata_map["recipe"]) == recipe.to_dict()
    for n in (1, 2, 5, 64):
        z = draw_latent(recipe, n, torch.Generator().manual_seed(n))
        (images,) = session.run(None, {"z": z.numpy()})
        expected = sample(generator, z)
        assert images.shape == expected.shape
        assert (torch.from_numpy(images) - expected).abs().max() <= 1e-5
        assert expected.std() > 0.02  # there is something to compare


def test_a_graph_that_differs_is_not_written(tiny_recipe, tmp_path, monkeypatch):
    onnxruntime()
    calls = []

    def other(network, z):
        calls.append(len(z))
        return sample(network, z) + (2e-5 if len(z) > 1 else 0)

    monkeypatch.setattr(export, "sample", other)
    with pytest.raises(
        ValueError, match="differ from the model's by 2e-05, expected at most 1e-05"
    ):
        export_onnx(made(tiny_recipe), tiny_recipe, tmp_path / "g.onnx")
    assert len(set(calls)) > 1 and not list(tmp_path.iterdir())


def test_onnx_without_its_extra_says_what_to_install(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"needs onnx: pip install 'facegan-course\[export\]'"):
        export_onnx(made(tiny_recipe), tiny_recipe, tmp_path / "g.onnx")


# ---- the commands -----------------------------------------------------------------------------


def test_an_exported_generator_stands_for_its_run(trained, tmp_path):
    status, out, err = facegan("export", "weights", trained, "--out", "g.safetensors", cwd=tmp_path)
    assert status == 0, err
    assert out.startswith("g.safetensors: ") and "recipe tiny" in out
    for name, command in {
        "sample": ("sample", "--n", 4),
        "morph": ("morph", "--frames", 4),
        "grid": ("grid", "--side", 3),
        "compare": ("compare", "--n", 3, "--images", 35),
    }.items():
        both = []
        for run in (trained, tmp_path / "g.safetensors"):
            arguments = (command[0], run, *command[1:], "--out", f"{name}.png")
            status, out, err = facegan(*arguments, cwd=tmp_path)
            assert status == 0, err
            both.append((out, load_png(tmp_path / f"{name}.png")))
        assert both[0][0] == both[1][0] and (both[0][1] == both[1][1]).all()
    reports = [
        facegan("evaluate", run, "--images", 35, "--n", 35, cwd=tmp_path)
        for run in (trained, "g.safetensors")
    ]
    assert reports[0] == reports[1] and reports[0][0] == 0


@pytest.fixture
def shipped(trained, tmp_path, monkeypatch):
    """As if the package came with this run's generator and its directions."""
    path = tmp_path / "package" / "generator.safetensors"
    export_generator(*load_generator(trained), path, training_facts(trained))
    for module in ("export", "run"):
        monkeypatch.setattr(f"facegan_ref.{module}.SHIPPED", path)
    monkeypatch.setattr(export, "SHIPPED_DIRECTIONS", path.with_name("directions.json"))
    return path


def test_without_a_run_the_package_s_own_generator_makes_the_faces(shipped, tmp_path):
    generator, recipe = load_generator()
    out = tmp_path / "faces.png"
    status, text, err = facegan("sample", "--n", 3, "--scale", 1, "--out", out, cwd=tmp_path)
    assert status == 0, err
    assert "the package's own generator" in text and "non-commercial research only" in text
    faces = sample(generator, latents_of_seeds(recipe, range(3)))
    assert (load_png(out) == image_grid(faces, 8)).all()
    for arguments in (
        ("morph", "--frames", 3, "--out", "morph.gif"),
        ("grid", "--side", 2),
        ("invert", out, "--steps", 2, "--restarts", 1),  # one name alone is the picture
        ("export", "onnx"),
    ):
        if arguments[0] == "export":
            onnxruntime()
        status, text, err = facegan(*arguments, cwd=tmp_path)
        assert status == 0, err
        assert text.startswith("No RUN is given") and text.count("\n") == 2
    status, text, err = facegan("invert", shipped, out, "--steps", 2, "--restarts", 1, cwd=tmp_path)
    assert status == 0 and text.count("\n") == 1, err
    assert facegan("invert", cwd=tmp_path)[0] == 2


def test_drawn_faces_are_no_measure_of_the_package_s_own_generator(shipped, tmp_path):
    for command in ("evaluate", "compare", "directions"):
        status, out, err = facegan(command, cwd=tmp_path)
        assert status == 2 and out == "" and err.count("\n") == 1 and "give --data" in err


def test_directions_of_the_package_s_own_generator_are_found(shipped, tmp_path):
    own, there = shipped.with_name("directions.json"), tmp_path / "directions.json"
    generator, recipe = load_generator()
    vector = Direction([1.0, *[0.0] * (recipe.z_dim - 1)], 0.9, 0.5, 0.5, {"Smiling": (0.1, 0.9)})
    Directions(generator_hash(generator), 3.0, {"Smiling": vector}, {}).save(there)
    strip = ("strip", "--attribute", "Smiling", "--seeds", "0,1", "--steps", 3)
    status, out, err = facegan(*strip, cwd=tmp_path)  # what `facegan directions` writes by itself
    assert status == 0, err
    there.rename(own)
    assert facegan(*strip, cwd=tmp_path) == (status, out, err)
    status, _, err = facegan("strip", shipped, *strip[1:], cwd=tmp_path)
    assert status == 2 and "facegan: directions.json: no such file" in err


def test_weights_are_written_under_their_own_suffix_only(trained, tmp_path):
    status, _, err = facegan("export", "weights", trained, "--out", "g.pt", cwd=tmp_path)
    assert status == 2 and "expected a name that ends in .safetensors" in err
    status, _, err = facegan("export", "weights", tmp_path, cwd=tmp_path)
    assert status == 2 and "last.pt: no such checkpoint" in err
    (tmp_path / "g.safetensors").mkdir()
    status, _, err = facegan("export", "weights", trained, "--out", "g.safetensors", cwd=tmp_path)
    assert status == 2 and "is a folder" in err


def test_onnx_is_written_by_the_command(trained, tmp_path):
    onnxruntime()
    status, out, err = facegan("export", "onnx", trained, "--out", "made/g.onnx", cwd=tmp_path)
    assert status == 0, err
    assert out.startswith("made/g.onnx: z (N, 8) normal to images (N, 3, 16, 16)")
    assert (tmp_path / "made" / "g.onnx").stat().st_size > 1000
