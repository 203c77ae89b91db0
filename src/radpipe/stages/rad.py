"""Stage `rad`: fine-tune the base network to RAD; ablation variants are the same stage."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from radpipe.diffusion.noise import image_seed
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.files import write_json
from radpipe.job import Job
from radpipe.masks.bank import Bank
from radpipe.models import lora
from radpipe.models.checkpoints import load_unet, save_unet
from radpipe.models.denoiser import time_input
from radpipe.settings import RadTraining
from radpipe.stages.training import train
from radpipe.training.diffusion import DiffusionObjective, DrawNoisy

log = logging.getLogger(__name__)
FILES = (f"adapter/{lora.WEIGHTS}", f"adapter/{lora.CONFIG}")


def run(job: Job) -> None:
    """Train the adapter (or all weights) and save it."""
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


def save(model: nn.Module, adapt: str, folder: Path) -> None:
    """An adapter as a PEFT directory; a whole network under the same two names, and saying so."""
    if adapt == "lora":
        lora.save_adapter(model, folder)  # type: ignore[arg-type]
        return
    save_unet(folder / lora.WEIGHTS, model, {"adapt": adapt})  # type: ignore[arg-type]
    write_json(folder / lora.CONFIG, {"whole_network": True, "adapt": adapt})
