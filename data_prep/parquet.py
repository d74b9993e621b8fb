"""Pictures in parquet files, as data set mirrors store them: one row a picture.

The picture is a column of encoded bytes, or of structs {bytes, path}. Yes-or-no columns are
attributes, `celeb_id` or `identity` is the person, and the file's name tells the split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from data_prep.annotations import Annotations
from data_prep.errors import SourceError
from data_prep.pixels import MAX_BYTES, BadPicture
from data_prep.sources import CHUNK, Listing, state_of

IDENTITY_COLUMNS = ("celeb_id", "identity")
SPLIT_PREFIXES = {"train": 0, "val": 1, "test": 2}  # "valid-00000-of-00001" begins with "val"


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SourceError(
            "parquet files need pyarrow, which is not installed: pip install 'facegan-course[data]'"
        ) from None
    return pyarrow, pyarrow.parquet


@dataclass(frozen=True)
class ParquetChunk:
    """A row group of a file; `places[i]` is its row `i`'s place in the order."""

    path: str
    row_group: int
    column: str
    places: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.places)

    def read(self) -> Iterator[tuple[int, bytes | BadPicture]]:
        pyarrow, parquet = _pyarrow()
        places = iter(self.places)
        with parquet.ParquetFile(self.path, page_checksum_verification=True) as file:
            try:
                for batch in file.iter_batches(CHUNK, [self.row_group], columns=[self.column]):
                    for cell in batch.column(0).to_pylist():
                        yield next(places), _encoded(cell)
            except (OSError, pyarrow.ArrowException) as error:
                reason = f"damaged within the file: {str(error).splitlines()[0]}"
                yield from ((place, BadPicture(reason)) for place in places)


def _encoded(cell: bytes | dict | None) -> bytes | BadPicture:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if content is None:
        return BadPicture("the row has no picture's bytes")
    if len(content) > MAX_BYTES:
        return BadPicture(f"{len(content)} bytes; at most {MAX_BYTES} are read")
    return content


def list_parquet(paths: list[Path], source: Path, by_file_name: bool) -> Listing:
    """The pictures of parquet files, by their stored paths, else by file and row.

    Raises:
        SourceError: a file can't be read, or has no column of pictures.
    """
    pyarrow, parquet = _pyarrow()
    named: list[tuple[str, str]] = []  # of each row of all files: name, member
    groups: list[tuple[str, int, str, int]] = []  # path, row group, column, rows
    columns: list[dict[str, np.ndarray]] = []
    entries = []
    for path in sorted(paths, key=lambda path: path.name):
        try:
            with parquet.ParquetFile(path) as file:
                column, has_paths = _picture_column(pyarrow, path, file.schema_arrow)
                stored = _stored_paths(file, column) if has_paths else None
                rows = file.metadata.num_rows
                columns.append(_annotation_columns(pyarrow, file, path.name))
                groups += [
                    (str(path), i, column, file.metadata.row_group(i).num_rows)
                    for i in range(file.num_row_groups)
                ]
        except (OSError, pyarrow.ArrowException) as error:
            raise SourceError(
                f"{path}: not a readable parquet file ({str(error).splitlines()[0]}); "
                "fetch it again"
            ) from error
        members = [f"{path.name}#{row:06d}" for row in range(rows)]
        if stored is not None:
            inner = [PurePosixPath(name).name for name in stored] if by_file_name else stored
            named += zip(inner, members, strict=True)
        else:
            named += zip(members, members, strict=True)
        entries.append((path.name, path.stat().st_size, path.stat().st_mtime_ns))
    if not named:
        raise SourceError(f"{source}: its parquet files have no rows")
    if len({name for name, _ in named}) < len(named):  # stored paths that identify nothing
        named = [(member, member) for _, member in named]
    ranks = sorted(range(len(named)), key=named.__getitem__)
    places = np.empty(len(named), int)
    places[ranks] = np.arange(len(named))
    chunks, row = [], 0
    for path, group, column, rows in groups:
        if rows:
            chunks.append(
                ParquetChunk(path, group, column, tuple(places[row : row + rows].tolist()))
            )
        row += rows
    return Listing(
        [named[row][0] for row in ranks],
        [named[row][1] for row in ranks],
        chunks,
        state=state_of(entries),
        columns=_merge(columns, ranks),
    )


def _picture_column(pyarrow: Any, path: Path, schema: Any) -> tuple[str, bool]:
    """The name of the column of pictures, and whether it has their paths too."""
    for kind in schema:
        if pyarrow.types.is_struct(kind.type) and kind.type.get_field_index("bytes") >= 0:
            return kind.name, kind.type.get_field_index("path") >= 0
    for kind in schema:
        if pyarrow.types.is_binary(kind.type) or pyarrow.types.is_large_binary(kind.type):
            return kind.name, False
    raise SourceError(
        f"{path}: no column of pictures; looked for one of bytes or of structs {{bytes, path}} "
        f"among {', '.join(schema.names)}"
    )


def _stored_paths(file: Any, column: str) -> list[str] | None:
    cells = file.read(columns=[f"{column}.path"]).column(0).to_pylist()
    paths = [cell["path"] for cell in cells]
    return paths if all(paths) else None


def _annotation_columns(pyarrow: Any, file: Any, file_name: str) -> dict[str, np.ndarray]:
    """Yes-or-no columns as bool, the identity as int64 under its own name, the split."""
    simple = [
        kind.name
        for kind in file.schema_arrow
        if pyarrow.types.is_boolean(kind.type) or pyarrow.types.is_integer(kind.type)
    ]
    table, found = file.read(columns=simple), {}
    for name in simple:
        column = table.column(name)
        if column.null_count or name == "split":
            continue
        values = column.to_numpy()
        if name in IDENTITY_COLUMNS:
            found["identity"] = values.astype(np.int64)
        elif (
            values.dtype == bool or np.isin(values, (-1, 1)).all() or np.isin(values, (0, 1)).all()
        ):
            found[f"attribute {name}"] = values > 0
    for prefix, split in SPLIT_PREFIXES.items():
        if file_name.lower().startswith(prefix):
            found["split"] = np.full(file.metadata.num_rows, split, np.uint8)
    return found


def _merge(columns: list[dict[str, np.ndarray]], ranks: list[int]) -> Annotations | None:
    """What all files have, in the order of the array."""
    shared = [name for name in columns[0] if all(name in one for one in columns)]
    whole = {name: np.concatenate([one[name] for one in columns])[ranks] for name in shared}
    names = tuple(n.removeprefix("attribute ") for n in shared if n.startswith("attribute "))
    values = np.stack([whole[f"attribute {name}"] for name in names], 1) if names else None
    if len(np.unique(whole.get("split", 0))) < 2:  # all are called "train" where there is no split
        whole.pop("split", None)
    if not whole:
        return None
    return Annotations(names, values, whole.get("identity"), whole.get("split"), ("columns",))
