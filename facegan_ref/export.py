"""A trained generator alone: a file of weights that can hold no code, or a graph for ONNX.

`export_generator` and `load_exported` write and read `.safetensors`: the weights, and in the file's
metadata the recipe that says which network they belong to and the facts of its training.
`export_onnx` writes what other programs run.
"""

from __future__ import annotations

import copy
import inspect
import json
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from facegan_ref import __version__
from facegan_ref.architectures import TanhRange, build_networks, show_in_tanh_range
from facegan_ref.checkpoint import MOST_BYTES, CheckpointError, read_checkpoint
from facegan_ref.recipes import Recipe
from facegan_ref.run_folder import LAST
from facegan_ref.sampling import draw_latent, sample

FORMAT = "facegan-generator-1"
SUFFIX = ".safetensors"
SHIPPED = Path(__file__).parent / "assets" / "generator.safetensors"
SHIPPED_DIRECTIONS = SHIPPED.with_name("directions.json")
TERMS = "Its training data, CelebA, and so its faces, are for non-commercial research only."
TOLERANCE = 1e-5
BATCHES = (1, 3, 16)  # at which an ONNX graph is compared with the model


def export_generator(
    generator: nn.Module,
    recipe: Recipe,
    path: str | Path,
    facts: dict | None = None,
    half: bool = False,
) -> None:
    """Write a generator and nothing else to `path`, a `.safetensors` file.

    Args:
        generator: the one to sample from, as `load_generator` and `Trainer.sampler` give it: the
            average of the weights where the recipe has one.
        recipe: of the generator.
        facts: what else is to be known of it, as JSON values; see `training_facts`.
        half: weights as float16, in half the space; `load_exported` makes them float32 again.

    Raises:
        ValueError: the generator is not the recipe's, or a number is not finite, in float16 where
            `half` is asked for.
    """
    path = Path(path)
    network = _shown(generator, recipe)
    tensors = {}
    for name, value in network.state_dict().items():
        value = value.detach().cpu()
        # Statistics and biases are few, and small variances do not survive float16.
        value = value.half() if half and value.ndim > 1 else value
        tensors[name] = value.clone(memory_format=torch.contiguous_format)
    _require_fit(tensors, recipe, "the generator")
    metadata = {
        "format": FORMAT,
        "recipe": json.dumps(recipe.to_dict()),
        "facts": json.dumps(facts or {}, allow_nan=False),
    }
    _put_in_place(path, lambda beside: beside.write_bytes(save(tensors, metadata)))


def load_exported(path: str | Path) -> tuple[nn.Module, Recipe]:
    """The generator that `export_generator` wrote, and its recipe. Code in the file is never run.

    Returns:
        The generator in evaluation mode on the CPU, float32, images in [-1, 1]; its recipe.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is damaged or foreign, or its weights are not its recipe's.
    """
    metadata, tensors = _read(path)
    recipe = _recipe_of(metadata, path)
    try:
        generator = _require_fit(tensors, recipe, str(path))
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    wanted = generator.state_dict()
    tensors = {name: value.to(wanted[name].dtype, copy=True) for name, value in tensors.items()}
    generator.load_state_dict(tensors, assign=True)
    return generator.eval(), recipe


def exported_facts(path: str | Path) -> dict:
    """The facts in a file of `export_generator`; raises as `load_exported`."""
    metadata, _ = _read(path, with_tensors=False)
    facts = _json(metadata.get("facts", "{}"), "facts", path)
    if facts and not _are_facts(facts):
        raise CheckpointError(f"{path}: its facts are not those of a training; export it again")
    return facts


def training_facts(run: str | Path) -> dict:
    """What a run's folder, a checkpoint or an exported generator says of its own training.

    Returns:
        `steps`, `images` and `data` (how many images there were, and their fingerprint), `seed`,
        `averaged`, `package`, and `quality`: the row of the best measured checkpoint, or None.

    Raises:
        FileNotFoundError, CheckpointError: as `load_generator`.
    """
    run = Path(run)
    if run.suffix == SUFFIX:
        return exported_facts(run)
    path = run / LAST if run.is_dir() else run
    state = read_checkpoint(path)
    try:
        return {
            "steps": int(state["step"]),
            "images": int(state["images"]),
            "data": str(state["data"]),
            "seed": int(state["seed"]),
            "averaged": "ema" in state,
            "quality": state.get("best"),
            "package": f"facegan_ref {__version__}, torch {torch.__version__}",
        }
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of a run: no {error}") from error


def _are_facts(facts: dict) -> bool:
    """Whether `facts` have what `training_facts` gives, each of its kind."""
    kinds = {"steps": int, "images": int, "data": str, "seed": int, "averaged": bool}
    kinds |= {"package": str, "quality": (dict, type(None))}
    if not all(isinstance(facts.get(name, math.nan), kind) for name, kind in kinds.items()):
        return False
    row = facts["quality"] or {"step": 0, "quality": 0.0, "protocol": ""}
    wanted = {"step": int, "quality": (int, float), "protocol": str}
    return all(isinstance(row.get(name), kind) for name, kind in wanted.items())


