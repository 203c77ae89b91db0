"""LSUN Bedroom: a 20 % sample of the bedrooms, 2,000 images held out."""

from __future__ import annotations

from pathlib import Path

from radpipe.data._large import LargeSettings, prepare_large

COLLECTION = "lsun-bedrooms"


class Settings(LargeSettings):
    """Settings of LSUN."""


def prepare(settings: Settings, size: int, seed: int, out: Path, cache: Path) -> None:
    """Write the splits; `seed` plays no part, the paper's split has a seed of its own."""
    prepare_large(COLLECTION, settings, size, out, cache)
