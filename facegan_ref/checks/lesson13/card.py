"""Checks of task 13.3: model_card."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from facegan_ref.checks.engine import Lesson, Probe, fail, require_type
from facegan_ref.model_card import SECTIONS
from facegan_ref.recipes import RECIPES, Recipe

DATA, RECIPE, TRAINING, QUALITY, FAILURES, BIAS, INTENDED, MISUSE, LICENCE = SECTIONS
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,_'\u202f\u00a0]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
FIELDS = ("name", "image_size", "z_dim", "batch_size", "epochs", "loss", "lr_g", "lr_d")
FEWEST_WORDS = 8
TOYS = "toyfaces, 32×32, 2,000 in all, 0123456789abcdef"
CELEBA = "img_align_celeba.zip, aligned, antialiased, 64×64, 202,599 in all, fedcba9876543210"


@dataclass
class Story:
    """What the files of a run say."""

    recipe: Recipe
    steps: int
    rows: list[dict]

    @property
    def best(self) -> dict:
        return min(self.rows, key=lambda row: row["quality"])


def protocol(data: str) -> str:
    return (
        f"KID × 1000, unbiased, kernel (x·y/336 + 1)³, against 500 real images ({data}, chosen by "
        "seed 0); features offline"
    )


def new_story(probe: Probe, data: str = TOYS, measured: bool = True) -> Story:
    """A run that was stopped before its recipe's end; its best epoch is not its last."""
    recipe = RECIPES["course"].override(
        name=f"mine-{probe.integer(10, 99)}",
        image_size=32,
        z_dim=probe.integer(40, 90),
        epochs=probe.integer(60, 90),
        lr_g=probe.integer(11, 99) / 1e5,
    )
    per_epoch = probe.integer(101, 350)
    values = [9000 + probe.integer(0, 900), 700, 103, 411]
    rows = [
        {
            "step": per_epoch * (number + 1),
            "quality": value + probe.integer(1, 899) / 1000,
            "protocol": protocol(data),
        }
        for number, value in enumerate(values)
    ]
    return Story(recipe, per_epoch * len(values) + probe.integer(1, 99), rows if measured else [])


@contextmanager
def folder_of(story: Story, quality_file: bool = True) -> Iterator[Path]:
    """A folder with the files that `Run` writes."""
    with tempfile.TemporaryDirectory(prefix="facegan-check-") as name:
        run = Path(name)
        (run / "recipe.json").write_text(
            json.dumps(story.recipe.to_dict(), indent=1) + "\n", encoding="utf-8"
        )
        # Some steps are enough: a log that is long takes time to read.
        first = max(1, story.steps - 30)
        lines = [
            {"step": step, "loss_d": 1.25, "loss_g": 0.875 + step / 10**6, "d_real": 0.5}
            for step in range(first, story.steps + 1)
        ]
        for file, rows in (("metrics", lines), ("quality", story.rows)):
            if file == "metrics" or quality_file:
                text = "".join(json.dumps(row) + "\n" for row in rows)
                (run / f"{file}.jsonl").write_text(text, encoding="utf-8")
        yield run


def numbers_in(text: str) -> list[float]:
    """The numbers in a text, with or without separators of thousands."""
    return [float(re.sub(r"[^\d.eE+-]", "", found)) for found in NUMBER.findall(text)]


def has(text: str, value: float, share: float = 0.005) -> bool:
    """Whether a number in the text is this one, but for rounding."""
    return any(abs(found - value) <= share * abs(value) for found in numbers_in(text))


def says_missing(text: str) -> bool:
    return "missing" in text.lower()