def export_onnx(generator: nn.Module, recipe: Recipe, path: str | Path) -> float:
    """Write a generator as an ONNX graph: input `z` (N, z_dim), output `images` (N, 3, S, S).

    N is free. Before the file is put in its place, onnxruntime runs it at several N; the graph's
    metadata hold the recipe.

    Returns:
        The largest difference between its images and the model's.

    Raises:
        ValueError: onnx or onnxruntime is not installed, or the images differ by more than 1e-5.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f"export to ONNX needs {error.name}: pip install 'facegan-course[export]'"
        ) from None
    path = Path(path)
    network = _shown(copy.deepcopy(generator).cpu().float(), recipe).eval()
    rng = torch.Generator().manual_seed(0)
    options = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        # Torch before 2.5 knows no other exporter than this one, which is also the one that
        # writes a single file.
        options["dynamo"] = False
    difference = 0.0

    def write(beside: Path) -> None:
        nonlocal difference
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tools to come
            torch.onnx.export(
                network,
                (draw_latent(recipe, 2, rng),),
                str(beside),
                input_names=["z"],
                output_names=["images"],
                dynamic_axes={"z": {0: "N"}, "images": {0: "N"}},
                **options,
            )
        graph = onnx.load(str(beside))
        onnx.helper.set_model_props(
            graph, {"format": FORMAT, "recipe": json.dumps(recipe.to_dict())}
        )
        onnx.save(graph, str(beside))
        session = onnxruntime.InferenceSession(str(beside), providers=["CPUExecutionProvider"])
        for n in BATCHES:
            z = draw_latent(recipe, n, rng)
            (images,) = session.run(["images"], {"z": z.numpy()})
            apart = (torch.from_numpy(images) - sample(network, z)).abs().max().item()
            difference = max(difference, apart)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"under onnxruntime {onnxruntime.__version__} the images differ from the model's "
                f"by {difference:.2g}, expected at most {TOLERANCE:g}; nothing was written"
            )

    _put_in_place(path, write)
    return difference


def _shown(generator: nn.Module, recipe: Recipe) -> nn.Module:
    """The generator with images in [-1, 1], whether or not it is so already."""
    if isinstance(generator, TanhRange):
        return generator
    return show_in_tanh_range(generator, recipe)


def _put_in_place(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written beside `path`, then give it its name: it is whole, or not there."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder, expected the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    try:
        write(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _read(path: str | Path, with_tensors: bool = True) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a file in the format; CheckpointError for anything else."""
    path = Path(path)
    if not path.is_file():
        if path == SHIPPED:
            raise FileNotFoundError(
                f"{path}: this copy of the package comes without its trained generator. Name a "
                "run's folder, such as runs/quick, which `facegan train` makes"
            )
        raise FileNotFoundError(f"{path}: no such exported generator")
    if path.stat().st_size > MOST_BYTES:
        raise CheckpointError(f"{path}: more than {MOST_BYTES / 2**30:.0f} GiB: no generator")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            _require_format(metadata, path)
            names = file.keys() if with_tensors else ()
            return metadata, {name: file.get_tensor(name) for name in names}
    except CheckpointError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: not a readable {SUFFIX} file ({type(error).__name__}). It may be truncated, "
            "or be of another kind; export it again with `facegan export weights`"
        ) from error


def _require_format(metadata: dict[str, str], path: Path) -> None:
    found = metadata.get("format")
    if found == FORMAT:
        return
    if isinstance(found, str) and found.startswith("facegan-generator-"):
        why = "another version of the package wrote it; use that version, or export it again"
    else:
        why = "the file holds something else than a generator of this package"
    raise CheckpointError(f'{path}: format is {found!r}, expected "{FORMAT}": {why}')


def _json(text: str, what: str, path: str | Path) -> dict:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: its {what} are not readable; export it again")
    return value


def _recipe_of(metadata: dict[str, str], path: str | Path) -> Recipe:
    values = _json(metadata.get("recipe", ""), "recipe's fields", path)
    try:
        return Recipe.from_dict(values)
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: its recipe can't be used: {error}") from error


def _require_fit(tensors: dict[str, Tensor], recipe: Recipe, whose: str) -> nn.Module:
    """The recipe's generator without numbers; ValueError where `tensors` are not its own.

    It is built without memory for its numbers: a recipe that claims a huge network costs nothing.
    """
    try:
        with torch.device("meta"):
            generator = show_in_tanh_range(build_networks(recipe)[0], recipe)
        wanted = generator.state_dict()
    except (ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{whose}: no network can be built of its recipe: {error}") from error
    missing = sorted(set(wanted) - set(tensors))
    extra = sorted(set(tensors) - set(wanted))
    if missing or extra:
        parts = [f"lacks {_some(missing)}"] if missing else []
        parts += [f"has {_some(extra)} besides"] if extra else []
        raise ValueError(
            f"{whose} {' and '.join(parts)}: these are not the weights of a generator of recipe "
            f"{recipe.name}"
        )
    for name, value in tensors.items():
        expected = wanted[name]
        if value.shape != expected.shape:
            raise ValueError(
                f"{whose}: {name} has shape {tuple(value.shape)}, recipe {recipe.name} has "
                f"{tuple(expected.shape)}"
            )
        if value.is_floating_point() != expected.is_floating_point() or value.is_complex():
            raise ValueError(f"{whose}: {name} is {value.dtype}, expected {expected.dtype}")
        if not value.isfinite().all():
            advice = "; leave half away" if value.dtype == torch.float16 else ""
            raise ValueError(f"{whose}: {name} has values that are not finite{advice}")
    return generator


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
