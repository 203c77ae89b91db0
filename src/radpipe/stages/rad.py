"""Stage `rad`: fine-tune the base network to RAD; ablation variants are the same stage."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from radpipe import models, training
from radpipe.assets import cache_folder, fetch
from radpipe.dag import Stage, Target
from radpipe.devices import resolve_device
from radpipe.diffusion.noise import image_seed
from radpipe.files import sha256, write_json, write_text
from radpipe.imagestore import ImageStore
from radpipe.inpainters.base import to_network
from radpipe.job import Job
from radpipe.lazy import torch
from radpipe.masks.bank import Bank
from radpipe.method import DEFAULT
from radpipe.settings import TRAIN, RadTraining
from radpipe.stages._training import source_and_settings, train
from radpipe.stages.base import architecture

if TYPE_CHECKING:
    from torch import nn

    from radpipe.pipeline import Pipeline

log = logging.getLogger(__name__)
PICTURES = 4  # of the validation split, to check a published network with
WEIGHTS, CONFIG = "adapter/adapter_model.safetensors", "adapter/adapter_config.json"


def _upstream(pipeline: Pipeline, target: Target) -> list[Target]:
    """Images, the base network, and the bank's shards; a variant with RAD's masks shares its."""
    dataset, variant = target["dataset"], target["variant"]
    own = pipeline.resolved(dataset, variant).masks
    bank = DEFAULT if own == pipeline.resolved(dataset).masks else variant
    shards = own.training.shards if pipeline.trained_here(target) else 0
    return [
        pipeline.target("data", dataset=dataset),
        pipeline.target("base", dataset=dataset),
        *(
            pipeline.target("bank", dataset=dataset, variant=bank, shard=str(shard))
            for shard in range(shards)
        ),
    ]


STAGE = Stage(
    name="rad",
    folder="results/checkpoints/{dataset}/rad/{variant}",
    files=(WEIGHTS, CONFIG),
    extras=("loss.csv",),
    keys=("seed", "datasets.{dataset}.size", "datasets.{dataset}.model"),
    values=source_and_settings,
    upstream=_upstream,
    bulk=lambda pipeline, target: [] if target["variant"] == DEFAULT else [WEIGHTS],
)


def run(job: Job) -> None:
    """Train the adapter (or all weights) and save it; or take a published network."""
    if job.settings["source"] == TRAIN:
        _train(job)
    else:
        _import(job, job.settings["source"])


def _train(job: Job) -> None:
    settings = job.section("training.rad", RadTraining)
    seed = image_seed(job.settings["seed"], "rad", job.wildcards["dataset"])
    base = models.checkpoints.load_unet(job.folder("base").file("model.safetensors"))
    model = models.lora.rad_network(base, settings.adapt, settings.rank, settings.alpha, seed)
    use = job.resources
    model = models.adm.ready(model.train(), kernels=use.kernels, compiled=use.compile)
    found = models.lora.parameter_report(model)
    log.info("%s", found)
    bank = Bank([f.file(f"{f.receipt.stem}.npz") for f in job.folders("bank")])
    objective, draw = training.diffusion.of_rad(model, settings, bank)
    what = f"RAD {job.wildcards['variant']} on {job.wildcards['dataset']}"
    if train(job, objective, settings, seed, draw, what):
        save(model, settings.adapt, job.out / "adapter")
        facts = {"embedding": settings.embedding, "images": settings.images}
        job.finish(WEIGHTS, CONFIG, **facts, parameters=asdict(found))


def _import(job: Job, name: str) -> None:
    """A published network, with what its check found in the receipt; see `models.judge`."""
    torch.set_num_threads(job.resources.train_threads)
    path = fetch(name, cache_folder())
    log.info("%s: %s", name, path)
    published = models.authors.load(path, architecture(job))
    base = models.checkpoints.load_unet(job.folder("base").file("model.safetensors"))
    differ, of = models.judge.frozen(published, base)
    frozen = {"compared": of, "equal to the base network": of - len(differ), "not": differ[:3]}
    log.info("frozen tensors, bit for bit: %s", frozen)
    store = ImageStore(job.folder("data").file("val.zip"))
    pictures = np.stack([store.read(id) for id in store.ids[:PICTURES]])
    device = resolve_device(job.resources.device)
    reading, errors = models.judge.choose(published, to_network(pictures), device)
    save(published.network(reading), "imported", job.out / "adapter")
    write_text(job.out / "loss.csv", "images,loss,mse,vlb\n")
    job.finish(
        WEIGHTS,
        CONFIG,
        asset=name,
        file={"name": path.name, "sha256": sha256(path), "bytes": path.stat().st_size},
        reading=str(reading),
        embedding=reading.mode,
        noise_error={str(level): round(error, 4) for level, error in errors.items()},
        frozen=frozen,
    )


def save(model: nn.Module, adapt: str, folder: Path) -> None:
    """An adapter as a PEFT directory; a whole network under the same two names, and saying so."""
    if adapt == "lora":
        models.lora.save_adapter(model, folder)  # type: ignore[arg-type]
        return
    models.checkpoints.save_unet(folder / models.lora.WEIGHTS, model, {"adapt": adapt})  # type: ignore[arg-type]
    write_json(folder / models.lora.CONFIG, {"whole_network": True, "adapt": adapt})