def card_of(model_card: Callable, run: Path, **given: str) -> dict[str, str]:
    """The student's card of a run; the check fails when it is none."""
    card = require_type(
        model_card(run, **given),
        dict,
        "a dict from model_card(run)",
        "return {title: text, …}, section by section",
    )
    lacking = [name for name in SECTIONS if name not in card]
    if lacking:
        fail(
            f"the sections {', '.join(SECTIONS)}",
            f"keys {', '.join(map(str, card))}"[:400],
            f"{lacking[0]!r} is missing or spelt otherwise",
        )
    for name in SECTIONS:
        if not isinstance(card[name], str) or not card[name].strip():
            came = repr(card[name])[:80] if isinstance(card[name], str) else type(card[name])
            fail(f"text under {name!r}", f"{came}", "an empty section hides that something is not "
                 "known: say that it is missing")  # fmt: skip
    return card


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 13.3."""

    @lesson.check("13.3", points=0.5)
    def has_every_section(model_card, probe: Probe) -> None:
        """A dict with the nine sections in their order; use, misuse and licence in whole words."""
        story = new_story(probe)
        with folder_of(story) as run:
            before = {path: path.read_bytes() for path in run.iterdir()}
            card = card_of(model_card, run)
            if [name for name in card if name in SECTIONS] != list(SECTIONS):
                fail(
                    f"the sections in the order {', '.join(SECTIONS)}",
                    ", ".join(map(str, card)),
                    "a dict keeps the order in which it is filled",
                )
            for name in (INTENDED, MISUSE, LICENCE):
                words = len(card[name].split())
                if words < FEWEST_WORDS:
                    fail(
                        f"at least {FEWEST_WORDS} words under {name!r}",
                        f"{words}: {card[name]!r}"[:200],
                        "who reads it must be able to act by it",
                    )
            if len({card[name].strip() for name in (INTENDED, MISUSE, LICENCE)}) < 3:
                fail("different texts for use, misuse and licence", "the same text twice", None)
            try:
                by_text = card_of(model_card, str(run))
            except (AttributeError, TypeError) as error:
                fail(
                    "a path that is a str to be accepted like a Path",
                    f"{type(error).__name__}: {error}",
                    "begin with run = Path(run)",
                )
            if by_text != card:
                fail("the same card for a path that is a str", "another card", None)
            if {path: path.read_bytes() for path in run.iterdir()} != before:
                fail("the run's folder as it was", "changed files", "a card is only returned")

    @lesson.check("13.3", points=1.5)
    def numbers_are_the_run_s(model_card, probe: Probe) -> None:
        """Recipe, steps done, and the best quality with its step and protocol are the files'."""
        for _ in range(2):
            story = new_story(probe)
            with folder_of(story) as run:
                card = card_of(model_card, run)
            _require_recipe(card[RECIPE], story.recipe)
            _require_steps(card[TRAINING], story)
            _require_quality(card[QUALITY], story)

    @lesson.check("13.3", points=1)
    def what_is_not_known_is_missing(model_card, probe: Probe) -> None:
        """Failures and bias are what was given, else Missing; so is quality, without a number."""
        for quality_file in (False, True):
            with folder_of(new_story(probe, measured=False), quality_file) as run:
                try:
                    card = card_of(model_card, run)
                except (FileNotFoundError, IndexError, ValueError) as error:
                    fail(
                        "a card of a run whose quality was never measured",
                        f"{type(error).__name__}: {error}"[:200],
                        "quality.jsonl is empty" if quality_file else "quality.jsonl is not there",
                    )
            text = card[QUALITY]
            if not says_missing(text):
                fail(
                    "the word Missing under Quality, where nothing was measured",
                    repr(text)[:200],
                    "a reader takes silence for a good result",
                )
            if numbers_in(text):
                fail(
                    "no number under Quality, where nothing was measured",
                    repr(text)[:200],
                    "a number that nobody measured is an invention",
                )
        seen = f"Seed {probe.integer(100, 999)} has three eyes."
        rare = f"Beards: {probe.integer(10, 24)} % in the data, {probe.integer(0, 9)} % generated."
        with folder_of(new_story(probe)) as run:
            without = card_of(model_card, run)
            given = card_of(model_card, run, failures=seen, bias=rare)
        for name, words in ((FAILURES, seen), (BIAS, rare)):
            if not says_missing(without[name]):
                fail(
                    f"the word Missing under {name!r}, when nobody says anything about it",
                    repr(without[name])[:200],
                    "what nobody has looked at is not known to be fine",
                )
            if words not in given[name]:
                fail(
                    f"what was given, {words!r}, under {name!r}",
                    repr(given[name])[:200],
                    "the two texts are exchanged"
                    if any(words in given[other] for other in (FAILURES, BIAS))
                    else None,
                )
            if says_missing(given[name]):
                fail(
                    f"nothing missing under {name!r} when it is given",
                    repr(given[name])[:200],
                    "the word Missing stays there in any case",
                )
        if says_missing(without[QUALITY]):
            fail("nothing missing under Quality in a measured run", without[QUALITY][:200], None)

    @lesson.check("13.3", points=1)
    def terms_are_those_of_the_data(model_card, probe: Probe) -> None:
        """Drawn faces are called so; for all other data: non-commercial, and nobody consented."""
        with folder_of(new_story(probe, TOYS)) as run:
            text = card_of(model_card, run)[DATA]
        if "toyfaces" not in text.lower():
            fail(
                "toyfaces named under the data of a run whose protocol has toyfaces",
                repr(text)[:200],
                "the protocol in quality.jsonl says what the data are",
            )
        if "celeba" in text.lower() or "non-commercial" in text.lower():
            fail(
                "no terms of CelebA for drawn faces",
                repr(text)[:200],
                "the text is the same whatever the data are",
            )
        for what, story in (
            ("CelebA", new_story(probe, CELEBA)),
            ("unknown data, as nothing was measured", new_story(probe, measured=False)),
        ):
            with folder_of(story) as run:
                text = card_of(model_card, run)[DATA]
            for word, likely in (
                ("non-commercial", "CelebA's terms allow non-commercial research only"),
                ("consent", "the people on the pictures were not asked: say so"),
            ):
                if word not in text.lower():
                    fail(
                        f"the word {word} under the data's terms: {what}",
                        repr(text)[:200],
                        "data that are not known are taken for drawn ones: the strictest terms "
                        "are the safe guess"
                        if "toyfaces" in text.lower()
                        else likely,
                    )


