"""What the paper's data sets share: shards from the hub or a local folder, 2,000 held out."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from radpipe.data import parquet
from radpipe.data.folder import pictures
from radpipe.data.images import Source, convert, held_out
from radpipe.errors import UserError
from radpipe.section import Section
from radpipe.shards import collection, fetch_shards


class LargeSettings(Section):
    """Where the images come from and how many are held out."""

    folder: str | None = Field(
        default=None,
        description="local folder of images or Parquet shards instead of the download",
    )
    val: int = Field(default=1000, ge=1, description="validation images")
    test: int = Field(default=1000, ge=1, description="test images")
    split_seed: int = Field(default=42, ge=0, description="of the held-out images; paper: 42")


def prepare_large(name: str, settings: LargeSettings, size: int, out: Path, cache: Path) -> None:
    """Prepare a collection of workflow/assets.yaml."""
    source = _source(name, settings, cache)
    total = sum(source.counts)
    split = held_out(total, settings.val, settings.test, settings.split_seed)
    convert(source, split, size, out, cache / "converted" / name)


def _source(name: str, settings: LargeSettings, cache: Path) -> Source:
    """The shards of the hub, or whatever a local folder holds."""
    wanted = collection(name)
    if settings.folder is None:
        paths = fetch_shards(name, cache)
        return parquet.source(paths, wanted.column, wanted.licence, wanted.origin)
    folder = Path(settings.folder).expanduser()
    if not folder.is_dir():
        raise UserError("there is no such folder of images", str(folder), "correct `data.folder`")
    shards = sorted(folder.rglob("*.parquet"))
    if shards:
        return parquet.source(shards, wanted.column, wanted.licence, wanted.origin)
    return pictures(folder, wanted.licence, wanted.origin)
