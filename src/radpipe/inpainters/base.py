"""What every inpainting method is, and how a batch is run through one."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import for_hole
from radpipe.errors import UserError
from radpipe.lazy import Tensor, torch
from radpipe.section import Section

log = logging.getLogger(__name__)

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass
class Tally:
    """What is known of a model's calls, and whom to tell of one.

    Attributes:
        images: evaluated so far; one call on a batch of B counts B.
        on_step: called after each call.
        show: given each batch as pixels, uint8 `[B, H, W, 3]`, before it is evaluated.
    """

    images: int = 0
    on_step: Callable[[], object] | None = None
    show: Callable[[NDArray[np.uint8]], object] | None = None


class Counted:
    """A model whose evaluations are counted; stands wherever the model stands.

    Args:
        model: any callable whose first argument is a batch `[B, ...]`: a denoiser, a generator;
            None for a method without one, which does not call it.
        tally: counts; of its own where None.
    """

    def __init__(self, model: Any, tally: Tally | None = None) -> None:
        self.wrapped, self.tally = model, tally or Tally()

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.tally.show is not None:
            self.tally.show(to_pixels(x.detach()))
        result = self.wrapped(x, *args, **kwargs)
        self.tally.images += x.shape[0]
        if self.tally.on_step is not None:
            self.tally.on_step()
        return result

    def with_hole(self, hole: Tensor) -> Counted:
        """The model for these holes (see `solvers.for_hole`), counted together with this one."""
        return Counted(for_hole(self.wrapped, hole), self.tally)


class Inpainter(ABC):
    """One inpainting method. White/True = hole = generate.

    A file of inpainters/ holds one subclass: what it says of itself, its `Settings`, `inpaint`.

    Args:
        settings: an instance of the class's `Settings`.
        model: what the class's `requires` names: a denoiser for "rad" and "base", a generator
            for "lama", None where nothing is required. Kept as `self.model`, counted.
        schedule: the noise schedule the model was trained on.

    Attributes:
        label: how it is printed.
        colour: in figures, `#RRGGBB`.
        marker: in figures, matplotlib's letter; empty: one that no other method has.
        citation: authors, title, venue, arXiv number.
        rule: one line for the README's table of methods.
        requires: the network that it runs on.
        gradient: each evaluation is followed by a gradient to the image.
        Settings: of `inpainters.<name>` in params.yaml.
    """

    label: ClassVar[str]
    colour: ClassVar[str]
    marker: ClassVar[str] = ""
    citation: ClassVar[str]
    rule: ClassVar[str]
    requires: ClassVar[Literal["rad", "base", "lama"] | None] = None
    gradient: ClassVar[bool] = False
    Settings: ClassVar[type[Section]] = Section

    def __init__(self, settings: Section, model: Any | None, schedule: TwoPhaseSchedule) -> None:
        if (model is None) != (self.requires is None):
            raise TypeError(f"{type(self).__name__} requires model {self.requires}, got {model}")
        self.settings = settings
        self.model = Counted(model)
        self.schedule = schedule

    @abstractmethod
    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        """Fill holes.

        Args:
            known: float32 `[B, 3, H, W]` in [-1, 1], 0 in the hole: the truth is not there.
            hole: bool `[B, 1, H, W]`, True = hole.
            noise: one generator per image; the only source of randomness.

        Returns:
            `[B, 3, H, W]`, about [-1, 1]; known pixels as they came in.
        """

    def planned_evaluations(self) -> int:
        """Network evaluations per image by the settings, for progress bars and plans; what is
        reported after a run is counted. Here: one per step, or one where there are no steps."""
        return 0 if self.requires is None else int(getattr(self.settings, "steps", 1))

    def refuse_without_known(self, hole: Tensor) -> None:
        """For a method that continues what is around a hole: there must be something.

        Raises:
            UserError: a mask of `[B, 1, H, W]` is all hole.
        """
        if bool(hole.flatten(1).all(1).any()):
            raise UserError(
                f"{self.label} continues the known pixels, and a mask is all white: none is known",
                f"method {type(self).__name__}",
                "leave a part of the mask black, or take a method that generates, such as `rad`",
            )


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
    on_step: Callable[[], object] | None = None,
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
        on_step: called after each network evaluation of the batch, for progress bars.

    Raises:
        UserError: one image alone does not fit in memory.
        RuntimeError: the method changed a known pixel or returned a number that is not finite.
    """
    tally = inpainter.model.tally
    before = tally.images
    result = _attempt(inpainter, images, hole, seeds, device, on_step)
    if isinstance(result, torch.Tensor):
        _check(inpainter, result, images, hole)
        return BatchResult(to_pixels(result), (tally.images - before) / len(images))
    tally.images = before
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
    on_step: Callable[[], object] | None,
) -> Tensor | str:
    """The method's output, or the message where memory ran out.

    A function of its own, so that everything the failed run held is free when it returns.
    """
    try:
        holes = torch.from_numpy(np.ascontiguousarray(hole))[:, None].to(device)
        known = to_network(images).to(device).masked_fill(holes, 0.0)
        inpainter.model.tally.on_step = on_step
        return inpainter.inpaint(known, holes, PerImageNoise(seeds))
    except (RuntimeError, MemoryError) as error:  # torch.cuda.OutOfMemoryError is a RuntimeError
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(m in text for m in _OUT_OF_MEMORY):
            raise
    finally:
        inpainter.model.tally.on_step = None
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
