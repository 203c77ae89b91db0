"""Stage `bank`: one shard of the training masks."""

from __future__ import annotations

from radpipe.job import Job
from radpipe.masks.bank import shard_range, write_shard


def run(job: Job) -> None:
    """Write the shard's masks."""
    shard = int(job.wildcards["shard"])
    count, shards = job.settings["masks.training.count"], job.settings["masks.training.shards"]
    family, name = job.wildcards["family"], f"{shard}.npz"
    write_shard(
        job.out / name,
        family,
        job.settings["size"],
        count,
        job.settings["seed"],
        shard,
        shards,
        job.settings[f"masks.lama_limit.{family}"],
    )
    job.finish(name, masks=len(shard_range(count, shard, shards)))
