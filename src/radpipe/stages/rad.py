"""Stage `rad`: fine-tune the base network to RAD; ablation variants are the same stage."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from radpipe.assets import cache_folder, fetch
from radpipe.diffusion.noise import image_seed
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.files import sha256, write_json, write_text
from radpipe.imagestore import ImageStore
from radpipe.inpainters.base import to_network
from radpipe.job import Job
from radpipe.masks.bank import Bank
from radpipe.models import authors, judge, lora
from radpipe.models.checkpoints import load_unet, save_unet
from radpipe.models.denoiser import time_input
from radpipe.settings import RadTraining
from radpipe.stages.base import architecture
from radpipe.stages.training import device_name, train
from radpipe.training.diffusion import DiffusionObjective, DrawNoisy

log = logging.getLogger(__name__)
FILES = (f"adapter/{lora.WEIGHTS}", f"adapter/{lora.CONFIG}")
PICTURES = 4  # of the validation split, to check a published network with


def run(job: Job) -> None:
    """Train the adapter (or all weights) and save it; or take a published network."""
    if job.settings["rad"] != "train":
        _import(job, job.settings["rad"])
        return
    settings = job.section("training.rad", RadTraining)
    seed = image_seed(job.settings["seed"], "rad", job.wildcards["dataset"])
    base = load_unet(job.folder("base").file("model.safetensors"))
    model = lora.rad_network(base, settings.adapt, settings.rank, settings.alpha, seed)
    model = model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = lora.parameter_report(model)
    log.info("%s", found)
    schedule = TwoPhaseSchedule()
    objective = DiffusionObjective(
        model,
        schedule,
        settings.vlb_weight,
        settings.region,
        lambda s, alpha_bar, hole: time_input(settings.embedding, s, alpha_bar, hole),
    )
    bank = Bank([f.file(f"{f.receipt.stem}.npz") for f in job.folders("bank")])
    draw = DrawNoisy(schedule, settings.phase1, bank)
    what = f"RAD {job.wildcards['variant']} on {job.wildcards['dataset']}"
    if train(job, objective, settings, seed, draw, what):
        save(model, settings.adapt, job.out / "adapter")
        facts = {"embedding": settings.embedding, "images": settings.images}
        job.finish(*FILES, **facts, parameters=asdict(found))


def _import(job: Job, name: str) -> None:
    """A published network, with what its check found in the receipt; see `models.judge`."""
    torch.set_num_threads(job.resources.train_threads)
    path = fetch(name, cache_folder())
    log.info("%s: %s", name, path)
    published = authors.load(path, architecture(job))
    base = load_unet(job.folder("base").file("model.safetensors"))
    differ, of = judge.frozen(published, base)
    frozen = {"compared": of, "equal to the base network": of - len(differ), "not": differ[:3]}
    log.info("frozen tensors, bit for bit: %s", frozen)
    store = ImageStore(job.folder("data").file("val.zip"))
    pictures = np.stack([store.read(id) for id in store.ids[:PICTURES]])
    reading, errors = judge.choose(published, to_network(pictures), device_name(job))
    save(published.network(reading), "imported", job.out / "adapter")
    write_text(job.out / "loss.csv", "images,loss,mse,vlb\n")
    job.finish(
        *FILES,
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
        lora.save_adapter(model, folder)  # type: ignore[arg-type]
        return
    save_unet(folder / lora.WEIGHTS, model, {"adapt": adapt})  # type: ignore[arg-type]
    write_json(folder / lora.CONFIG, {"whole_network": True, "adapt": adapt})
