"""CelebA's text files: attributes, identities and the official split of each picture.

Both forms are read: the official `.txt` and the `.csv` of Kaggle's copy.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from data_prep.errors import SourceError, looks_like_a_web_page

ATTRIBUTES, IDENTITIES, SPLIT = "list_attr_celeba", "identity_CelebA", "list_eval_partition"
SUFFIXES = (".txt", ".csv")
MAX_TEXT = 256 << 20  # bytes; the largest of the official files has 26 MB


@dataclass(frozen=True)
class Annotations:
    """What is known of each picture, in the order of the array.

    `values` is bool `(N, A)`, `identities` int64 `(N,)`, `split` uint8 `(N,)` (0 train, 1 valid,
    2 test); each is None when unknown. `sources` names the files they came from.
    """

    names: tuple[str, ...] = ()
    values: np.ndarray | None = None
    identities: np.ndarray | None = None
    split: np.ndarray | None = None
    sources: tuple[str, ...] = ()

    def take(self, kept: np.ndarray) -> Annotations:
        """The annotations of the pictures `kept` (indices) only."""
        parts = {
            name: None if value is None else value[kept]
            for name, value in (
                ("values", self.values),
                ("identities", self.identities),
                ("split", self.split),
            )
        }
        return replace(self, **parts)


def find_texts(source: Path, others: list[str]) -> dict[str, Callable[[], bytes]]:
    """CelebA's text files in and around a source: stem to a function that reads it.

    Looked for among the `others`, the files in the folder or zip that are no pictures; beside the
    source; and in the official layout's neighbours (`Anno/`, `Eval/`), up to two folders above.
    The nearest wins, `.txt` before `.csv`.
    """
    stems = (ATTRIBUTES, IDENTITIES, SPLIT)
    found: dict[str, Callable[[], bytes]] = {}
    for suffix in SUFFIXES:
        wanted = {stem + suffix: stem for stem in stems}
        for name in sorted(others, key=lambda name: (name.count("/"), name)):
            stem = wanted.get(PurePosixPath(name).name)
            if stem and source.is_dir():
                found.setdefault(stem, (source / name).read_bytes)
            elif stem:
                found.setdefault(stem, partial(_from_zip, source, name))
    for above in list(source.resolve().parents)[:2]:
        for suffix in SUFFIXES:
            for stem in stems:
                for folder in (above, above / "Anno", above / "Eval"):
                    if (folder / (stem + suffix)).is_file():
                        found.setdefault(stem, (folder / (stem + suffix)).read_bytes)
    return found


def _from_zip(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            return file.read(MAX_TEXT)
    except (zipfile.BadZipFile, RuntimeError, OSError) as error:
        raise SourceError(f"{path}: {name} within it can't be read ({error})") from error


def read_annotations(source: Path, names: list[str], others: list[str]) -> Annotations:
    """The annotations of the pictures called `names`, from the text files around a source.

    Raises:
        SourceError: a text file is there but damaged, or lacks a picture.
    """
    texts = find_texts(source, others)
    known = Annotations(sources=tuple(sorted(texts)))
    if ATTRIBUTES in texts:
        header, rows = _rows(ATTRIBUTES, texts[ATTRIBUTES](), has_header=True)
        values = _lookup(ATTRIBUTES, rows, names, len(header), (-1, 0, 1), np.int8)
        known = replace(known, names=tuple(header), values=values > 0)
    if IDENTITIES in texts:
        _, rows = _rows(IDENTITIES, texts[IDENTITIES](), has_header=False)
        known = replace(known, identities=_lookup(IDENTITIES, rows, names, 1, None, np.int64)[:, 0])
    if SPLIT in texts:
        _, rows = _rows(SPLIT, texts[SPLIT](), has_header=False)
        known = replace(known, split=_lookup(SPLIT, rows, names, 1, (0, 1, 2), np.uint8)[:, 0])
    return known


def _rows(stem: str, content: bytes, has_header: bool) -> tuple[list[str], dict[str, str]]:
    """The columns' names and, of each picture by its name without suffix, the rest of its line."""
    try:
        lines = [line for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise SourceError(f"{stem}: not a text file ({error})") from error
    if lines and looks_like_a_web_page(lines[0].encode()):
        raise SourceError(f"{stem}: not the list but a web page: fetch it again")
    lines = [line.replace(",", " ") for line in lines]  # Kaggle's; no field has spaces
    header: list[str] = []
    declared = int(lines.pop(0)) if lines and lines[0].strip().isdigit() else None
    if lines and "." not in lines[0].split()[0]:  # no file's name
        first = lines.pop(0).split()
        header = first[1:] if first[0] == "image_id" else first
    if declared is not None and declared != len(lines):
        raise SourceError(
            f"{stem}: says {declared} rows and has {len(lines)}: not complete; fetch it again"
        )
    if has_header and not header:
        raise SourceError(f"{stem}: no names of attributes at its head")
    # Whole lines: 200,000 rows of 40 strings would take a gigabyte.
    named = (line.strip().partition(" ") for line in lines)
    return header, {name.rpartition(".")[0]: rest for name, _, rest in named}


def _lookup(
    stem: str,
    rows: dict[str, str],
    names: list[str],
    width: int,
    allowed: tuple[int, ...] | None,
    dtype: type,
) -> np.ndarray:
    """The numbers in the rows of `names`, `(N, width)`; None allows any."""
    table = np.empty((len(names), width), dtype)
    stems = [name.rpartition(".")[0] for name in names]
    missing = [name for name, stem in zip(names, stems, strict=True) if stem not in rows]
    if missing:
        raise SourceError(
            f"{stem}: has no row for {len(missing)} of {len(names)} pictures, the first "
            f"{missing[0]}: it belongs to other pictures. Move it away to go on without"
        )
    for i, key in enumerate(stems):
        try:
            values = [int(field) for field in rows[key].split()]
            if len(values) != width:
                raise ValueError(f"{len(values)} values, expected {width}")
            if allowed and not set(values).issubset(allowed):
                raise ValueError(f"{sorted(set(values).difference(allowed))[0]} in it")
            table[i] = values
        except ValueError as error:
            raise SourceError(f"{stem}: the row of {names[i]} is damaged: {error}") from error
    return table
