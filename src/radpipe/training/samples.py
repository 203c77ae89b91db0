"""Training samples whose randomness belongs to their number, not to a process or a worker.

Sample n of a training is the same whatever the batch size, the number of processes, the number
of loader workers or the place where an interrupted run was resumed: image, flip, mask, phase,
step and noise are all drawn from a generator seeded by (seed, n). Our choice. What a network adds
is another matter: batch statistics (LaMa) and dropout depend on how a batch is split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Images(Protocol):
    """Random access to 8-bit images."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """Image `[H, W, 3]` uint8."""
        ...


Sample = dict[str, torch.Tensor]
Draw = Callable[[np.random.Generator, torch.Tensor], Sample]


class NumberedSamples(Dataset[Sample]):
    """Map from sample number to sample; every epoch visits each image once, in its own order.

    Args:
        images: the training split.
        seed: of this training.
        flip: mirror images left to right with probability 1/2.
        draw: (generator, image `[3, H, W]` in [-1, 1]) -> the objective's sample.
    """

    def __init__(self, images: Images, seed: int, flip: bool, draw: Draw) -> None:
        self.images, self.seed, self.flip, self.draw = images, seed, flip, draw

    def __getitem__(self, number: int) -> Sample:
        epoch, position = divmod(number, len(self.images))
        pixels = self.images[int(epoch_order(self.seed, epoch, len(self.images))[position])]
        rng = np.random.default_rng([self.seed, 1, number])
        if self.flip and rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return self.draw(rng, image.float() / 127.5 - 1)


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, images: int) -> np.ndarray:
    """The order in which an epoch visits the images."""
    return np.random.default_rng([seed, 0, epoch]).permutation(images)


def batches(
    dataset: NumberedSamples, numbers: Sequence[Sequence[int]], workers: int
) -> Iterator[Sample]:
    """The samples of each list of numbers, stacked."""
    loader = DataLoader(
        dataset,
        batch_sampler=numbers,  # type: ignore[arg-type]
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    yield from loader


def schedule_numbers(
    start: int, images: int, batch: int, process: int, processes: int, accumulate: int
) -> list[range]:
    """Sample numbers of one process: a range per micro-batch, from step `start` on."""
    share = batch // (processes * accumulate)
    numbers = []
    for step in range(start, -(-images // batch)):
        for part in range(accumulate):
            first = step * batch + (part * processes + process) * share
            numbers.append(range(first, first + share))
    return numbers
