"""Stage `bank`: one shard of the training masks of RAD, or of a variant that has its own."""

from __future__ import annotations

from radpipe.dag import Stage
from radpipe.job import Job
from radpipe.masks.bank import BankSettings, write_shard
from radpipe.method import DEFAULT

STAGE = Stage(
    name="bank",
    folder="results/masks/{dataset}/bank/{variant}",
    files=("{shard}.npz",),
    receipt="{shard}.json",
    keys=("seed", "datasets.{dataset}.size", "masks.training"),
    values=lambda pipeline, target: {
        "limit": pipeline.view(target).masks.limit(pipeline.view(target).masks.training.family)
    },
    plugins=lambda pipeline, target: [f"masks.{pipeline.view(target).masks.training.family}"],
    bulk=lambda pipeline, target: (
        [] if target["variant"] == DEFAULT else [f"{target['shard']}.npz"]
    ),
)


def run(job: Job) -> None:
    """Write the shard's masks."""
    shard, bank = int(job.wildcards["shard"]), job.section("masks.training", BankSettings)
    name, size, seed = f"{shard}.npz", job.settings["size"], job.settings["seed"]
    write_shard(job.out / name, bank, size, seed, shard, job.settings["limit"])
    job.finish(name, masks=len(bank.held(shard)))
