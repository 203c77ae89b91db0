"""What every inpainting method is, and how a batch is run through one."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import for_hole
from radpipe.errors import UserError
from radpipe.section import Section

log = logging.getLogger(__name__)

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class Counted:
    """A model that counts the images it evaluates; stands wherever the model stands.

    Args:
        model: any callable whose first argument is a batch `[B, ...]`: a denoiser, a generator.
    """

    def __init__(self, model: Callable[..., Any], tally: list[int] | None = None) -> None:
        self.wrapped = model
        self._tally = [0] if tally is None else tally

    @property
    def images(self) -> int:
        """Images evaluated since the start: one call on a batch of B counts B."""
        return self._tally[0]

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        result = self.wrapped(x, *args, **kwargs)
        self._tally[0] += x.shape[0]
        return result

    def with_hole(self, hole: Tensor) -> Counted:
        """The model for these holes (see `solvers.for_hole`), counted together with this one."""
        return Counted(for_hole(self.wrapped, hole), self._tally)

    def forget(self, images: int) -> None:
        """Set the count back, after a run that is done again."""
        self._tally[0] = images


class Inpainter(ABC):
    """One inpainting method. White/True = hole = generate.

    Args:
        settings: an instance of the class's `Settings`.
        model: what the class's `requires` names: a denoiser for "rad" and "base", a generator
            for "lama", None where nothing is required. Kept as `self.model`, counted.
        schedule: the noise schedule the model was trained on.
    """

    citation: ClassVar[str]  # authors, title, venue, arXiv number
    rule: ClassVar[str]  # one line for the README's table of methods
    requires: ClassVar[Literal["rad", "base", "lama"] | None]
    gradient: ClassVar[bool] = False  # each evaluation is followed by a gradient to the image
    Settings: ClassVar[type[Section]]

    def __init__(self, settings: Section, model: Any | None, schedule: TwoPhaseSchedule) -> None:
        if (model is None) != (self.requires is None):
            raise TypeError(f"{type(self).__name__} requires model {self.requires}, got {model}")
        self.settings = settings
        self.model = None if model is None else Counted(model)
        self.schedule = schedule

    @property
    def counted_model(self) -> Counted:
        """The model of a method that requires one."""
        if self.model is None:
            raise TypeError(f"{type(self).__name__} has no model")
        return self.model

    @abstractmethod
    def inpaint(
        self,
        known: Tensor,
        hole: Tensor,
        noise: PerImageNoise,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        """Fill holes.

        Args:
            known: float32 `[B, 3, H, W]` in [-1, 1], 0 in the hole: the truth is not there.
            hole: bool `[B, 1, H, W]`, True = hole.
            noise: one generator per image; the only source of randomness.
            on_step: called after each network evaluation of the batch, for progress bars.

        Returns:
            `[B, 3, H, W]`, about [-1, 1]; known pixels as they came in.
        """

    @abstractmethod
    def planned_evaluations(self) -> int:
        """Network evaluations per image by the settings, for progress bars and plans; what is
        reported after a run is counted."""


class BatchResult(NamedTuple):
    """Inpainted images, uint8 `[B, H, W, 3]`, and the counted network evaluations per image."""

    images: NDArray[np.uint8]
    evaluations: float


def to_network(images: NDArray[np.uint8]) -> Tensor:
    """Pixels as stored, uint8 `[B, H, W, 3]` -> float32 `[B, 3, H, W]` in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2) / 127.5 - 1


def to_pixels(x: Tensor) -> NDArray[np.uint8]:
    """float `[B, 3, H, W]` -> uint8 `[B, H, W, 3]`, rounded and clamped; undoes `to_network`."""
    levels = ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    pixels: NDArray[np.uint8] = levels.permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def run_batch(
    inpainter: Inpainter,
    images: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
    on_step: Callable[[], None] | None = None,
) -> BatchResult:
    """Inpaint images as they are stored.

    The hole is zeroed before the method sees the images. Known pixels are not pasted back but
    compared: a method that changes one has a bug. Out of memory halves the batch: the generators
    are made again from the seeds, so the result is the one of the whole batch (and `on_step` is
    called once more for each step done twice).

    Args:
        inpainter: the method, its model on `device`.
        images: uint8 `[B, H, W, 3]`.
        hole: bool `[B, H, W]`, True = hole.
        seeds: one per image.
        device: where to compute.
        on_step: passed on to the method.

    Raises:
        UserError: one image alone does not fit in memory.
        RuntimeError: the method changed a known pixel or returned a number that is not finite.
    """
    counter = inpainter.model
    before = counter.images if counter is not None else 0
    result = _attempt(inpainter, images, hole, seeds, device, on_step)
    if isinstance(result, Tensor):
        _check(inpainter, result, images, hole)
        done = counter.images - before if counter is not None else 0
        return BatchResult(to_pixels(result), done / len(images))
    if counter is not None:
        counter.forget(before)
    if len(images) == 1:
        raise UserError(
            f"one image of {images.shape[1]}x{images.shape[2]} pixels does not fit in the memory "
            f"of {device}: {result}",
            where=f"method {type(inpainter).__name__}",
            do="use a device with more memory, or smaller images",
        )
    half = (len(images) + 1) // 2
    log.warning("out of memory at batch size %d on %s; going on with %d", len(images), device, half)
    parts = [
        run_batch(inpainter, images[s], hole[s], seeds[s], device, on_step)
        for s in (slice(half), slice(half, None))
    ]
    total = sum(part.evaluations * len(part.images) for part in parts)
    return BatchResult(np.concatenate([part.images for part in parts]), total / len(images))


def _attempt(
    inpainter: Inpainter,
    images: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    seeds: Sequence[int],
    device: torch.device | str,
    on_step: Callable[[], None] | None,
) -> Tensor | str:
    """The method's output, or the message where memory ran out.

    A function of its own, so that everything the failed run held is free when it returns.
    """
    try:
        holes = torch.from_numpy(np.ascontiguousarray(hole))[:, None].to(device)
        known = to_network(images).to(device).masked_fill(holes, 0.0)
        return inpainter.inpaint(known, holes, PerImageNoise(seeds, device), on_step)
    except (RuntimeError, MemoryError) as error:  # torch.cuda.OutOfMemoryError is a RuntimeError
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(m in text for m in _OUT_OF_MEMORY):
            raise
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
    return message


def _check(
    inpainter: Inpainter, output: Tensor, images: NDArray[np.uint8], hole: NDArray[np.bool_]
) -> None:
    """Refuse an output that is not finite or that changed a known pixel."""
    name = type(inpainter).__name__
    if not bool(torch.isfinite(output).all()):
        raise RuntimeError(f"{name} returned numbers that are not finite")
    changed = (to_pixels(output) != images).any(axis=-1) & ~hole
    if changed.any():
        raise RuntimeError(f"{name} changed {int(changed.sum())} known pixels")
