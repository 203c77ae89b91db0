"""What the training stages share: what they see and stand on, images, one run of the trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radpipe import training
from radpipe.dag import Target
from radpipe.devices import resolve_device
from radpipe.files import atomic
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import torch
from radpipe.settings import Optimisation

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline
    from radpipe.training.loop import Objective
    from radpipe.training.samples import Draw

IN_MEMORY = 1 << 30  # bytes of pixels up to which a split is decoded once and kept


def source_and_settings(pipeline: Pipeline, target: Target) -> dict[str, Any]:
    """Derived settings: where the network comes from, and the settings of its training, of which
    published weights see nothing."""
    view, name = pipeline.view(target), target.stage.name
    own = getattr(view.training, name).model_dump(mode="json")
    return {
        "source": view.source(name, target["dataset"]),
        f"training.{name}": own if pipeline.trained_here(target) else None,
    }


def images_if_trained(pipeline: Pipeline, target: Target) -> list[Target]:
    """Upstream: the data set's images, which published weights do not need."""
    images = pipeline.target("data", dataset=target["dataset"])
    return [images] if pipeline.trained_here(target) else []


class StoredImages:
    """The images of a zip by number; decoded once if they fit into memory."""

    def __init__(self, store: ImageStore, size: int) -> None:
        self.store, self.ids = store, list(store.ids)
        small = len(self.ids) * size * size * 3 <= IN_MEMORY
        self.pixels = np.stack([store.read(i) for i in self.ids]) if small else None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> np.ndarray:
        """Image `[H, W, 3]` uint8."""
        if self.pixels is not None:
            return np.asarray(self.pixels[index])
        return self.store.read(self.ids[index])


def train(
    job: Job, objective: Objective, settings: Optimisation, seed: int, draw: Draw, what: str
) -> bool:
    """Train, write loss.csv, leave the averaged weights in the objective's players.

    Returns:
        Whether this process writes the results (the main one of many).
    """
    torch.set_num_threads(job.resources.train_threads)
    images = StoredImages(ImageStore(job.folder("data").file("train.zip")), job.settings["size"])
    trainer = training.loop.Trainer(
        objective,
        settings,
        training.samples.NumberedSamples(images, seed, settings.flip, draw),
        job.resume,
        training.loop.accelerator(settings.precision, resolve_device(job.resources.device)),
        job.resources.save_seconds,
        job.resources.loader_workers,
    )
    curve = trainer.train(what)
    trainer.finish()
    main = bool(trainer.accelerator.is_main_process)
    if main:
        with atomic(job.out / "loss.csv") as temporary:
            curve.to_csv(temporary, index=False, float_format="%.6g")
    return main
