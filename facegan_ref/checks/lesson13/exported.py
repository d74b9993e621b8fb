"""Checks of task 13.2: export_generator and load_exported."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from facegan_ref.architectures import build_networks, show_in_tanh_range
from facegan_ref.checks.engine import Lesson, Probe, fail, number, require_type
from facegan_ref.export import FORMAT
from facegan_ref.recipes import Recipe
from facegan_ref.sampling import draw_latent, sample

TOLERANCE = 1e-5
NAME = "mine.safetensors"
TINY = {"image_size": 16, "z_dim": 6, "ngf": 4, "ndf": 4, "source": "a check"}


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder for one check."""
    with tempfile.TemporaryDirectory(prefix="facegan-check-") as folder:
        yield Path(folder)


def recipes(probe: Probe) -> dict[str, Recipe]:
    """Small recipes of different kinds by what is special about them."""
    z_dim = probe.integer(4, 9)
    plain = Recipe(name="plain", **TINY | {"z_dim": z_dim})
    return {
        "a DCGAN": plain,
        "images from a sigmoid": plain.override(name="sigmoid", output="sigmoid", init="torch"),
        "an MLP with dropout": plain.override(name="mlp", model="mlp", ngf=12, dropout=0.3),
        "LeakyReLU and uniform latents": plain.override(
            name="leaky", activation="leaky_relu", latent="uniform", ngf=5
        ),
    }


def trained(recipe: Recipe, probe: Probe) -> nn.Module:
    """A generator with images in [-1, 1] whose running statistics are not those of the start."""
    torch.manual_seed(probe.seed + 1)
    generator = build_networks(recipe)[0]
    with torch.no_grad():
        for name, value in generator.state_dict().items():
            noise = probe.randn(max(1, value.numel())).view(value.shape)
            if name.endswith("running_var"):
                value.copy_(0.05 + noise.abs())
            elif name.endswith("running_mean"):
                value.copy_(0.3 * noise)
            elif value.is_floating_point():
                value.copy_(0.25 * noise + (1 if value.ndim == 1 else 0))
            else:
                value.fill_(probe.integer(10, 99))
    return show_in_tanh_range(generator, recipe)


def write(export_generator: Callable, generator: nn.Module, recipe: Recipe, path: Path) -> None:
    """Have the student's function write; there must be one file then."""
    try:
        export_generator(generator, recipe, path)
    except ValueError as error:
        if "contiguous" in str(error):
            fail(
                "a generator in channels_last memory, as the trainer has it, to be exported",
                f"ValueError: {str(error).split('.weight', 1)[0][:80]}…",
                "save_file takes contiguous tensors: value.contiguous() makes one",
            )
        raise
    except TypeError as error:
        if "metadata" not in str(error):
            raise
        fail(
            "metadata that save_file takes: a dict from str to str",
            f"TypeError: {str(error)[:150]}",
            "the recipe goes in as text: json.dumps(recipe.to_dict())",
        )
    names = sorted(p.name for p in path.parent.iterdir())
    if names != [path.name]:
        likely = "everything goes into the one file: the recipe into its metadata"
        if not names:
            likely = "the tensors are not saved to path"
        elif path.name not in names:
            likely = "the file gets another name than path"
        fail(f"one file, {path.name}", ", ".join(names) or "no file", likely)


def require_same_images(
    came: nn.Module, wanted: nn.Module, z: Tensor, what: str, likely: str
) -> None:
    """The loaded generator's images are the model's, to 1e-5."""
    with torch.no_grad():
        images = came(z)
    images = require_type(images, Tensor, "images from the loaded generator", "it is no module")
    expected = sample(wanted, z)
    if images.shape != expected.shape:
        fail(f"images of shape {tuple(expected.shape)} ({what})", f"{tuple(images.shape)}", likely)
    apart = (images.float() - expected).abs().max().item()
    if not apart <= TOLERANCE:
        in_unit_range = (2 * images.float() - 1 - expected).abs().max().item() <= TOLERANCE
        if in_unit_range:
            likely = "a recipe with output sigmoid needs show_in_tanh_range(generator, recipe)"
        fail(
            f"the model's images to {TOLERANCE:g} ({what})",
            f"images that differ by up to {number(apart)}",
            likely,
        )


