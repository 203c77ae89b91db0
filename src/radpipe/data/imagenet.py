"""ImageNet's training images, 2,000 of them held out; gated, or from a local folder."""

from __future__ import annotations

from pathlib import Path

from radpipe.data._large import LargeSettings, prepare_large

COLLECTION = "imagenet-1k"


class Settings(LargeSettings):
    """Settings of ImageNet."""


def prepare(settings: Settings, size: int, seed: int, out: Path, cache: Path) -> None:
    """Write the splits; `seed` plays no part, the paper's split has a seed of its own."""
    prepare_large(COLLECTION, settings, size, out, cache)
