"""The generators that the owner of a server offers to its visitors, and no other file."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from facegan_ref.directions import Directions
from facegan_ref.export import SHIPPED, SUFFIX
from facegan_ref.recipes import Recipe
from facegan_ref.run import load_generator
from facegan_ref.run_folder import BEST, LAST
from facegan_ref.sampling import draw_latent, sample

log = logging.getLogger(__name__)
SHIPPED_NAME = "the course's generator"
DIRECTIONS = "directions.json"
MOST_LOADED = 4  # generators kept in memory
MOST_ATTRIBUTES = 12  # sliders on the page
JUDGEMENTS = ("Attractive",)  # an opinion of those who labelled, which makes no slider here
NONE_OFFERED = (
    "This server has no generator yet. Its owner can train one (facegan train) and start the page "
    "with it (facegan app RUN)."
)


class CannotShow(ValueError):
    """What a visitor asked for can't be shown; the message is for him and names no path."""


@dataclass(frozen=True)
class Attribute:
    """A slider: where an attribute grows, how far it goes, and what else changes on the way."""

    name: str
    vector: Tensor
    reach: float
    besides: str


@dataclass(frozen=True)
class Loaded:
    """A generator that can be shown; `why_none` says why it has no `attributes`."""

    name: str
    generator: nn.Module
    recipe: Recipe
    attributes: list[Attribute] = field(default_factory=list)
    why_none: str = ""


class Checkpoints:
    """Generators by the names that visitors choose from.

    Args:
        offers: for each name a run's folder, a checkpoint or an exported generator. Files are read
            when a visitor first asks for them, and again when they have changed.
    """

    def __init__(self, offers: Mapping[str, Path]):
        self._offers = dict(offers)
        self._loaded: OrderedDict[tuple, Loaded] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """What a visitor can choose from."""
        return list(self._offers)

    def load(self, name: object) -> Loaded:
        """The generator called `name`; CannotShow when there is none or its file can't be used."""
        if not self._offers:
            raise CannotShow(NONE_OFFERED)
        if not isinstance(name, str) or name not in self._offers:
            raise CannotShow("This server has no such generator. Choose one from the list.")
        path = self._offers[name]
        with self._lock:
            try:
                key = (name, *_state(_weights(path)), *_state(_directions(path)))
                if key not in self._loaded:
                    self._loaded[key] = _load(name, path)
                    while len(self._loaded) > MOST_LOADED:
                        self._loaded.popitem(last=False)
                self._loaded.move_to_end(key)
                return self._loaded[key]
            except Exception as error:  # whatever a damaged file leads to, the server goes on
                log.warning("%s can't be shown: %s", path, error, exc_info=not _expected(error))
                why = _without_paths(error, path) if _expected(error) else type(error).__name__
                raise CannotShow(
                    f"“{name}” can't be shown: {why}. Choose another generator."
                ) from error


def offered(runs: Iterable[Path] = (), folders: Iterable[Path] = ()) -> dict[str, Path]:
    """What a server offers: `runs`, what lies in the `folders` of runs, the package's own.

    Raises:
        FileNotFoundError: one of them is not there.
        ValueError: a folder holds no run, or a run's folder no checkpoint.
    """
    found = []
    for run in map(Path, runs):
        if run.is_dir() and not (run / LAST).is_file():
            raise ValueError(f"{run}: holds no {LAST}; name a run's folder, or use --runs {run}")
        if not run.exists():
            raise FileNotFoundError(f"{run}: no such run or generator")
        found.append(run)
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder")
        inside = [path for path in sorted(folder.iterdir()) if _is_generator(path)]
        inside += [run / BEST for run in inside if run.is_dir() and (run / BEST).is_file()]
        if not inside:
            raise ValueError(f"{folder}: holds no run and no generator")
        found += sorted(inside)
    offers: dict[str, Path] = {}
    for path in found:
        name = _name(path)
        number = 2
        while name in offers:
            name, number = f"{_name(path)} ({number})", number + 1
        offers[name] = path.resolve()
    if SHIPPED.is_file():
        offers[SHIPPED_NAME] = SHIPPED
    return offers


def _is_generator(path: Path) -> bool:
    return (path / LAST).is_file() if path.is_dir() else path.suffix in (".pt", SUFFIX)


def _name(path: Path) -> str:
    path = path.resolve()
    if path.is_dir():
        return path.name
    return path.stem if path.suffix == SUFFIX else f"{path.parent.name}/{path.name}"


def _weights(path: Path) -> Path:
    return path / LAST if path.is_dir() else path


def _directions(path: Path) -> Path:
    """Where the directions of a generator lie: with its name before them, or alone."""
    beside = _weights(path)
    own = beside.with_name(f"{beside.stem}.{DIRECTIONS}")
    return own if own.is_file() else beside.with_name(DIRECTIONS)


def _state(path: Path) -> tuple:
    try:
        status = path.stat()
    except OSError:
        return (None, None)
    return (status.st_mtime_ns, status.st_size)


def _load(name: str, path: Path) -> Loaded:
    generator, recipe = load_generator(path)
    trial = sample(generator, draw_latent(recipe, 2, torch.Generator().manual_seed(0)))
    if not bool(torch.isfinite(trial).all()):
        raise ValueError(
            f"{path}: its pictures hold values that are no numbers: the training went wrong"
        )
    attributes: list[Attribute] = []
    why_none = ""
    try:
        attributes = _attributes(Directions.load(_directions(path), generator))
        if not attributes:
            why_none = "None of the attributes could be found in its faces."
    except FileNotFoundError:
        why_none = (
            "No directions were found for this generator yet. Its owner can look for them with "
            f"facegan directions, and put {DIRECTIONS} beside it."
        )
    except ValueError as error:
        log.warning("%s", error)
        why_none = "The directions beside this generator are damaged, or belong to another one."
    return Loaded(name, generator, recipe, attributes, why_none)


def _attributes(directions: Directions) -> list[Attribute]:
    """The attributes that moves change most, first the strongest."""

    def gain(effects: dict[str, tuple[float, float]], name: str) -> float:
        back, forth = effects[name]
        return forth - back

    def besides(name: str) -> str:
        effects = directions.found[name].effects
        gains = {
            other: gain(effects, other) for other in effects if other not in (name, *JUDGEMENTS)
        }
        most = sorted(gains, key=lambda other: -abs(gains[other]))[:2]
        # Points of a hundred faces, from one end of the slider to the other.
        said = [f"{readable(other)} {100 * gains[other]:+.0f}" for other in most if gains[other]]
        return ", ".join(said).replace("-", "−")

    names = [name for name in directions.found if name not in JUDGEMENTS]
    names.sort(key=lambda name: -gain(directions.found[name].effects, name))
    return [
        Attribute(name, directions[name].tensor(), directions.reach, besides(name))
        for name in names[:MOST_ATTRIBUTES]
    ]


def readable(name: str) -> str:
    """An attribute's name as people write it: `Wavy_Hair` as "Wavy hair"."""
    return name.replace("_", " ").capitalize()


def _expected(error: Exception) -> bool:
    return isinstance(error, (ValueError, OSError))


def _without_paths(error: Exception, path: Path) -> str:
    """An error's text without where the file lies, which is no business of a visitor."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = str(error)
    for known in (_weights(path), path):
        text = text.replace(f"{known}: ", "").replace(str(known), known.name)
    return text.rstrip(".")