def _require_recipe(text: str, recipe: Recipe) -> None:
    for name in FIELDS:
        value = getattr(recipe, name)
        lines = [line for line in re.split(r"[\n;]|, (?=\W*\w+\W*[:=])", text) if name in line]
        shown = any(
            str(value) in line or (isinstance(value, (int, float)) and has(line, value, 1e-9))
            for line in lines
        )
        if not shown:
            fail(
                f"the recipe's {name} with its value, {value}, under {RECIPE!r}",
                f"{lines[0].strip()[:120]!r}" if lines else f"no line with {name}",
                "a default is shown, not what recipe.json says" if lines else None,
            )


def _require_steps(text: str, story: Story) -> None:
    if has(text, story.steps, 0):
        return
    came = f"{text!r}"[:200]
    likely = "the last row of metrics.jsonl knows how far the training came"
    if has(text, 31, 0):
        likely = (
            "the lines of metrics.jsonl are counted, but a log can begin later: its last row has "
            "the step"
        )
    elif has(text, story.recipe.epochs, 0) or has(text, story.rows[-1]["step"], 0):
        likely = (
            "the recipe says how long a training is meant to be, not how far it came: the last row "
            "of metrics.jsonl does"
        )
    fail(f"the {story.steps} steps that were done, under {TRAINING!r}", came, likely)


def _require_quality(text: str, story: Story) -> None:
    best = story.best
    if " ".join(best["protocol"].split()) not in " ".join(text.split()):
        fail(
            "the protocol of the measurement, word for word, under Quality",
            repr(text)[:200],
            "a number without its protocol can't be compared with any other",
        )
    rest = text.replace(best["protocol"], "")
    if not has(rest, best["quality"]):
        likely = None
        if has(rest, 0.875 + story.steps / 10**6, 0.002) or has(rest, 1.25, 0.001):
            likely = "a loss is no measure of quality (lessons 7 and 11)"
        elif has(rest, max(row["quality"] for row in story.rows)):
            likely = "the highest is taken: of KID, lower is better"
        elif has(rest, story.rows[-1]["quality"]):
            likely = "the last row is not the best one: lower is better"
        elif has(rest, sum(row["quality"] for row in story.rows) / len(story.rows)):
            likely = "the mean over the epochs is no model's quality"
        fail(
            f"the best measured quality, {best['quality']:.4g}, under Quality",
            repr(rest)[:200],
            likely,
        )
    if not has(rest, best["step"], 0):
        fail(
            f"the step of the best quality, {best['step']}, under Quality",
            repr(rest)[:200],
            "the row's number is not its step"
            if has(rest, story.rows.index(best), 0) or has(rest, story.rows.index(best) + 1, 0)
            else None,
        )