def load(load_exported: Callable, path: Path) -> tuple[nn.Module, Recipe]:
    """What the student's function loads: a generator and a recipe."""
    came = load_exported(path)
    pair = require_type(
        came, tuple, "a pair (generator, recipe)", "return generator.eval(), recipe"
    )
    if len(pair) != 2:
        fail("a pair (generator, recipe)", f"a tuple of {len(pair)}", None)
    generator, recipe = pair
    require_type(generator, nn.Module, "a module first", "the pair is (generator, recipe)")
    require_type(
        recipe, Recipe, "a Recipe second", "Recipe.from_dict makes one of the metadata's JSON"
    )
    return generator, recipe


def rewrite(path: Path, tensors: Callable | None = None, **metadata: str | None) -> None:
    """Change a file's tensors or metadata; None takes an entry out."""
    with safe_open(str(path), framework="pt") as file:
        found = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        before = file.metadata() or {}
    after = {key: value for key, value in {**before, **metadata}.items() if value is not None}
    save_file(tensors(found) if tensors else found, str(path), after)


class RunsCode:
    """Who unpickles it in good faith makes a file."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return (exec, (f"open({str(self.target)!r}, 'w').close()",))


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 13.2."""
    _add_export_checks(lesson)
    _add_load_checks(lesson)


def _add_export_checks(lesson: Lesson) -> None:
    @lesson.check("13.2", points=1)
    def writes_the_generator_and_nothing_else(
        export_generator, load_exported, probe: Probe
    ) -> None:
        """One .safetensors file: all of the generator's state_dict; format and recipe beside it."""
        for what in ("a DCGAN", "images from a sigmoid"):
            recipe = recipes(probe)[what]
            generator = trained(recipe, probe)
            with empty_folder() as folder:
                write(export_generator, generator, recipe, folder / NAME)
                _require_contents(folder / NAME, generator, recipe)

    @lesson.check("13.2", points=0.5)
    def leaves_the_generator_alone(export_generator, load_exported, probe: Probe) -> None:
        """The generator stays as it is, in its mode; channels_last memory is no hindrance."""
        recipe = recipes(probe)["a DCGAN"]
        generator = trained(recipe, probe).to(memory_format=torch.channels_last).train()
        before = {name: value.clone() for name, value in generator.state_dict().items()}
        with empty_folder() as folder:
            write(export_generator, generator, recipe, folder / NAME)
            if not generator.training:
                fail(
                    "a generator in training mode to stay in it",
                    "it is in evaluation mode",
                    "a training that goes on after the export would not be the same: weights "
                    "can be read in any mode",
                )
            if any(not p.requires_grad for p in generator.parameters()):
                fail(
                    "parameters that can still be trained",
                    "requires_grad is False",
                    "detach() gives a tensor without a graph and leaves the parameter as it is",
                )
            for name, value in generator.state_dict().items():
                if value.dtype != before[name].dtype or not torch.equal(value, before[name]):
                    fail(
                        f"{name} of the given generator unchanged",
                        "it changed",
                        "half(), float() and forward passes in training mode change a module in "
                        "place",
                    )


