"""Stage `data`: fetch a data set, decode, resize, split."""

from __future__ import annotations

import json

from radpipe import data
from radpipe.assets import cache_folder
from radpipe.imagestore import ImageStore
from radpipe.job import Job

SPLITS = ("train", "val", "test")


def run(job: Job) -> None:
    """Write one image store per split and a manifest."""
    reader = data.load(job.settings["reader"] or job.wildcards["dataset"])
    settings = reader.Settings.model_validate_json(json.dumps(job.settings["data"]))
    size, seed = job.settings["size"], job.settings["seed"]
    reader.prepare(settings, size, seed, job.out, cache_folder(), job.threads)
    counts = {split: len(ImageStore(job.out / f"{split}.zip")) for split in SPLITS}
    job.finish(*(f"{split}.zip" for split in SPLITS), "manifest.csv", **counts)
