"""What a plan downloads and what it writes, in bytes; estimates are marked as such."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radpipe.assets import cache_folder, missing_bytes
from radpipe.dag import Target
from radpipe.evaluation import info
from radpipe.manifest import asset, collection
from radpipe.models.backbones import ASSET
from radpipe.pipeline import Pipeline
from radpipe.plan.images import download
from radpipe.plan.work import GUESSED, Work
from radpipe.stages._models import NETWORKS


@dataclass(frozen=True)
class Amount:
    """Some bytes.

    Attributes:
        what: printed.
        size: bytes.
        exact: else an estimate.
        present: bytes of it that are there already (downloads).
    """

    what: str
    size: int
    exact: bool = False
    present: int = 0


def downloads(pipeline: Pipeline, targets: list[Target]) -> list[Amount]:
    """Every file and data set that the targets fetch, each once."""
    fetched = dict.fromkeys(d for t in pipeline.walk(targets) for d in _fetched(pipeline, t))
    cache, found = cache_folder(), []
    for kind, name in sorted(fetched, key=lambda download: download[0] != "collection"):
        if kind == "collection":
            have = sum(path.stat().st_size for path in (cache / name).rglob("*.parquet"))
            found.append(Amount(name, collection(name).about_bytes, present=have))
        else:
            wanted = asset(name)
            size = wanted.bytes or wanted.about_bytes or 0
            have = size - missing_bytes([name], cache)
            found.append(Amount(name, size, wanted.bytes is not None, have))
    return found


def _fetched(pipeline: Pipeline, target: Target) -> Iterator[tuple[str, str]]:
    """('collection' | 'asset', name) of what a job fetches."""
    stage, dataset = target.stage.name, target.get("dataset")
    if not dataset:
        return
    settings = pipeline.resolved(dataset)
    if stage == "data" and download(settings, dataset) != ("", ""):
        yield download(settings, dataset)
    elif stage in NETWORKS and not pipeline.trained_here(target):
        yield "asset", settings.source(stage, dataset)
    elif stage == "lama" and settings.training.lama.perceptual > 0:
        yield "asset", ASSET
    elif stage in {"reference", "evaluate"}:
        for metric in settings.evaluation.metrics:
            yield from (("asset", name) for name in info(metric).assets)


def disk(works: list[Work]) -> list[Amount]:
    """What the results take, by kind."""
    totals: Counter[str] = Counter()
    for work in works:
        totals.update(work.written)
    return [Amount(what, int(size), what not in GUESSED) for what, size in totals.items() if size]


def free(folder: Path) -> int:
    """Free bytes where a folder lies or will lie."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
