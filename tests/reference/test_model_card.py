"""Model cards: every number is in a file of the run; what is not there is said to be missing."""

import json
import re
from dataclasses import asdict

import pytest
import torch
from test_export import facegan

from facegan_ref.attributes import toy_attributes
from facegan_ref.bias import Share, attribute_shares
from facegan_ref.checkpoint import CheckpointError
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import ToyFaces, render, sample_factors
from facegan_ref.evaluation import QualityMeasure, evaluate
from facegan_ref.export import export_generator, training_facts
from facegan_ref.model_card import MISSING, as_markdown, missing, model_card
from facegan_ref.run import Run, load_generator
from facegan_ref.training import Trainer

SECTIONS = [
    "Data and its terms",
    "Recipe",
    "Training",
    "Quality",
    "Known failures",
    "Bias",
    "Intended use",
    "Misuse",
    "Licence and citation",
]


def trained(folder, recipe, faces, measured=True):
    measure = QualityMeasure(faces, 32) if measured else None
    trainer = Trainer(recipe.override(ema_decay=0.9), faces, seed=3)
    run = Run(folder, trainer, measure=measure, quality_images=32)
    run.start()
    run.train(quiet=True)
    return folder


@pytest.fixture(scope="module")
def toys(tiny_images):
    return FaceArray(tiny_images, {"source": "toyfaces"})


@pytest.fixture(scope="module")
def run(tiny_recipe, toys, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("card") / "run", tiny_recipe, toys)


@pytest.fixture(scope="module")
def report(run, toys):
    return evaluate(*load_generator(run), toys, n=35).to_dict()


def test_a_run_s_card_has_all_sections_and_its_own_numbers(run, toys):
    card = model_card(run)
    assert list(card) == SECTIONS and all(card.values())
    rows = [json.loads(line) for line in (run / "quality.jsonl").read_text().splitlines()]
    best = min(rows, key=lambda row: row["quality"])
    assert f"{rows[-1]['quality']:.4g} for this model" in card["Quality"]
    assert f"{best['quality']:.4g} at step {best['step']}" in card["Quality"]
    assert "against 32 real images" in card["Quality"]
    assert card["Data and its terms"].startswith(
        f"35 images: toyfaces, 16×16, 35 in all, {toys.fingerprint}"
    )
    assert "show no person" in card["Data and its terms"]
    assert "CelebA is for" not in card["Data and its terms"]
    assert "12 steps on 35 images, seed 3; the model is the average" in card["Training"]
    for row in ("| name | tiny |", "| image_size | 16 |", "| ema_decay | 0.9 |"):
        assert row in card["Recipe"].replace("\\", "")
    assert missing(card) == ["Quality", "Known failures", "Bias"]


def test_nothing_is_invented_where_nothing_was_measured(tiny_recipe, toys, tmp_path):
    card = model_card(trained(tmp_path / "run", tiny_recipe, toys, measured=False))
    assert missing(card) == ["Data and its terms", "Quality", "Known failures", "Bias"]
    assert card["Quality"].count(MISSING) == 2
    assert not re.search(r"\d", card["Quality"] + card["Bias"] + card["Intended use"])
    # Whose faces these are is not known: the strictest terms are named.
    assert "non-commercial" in card["Data and its terms"]
    assert "consent" in card["Data and its terms"]


def test_reports_shares_and_failures_are_taken_over(run, report, toys):
    shares = [
        Share("glasses: with", 0.5, 0.125, 0.01),
        *(Share(f"attribute {i}", 0.25, 0.25 + i / 1000, 0.02) for i in range(20)),
    ]
    card = model_card(run, report, shares, "Seed 7 has three eyes.", toys)
    assert missing(card) == []
    assert f"| Fréchet distance | {report['frechet']:.4g} |" in card["Quality"]
    assert f"| recall | {report['recall']:.3f} |" in card["Quality"]
    assert report["protocol"] in re.sub(r"\\(.)", r"\1", card["Quality"])
    assert f"{1 - report['recall']:.0%} of the kinds" in card["Known failures"]
    assert card["Known failures"].endswith("Seed 7 has three eyes.")
    assert "Of 21 attributes, 1 occur" in card["Bias"]
    lines = [line for line in card["Bias"].splitlines() if line.startswith("|")]
    assert lines[2] == "| glasses: with | 50.0% | 12.5% | -37.5% |" and len(lines) == 2 + 12