def _require_contents(path: Path, generator: nn.Module, recipe: Recipe) -> None:
    """The file has the generator's tensors, the format and the recipe, and nothing else."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        fail(
            "a file in the format safetensors",
            f"{type(error).__name__} when it is opened",
            "torch.save writes a pickle, which can hold code: use save_file",
        )
    state = generator.state_dict()
    lacking = sorted(set(state) - set(tensors))
    if lacking:
        buffers = {name for name, _ in generator.named_buffers()}
        fail(
            "every entry of generator.state_dict()",
            f"{', '.join(lacking[:2])} and {len(lacking)} entries in all are missing",
            "running statistics are no parameters, but evaluation mode reads them: take "
            "state_dict(), not named_parameters()"
            if set(lacking) <= buffers
            else None,
        )
    if set(tensors) - set(state):
        fail(
            "nothing besides the generator",
            f"{sorted(set(tensors) - set(state))[0]} is in the file too",
            "whoever wants faces needs neither the discriminator nor the optimizers",
        )
    for name, value in state.items():
        same = tensors[name].dtype == value.dtype and tensors[name].shape == value.shape
        if not (same and torch.equal(tensors[name], value.detach())):
            fail(f"{name} as it is in the generator", "another tensor", None)
    if metadata.get("format") != FORMAT:
        fail(
            'metadata with "format": FORMAT',
            f"{metadata.get('format')!r}",
            'the third argument of save_file is {"format": FORMAT, "recipe": …}',
        )
    try:
        same = json.loads(metadata["recipe"]) == recipe.to_dict()
    except (KeyError, ValueError):
        fail(
            'metadata with "recipe": the recipe as JSON',
            f"{metadata.get('recipe', 'no such entry')!r}"[:150],
            "json.dumps(recipe.to_dict()); str(…) is not JSON",
        )
    if not same:
        fail("all fields of recipe.to_dict() as JSON", "other fields or values", None)


def _add_load_checks(lesson: Lesson) -> None:
    @lesson.check("13.2", points=1.5)
    def comes_back_equal(export_generator, load_exported, probe: Probe) -> None:
        """What is loaded makes the exported generator's images, to 1e-5, for any recipe."""
        with empty_folder() as folder:
            for count, (what, recipe) in enumerate(recipes(probe).items()):
                generator = trained(recipe, probe)
                place = folder / str(count)
                place.mkdir()
                write(export_generator, generator, recipe, place / NAME)
                loaded, found = load(load_exported, place / NAME)
                if found != recipe:
                    fail(f"the recipe as it was exported ({what})", "another one", None)
                z = draw_latent(recipe, 5, probe.rng)
                loaded.eval()
                likely = "the weights of the file are not loaded, or not all of them"
                require_same_images(loaded, generator, z, what, likely)

    @lesson.check("13.2", points=1)
    def is_ready_for_faces(export_generator, load_exported, probe: Probe) -> None:
        """A face depends on its own latent alone: evaluation mode. The path is a str or a Path."""
        recipe = recipes(probe)["a DCGAN"]
        generator = trained(recipe, probe).train()
        z = draw_latent(recipe, 6, probe.rng)
        expected = sample(generator, z)
        with empty_folder() as folder:
            path = folder / NAME
            write(export_generator, generator, recipe, path)
            with torch.no_grad():
                for parameter in generator.parameters():
                    parameter.zero_()  # the file must do without the one that was exported
            loaded, _ = load(load_exported, str(path))
            again, _ = load(load_exported, path)
            if any(module.training for module in loaded.modules()):
                fail(
                    "a generator in evaluation mode",
                    "training mode",
                    "build_networks gives a module in training mode: call eval() on it",
                )
            kinds = {p.dtype for p in loaded.parameters()}
            if kinds != {torch.float32}:
                fail("weights in float32", ", ".join(sorted(map(str, kinds))), None)
            with torch.no_grad():
                one = torch.cat([loaded(part) for part in z.split(1)])
                both = loaded(z), again(z)
            for images in (one, *both):
                apart = (images - expected).abs().max().item()
                if not apart <= TOLERANCE:
                    fail(
                        "the exported generator's images, one latent at a time or together",
                        f"images that differ by up to {number(apart)}",
                        "weights are taken from somewhere else than the file",
                    )

    @lesson.check("13.2", points=1)
    def refuses_what_is_no_generator(export_generator, load_exported, probe: Probe) -> None:
        """A missing file is a FileNotFoundError; any other file that is no such generator a
        ValueError that names it. Code in a file is never run."""
        recipe = recipes(probe)["a DCGAN"]
        generator = trained(recipe, probe)
        with empty_folder() as folder:
            try:
                load_exported(folder / "none.safetensors")
            except FileNotFoundError:
                pass
            except NotImplementedError:
                raise
            except Exception as error:
                fail(
                    "a FileNotFoundError for a file that is not there",
                    f"{type(error).__name__}: {error}",
                    "it is turned into another error: except FileNotFoundError: raise",
                )
            else:
                fail("a FileNotFoundError for a file that is not there", "no error", None)
            ran = folder / "the code ran"
            good = folder / NAME
            write(export_generator, generator, recipe, good)
            content = good.read_bytes()

            def pickled(path: Path) -> None:
                torch.save({"weights": RunsCode(ran)}, path)

            def with_nan(tensors: dict) -> dict:
                name = next(name for name, value in tensors.items() if value.ndim > 1)
                return tensors | {name: tensors[name] * float("nan")}

            def without_one(tensors: dict) -> dict:
                return dict(list(tensors.items())[1:])

            other = json.dumps(recipe.override(ngf=recipe.ngf + 1).to_dict())
            odd = json.dumps({**recipe.to_dict(), "from_the_future": 1})
            cases: dict[str, Callable[[Path], object]] = {
                "half of a file": lambda p: p.write_bytes(content[: len(content) // 2]),
                "a web page": lambda p: p.write_text("<html>Sign in</html>"),
                "a pickle with code in it": pickled,
                "a .safetensors file of another program": lambda p: rewrite(p, format="pt"),
                "a file without metadata": lambda p: rewrite(p, format=None, recipe=None),
                "a file whose recipe is not JSON": lambda p: rewrite(p, recipe="{'name': 'x'}"),
                "a recipe with an unknown field": lambda p: rewrite(p, recipe=odd),
                "the weights of another recipe": lambda p: rewrite(p, recipe=other),
                "a file that lacks one tensor": lambda p: rewrite(p, without_one),
                "weights that are NaN": lambda p: rewrite(p, with_nan),
            }
            for count, (what, make) in enumerate(cases.items()):
                path = folder / f"file {count}.safetensors"
                path.write_bytes(content)
                make(path)
                _require_refused(load_exported, path, what)
                if ran.exists():
                    fail(
                        "no code of a file to be run",
                        "the code in a pickle ran",
                        "torch.load and pickle run what a file tells them to: use safe_open",
                    )


def _require_refused(load_exported: Callable, path: Path, what: str) -> None:
    """Loading `path` raises a ValueError that names it."""
    expected = f"a ValueError with the file's name for {what}"
    likely = {
        "weights that are NaN": "load_state_dict takes NaN: look whether all values are finite",
        "a .safetensors file of another program": "metadata()['format'] must be FORMAT",
        "a file that lacks one tensor": "strict=False loads what is there and keeps silent about "
        "the rest",
        "a file without metadata": "file.metadata() is None when there is none",
    }
    try:
        load_exported(path)
    except NotImplementedError:
        raise
    except ValueError as error:
        if path.name not in str(error):
            fail(
                expected,
                f"ValueError: {str(error).splitlines()[0][:150] if str(error) else ''}",
                f"the name is not in the message, {path.name!r} here: ValueError(f'{{path}}: …')",
            )
    except Exception as error:
        lines = str(error).splitlines() or [""]
        fail(
            expected,
            f"{type(error).__name__}: {lines[0][:150]}",
            "what safetensors, json or torch raise is not turned into a ValueError: try … except … "
            "as error: raise ValueError(…) from error",
        )
    else:
        fail(expected, "no error", likely.get(what))
