"""What the training stages share: images, device, one run of the trainer."""

from __future__ import annotations

import logging
import os

import numpy as np
import torch

from radpipe.errors import UserError
from radpipe.files import atomic
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.launch import launched
from radpipe.settings import Optimisation
from radpipe.training.loop import Objective, Trainer, accelerator
from radpipe.training.samples import Draw, NumberedSamples

log = logging.getLogger(__name__)
IN_MEMORY = 1 << 30  # bytes of pixels up to which a split is decoded once and kept


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


def resolve_device(wanted: str) -> str:
    """'auto' is a GPU where there is one; each of several launched processes has its own.

    Raises:
        UserError: the GPU that is asked for is not there.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        wanted = "cuda" if count else "cpu"
    if wanted == "cuda" and launched():
        wanted = f"cuda:{os.environ['LOCAL_RANK']}"
    number = int(wanted.partition(":")[2] or 0)
    if wanted != "cpu" and number >= count:
        raise UserError(
            f"PyTorch sees {count} GPUs here, so there is no `{wanted}`",
            "params.yaml, key `resources.device`",
            "set it to auto or cpu, or run on a machine with that GPU: see radpipe doctor",
        )
    return wanted


def device_name(job: Job) -> str:
    """The device of this job."""
    return resolve_device(job.resources.device)


def train(
    job: Job, objective: Objective, settings: Optimisation, seed: int, draw: Draw, what: str
) -> bool:
    """Train, write loss.csv, leave the averaged weights in the objective's players.

    Returns:
        Whether this process writes the results (the main one of many).
    """
    torch.set_num_threads(job.resources.train_threads)
    images = StoredImages(ImageStore(job.folder("data").file("train.zip")), job.settings["size"])
    trainer = Trainer(
        objective,
        settings,
        NumberedSamples(images, seed, settings.flip, draw),
        job.resume,
        accelerator(settings.precision, device_name(job)),
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
