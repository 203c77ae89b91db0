"""Stage `data`: fetch or draw a data set, decode, resize, split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radpipe import data
from radpipe.assets import cache_folder
from radpipe.dag import Stage, Target
from radpipe.data.images import SPLITS
from radpipe.imagestore import ImageStore
from radpipe.job import Job

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline


def _reader(pipeline: Pipeline, target: Target) -> str:
    return pipeline.settings.reader(target["dataset"])


def _values(pipeline: Pipeline, target: Target) -> dict[str, Any]:
    """Its reader, the reader's settings, and a digest of the local files that it reads."""
    own = pipeline.settings.data(target["dataset"])
    files, reader = data.fingerprint(own), _reader(pipeline, target)
    return {"reader": reader, "data": own.model_dump(mode="json"), "files": files}


def _bulk(pipeline: Pipeline, target: Target) -> list[str]:
    """What is cheap to make again."""
    return list(getattr(data.load(_reader(pipeline, target)), "CHEAP", ()))


STAGE = Stage(
    name="data",
    folder="results/data/{dataset}",
    files=tuple(f"{split}.zip" for split in SPLITS),
    extras=("manifest.csv",),
    keys=("seed", "datasets.{dataset}.size"),
    values=_values,
    plugins=lambda pipeline, target: [f"data.{_reader(pipeline, target)}"],
    bulk=_bulk,
)


def run(job: Job) -> None:
    """Write one image store per split and a manifest."""
    reader = data.load(job.settings["reader"])
    settings = job.section("data", reader.Settings)
    size, seed = job.settings["size"], job.settings["seed"]
    reader.prepare(settings, size, seed, job.out, cache_folder(), job.threads)
    counts = {split: len(ImageStore(job.out / f"{split}.zip")) for split in SPLITS}
    job.finish(*(f"{split}.zip" for split in SPLITS), "manifest.csv", **counts)
