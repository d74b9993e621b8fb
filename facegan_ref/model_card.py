"""The model card of a run: what a trained generator is, how good, and what it is not for.

Every number comes from a file that a program wrote. What nobody measured is said to be missing.

Source: Mitchell et al. 2019, Model Cards for Model Reporting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facegan_ref.data.faces import FaceArray
from facegan_ref.export import SUFFIX, training_facts
from facegan_ref.recipes import Recipe
from facegan_ref.run import load_generator

if TYPE_CHECKING:
    from facegan_ref.bias import Share

MISSING = "Missing: "
SECTIONS = (
    "Data and its terms",
    "Recipe",
    "Training",
    "Quality",
    "Known failures",
    "Bias",
    "Intended use",
    "Misuse",
    "Licence and citation",
)
CELEBA_TERMS = (
    "CelebA is for non-commercial research only; so are this model and the faces it makes. The "
    "data set's makers hold no rights in the photographs, and the celebrities on them were not "
    "asked. Terms: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
)
TOY_TERMS = (
    "Drawn by the course's own program under its licence (MIT). They show no person; no consent "
    "was needed."
)
UNKNOWN_TERMS = (
    "Its terms are not recorded either: find them, and the consent of the persons shown, before "
    "the model is given to anybody. If it is CelebA: " + CELEBA_TERMS
)
INTENDED = (
    "Learning and teaching how generative adversarial networks work; non-commercial research on "
    "them. The faces are small and often wrong, and are to be shown as generated."
)
MISUSE = (
    "Not for faces of invented people who are passed off as real: profiles, reviews, witnesses. "
    "Not for likenesses of a person who did not consent, by inversion or otherwise. Not for "
    "deciding anything about people, nor for training or testing what does: its errors and its "
    "bias are not those of a population. A generated face is no proof of anonymity: it may "
    "resemble somebody in the data."
)
LICENCE = (
    "Code: MIT. Weights and faces: under the terms of the data above, which are the stricter. "
    "Cite Radford et al. 2015 (arXiv:1511.06434) for the networks, Liu et al. 2015 "
    "(arXiv:1411.7766) for CelebA where it was used, and the course's repository for the rest."
)
DATA_IN_PROTOCOL = re.compile(r"real (?:images|ones) \(([^;]*?)(?:, chosen [^;]*)?\);")
MOST_SHARES = 12


def model_card(
    run: str | Path,
    report: dict | None = None,
    shares: Sequence[Share] | None = None,
    failures: str = "",
    faces: FaceArray | None = None,
) -> dict[str, str]:
    """The model card of a run: section by section, Markdown text by title.

    Args:
        run: a run's folder, a checkpoint, or an exported generator.
        report: of `facegan evaluate`, as its JSON file holds it.
        shares: of `bias.attribute_shares`.
        failures: what somebody saw who looked at the faces.
        faces: the data of the training, to be described.

    Raises:
        FileNotFoundError, CheckpointError: as `load_generator`.
        ValueError: the report is none, or `faces` are not those of the training.
    """
    run = Path(run)
    _, recipe = load_generator(run)
    facts = training_facts(run)
    quality = _quality_rows(run, facts)
    if report is not None:
        _require_report(report)
    protocols = [row["protocol"] for row in quality] + ([report["protocol"]] if report else [])
    texts = (
        _data(facts, protocols, faces),
        _recipe(recipe),
        _training(facts),
        _quality(quality, facts, report),
        _failures(report, failures),
        _bias(shares),
        INTENDED,
        MISUSE,
        LICENCE,
    )
    return dict(zip(SECTIONS, texts, strict=True))


def as_markdown(card: dict[str, str], title: str = "Model card") -> str:
    """A card as the text of a Markdown file."""
    parts = [f"# {title}", *(f"## {name}\n\n{text}" for name, text in card.items())]
    return "\n\n".join(parts) + "\n"


def missing(card: dict[str, str]) -> list[str]:
    """The sections of which something is missing."""
    return [name for name, text in card.items() if MISSING in text]


def _plain(text: object) -> str:
    """What a file says, on one line and without what Markdown, HTML or a terminal would obey."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return re.sub(r"([\\`*\[\]<>|#]|(?<!\w)_|_(?!\w))", r"\\\1", line)


def _quality_rows(run: Path, facts: dict) -> list[dict]:
    """The measured epochs up to the card's step, oldest first."""
    folder = run if run.is_dir() else run.parent
    if folder.name == "checkpoints":
        folder = folder.parent
    rows = []
    log = folder / "quality.jsonl"
    if run.suffix != SUFFIX and log.is_file():
        for number, line in enumerate(log.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
                row = {
                    "step": int(row["step"]),
                    "quality": float(row["quality"]),
                    "protocol": str(row["protocol"]),
                }
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{log}: line {number} is not a row of quality") from error
            rows.append(row)
    elif facts.get("quality"):
        rows.append(facts["quality"])
    return [row for row in rows if row["step"] <= facts["steps"]]


def _require_report(report: dict) -> None:
    wanted = ("protocol", "frechet", "kid", "kid_spread", "precision", "recall", "copied")
    numbers = isinstance(report, dict) and all(
        isinstance(report.get(name), str if name == "protocol" else (int, float)) for name in wanted
    )
    if not numbers:
        raise ValueError(
            f"the report lacks one of {', '.join(wanted)}: it was not written by "
            "`facegan evaluate --out`"
        )


def _data(facts: dict, protocols: Sequence[str], faces: FaceArray | None) -> str:
    fingerprint = facts.get("data", "")
    if not fingerprint:
        text, known = MISSING + "what the model was trained on is not recorded", ""
    else:
        known = _described(fingerprint, protocols, faces)
        text = f"{facts['images']:,} images"
        text += (
            f": {_plain(known)}"
            if known
            else (f" with fingerprint {_plain(fingerprint)}. {MISSING}where they come from")
        )
    if known.startswith("toyfaces"):
        terms = TOY_TERMS
    elif "celeba" in known.lower():
        terms = CELEBA_TERMS
    else:
        terms = UNKNOWN_TERMS
    return f"{text}. {terms}"


def _described(fingerprint: str, protocols: Sequence[str], faces: FaceArray | None) -> str:
    """What is known of the images with this fingerprint, from the images or from protocols."""
    if faces is None:
        found = [match[1] for text in protocols for match in DATA_IN_PROTOCOL.finditer(text)]
        return next((text for text in found if fingerprint in text), "")
    if faces.fingerprint != fingerprint:
        raise ValueError(
            f"these faces have fingerprint {faces.fingerprint}, the training's have {fingerprint}: "
            "they are not the data of this model"
        )
    from facegan_ref.evaluation import describe_faces

    return f"{faces.manifest.get('kind', '')} {describe_faces(faces)}".strip()


def _recipe(recipe: Recipe) -> str:
    rows = [("name", recipe.name), ("source", recipe.source)]
    plain = Recipe("", "").to_dict()
    fields = ("model", "image_size", "z_dim", "latent", "ngf", "loss", "batch_size", "lr_g", "lr_d")
    changed = [
        name for name, value in recipe.to_dict().items()
        if name in plain and value != plain[name] and name not in ("name", "source", "faults")
    ]  # fmt: skip
    rows += [(name, getattr(recipe, name)) for name in dict.fromkeys((*fields, *changed))]
    return _table(("field", "value"), [(name, _plain(value)) for name, value in rows])


def _training(facts: dict) -> str:
    if "steps" not in facts:
        return MISSING + "the file holds no facts of its training."
    averaged = "the average of the generator's weights" if facts["averaged"] else "the last weights"
    return (
        f"{facts['steps']:,} steps on {facts['images']:,} images, seed {facts['seed']}; the model "
        f"is {averaged}; written with {_plain(facts['package'])}."
    )


def _quality(rows: Sequence[dict], facts: dict, report: dict | None) -> str:
    parts = []
    if rows:
        best, last = min(rows, key=lambda row: row["quality"]), rows[-1]
        now = f"{last['quality']:.4g} for this model"
        if last["step"] != facts["steps"]:
            now = f"{last['quality']:.4g} at step {last['step']:,}, the last before this model"
        parts.append(
            f"During the training, lower is better: {now}; the best of {len(rows)} measured is "
            f"{best['quality']:.4g} at step {best['step']:,}. Protocol: {_plain(best['protocol'])}."
        )
    else:
        parts.append(MISSING + "nothing was measured during the training.")
    if report is None:
        parts.append(MISSING + "no report of `facegan evaluate` is given.")
    else:
        values = [
            ("Fréchet distance", f"{report['frechet']:.4g}"),
            ("KID × 1000", f"{1000 * report['kid']:.1f} ± {1000 * report['kid_spread']:.1f}"),
            ("precision", f"{report['precision']:.3f}"),
            ("recall", f"{report['recall']:.3f}"),
            ("copies of training images", f"{report['copied']:.1%} (5 % are chance)"),
        ]
        if report.get("modes") is not None:
            values.append(
                ("modes covered", f"{report['modes']:.1%}; by real {report['modes_of_real']:.1%}")
            )
        table = _table(("measure", "value"), values)
        parts.append(f"{table}\n\nProtocol: {_plain(report['protocol'])}.")
    return "\n\n".join(parts)


def _failures(report: dict | None, failures: str) -> str:
    parts = []
    if report is not None:
        parts.append(
            f"By the numbers, {1 - report['precision']:.0%} of the generated faces lie outside of "
            f"what real faces look like, and {1 - report['recall']:.0%} of the kinds of real faces "
            "are not made."
        )
    parts.append(
        failures.strip()
        or MISSING
        + "nobody has written down yet what is wrong with the faces. Look at a hundred "
        "(`facegan sample --n 100 --captions`) and say it here, with their seeds."
    )
    return "\n\n".join(parts)


def _bias(shares: Sequence[Share] | None) -> str:
    if not shares:
        return MISSING + "not measured. No claim is made that the faces are like any population."
    apart = sorted(shares, key=lambda share: -abs(share.generated - share.data))
    beyond = [share for share in apart if abs(share.generated - share.data) > 2 * share.error]
    rows = [
        (_plain(s.name), f"{s.data:.1%}", f"{s.generated:.1%}", f"{s.generated - s.data:+.1%}")
        for s in apart[:MOST_SHARES]
    ]
    table = _table(("attribute", "in the data", "generated", "difference"), rows)
    return (
        f"Of {len(shares)} attributes, {len(beyond)} occur more or less often than in the data, by "
        "more than two standard errors; the largest differences, both sides as one judge sees "
        f"them:\n\n{table}\n\nThe data's own bias comes on top: what is rare in it is rare here."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
