"""Stage `rad`: fine-tune the base network to RAD; ablation variants are the same stage."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from radpipe import models, training
from radpipe.dag import Stage, Target
from radpipe.diffusion.noise import image_seed
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.files import write_json
from radpipe.job import Job
from radpipe.lazy import torch
from radpipe.masks.bank import Bank
from radpipe.method import DEFAULT
from radpipe.settings import RadTraining
from radpipe.stages._training import train

if TYPE_CHECKING:
    from torch import nn

    from radpipe.pipeline import Pipeline

log = logging.getLogger(__name__)
WEIGHTS, CONFIG = "adapter/adapter_model.safetensors", "adapter/adapter_config.json"


def _upstream(pipeline: Pipeline, target: Target) -> list[Target]:
    """Images, the base network, and the bank's shards; a variant with RAD's masks shares its."""
    dataset, variant = target["dataset"], target["variant"]
    own = pipeline.resolved(dataset, variant).masks
    bank = DEFAULT if own == pipeline.resolved(dataset).masks else variant
    return [
        pipeline.target("data", dataset=dataset),
        pipeline.target("base", dataset=dataset),
        *(
            pipeline.target("bank", dataset=dataset, variant=bank, shard=str(shard))
            for shard in range(own.training.shards)
        ),
    ]


STAGE = Stage(
    name="rad",
    folder="results/checkpoints/{dataset}/rad/{variant}",
    files=(WEIGHTS, CONFIG),
    extras=("loss.csv",),
    keys=("seed", "datasets.{dataset}.size", "datasets.{dataset}.model", "training.rad"),
    values=lambda pipeline, target: {
        "source": pipeline.view(target).source("rad", target["dataset"])
    },
    upstream=_upstream,
    bulk=lambda pipeline, target: [] if target["variant"] == DEFAULT else [WEIGHTS],
)


def run(job: Job) -> None:
    """Train the adapter (or all weights) and save it."""
    settings = job.section("training.rad", RadTraining)
    seed = image_seed(job.settings["seed"], "rad", job.wildcards["dataset"])
    base = models.checkpoints.load_unet(job.folder("base").file("model.safetensors"))
    model = models.lora.rad_network(base, settings.adapt, settings.rank, settings.alpha, seed)
    model = model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = models.lora.parameter_report(model)
    log.info("%s", found)
    schedule = TwoPhaseSchedule()
    objective = training.diffusion.DiffusionObjective(
        model,
        schedule,
        settings.vlb_weight,
        settings.region,
        lambda s, alpha_bar, hole: models.denoiser.time_input(
            settings.embedding, s, alpha_bar, hole
        ),
    )
    bank = Bank([f.file(f"{f.receipt.stem}.npz") for f in job.folders("bank")])
    draw = training.diffusion.DrawNoisy(schedule, settings.phase1, bank)
    what = f"RAD {job.wildcards['variant']} on {job.wildcards['dataset']}"
    if train(job, objective, settings, seed, draw, what):
        save(model, settings.adapt, job.out / "adapter")
        facts = {"embedding": settings.embedding, "images": settings.images}
        job.finish(WEIGHTS, CONFIG, **facts, parameters=asdict(found))


def save(model: nn.Module, adapt: str, folder: Path) -> None:
    """An adapter as a PEFT directory; a whole network under the same two names, and saying so."""
    if adapt == "lora":
        models.lora.save_adapter(model, folder)  # type: ignore[arg-type]
        return
    models.checkpoints.save_unet(folder / models.lora.WEIGHTS, model, {"adapt": adapt})  # type: ignore[arg-type]
    write_json(folder / models.lora.CONFIG, {"whole_network": True, "adapt": adapt})
