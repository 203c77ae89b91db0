"""Stage `sample`: one method fills the holes of one shard of one cell's images.

Finished images are kept as they come, so a killed job goes on where it was.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radpipe.dag import Stage, Target
from radpipe.devices import resolve_device
from radpipe.diffusion.noise import image_seed
from radpipe.files import atomic, write_json, write_text
from radpipe.imagestore import ImageStore, decode_png, encode_png, image_writer
from radpipe.inpainters.base import Inpainter, run_batch
from radpipe.job import Job
from radpipe.lazy import torch
from radpipe.progress import bar
from radpipe.stages._models import build

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline

COLUMNS = ("image", "seed", "evaluations", "seconds")
KEPT = 100  # images of a cell that every copy of the results has; the others stay where they arose
PARTS = ("zip", "rest.zip")  # how the files of a shard end: those images, and the others


def _values(pipeline: Pipeline, target: Target) -> dict[str, Any]:
    shards = pipeline.view(target).resources.shards(target.method)
    name = target.method.name
    return {f"inpainters.{name}": pipeline.inpainter(target, name), "shards": shards}


def _upstream(pipeline: Pipeline, target: Target) -> list[Target]:
    dataset = target["dataset"]
    return [
        pipeline.target("data", dataset=dataset),
        pipeline.target("holes", dataset=dataset, mask=target["mask"]),
        *pipeline.weights(dataset, target.method),
    ]


STAGE = Stage(
    name="sample",
    folder="results/samples/{dataset}/{method}/{mask}",
    files=tuple(f"{{shard}}.{part}" for part in PARTS),
    extras=("{shard}.csv",),
    receipt="{shard}.json",
    keys=("seed", "datasets.{dataset}.size", "sampling", "evaluation.images", "evaluation.split"),
    values=_values,
    plugins=lambda pipeline, target: [f"inpainters.{target.method.name}"],
    upstream=_upstream,
    bulk=lambda pipeline, target: [
        f"{target['shard']}.{end}"
        for end in ((*PARTS, "csv") if target.method.is_variant else PARTS[1:])
    ],
)


def shard_ids(ids: list[str], images: int, shard: int, shards: int) -> list[str]:
    """The ids of one shard: every `shards`-th of the first `images`."""
    return ids[:images][shard::shards]


def run(job: Job) -> None:
    """Inpaint, then gather the images into one file."""
    torch.set_num_threads(job.threads)
    truths, holes = _inputs(job)
    shard, shards = int(job.wildcards["shard"]), job.settings["shards"]
    ids = shard_ids(truths.ids, job.settings["evaluation.images"], shard, shards)
    todo = [i for i in ids if not _finished(job.resume, i)]
    if todo:
        _inpaint(job, _inpainter(job), truths, holes, ids, todo)
    _gather(job, ids, set(truths.ids[:KEPT]))


def inpaint(job: Job, ids: list[str]) -> np.ndarray:
    """Some images of the shard, made anew: uint8 `[N, H, W, 3]`. Nothing is kept."""
    (truths, holes), inpainter = _inputs(job), _inpainter(job)
    seeds, device = [seed_of(job, i) for i in ids], resolve_device(job.resources.device)
    images = np.stack([truths.read(i) for i in ids])
    return run_batch(
        inpainter, images, np.stack([holes.read(i) for i in ids]), seeds, device
    ).images


def _inputs(job: Job) -> tuple[ImageStore, ImageStore]:
    """The truths and their holes."""
    truths = job.folder("data").file(f"{job.settings['evaluation.split']}.zip")
    return ImageStore(truths), ImageStore(job.folder("holes").file("holes.zip"))


def _inpainter(job: Job) -> Inpainter:
    return build(job, job.method.name, job.settings["sampling"]["precision"])


def seed_of(job: Job, image: str) -> int:
    """The seed of one image: the same for every method, so that comparisons are paired."""
    mask, dataset = job.wildcards["mask"], job.wildcards["dataset"]
    return image_seed(job.settings["seed"], "sample", dataset, mask, image)


def _inpaint(
    job: Job,
    inpainter: Inpainter,
    truths: ImageStore,
    holes: ImageStore,
    ids: list[str],
    todo: list[str],
) -> None:
    device = resolve_device(job.resources.device)
    batch, done = job.resources.sample_batch, len(ids) - len(todo)
    what = f"{job.wildcards['method']} {job.wildcards['mask']}"
    each = max(1, inpainter.planned_evaluations())  # per image; the bar moves with each of them
    unit = "images" if each == 1 else "evaluations"
    with bar(len(ids) * each, what, unit, start=done * each) as progress:
        for start in range(0, len(todo), batch):
            part = todo[start : start + batch]
            on_step = partial(progress.update, len(part))
            images = np.stack([truths.read(i) for i in part])
            masks = np.stack([holes.read(i) for i in part])
            seeds = [seed_of(job, i) for i in part]
            begun = time.perf_counter()
            images, evaluations = run_batch(inpainter, images, masks, seeds, device, on_step)
            seconds = (time.perf_counter() - begun) / len(part)
            for name, image, seed in zip(part, images, seeds, strict=True):
                _keep(job.resume, name, image, (name, seed, evaluations, round(seconds, 6)))
            done += len(part)
            # what was planned and done differ after a batch that did not fit in memory
            progress.update(done * each - progress.n)
            if each > 1:
                progress.set_postfix_str(f"{done}/{len(ids)} images", refresh=False)


def _finished(folder: Path, name: str) -> bool:
    return (folder / f"{name}.json").is_file()


def _keep(folder: Path, name: str, image: np.ndarray, row: tuple[object, ...]) -> None:
    """Keep one finished image; its row last, since it says that the image is whole."""
    with atomic(folder / f"{name}.png") as temporary:
        temporary.write_bytes(encode_png(image))
    write_json(folder / f"{name}.json", dict(zip(COLUMNS, row, strict=True)))


def _gather(job: Job, ids: list[str], kept: set[str]) -> None:
    shard = job.wildcards["shard"]
    rows = [json.loads((job.resume / f"{i}.json").read_text()) for i in ids]
    for part, first in zip(PARTS, (True, False), strict=True):
        with image_writer(job.out / f"{shard}.{part}") as writer:
            for name in (i for i in ids if (i in kept) == first):
                writer.add(name, decode_png((job.resume / f"{name}.png").read_bytes()))
    lines = [",".join(COLUMNS)] + [",".join(str(row[c]) for c in COLUMNS) for row in rows]
    write_text(job.out / f"{shard}.csv", "\n".join(lines) + "\n")
    evaluations = sorted({row["evaluations"] for row in rows})
    job.finish(*(f"{shard}.{part}" for part in PARTS), images=len(ids), evaluations=evaluations)
