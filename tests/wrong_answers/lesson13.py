"""Answers to lesson 13: a recipe within a budget, an exported generator, a model card."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path

import torch
from bank import right, wrong
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save, save_file

from facegan_ref.architectures import build_networks, show_in_tanh_range
from facegan_ref.capstone import count_parameters
from facegan_ref.export import FORMAT
from facegan_ref.recipes import RECIPES, Recipe

# ---------------------------------------------------------------- 13.1 own_recipe, right


def planned(images, image_size, max_steps, max_parameters, batch_size=32, **changes):
    recipe = Recipe(
        name="mine",
        source="lesson 13",
        image_size=image_size,
        z_dim=64,
        batch_size=batch_size,
        epochs=max_steps // (images // batch_size),
        ema_decay=0.99,
        **changes,
    )
    width = 400
    while count_parameters(recipe.override(ngf=width, ndf=width)) > max_parameters:
        width = int(width * 0.8)
    return recipe.override(ngf=width, ndf=width)


@right("13.1")
def bisects_the_width(images, image_size, max_steps, max_parameters):
    batch = min(64, images)
    while max_steps // (images // batch) == 0:
        batch *= 2
    base = RECIPES["course"].override(
        name="bisected",
        image_size=image_size,
        z_dim=48,
        batch_size=batch,
        epochs=max_steps // (images // batch),
    )

    def count(width):
        return count_parameters(base.override(ngf=width, ndf=width))

    low, high = 1, 512
    while high - low > 2:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= max_parameters else (low, middle)
    return base.override(ngf=low, ndf=low)


@right("13.1")
def counts_with_numel(images, image_size, max_steps, max_parameters):
    recipe = planned(images, image_size, max_steps, 10**9, batch_size=16, loss="hinge")
    for width in (256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8):
        small = dataclasses.replace(recipe, ngf=width, ndf=width)
        with torch.device("meta"):
            g, d = build_networks(small)
        numbers = [p.numel() for p in g.parameters()] + [p.numel() for p in d.parameters()]
        if sum(numbers) <= max_parameters:
            return small
    raise ValueError("the budget is too small")


@right("13.1")
def mlp(images, image_size, max_steps, max_parameters):
    recipe = Recipe(
        "an MLP",
        "lesson 5",
        model="mlp",
        image_size=image_size,
        z_dim=32,
        batch_size=32,
        epochs=max_steps // (images // 32),
        ema_decay=0.9,
    )
    for width in range(200, 2, -10):
        if count_parameters(recipe.override(ngf=width, ndf=width)) <= 0.9 * max_parameters:
            break
    while count_parameters(recipe.override(ngf=width, ndf=width)) < 0.6 * max_parameters:
        width += 5
    return recipe.override(ngf=width, ndf=width)


@right("13.1")
def all_in_one_expression(images, image_size, max_steps, max_parameters):
    def at(width):
        return Recipe(
            name="one", source="me", image_size=image_size, ngf=width, ndf=width, batch_size=16,
            epochs=max(1, int(max_steps / (images // 16))), ema_decay=0.5, z_dim=16,
            loss="hinge", augment="color,translation", latent="uniform",
        )  # fmt: skip

    widths = (round(420 * 0.75**n) for n in range(20))
    return next(at(w) for w in widths if count_parameters(at(w)) <= max_parameters)


# ---------------------------------------------------------------- 13.1 own_recipe, wrong


@wrong("13.1", rejected_by="a_recipe_with_an_average", says="image_size keeps its default")
def forgets_the_size(images, image_size, max_steps, max_parameters):
    return planned(images, 64, max_steps, max_parameters)


@wrong("13.1", rejected_by="a_recipe_with_an_average", says="0 is the default and means no average")
def without_average(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters).override(ema_decay=0.0)


@wrong("13.1", rejected_by="a_recipe_with_an_average", says="the return is missing")
def returns_nothing(images, image_size, max_steps, max_parameters):
    planned(images, image_size, max_steps, max_parameters)


@wrong("13.1", rejected_by="a_recipe_with_an_average", says="return Recipe(")
def a_dict(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters).to_dict()


@wrong("13.1", rejected_by="a_recipe_with_an_average", says="/ gives a float")
def a_float_of_epochs(images, image_size, max_steps, max_parameters):
    recipe = planned(images, image_size, max_steps, max_parameters)
    return recipe.override(epochs=max_steps / (images / 32))


@wrong("13.1", rejected_by="a_recipe_with_an_average", says="an empty one")
def nameless(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters).override(name="", source=" ")


@wrong("13.1", rejected_by="batches_fit_the_images", says="an epoch has no whole batch")
def batches_of_128(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters, batch_size=128)


@wrong("13.1", rejected_by="batches_fit_the_images", says="no batch can be filled")
def a_fixed_recipe(images, image_size, max_steps, max_parameters):
    return RECIPES["course"].override(image_size=image_size, batch_size=512)


@wrong("13.1", rejected_by="batches_fit_the_images", says="statistics of so few images")
def batches_of_4(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max(max_steps, images // 4), max_parameters, batch_size=4)


@wrong("13.1", rejected_by="keeps_to_the_steps", says="epochs are passes over all images")
def epochs_for_steps(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters).override(epochs=max_steps)


@wrong("13.1", rejected_by="keeps_to_the_steps", says="the default, 10, whatever max_steps is")
def the_default_epochs(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters).override(epochs=10)


@wrong("13.1", rejected_by="keeps_to_the_steps", says="round down")
def rounds_up(images, image_size, max_steps, max_parameters):
    recipe = planned(images, image_size, max_steps, max_parameters, batch_size=48)
    return recipe.override(epochs=math.ceil(max_steps / (images // 48) + 1e-9))


@wrong("13.1", rejected_by="keeps_to_the_steps", says="a longer training makes better faces")
def one_epoch(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters).override(epochs=1)


@wrong("13.1", rejected_by="keeps_to_the_parameters", says="must follow from max_parameters")
def wide_whatever_is_allowed(images, image_size, max_steps, max_parameters):
    recipe = planned(images, image_size, max_steps, max_parameters)
    return recipe.override(ngf=128, ndf=128)


@wrong("13.1", rejected_by="keeps_to_the_parameters", says="only one of the two networks")
def counts_the_generator(images, image_size, max_steps, max_parameters):
    recipe = planned(images, image_size, max_steps, max_parameters)
    width = 512
    while True:
        with torch.device("meta"):
            generator, _ = build_networks(recipe.override(ngf=width, ndf=width))
        if sum(p.numel() for p in generator.parameters()) <= max_parameters:
            return recipe.override(ngf=width, ndf=width)
        width -= max(1, width // 20)


@wrong("13.1", rejected_by="keeps_to_the_parameters", says="narrow networks draw blurred faces")
def always_narrow(images, image_size, max_steps, max_parameters):
    return planned(images, image_size, max_steps, max_parameters).override(ngf=4, ndf=4)


# ---------------------------------------------------------------- 13.2 export, right


def export(generator, recipe, path):
    tensors = {k: v.detach().cpu().contiguous() for k, v in generator.state_dict().items()}
    save_file(tensors, path, {"format": FORMAT, "recipe": json.dumps(recipe.to_dict())})


def imported(path):
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != FORMAT:
            raise ValueError("not of this format")
        recipe = Recipe.from_dict(json.loads(metadata["recipe"]))
        generator = show_in_tanh_range(build_networks(recipe)[0], recipe)
        generator.load_state_dict(tensors)
        if not all(value.isfinite().all() for value in tensors.values()):
            raise ValueError("values that are not finite")
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: no exported generator: {error}") from error
    return generator.eval(), recipe


@right("13.2")
def plain():
    return export, imported


@right("13.2")
def bytes_in_memory():
    def write(generator, recipe, path):
        tensors = {
            name: value.clone(memory_format=torch.contiguous_format)
            for name, value in generator.state_dict().items()
        }
        metadata = {"recipe": json.dumps(recipe.to_dict(), indent=1), "format": FORMAT, "by": "me"}
        Path(path).write_bytes(save(tensors, metadata=metadata))

    def read(path):
        content = Path(path).read_bytes()
        name = Path(path).name
        try:
            size = int.from_bytes(content[:8], "little")
            metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
            tensors = load(content)
        except Exception as error:
            raise ValueError(f"{name} is no safetensors file") from error
        if metadata.get("format") != FORMAT:
            raise ValueError(f"{name}: foreign")
        try:
            recipe = Recipe.from_dict(json.loads(metadata["recipe"]))
            network = show_in_tanh_range(build_networks(recipe)[0], recipe)
            for key, value in network.state_dict().items():
                if tensors[key].shape != value.shape or bool(tensors[key].isnan().any()):
                    raise ValueError(key)
                value.copy_(tensors[key])
        except Exception as error:
            raise ValueError(f"{name}: does not fit ({error})") from error
        for module in network.modules():
            module.eval()
        return network.float(), recipe

    return write, read


@right("13.2")
def built_without_memory():
    def read(path):
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(path)
        try:
            with safe_open(str(path), "pt") as file:
                metadata = file.metadata()
                if metadata["format"] != FORMAT:
                    raise ValueError(metadata["format"])
                recipe = Recipe.from_dict(json.loads(metadata["recipe"]))
                with torch.device("meta"):
                    generator = show_in_tanh_range(build_networks(recipe)[0], recipe)
                weights = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
            generator.load_state_dict(weights, strict=True, assign=True)
            assert all(torch.isfinite(p).all() for p in weights.values())
        except Exception as error:
            raise ValueError(f"can't use {path}") from error
        return generator.eval().requires_grad_(False), recipe

    return export, read


@right("13.2")
def parameters_and_buffers_one_by_one():
    def write(generator, recipe, path):
        tensors = {}
        for name, parameter in generator.named_parameters():
            tensors[name] = parameter.data.clone().contiguous()
        for name, buffer in generator.named_buffers():
            tensors[name] = buffer.clone()
        fields = json.dumps(recipe.to_dict(), sort_keys=True)
        save_file(tensors, str(path), metadata={"format": FORMAT, "recipe": fields})

    return write, imported


# ---------------------------------------------------------------- 13.2 export, wrong


@wrong(
    "13.2", rejected_by="writes_the_generator_and_nothing_else", says="torch.save writes a pickle"
)
def writes_a_pickle():
    def write(generator, recipe, path):
        torch.save({"recipe": recipe.to_dict(), "weights": generator.state_dict()}, path)

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="not named_parameters()")
def only_parameters():
    def write(generator, recipe, path):
        tensors = {k: v.detach().contiguous() for k, v in generator.named_parameters()}
        save_file(tensors, path, {"format": FORMAT, "recipe": json.dumps(recipe.to_dict())})

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="nor the optimizers")
def a_discriminator_besides():
    def write(generator, recipe, path):
        tensors = {k: v.detach().contiguous() for k, v in generator.state_dict().items()}
        for name, value in build_networks(recipe)[1].state_dict().items():
            tensors[f"discriminator.{name}"] = value.clone()
        save_file(tensors, path, {"format": FORMAT, "recipe": json.dumps(recipe.to_dict())})

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="str(…) is not JSON")
def recipe_as_str():
    def write(generator, recipe, path):
        tensors = {k: v.detach().contiguous() for k, v in generator.state_dict().items()}
        save_file(tensors, path, {"format": FORMAT, "recipe": str(recipe.to_dict())})

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="goes in as text")
def recipe_as_dict():
    def write(generator, recipe, path):
        tensors = {k: v.detach().contiguous() for k, v in generator.state_dict().items()}
        save_file(tensors, path, {"format": FORMAT, "recipe": recipe.to_dict()})

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="the third argument of")
def no_metadata():
    def write(generator, recipe, path):
        save_file({k: v.contiguous() for k, v in generator.state_dict().items()}, path)

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="one file, mine.safetens")
def recipe_in_a_file_of_its_own():
    def write(generator, recipe, path):
        export(generator, recipe, path)
        Path(path).with_name("recipe.json").write_text(json.dumps(recipe.to_dict()))

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="not saved to path")
def only_in_memory():
    def write(generator, recipe, path):
        buffer = io.BytesIO()
        torch.save(generator.state_dict(), buffer)

    return write, imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="another name than path")
def adds_an_ending():
    return lambda generator, recipe, path: export(generator, recipe, f"{path}.st"), imported


@wrong("13.2", rejected_by="writes_the_generator_and_nothing_else", says="entries in all are")
def without_the_wrapper():
    def write(generator, recipe, path):
        export(getattr(generator, "generator", generator), recipe, path)

    return write, imported


@wrong("13.2", rejected_by="leaves_the_generator_alone", says="value.contiguous() makes one")
def not_contiguous():
    def write(generator, recipe, path):
        metadata = {"format": FORMAT, "recipe": json.dumps(recipe.to_dict())}
        save_file({k: v.detach() for k, v in generator.state_dict().items()}, path, metadata)

    return write, imported


@wrong("13.2", rejected_by="leaves_the_generator_alone", says="it is in evaluation mode")
def leaves_evaluation_mode():
    def write(generator, recipe, path):
        export(generator.eval(), recipe, path)

    return write, imported


@wrong("13.2", rejected_by="leaves_the_generator_alone", says="detach() gives a tensor without")
def freezes_the_generator():
    def write(generator, recipe, path):
        export(generator.requires_grad_(False), recipe, path)

    return write, imported


@wrong("13.2", rejected_by="leaves_the_generator_alone", says="change a module in place")
def tries_it_in_training_mode():
    def write(generator, recipe, path):
        export(generator, recipe, path)
        generator(torch.randn(4, recipe.z_dim))

    return write, imported


@wrong("13.2", rejected_by="comes_back_equal", says="show_in_tanh_range(generator, recipe)")
def forgets_the_range():
    def read(path):
        generator, recipe = imported(path)
        return getattr(generator, "generator", generator), recipe

    return export, read


@wrong("13.2", rejected_by="comes_back_equal", says="not loaded, or not all of them")
def builds_and_does_not_load():
    def read(path):
        _, recipe = imported(path)
        return show_in_tanh_range(build_networks(recipe)[0], recipe).eval(), recipe

    return export, read


@wrong("13.2", rejected_by="comes_back_equal", says="a tuple of 3")
def three_things():
    return export, lambda path: (*imported(path), path)


@wrong("13.2", rejected_by="comes_back_equal", says="the pair is (generator, recipe)")
def the_other_way_round():
    return export, lambda path: imported(path)[::-1]


@wrong("13.2", rejected_by="comes_back_equal", says="Recipe.from_dict makes one")
def recipe_stays_a_dict():
    def read(path):
        generator, recipe = imported(path)
        return generator, recipe.to_dict()

    return export, read


@wrong("13.2", rejected_by="is_ready_for_faces", says="call eval() on it")
def in_training_mode():
    def read(path):
        generator, recipe = imported(path)
        return generator.train(), recipe

    return export, read


@wrong("13.2", rejected_by="is_ready_for_faces", says="weights in float32")
def half_precision():
    def read(path):
        generator, recipe = imported(path)
        return generator.half(), recipe

    return export, read


@wrong("13.2", rejected_by="is_ready_for_faces", says="somewhere else than the file")
def remembers_the_generator():
    kept = {}

    def write(generator, recipe, path):
        kept["generator"] = generator
        export(generator, recipe, path)

    def read(path):
        generator, recipe = imported(path)
        generator.load_state_dict(kept["generator"].state_dict())
        return generator, recipe

    return write, read


@wrong("13.2", rejected_by="refuses_what_is_no_generator", says="except FileNotFoundError: raise")
def a_missing_file_is_a_value_error():
    def read(path):
        try:
            return imported(path)
        except Exception as error:
            raise ValueError(f"{path}: {error}") from error

    return export, read


@wrong("13.2", rejected_by="refuses_what_is_no_generator", says="is not turned into a ValueError")
def raises_what_comes():
    def read(path):
        with safe_open(path, framework="pt") as file:
            recipe = Recipe.from_dict(json.loads(file.metadata()["recipe"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        generator = show_in_tanh_range(build_networks(recipe)[0], recipe)
        generator.load_state_dict(tensors)
        return generator.eval(), recipe

    return export, read


def lenient(format_matters=True, strict=True, finite=True, name=True):
    def read(path):
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if format_matters and metadata["format"] != FORMAT:
                raise ValueError("foreign")
            recipe = Recipe.from_dict(json.loads(metadata["recipe"]))
            generator = show_in_tanh_range(build_networks(recipe)[0], recipe)
            generator.load_state_dict(tensors, strict=strict)
            if finite and not all(value.isfinite().all() for value in tensors.values()):
                raise ValueError("NaN")
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path if name else 'this file'} can't be used") from error
        return generator.eval(), recipe

    return export, read


@wrong("13.2", rejected_by="refuses_what_is_no_generator", says="metadata()['format'] must be")
def takes_any_format():
    return lenient(format_matters=False)


@wrong("13.2", rejected_by="refuses_what_is_no_generator", says="strict=False loads what is there")
def not_strict():
    return lenient(strict=False)


@wrong("13.2", rejected_by="refuses_what_is_no_generator", says="load_state_dict takes NaN")
def takes_nan():
    return lenient(finite=False)


@wrong("13.2", rejected_by="refuses_what_is_no_generator", says="the name is not in the message")
def names_no_file():
    return lenient(name=False)


@wrong("13.2", rejected_by="refuses_what_is_no_generator", says="the code in a pickle ran")
def also_takes_pickles():
    def read(path):
        try:
            return imported(path)
        except ValueError as first:
            try:
                with open(path, "rb") as file:
                    torch.load(file, weights_only=False)
            except Exception:
                raise first from None
            raise

    return export, read


# ---------------------------------------------------------------- 13.3 model_card, right

USE = "For learning and teaching how generative networks work, and for research on them."
BAD = "Not for fake profiles, not for decisions about people, not for likenesses of anybody."
LICENCE = "The code is under MIT; weights and faces are under the terms of the data above."
STRICT = "For non-commercial research only; the people on the photographs gave no consent."


def rows_of(path):
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def card(run, failures="", bias=""):
    run = Path(run)
    recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    rows, steps = rows_of(run / "quality.jsonl"), rows_of(run / "metrics.jsonl")[-1]["step"]
    quality, data = "Missing: nothing was measured.", f"Not recorded. {STRICT}"
    if rows:
        best = min(rows, key=lambda row: row["quality"])
        quality = f"{best['quality']:.2f} at step {best['step']}, lower is better: "
        quality += best["protocol"]
        toys = "toyfaces" in best["protocol"]
        data = "toyfaces, drawn by a program." if toys else f"As in the protocol. {STRICT}"
    return {
        "Data and its terms": data,
        "Recipe": "\n".join(f"- {name}: {value}" for name, value in recipe.items()),
        "Training": f"{steps} steps",
        "Quality": quality,
        "Known failures": failures or "Missing: nobody has looked.",
        "Bias": bias or "Missing: not measured.",
        "Intended use": USE,
        "Misuse": BAD,
        "Licence and citation": LICENCE,
    }


@right("13.3")
def plain_card(run, failures="", bias=""):
    return card(run, failures, bias)


@right("13.3")
def recipe_as_json_and_separators(run, failures="", bias=""):
    made = card(run, failures, bias)
    steps = rows_of(Path(run) / "metrics.jsonl")[-1]["step"]
    recipe = json.loads((Path(run) / "recipe.json").read_bytes())
    return made | {
        "Recipe": f"```json\n{json.dumps(recipe, indent=2)}\n```",
        "Training": f"The training did {steps:,} steps, then it was stopped.",
    }


@right("13.3")
def best_and_last_in_a_table(run, failures="", bias=""):
    made = card(run, failures, bias)
    rows = rows_of(Path(run) / "quality.jsonl")
    if rows:
        best = sorted(rows, key=lambda row: row["quality"])[0]
        lines = [f"| {row['step']} | {row['quality']:.3e} |" for row in (best, rows[-1])]
        table = "\n".join(["| step | KID × 1000 |", "|---|---|", *lines])
        made["Quality"] = f"{table}\n\nMeasured as: {best['protocol']}"
    return made


@right("13.3")
def other_words_and_more_sections(run, failures="", bias=""):
    made = card(run, failures, bias)
    if not failures:
        made["Known failures"] = "MISSING. Look at 100 faces first."
    recipe = Recipe.from_dict(json.loads((Path(run) / "recipe.json").read_text()))
    lines = (
        f"| {field.name} | {getattr(recipe, field.name)} |" for field in dataclasses.fields(recipe)
    )
    made["Recipe"] = "| field | value |\n|---|---|\n" + "\n".join(lines)
    return {**made, "Thanks": "To all who measured."}


@right("13.3")
def comma_separated_recipe(run, failures="", bias=""):
    made = card(run, failures, bias)
    recipe = json.loads((Path(run) / "recipe.json").read_text(encoding="utf-8"))
    made["Recipe"] = ", ".join(f"{key} = {value}" for key, value in recipe.items())
    return made


# ---------------------------------------------------------------- 13.3 model_card, wrong


@wrong("13.3", rejected_by="has_every_section", says="the return is missing")
def no_return(run, failures="", bias=""):
    card(run, failures, bias)


@wrong("13.3", rejected_by="has_every_section", says="return {title: text, …}")
def one_text(run, failures="", bias=""):
    return "\n".join(f"## {name}\n{text}" for name, text in card(run, failures, bias).items())


@wrong("13.3", rejected_by="has_every_section", says="'Misuse' is missing or spelt otherwise")
def no_misuse(run, failures="", bias=""):
    return {k: v for k, v in card(run, failures, bias).items() if k != "Misuse"}


@wrong("13.3", rejected_by="has_every_section", says="an empty section hides")
def empty_sections(run, failures="", bias=""):
    return card(run, failures, bias) | {"Bias": bias}


@wrong("13.3", rejected_by="has_every_section", says="at least 8 words under 'Misuse'")
def one_word(run, failures="", bias=""):
    return card(run, failures, bias) | {"Misuse": "None."}


@wrong("13.3", rejected_by="has_every_section", says="the same text twice")
def one_text_for_all(run, failures="", bias=""):
    return card(run, failures, bias) | {"Misuse": USE}


@wrong("13.3", rejected_by="has_every_section", says="the order in which it is filled")
def in_another_order(run, failures="", bias=""):
    return dict(sorted(card(run, failures, bias).items(), reverse=True))


@wrong("13.3", rejected_by="has_every_section", says="begin with run = Path(run)")
def only_paths(run, failures="", bias=""):
    return card(run / ".", failures, bias)


@wrong("13.3", rejected_by="has_every_section", says="a card is only returned")
def writes_into_the_run(run, failures="", bias=""):
    made = card(run, failures, bias)
    (Path(run) / "MODEL_CARD.md").write_text("\n".join(made.values()))
    return made


def with_training(text):
    return lambda run, failures="", bias="": (
        card(run, failures, bias) | {"Training": text(Path(run))}
    )


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="its last row has the step")
def counts_the_lines(run, failures="", bias=""):
    return with_training(lambda run: f"{len(rows_of(run / 'metrics.jsonl'))} steps")(
        run, failures, bias
    )


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="how long a training is meant to be")
def epochs_of_the_recipe(run, failures="", bias=""):
    return with_training(
        lambda run: f"{json.loads((run / 'recipe.json').read_text())['epochs']} epochs"
    )(run, failures, bias)


def with_quality(text):
    def make(run, failures, bias):
        made, rows = card(run, failures, bias), rows_of(Path(run) / "quality.jsonl")
        return made | {"Quality": text(rows, Path(run))} if rows else made

    return make


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="the last row is not the best one")
def the_last_quality(run, failures="", bias=""):
    return with_quality(
        lambda rows, _: f"{rows[-1]['quality']} at step {rows[-1]['step']}. {rows[-1]['protocol']}"
    )(run, failures, bias)


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="of KID, lower is better")
def the_highest_quality(run, failures="", bias=""):
    def text(rows, _):
        best = max(rows, key=lambda row: row["quality"])
        return f"{best['quality']} at step {best['step']}. {best['protocol']}"

    return with_quality(text)(run, failures, bias)


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="a loss is no measure of quality")
def the_loss(run, failures="", bias=""):
    def text(rows, run):
        last = rows_of(run / "metrics.jsonl")[-1]
        return f"G's loss {last['loss_g']:.4f} at step {last['step']}. {rows[0]['protocol']}"

    return with_quality(text)(run, failures, bias)


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="without its protocol")
def no_protocol(run, failures="", bias=""):
    def text(rows, _):
        best = min(rows, key=lambda row: row["quality"])
        return f"KID × 1000 of {best['quality']} at step {best['step']}"

    return with_quality(text)(run, failures, bias)


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="the row's number is not its step")
def the_number_of_the_row(run, failures="", bias=""):
    def text(rows, _):
        best = min(range(len(rows)), key=lambda i: rows[i]["quality"])
        return f"{rows[best]['quality']} in epoch {best + 1}. {rows[best]['protocol']}"

    return with_quality(text)(run, failures, bias)


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="not what recipe.json says")
def the_course_s_recipe(run, failures="", bias=""):
    recipe = RECIPES["course"].to_dict()
    text = "\n".join(f"{name}: {value}" for name, value in recipe.items())
    return card(run, failures, bias) | {"Recipe": text}


@wrong("13.3", rejected_by="numbers_are_the_run_s", says="no line with batch_size")
def the_recipe_s_name_alone(run, failures="", bias=""):
    recipe = json.loads((Path(run) / "recipe.json").read_text())
    text = "\n".join(f"{k}: {v}" for k, v in recipe.items() if k != "batch_size")
    return card(run, failures, bias) | {"Recipe": text}


@wrong("13.3", rejected_by="what_is_not_known_is_missing", says="quality.jsonl is not there")
def needs_the_file(run, failures="", bias=""):
    (Path(run) / "quality.jsonl").read_text()
    return card(run, failures, bias)


@wrong("13.3", rejected_by="what_is_not_known_is_missing", says="quality.jsonl is empty")
def needs_a_row(run, failures="", bias=""):
    path = Path(run) / "quality.jsonl"
    if path.exists():
        min(rows_of(path), key=lambda row: row["quality"])
    return card(run, failures, bias)


@wrong("13.3", rejected_by="what_is_not_known_is_missing", says="is an invention")
def zero_for_nothing(run, failures="", bias=""):
    made = card(run, failures, bias)
    if "Missing" in made["Quality"]:
        made["Quality"] = "Missing values count as 0.0"
    return made


@wrong("13.3", rejected_by="what_is_not_known_is_missing", says="takes silence for a good result")
def good_for_nothing(run, failures="", bias=""):
    made = card(run, failures, bias)
    if "Missing" in made["Quality"]:
        made["Quality"] = "The faces look good."
    return made


@wrong("13.3", rejected_by="what_is_not_known_is_missing", says="is not known to be fine")
def no_failures_known(run, failures="", bias=""):
    return card(run, failures or "No failures are known.", bias)


@wrong("13.3", rejected_by="what_is_not_known_is_missing", says="the two texts are exchanged")
def exchanged(run, failures="", bias=""):
    return card(run, bias, failures)


@wrong("13.3", rejected_by="what_is_not_known_is_missing", says="stays there in any case")
def always_missing(run, failures="", bias=""):
    return card(run, f"Missing. {failures}", bias)


@wrong("13.3", rejected_by="terms_are_those_of_the_data", says="whatever the data are")
def celeba_in_any_case(run, failures="", bias=""):
    return card(run, failures, bias) | {"Data and its terms": f"CelebA or toyfaces. {STRICT}"}


@wrong("13.3", rejected_by="terms_are_those_of_the_data", says="the strictest terms are the safe")
def toys_in_any_case(run, failures="", bias=""):
    return card(run, failures, bias) | {"Data and its terms": "Drawn faces (toyfaces)."}


@wrong("13.3", rejected_by="terms_are_those_of_the_data", says="were not asked: say so")
def no_consent(run, failures="", bias=""):
    made = card(run, failures, bias)
    if "toyfaces" not in made["Data and its terms"]:
        made["Data and its terms"] = "CelebA, for non-commercial research only."
    return made


@wrong("13.3", rejected_by="terms_are_those_of_the_data", says="non-commercial research only")
def no_terms(run, failures="", bias=""):
    made = card(run, failures, bias)
    if "toyfaces" not in made["Data and its terms"]:
        made["Data and its terms"] = "CelebA. Nobody's consent was asked."
    return made


@wrong("13.3", rejected_by="terms_are_those_of_the_data", says="says what the data are")
def no_data_named(run, failures="", bias=""):
    made = card(run, failures, bias)
    if "toyfaces" in made["Data and its terms"]:
        made["Data and its terms"] = "Pictures of faces that were drawn by a program."
    return made