@pytest.mark.parametrize("kind", ["celeba", "unknown"])
def test_the_terms_are_those_of_the_data(tiny_recipe, tiny_images, tmp_path, kind):
    source = {"source": "img_align_celeba.zip"} if kind == "celeba" else {"source": "mine.zip"}
    faces = FaceArray(tiny_images, source | {"kind": "faces", "crop": "middle"})
    terms = model_card(trained(tmp_path / "run", tiny_recipe, faces))["Data and its terms"]
    assert f"{source['source'].split('_')[0]}" in terms and "non-commercial" in terms
    assert ("terms are not recorded" in terms) == (kind == "unknown")
    known = model_card(tmp_path / "run", faces=faces)["Data and its terms"]
    assert known.startswith("35 images: faces ")


def test_an_exported_generator_has_the_card_of_its_checkpoint(run, tmp_path):
    path = tmp_path / "g.safetensors"
    for checkpoint in (run, run / "best.pt"):
        export_generator(*load_generator(checkpoint), path, training_facts(checkpoint))
        card, own = model_card(path), model_card(checkpoint)
        assert missing(card) == missing(own)
        same = set(SECTIONS) - {"Quality"}  # of which a file keeps the best row alone
        assert {name: card[name] for name in same} == {name: own[name] for name in same}
        best = training_facts(checkpoint)["quality"]
        assert f"{best['quality']:.4g} at step {best['step']}" in card["Quality"]
    export_generator(*load_generator(run), path)
    card = model_card(path)
    for name in ("Data and its terms", "Training", "Quality"):
        assert card[name].startswith(MISSING)


def test_a_checkpoint_s_card_knows_nothing_of_later_steps(run):
    (earlier, *_) = sorted((run / "checkpoints").glob("*.pt"))
    card = model_card(earlier)
    steps = training_facts(earlier)["steps"]
    rows = [json.loads(line) for line in (run / "quality.jsonl").read_text().splitlines()]
    known = [row for row in rows if row["step"] <= steps]
    assert len(known) < len(rows) and f"the best of {len(known)} measured" in card["Quality"]


def test_other_data_and_broken_files_are_refused(run, tmp_path, tiny_recipe, toys):
    other = FaceArray(ToyFaces(35, 16, seed=1).images)
    with pytest.raises(ValueError, match="they are not the data of this model"):
        model_card(run, faces=other)
    for report in ({}, [], {"protocol": 3}, {"precision": "high"}):
        with pytest.raises(ValueError, match="was not written by `facegan evaluate"):
            model_card(run, report)
    with pytest.raises(FileNotFoundError):
        model_card(tmp_path)
    broken = trained(tmp_path / "run", tiny_recipe, toys)
    with open(broken / "quality.jsonl", "a") as log:
        log.write('{"step": 12}\n')
    with pytest.raises(ValueError, match=r"quality\.jsonl: line 4 is not a row"):
        model_card(broken)
    (tmp_path / "g.safetensors").write_bytes(b"no generator")
    with pytest.raises(CheckpointError):
        model_card(tmp_path / "g.safetensors")


def test_a_recipe_s_texts_can_not_write_into_the_card(run, tmp_path):
    generator, recipe = load_generator(run)
    evil = recipe.override(name="a | b\n## Misuse\n<script>x</script>\x1b[31m", source="[x](y)")
    export_generator(generator, evil, tmp_path / "g.safetensors", training_facts(run))
    text = as_markdown(model_card(tmp_path / "g.safetensors"))
    assert text.count("\n## ") == len(SECTIONS) and "\x1b" not in text
    assert "<script>" not in text.replace("\\<script\\>", "") and "[x](y)" not in text
    assert "| name | a \\| b \\#\\# Misuse" in text


