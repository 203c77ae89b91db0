"""What the paper's data sets share: shards from the hub or a local folder, 2,000 held out."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from radpipe import shards
from radpipe.data.folder import SHARDS, listing, pictures
from radpipe.data.images import Source, convert
from radpipe.manifest import collection
from radpipe.section import Section


class LargeSettings(Section):
    """Where the images come from and how many are held out."""

    folder: str | None = Field(
        default=None,
        description="local folder of images or Parquet shards instead of the download",
    )
    val: int = Field(default=1000, ge=1, description="validation images")
    test: int = Field(default=1000, ge=1, description="test images")
    split_seed: int = Field(default=42, ge=0, description="of the held-out images; paper: 42")


def prepare_large(
    name: str,
    settings: LargeSettings,
    size: int,
    seed: int,
    out: Path,
    cache: Path,
    threads: int = 1,
) -> None:
    """Prepare a collection of workflow/assets.yaml; `seed` plays no part, the split has its own."""
    source = _source(name, settings, cache)
    held = (settings.val, settings.test, settings.split_seed)
    convert(source, *held, size, out, cache / "converted" / name, threads)


def _source(name: str, settings: LargeSettings, cache: Path) -> Source:
    """The shards of the hub, or whatever a local folder holds."""
    from radpipe.data import parquet

    wanted = collection(name)
    if settings.folder is None:
        paths = shards.fetch_shards(name, cache)
        return parquet.source(paths, wanted.column, wanted.licence, wanted.origin)
    folder = Path(settings.folder).expanduser()
    local = [folder / name for name, _, _ in listing(folder, SHARDS)[0]]
    if local:
        return parquet.source(local, wanted.column, wanted.licence, wanted.origin)
    return pictures(folder, wanted.licence, wanted.origin)
