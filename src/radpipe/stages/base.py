"""Stage `base`: the ADM network that RAD and the diffusion baselines share."""

from __future__ import annotations

import logging

import torch

from radpipe.assets import asset as listed
from radpipe.assets import cache_folder, fetch
from radpipe.diffusion.noise import image_seed
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.files import write_text
from radpipe.job import Job
from radpipe.models import diffusers
from radpipe.models.adm import AdmConfig, AdmUNet
from radpipe.models.checkpoints import load_public, save_unet
from radpipe.settings import BaseTraining, Model
from radpipe.stages.training import train
from radpipe.training.diffusion import DiffusionObjective, DrawNoisy, scalar_time

log = logging.getLogger(__name__)


def architecture(job: Job) -> AdmConfig:
    """The ADM architecture of the job's data set."""
    return config_of(job.section("model", Model), job.settings["size"])


def config_of(model: Model, size: int) -> AdmConfig:
    """The settings of a network -> its architecture; attention sides become factors."""
    return AdmConfig(
        image_size=size,
        model_channels=model.channels,
        num_res_blocks=model.res_blocks,
        channel_mult=model.channel_mult,
        attention_resolutions=tuple(size // side for side in model.attention),
        num_head_channels=model.head_channels,
        resblock_updown=True,
        dropout=model.dropout,
    )


def run(job: Job) -> None:
    """Train the network, or fetch and convert public weights."""
    source = job.settings["base"]
    if source == "train":
        _train(job)
    else:
        _convert(job, source)


def _train(job: Job) -> None:
    settings = job.section("training.base", BaseTraining)
    seed = image_seed(job.settings["seed"], "base", job.wildcards["dataset"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = AdmUNet(architecture(job))
    unet = unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    schedule = TwoPhaseSchedule()
    objective = DiffusionObjective(unet, schedule, settings.vlb_weight, "all", scalar_time)
    draw = DrawNoisy(schedule, phase1=1.0, bank=None)
    if train(job, objective, settings, seed, draw, f"base network of {job.wildcards['dataset']}"):
        save_unet(job.out / "model.safetensors", unet, {"images": settings.images})
        parameters = sum(p.numel() for p in unet.parameters())
        job.finish("model.safetensors", parameters=parameters, images=settings.images)


def _convert(job: Job, asset: str) -> None:
    """Public weights -> our safetensors with the architecture inside."""
    path = fetch(asset, cache_folder())
    load = diffusers.load if listed(asset).architecture == diffusers.LAYOUT else load_public
    unet = load(path, architecture(job))
    save_unet(job.out / "model.safetensors", unet, {"asset": asset})
    write_text(job.out / "loss.csv", "images,loss,mse,vlb\n")
    parameters = sum(p.numel() for p in unet.parameters())
    job.finish("model.safetensors", parameters=parameters, asset=asset)