def test_the_command_writes_the_card_and_says_what_is_missing(run, report, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(report))
    status, out, err = facegan("card", run, cwd=tmp_path)
    assert status == 0, err
    assert out == "MODEL_CARD.md: something is missing under Quality, Known failures, Bias\n"
    assert (tmp_path / "MODEL_CARD.md").read_text() == as_markdown(model_card(run))
    arguments = ("--report", "report.json", "--bias", "--failures", "Seed 7.", "--title", "Ours")
    status, out, err = facegan("card", run, *arguments, "--out", "made/card.md", cwd=tmp_path)
    assert (status, out) == (0, "made/card.md: nothing is missing\n"), err
    text = (tmp_path / "made" / "card.md").read_text()
    assert text.startswith("# Ours\n") and "Seed 7." in text and "Of 40 attributes" in text
    for options, message in (
        (("--report", "none.json"), "none.json"),
        (("--report", run / "metrics.jsonl"), "not readable as JSON"),
        (("--report", run / "recipe.json"), "was not written by `facegan evaluate"),
        (("--data", "none.npy"), "none.npy: no such file"),
    ):
        status, out, err = facegan("card", run, *options, cwd=tmp_path)
        assert status == 2 and out == "" and err.count("\n") == 1 and message in err
    export_generator(*load_generator(run), tmp_path / "g.safetensors")
    status, _, err = facegan("card", "g.safetensors", "--bias", cwd=tmp_path)
    assert status == 2 and "does not say what it was trained on: give --data" in err


# ---- bias -------------------------------------------------------------------------------------


class Draws(torch.nn.Module):
    """A generator of embedded faces, all of them with glasses and half of them bald."""

    def forward(self, z):
        factors = sample_factors(len(z), seed=5)
        factors["glasses"] = torch.ones_like(factors["glasses"])
        return FaceArray(render(factors, 32)).batch(torch.arange(len(z)))


def test_what_a_generator_makes_too_often_is_measured(tiny_recipe):
    recipe = tiny_recipe.override(image_size=32)
    faces = FaceArray(ToyFaces(600, 32, seed=0).images, {"source": "toyfaces"})
    shares = {s.name: s for s in attribute_shares(Draws(), recipe, faces, n=512)}
    assert len(shares) == 40
    glasses = shares["glasses: with"]
    assert glasses.data == pytest.approx(0.5, abs=0.1) and glasses.generated > 0.9
    assert 0.005 < glasses.error < 0.05
    assert glasses.generated - glasses.data > 10 * glasses.error
    beard = shares["beard: with"]
    assert abs(beard.generated - beard.data) < 4 * beard.error
    for factor in ("skin", "eyes"):
        parts = [asdict(s)["data"] for name, s in shares.items() if name.startswith(factor + ":")]
        assert sum(parts) == pytest.approx(1)
    assert attribute_shares(Draws(), recipe, faces, n=512) == list(shares.values())


def test_labelled_faces_are_judged_by_a_classifier_of_their_labels(tiny_recipe):
    recipe = tiny_recipe.override(image_size=32)
    toys = ToyFaces(900, 32, seed=0)
    labels = toy_attributes(toys.labels)
    faces = FaceArray(toys.images, {"source": "labelled"}, labels)
    shares = {s.name: s for s in attribute_shares(Draws(), recipe, faces, n=256)}
    assert set(shares) <= set(labels.names)
    assert shares["glasses"].generated > 0.85 and abs(shares["glasses"].data - 0.5) < 0.1


def test_faces_without_attributes_have_no_bias_to_measure(run, tiny_recipe, tiny_images):
    generator, recipe = load_generator(run)
    with pytest.raises(ValueError, match="these faces have none"):
        attribute_shares(generator, recipe, FaceArray(tiny_images))
    with pytest.raises(ValueError, match="32 pixels wide, the generator's 16"):
        attribute_shares(generator, recipe, FaceArray(ToyFaces(20, 32).images))
