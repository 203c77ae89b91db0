"""Stage `lama`: train the LaMa baseline, or take the public Big-LaMa file."""

from __future__ import annotations

import shutil
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

from radpipe import masks, models, training
from radpipe.assets import cache_folder, fetch
from radpipe.dag import Stage, Target
from radpipe.devices import resolve_device
from radpipe.diffusion.noise import image_seed
from radpipe.files import atomic, write_text
from radpipe.job import Job
from radpipe.lazy import torch
from radpipe.settings import TRAIN, LamaTraining
from radpipe.stages._training import images_if_trained, source_and_settings, train

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline

WEIGHTS = "generator.weights"


def _values(pipeline: Pipeline, target: Target) -> dict[str, Any]:
    """Also the limit of its masks."""
    view = pipeline.view(target)
    limit = view.masks.limit(view.training.lama.masks) if pipeline.trained_here(target) else None
    return source_and_settings(pipeline, target) | {"limit": limit}


STAGE = Stage(
    name="lama",
    folder="results/checkpoints/{dataset}/lama",
    files=(WEIGHTS,),
    extras=("loss.csv",),
    keys=("seed", "datasets.{dataset}.size"),
    values=_values,
    plugins=lambda pipeline, target: [f"masks.{pipeline.view(target).training.lama.masks}"],
    upstream=images_if_trained,
)


def run(job: Job) -> None:
    """Train at this data set's size, or fetch the named weights."""
    if job.settings["source"] == TRAIN:
        _train(job, job.section("training.lama", LamaTraining))
    else:
        _take(job, job.settings["source"])


def _train(job: Job, settings: LamaTraining) -> None:
    seed = image_seed(job.settings["seed"], "lama", job.wildcards["dataset"])
    config = models.lama.LamaConfig(settings.channels, settings.downsamplings, settings.blocks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = models.lama.LamaGenerator(config)
        discriminator = models.lama.PatchDiscriminator(
            settings.discriminator_channels, settings.discriminator_layers
        )
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kind = training.lama_losses.LamaLossWeights
    weights = kind(**{field.name: getattr(settings, field.name) for field in fields(kind)})
    features = None
    if settings.perceptual > 0:
        features = models.backbones.alexnet_features(
            fetch(models.backbones.ASSET, cache_folder()), resolve_device(job.resources.device)
        )
    rate = settings.discriminator_lr / settings.lr
    objective = training.lama.LamaObjective(generator, discriminator, features, weights, rate)
    draw = training.lama.DrawHole(partial(masks.draw, settings.masks, limit=job.settings["limit"]))
    if train(job, objective, settings, seed, draw, f"LaMa on {job.wildcards['dataset']}"):
        images = {"images": str(settings.images)}
        models.lama.save_generator(job.out / WEIGHTS, generator, images)
        parameters = sum(p.numel() for p in generator.parameters())
        source = f"trained here on {settings.images} images of {job.wildcards['dataset']}"
        job.finish(WEIGHTS, parameters=parameters, images=settings.images, weights=source)


def _take(job: Job, asset: str) -> None:
    """A public file, as it is; its checksum is the assets'."""
    path = fetch(asset, cache_folder())
    with atomic(job.out / WEIGHTS) as temporary:
        shutil.copyfile(path, temporary)
    write_text(job.out / "loss.csv", "images,generator_loss\n")
    job.finish(WEIGHTS, weights=f"public file {asset}")
