"""Stage `rad`: fine-tune the base network to RAD; ablation variants are the same stage."""

from __future__ import annotations

import logging

import torch

from radpipe.diffusion.noise import image_seed
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.job import Job
from radpipe.masks.bank import Bank
from radpipe.models import lora
from radpipe.models.adm import AdmUNet
from radpipe.models.checkpoints import load_unet
from radpipe.models.denoiser import time_input
from radpipe.settings import RadTraining
from radpipe.stages.base import architecture
from radpipe.stages.training import train
from radpipe.training.diffusion import DiffusionObjective, DrawNoisy

log = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Train the adapter (or all weights) and save it as a PEFT directory."""
    settings = job.section("training.rad", RadTraining)
    seed = image_seed(job.settings["seed"], "rad", job.wildcards["dataset"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = starting_network(job, settings)
        model = lora.rad_network(unet, settings.adapt, settings.rank, settings.alpha)
    bank = Bank([f.file(f"{f.receipt.stem}.npz") for f in job.folders("bank")])
    schedule = TwoPhaseSchedule()
    objective = DiffusionObjective(
        model,
        schedule,
        settings.vlb_weight,
        settings.region,
        lambda s, level, hole: time_input(settings.embedding, s, level, hole),
    )
    draw = DrawNoisy(schedule, settings.phase1, bank)
    what = f"RAD {job.wildcards['variant']} on {job.wildcards['dataset']}"
    if train(job, objective, settings, seed, draw, what):
        lora.save_adapter(model, job.out / "adapter")
        job.finish(
            "adapter/adapter_model.safetensors",
            "adapter/adapter_config.json",
            embedding=settings.embedding,
            images=settings.images,
            **lora.parameter_report(model),
        )


def starting_network(job: Job, settings: RadTraining) -> AdmUNet:
    """The base network, or a fresh one of the same architecture."""
    if settings.adapt == "scratch":
        unet = AdmUNet(architecture(job))
    else:
        unet = load_unet(job.folder("base").file("model.safetensors"))
    return unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
