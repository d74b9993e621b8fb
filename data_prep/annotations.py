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

from data_prep.errors import SourceError

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
        values = _lookup(ATTRIBUTES, rows, names, len(header), {-1: False, 1: True, 0: False})
        known = replace(known, names=tuple(header), values=values.astype(bool))
    if IDENTITIES in texts:
        _, rows = _rows(IDENTITIES, texts[IDENTITIES](), has_header=False)
        known = replace(known, identities=_lookup(IDENTITIES, rows, names, 1, None)[:, 0])
    if SPLIT in texts:
        _, rows = _rows(SPLIT, texts[SPLIT](), has_header=False)
        split = _lookup(SPLIT, rows, names, 1, {0: 0, 1: 1, 2: 2})[:, 0]
        known = replace(known, split=split.astype(np.uint8))
    return known


def _rows(stem: str, content: bytes, has_header: bool) -> tuple[list[str], dict[str, list[str]]]:
    """The columns' names and, of each picture, the row's fields."""
    try:
        lines = [line for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise SourceError(f"{stem}: not a text file ({error})") from error
    if lines and lines[0].lstrip().lower().startswith(("<!doctype", "<html")):
        raise SourceError(f"{stem}: not the list but a web page: fetch it again")
    header: list[str] = []
    if lines and "," in lines[0]:
        rows = [[field.strip() for field in line.split(",")] for line in lines]
        if not rows[0][0].lower().endswith((".jpg", ".png")):
            header, rows = rows[0][1:], rows[1:]
    else:
        declared = int(lines.pop(0)) if lines and lines[0].strip().isdigit() else None
        if has_header and lines:
            header = lines.pop(0).split()
        if declared is not None and declared != len(lines):
            raise SourceError(
                f"{stem}: says {declared} rows and has {len(lines)}: not complete; fetch it again"
            )
        rows = [line.split() for line in lines]
    if has_header and not header:
        raise SourceError(f"{stem}: no names of attributes at its head")
    return header, {row[0]: row[1:] for row in rows}


def _lookup(
    stem: str,
    rows: dict[str, list[str]],
    names: list[str],
    width: int,
    meaning: dict[int, int | bool] | None,
) -> np.ndarray:
    """The rows of `names` as int64 `(N, width)`; `meaning` says which values there may be."""
    by_stem = {PurePosixPath(name).stem: row for name, row in rows.items()}
    table = np.empty((len(names), width), np.int64)
    missing = [name for name in names if PurePosixPath(name).stem not in by_stem]
    if missing:
        raise SourceError(
            f"{stem}: has no row for {len(missing)} of {len(names)} pictures, the first "
            f"{missing[0]}: it belongs to other pictures. Move it away to go on without"
        )
    for i, name in enumerate(names):
        row = by_stem[PurePosixPath(name).stem]
        try:
            values = [int(field) for field in row]
            if len(values) != width:
                raise ValueError(f"{len(values)} values, expected {width}")
            table[i] = values if meaning is None else [meaning[value] for value in values]
        except (ValueError, KeyError) as error:
            raise SourceError(f"{stem}: the row of {name} is damaged: {error}") from error
    return table
