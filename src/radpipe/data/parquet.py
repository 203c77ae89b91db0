"""Images out of Parquet shards with the hub's schema: a column of struct {bytes, path}."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet

from radpipe.data.images import Picture, Source
from radpipe.errors import UserError

_ROWS = 32  # pictures in memory at a time


@dataclass(frozen=True)
class Shard:
    """A file and the number of its first image in the data set; the stamp changes with it."""

    path: str
    column: str
    first: int
    stamp: tuple[int, int]


def source(paths: Sequence[Path], column: str, licence: str, attribution: str) -> Source:
    """The shards of a data set, in order; only their footers are read.

    Raises:
        UserError: no shard, unreadable, or without such a column.
    """
    if not paths:
        raise UserError("the data set has no Parquet shard")
    shards, counts, first = [], [], 0
    for path in paths:
        stamp = (path.stat().st_size, path.stat().st_mtime_ns)
        shards.append(Shard(str(path), column, first, stamp))
        counts.append(_rows(path, column))
        first += counts[-1]
    facts = {"licence": licence, "attribution": attribution}
    return Source(shards, counts, read, lambda id: facts)


def read(shard: Shard) -> Iterator[Picture]:
    """The pictures of a shard, read a few rows at a time; ids are numbers in the data set."""
    number = shard.first
    try:
        with parquet.ParquetFile(shard.path) as file:
            batches = file.iter_batches(_ROWS, columns=[f"{shard.column}.bytes"])
            for batch in batches:
                for value in batch.column(0).field("bytes"):
                    where = f"{shard.path}, row {number - shard.first}"
                    data = value.as_py()
                    if data is None:
                        raise UserError("the row has no image", where, "download the shard again")
                    yield Picture(f"{number:08d}", data, where)
                    number += 1
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(shard.path, error) from None


def _rows(path: Path, column: str) -> int:
    """Rows of a shard, its schema checked."""
    try:
        with parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(str(path), error) from None
    kind = schema.field(column).type if column in schema.names else None
    if kind is None or not arrow.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise UserError(
            f"the shard has no column `{column}` of struct {{bytes, path}}; "
            f"it has: {', '.join(schema.names)}",
            str(path),
            "name the column of the images in workflow/assets.yaml",
        )
    return int(rows)


def _damaged(path: str, error: Exception) -> UserError:
    return UserError(
        f"the Parquet shard cannot be read: {' '.join(str(error).split())}",
        path,
        f"rm {path}, then type the same again to download it anew",
    )
