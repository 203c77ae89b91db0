"""What a plan downloads and what it writes, in bytes; estimates are marked as such."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radpipe.assets import asset, cache_folder, missing_bytes
from radpipe.dag import Target
from radpipe.evaluation import feature_networks, info
from radpipe.evaluation.features import NETWORKS as FEATURES
from radpipe.evaluation.reference import KEEP
from radpipe.models.backbones import ASSET
from radpipe.pipeline import Pipeline
from radpipe.plan import flops
from radpipe.plan.images import images_of, source_name
from radpipe.plan.work import PUBLIC, Work, architecture
from radpipe.settings import TRAIN, Settings
from radpipe.shards import collection
from radpipe.stages._models import NETWORKS

PNG = 0.6  # bytes of a photograph as PNG, relative to its pixels' bytes; our guess
FLOAT = 4


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
    files: dict[str, None] = {}
    sets: dict[str, None] = {}
    for target in pipeline.walk(targets):
        dataset = target.get("dataset")
        if not dataset:
            continue
        settings = pipeline.resolved(dataset)
        if target.stage.name == "data":
            kind, name = source_name(settings, dataset)
            if kind in {"asset", "collection"}:
                (sets if kind == "collection" else files)[name] = None
        files.update(dict.fromkeys(_assets(settings, target.stage.name, dataset)))
    cache = cache_folder()
    found = []
    for name in sets:
        have = sum(path.stat().st_size for path in (cache / name).glob("*.parquet"))
        found.append(Amount(name, collection(name).about_bytes, present=have))
    for name in files:
        wanted = asset(name)
        size = wanted.bytes or wanted.about_bytes or 0
        have = size - missing_bytes([name], cache)
        found.append(Amount(name, size, wanted.bytes is not None, have))
    return found


def _assets(settings: Settings, stage: str, dataset: str) -> Iterator[str]:
    """Single files that a stage fetches."""
    if stage in NETWORKS and settings.source(stage, dataset) != TRAIN:
        yield settings.source(stage, dataset)
    elif stage == "lama" and settings.training.lama.perceptual > 0:
        yield ASSET
    if stage in {"reference", "evaluate"}:
        for metric in settings.evaluation.metrics:
            yield from info(metric).assets


def disk(pipeline: Pipeline, works: list[Work]) -> list[Amount]:
    """What the results take, by kind."""
    totals: dict[str, float] = {}
    exact: dict[str, bool] = {}
    for work in works:
        for what, size, known in _written(pipeline, work):
            totals[what] = totals.get(what, 0) + size
            exact[what] = exact.get(what, True) and known
    return [Amount(what, int(size), exact[what]) for what, size in totals.items() if size]


def _written(pipeline: Pipeline, work: Work) -> Iterator[tuple[str, float, bool]]:
    """(kind, bytes, known exactly) of one kind of jobs."""
    if not work.dataset:
        return
    settings = pipeline.resolved(work.dataset)
    pixels = settings.datasets[work.dataset].size ** 2
    picture = 3 * pixels * PNG
    if work.stage == "data":
        yield "images", work.images * picture, False
        if source_name(settings, work.dataset)[0] != "asset":
            yield "images, again while converting", work.images * picture, False
    if work.stage == "sample":
        yield "inpainted images", work.images * picture, False
    if work.stage in {"bank", "holes"}:
        yield "masks (at most)", work.images * pixels / 8, False
    if work.stage == "base":
        weights = FLOAT * flops.parameters(architecture(settings, work.dataset))
        yield "base networks", weights, True
        if work.what != PUBLIC:
            yield "saved states while training", 4 * weights, True
    if work.stage == "rad" and work.what == PUBLIC:
        yield "RAD networks", FLOAT * flops.parameters(architecture(settings, work.dataset)), True
    elif work.stage == "rad":
        yield from _adapter(pipeline, work)
    if work.stage in {"reference", "evaluate"}:
        yield from _features(pipeline, work)


def _adapter(pipeline: Pipeline, work: Work) -> Iterator[tuple[str, float, bool]]:
    settings = pipeline.resolved(work.dataset, work.what)
    rad = settings.training.rad
    config = architecture(settings, work.dataset)
    cost = flops.training(config, rad.embedding, rad.adapt, rad.rank)
    yield "RAD adapters", FLOAT * cost.trained, True
    # weights, average, AdamW's two moments
    yield "saved states while training", 4 * FLOAT * cost.trained, True


def _features(pipeline: Pipeline, work: Work) -> Iterator[tuple[str, float, bool]]:
    settings = pipeline.resolved(work.dataset)
    split = False if work.stage == "reference" else None
    for network in feature_networks(settings.evaluation.metrics, to_truth=split):
        width = FEATURES[network].width
        images = work.images
        if work.stage == "reference":
            images = min(KEEP, images_of(pipeline, work.dataset, settings.evaluation.reference)[0])
            yield "features", 8 * width * width, True
        yield "features", images * width * FLOAT, True


def free(folder: Path) -> int:
    """Free bytes where a folder lies or will lie."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
