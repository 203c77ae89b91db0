"""Stage `base`: the ADM network that RAD and the diffusion baselines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe import models, training
from radpipe.assets import cache_folder, fetch
from radpipe.dag import Stage
from radpipe.diffusion.noise import image_seed
from radpipe.files import write_text
from radpipe.job import Job
from radpipe.manifest import asset as listed
from radpipe.settings import TRAIN, BaseTraining, Model
from radpipe.stages._training import images_if_trained, source_and_settings, train

if TYPE_CHECKING:
    from radpipe.models.adm_config import AdmConfig

STAGE = Stage(
    name="base",
    folder="results/checkpoints/{dataset}/base",
    files=("model.safetensors",),
    extras=("loss.csv",),
    keys=("seed", "datasets.{dataset}.size", "datasets.{dataset}.model"),
    values=source_and_settings,
    upstream=images_if_trained,
)


def run(job: Job) -> None:
    """Train the network, or fetch and convert public weights."""
    if job.settings["source"] == TRAIN:
        _train(job)
    else:
        _convert(job, job.settings["source"])


def architecture(job: Job) -> AdmConfig:
    """The ADM architecture of the job's data set."""
    return job.section("model", Model).at(job.settings["size"])


def _train(job: Job) -> None:
    settings = job.section("training.base", BaseTraining)
    seed = image_seed(job.settings["seed"], "base", job.wildcards["dataset"])
    unet = models.checkpoints.new_unet(architecture(job), seed)
    use = job.resources
    models.adm.ready(unet, kernels=use.kernels, compiled=use.compile)
    objective, draw = training.diffusion.of_base(unet, settings)
    if train(job, objective, settings, seed, draw, f"base network of {job.wildcards['dataset']}"):
        models.checkpoints.save_unet(
            job.out / "model.safetensors", unet, {"images": settings.images}
        )
        parameters = sum(p.numel() for p in unet.parameters())
        job.finish("model.safetensors", parameters=parameters, images=settings.images)


def _convert(job: Job, asset: str) -> None:
    """Public weights -> our safetensors with the architecture inside."""
    path = fetch(asset, cache_folder())
    known = listed(asset).architecture == models.diffusers.LAYOUT
    load = models.diffusers.load if known else models.checkpoints.load_public
    unet = load(path, architecture(job))
    models.checkpoints.save_unet(job.out / "model.safetensors", unet, {"asset": asset})
    write_text(job.out / "loss.csv", "images,loss,mse,vlb\n")
    parameters = sum(p.numel() for p in unet.parameters())
    job.finish("model.safetensors", parameters=parameters, asset=asset)
