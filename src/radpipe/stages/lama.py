"""Stage `lama`: train the LaMa baseline, or take the public Big-LaMa file."""

from __future__ import annotations

import shutil

import torch

from radpipe import masks
from radpipe.assets import cache_folder, fetch
from radpipe.diffusion.noise import image_seed
from radpipe.files import atomic, write_text
from radpipe.job import Job
from radpipe.models.backbones import ASSET, alexnet_features
from radpipe.models.lama import LamaConfig, LamaGenerator, PatchDiscriminator, save_generator
from radpipe.settings import LamaTraining
from radpipe.stages.training import device_name, train
from radpipe.training.lama import DrawHole, LamaObjective
from radpipe.training.lama_losses import LamaLossWeights

WEIGHTS = "generator.weights"


def run(job: Job) -> None:
    """Train at this data set's size, or fetch the named weights."""
    settings = job.section("training.lama", LamaTraining)
    if settings.weights == "train":
        _train(job, settings)
    else:
        _take(job, settings.weights)


def _train(job: Job, settings: LamaTraining) -> None:
    seed = image_seed(job.settings["seed"], "lama", job.wildcards["dataset"])
    config = LamaConfig(settings.channels, settings.downsamplings, settings.blocks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = LamaGenerator(config)
        discriminator = PatchDiscriminator(
            settings.discriminator_channels, settings.discriminator_layers
        )
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    names = ("l1", "adversarial", "r1", "feature_matching", "perceptual")
    weights = LamaLossWeights(**{name: getattr(settings, name) for name in names})
    features = None
    if settings.perceptual > 0:
        features = alexnet_features(fetch(ASSET, cache_folder()), device_name(job))
    rate = settings.discriminator_lr / settings.lr
    objective = LamaObjective(generator, discriminator, features, weights, rate)
    draw = DrawHole(masks.load(settings.masks).sample)
    if train(job, objective, settings, seed, draw, f"LaMa on {job.wildcards['dataset']}"):
        with atomic(job.out / WEIGHTS) as temporary:
            save_generator(temporary, generator, {"images": str(settings.images)})
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
