"""Checks of lesson 13: the tasks. Their checks are in the modules beside this one."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson13 import card, exported, plan

lesson = Lesson(
    "13",
    "capstone",
    "Your own face generator",
    builds="your own run, exported with a model card and shown on a page",
    minutes=120,
    given={
        "json": "json",
        "Path": "pathlib:Path",
        "Recipe": "facegan_ref.recipes:Recipe",
        "build_networks": "facegan_ref.architectures:build_networks",
        "show_in_tanh_range": "facegan_ref.architectures:show_in_tanh_range",
        "count_parameters": "facegan_ref.capstone:count_parameters",
        "FORMAT": "facegan_ref.export:FORMAT",
        "SafetensorError": "safetensors:SafetensorError",
        "safe_open": "safetensors:safe_open",
        "save_file": "safetensors.torch:save_file",
    },
)

lesson.task(
    "13.1",
    "own_recipe",
    names=("own_recipe",),
    points=4,
    hints=(
        "One epoch is how many steps, for so many images in batches of your size? And how does the "
        "number of weights change when ngf and ndf become half as large?",
        "The last, incomplete batch is left out: an epoch has images // batch_size steps. "
        "count_parameters(recipe) says how many weights the two networks of a recipe have; "
        "recipe.override(ngf=…, ndf=…) gives the same recipe with other widths.",
        "steps_per_epoch = images // batch_size\n"
        "epochs = max_steps // steps_per_epoch\n"
        "begin with a large width; while the recipe of that width has too many parameters,\n"
        "make the width three quarters as large",
        "own_recipe(2000, 32, 620, 300_000) with batch_size 32: an epoch has 62 steps, so that 10 "
        "epochs are\nallowed. z_dim 64 and ngf = ndf = 21 have 231,042 weights: not more than "
        "allowed, more than a quarter of it.",
    ),
)
lesson.task(
    "13.2",
    "export_generator and load_exported",
    names=("export_generator", "load_exported"),
    points=6,
    hints=(
        "What does somebody need who wants faces from your generator and nothing else? What of a "
        "checkpoint do they not need? And what do they need that is no weight?",
        "generator.state_dict() has the weights and batch norm's running statistics. save_file "
        "takes contiguous tensors, and as its third argument metadata, a dict of strings: "
        "json.dumps makes a string of a recipe's to_dict(). safe_open gives both back.",
        "export: tensors = each value of the state_dict, detached, on the CPU, contiguous\n"
        '        save_file(tensors, path, {"format": FORMAT, "recipe": …})\n'
        "load:   with safe_open(path, framework='pt') as file: file.metadata(), file.keys(),\n"
        "        file.get_tensor(name)\n"
        "        build_networks(recipe)[0], show_in_tanh_range(…), load_state_dict, eval()\n"
        "        whatever does not fit becomes ValueError(f'{path}: …')",
        "A network built in channels_last memory (the trainer's is) has weights for which "
        "value.is_contiguous() is\nFalse: save_file refuses them. And "
        "Generator(...)(z) without eval() gives other images for z[:1] than for z.",
    ),
)
lesson.task(
    "13.3",
    "model_card",
    names=("model_card",),
    points=5,
    hints=(
        "Which of the sections can be filled from the run's files, and which can only be filled by "
        "somebody who looks, measures or thinks? What should stand where nobody has done so?",
        "A .jsonl file has one JSON value on each line. The last row of metrics.jsonl knows how "
        "far the training came; quality is KID, of which lower is better. What the data are "
        "stands in the protocol of quality.jsonl, if there is one.",
        "recipe = json.loads of recipe.json; rows = [json.loads(line) for each line of …]\n"
        "no quality.jsonl, or an empty one: the section says Missing, and has no number\n"
        "best = min(rows, key=lambda row: row['quality']): its value, its step, its protocol\n"
        "'toyfaces' in the protocol: drawn faces; anything else: non-commercial, and consent",
        "quality.jsonl has 980.0 at step 62, 210.5 at step 310 and 260.0 at step 620; "
        "metrics.jsonl ends at step 620.\nTraining: 620 steps. Quality: 210.5 at step 310, and "
        "the protocol word for word.",
    ),
)

plan.add_to(lesson)
exported.add_to(lesson)
card.add_to(lesson)
