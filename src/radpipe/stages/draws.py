"""Stage `draws`: several answers of RAD for one hole, and its reverse process as an animation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from radpipe.dag import Stage, Target
from radpipe.devices import resolve_device
from radpipe.diffusion.noise import image_seed
from radpipe.files import atomic
from radpipe.imagestore import ImageStore, image_writer
from radpipe.inpainters.base import run_batch
from radpipe.job import Job
from radpipe.lazy import torch
from radpipe.method import Method
from radpipe.progress import bar
from radpipe.report import images
from radpipe.stages._models import build

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline

METHOD = "rad"
IMAGES, DRAWS = 2, 4  # test images of each mask family; answers for each
SIDE = 128  # dots of a tile of the animation, at least
FRAMES = 50  # of the animation, about
FRAME_MS, LAST_MS = 80, 2500  # how long a frame is shown; the first and the last


def _upstream(pipeline: Pipeline, target: Target) -> list[Target]:
    dataset = target["dataset"]
    return [
        pipeline.target("data", dataset=dataset),
        *(pipeline.target("holes", dataset=dataset, mask=m) for m in pipeline.settings.run.masks),
        *pipeline.weights(dataset, Method(METHOD)),
    ]


STAGE = Stage(
    name="draws",
    folder="results/draws/{dataset}",
    extras=("draws.zip", "reverse.gif"),
    keys=(
        *("seed", "datasets.{dataset}.size", "sampling", "run.masks"),
        *("evaluation.images", "evaluation.split"),
    ),
    values=lambda pipeline, target: {f"inpainters.{METHOD}": pipeline.inpainter(target, METHOD)},
    plugins=lambda pipeline, target: [f"inpainters.{METHOD}"],
    upstream=_upstream,
)


def run(job: Job) -> None:
    """Write draws.zip, a picture per place and draw, and reverse.gif: all places at once, from the
    pictures with their holes to the first draws."""
    torch.set_num_threads(job.threads)
    chosen, (shown, holes) = places(job), inputs(job)
    inpainter = build(job, METHOD, job.settings["sampling"]["precision"])
    device, film = resolve_device(job.resources.device), list[np.ndarray]()
    inpainter.model.tally.show = film.append
    evaluations = DRAWS * inpainter.planned_evaluations()
    with (
        bar(evaluations, "RAD draws", "evaluations") as progress,
        image_writer(job.out / "draws.zip") as writer,
    ):
        for draw in range(DRAWS):
            key = ("draws", job.wildcards["dataset"], draw)
            seeds = [image_seed(job.settings["seed"], *key, *place) for place in chosen]
            found, _ = run_batch(inpainter, shown, holes, seeds, device, progress.update)
            for place, picture in zip(chosen, found, strict=True):
                writer.add(name_of(*place, draw), picture)
            if draw == 0:
                inpainter.model.tally.show = None
                blank = [images.with_hole(*pair) for pair in zip(shown, holes, strict=True)]
                _animate(job, [np.stack(blank), *film[:: -(-len(film) // FRAMES)], found])
    job.finish("draws.zip", "reverse.gif", images=len(chosen), draws=DRAWS)


def places(job: Job) -> list[tuple[str, str]]:
    """Mask family and image of each hole: images at equal distances through the split, chosen
    before any result."""
    ids = _truths(job).ids[: job.settings["evaluation.images"]]
    return list(product(job.settings["run.masks"], images.spread(ids, IMAGES)))


def inputs(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Truths uint8 `[N, H, W, 3]` and holes bool `[N, H, W]` of the places."""
    truths, chosen = _truths(job), places(job)
    masks = {mask: job.folder("holes", mask=mask).file("holes.zip") for mask, _ in chosen}
    holes = {mask: ImageStore(path) for mask, path in masks.items()}
    return (
        np.stack([truths.read(image) for _, image in chosen]),
        np.stack([holes[mask].read(image) for mask, image in chosen]),
    )


def name_of(mask: str, image: str, draw: int) -> str:
    """A picture's name in draws.zip; an image's own may have points."""
    return f"{mask}.{draw}.{image}"


def _truths(job: Job) -> ImageStore:
    return ImageStore(job.folder("data").file(f"{job.settings['evaluation.split']}.zip"))


def _animate(job: Job, film: Sequence[np.ndarray]) -> None:
    """An endless GIF of states, each uint8 `[N, H, W, 3]`, beside each other."""
    scale = -(-SIDE // film[0].shape[1])
    joined = [state.repeat(scale, axis=1).repeat(scale, axis=2) for state in film]
    frames = [Image.fromarray(images.join(images.Grid("", [], [list(state)]))) for state in joined]
    times = [LAST_MS // 2, *[FRAME_MS] * (len(frames) - 2), LAST_MS]
    with atomic(job.out / "reverse.gif") as temporary:
        frames[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=times,
            loop=0,
        )
