"""A method with its network, loaded once, that fills holes in pictures of any size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from radpipe import pictures
from radpipe.devices import resolve_device
from radpipe.diffusion.noise import image_seed
from radpipe.errors import UserError, unknown
from radpipe.inpainters import load as load_class
from radpipe.inpainters.base import run_batch
from radpipe.inpainting.crop import Crop, Mask, Piece, Pixels, pieces
from radpipe.masks import hole as polarity
from radpipe.method import Method
from radpipe.params import read
from radpipe.pipeline import Pipeline
from radpipe.receipts import Folder
from radpipe.report.images import with_hole
from radpipe.section import PARAMS, section
from radpipe.settings import Settings
from radpipe.stages._models import inpainter as build

COARSE = 2.0  # reduction from which missing detail is worth a warning [our choice]


@dataclass
class Filling:
    """A picture on its way, and what it took.

    Attributes:
        picture: uint8 `[H, W, 3]`; a grey chequer where it is not filled yet.
        unknown: bool `[H, W]`: what is not filled yet.
        parts: what is filled, one after the other.
        number: which of several answers this is.
        watch: shown, before each evaluation and after each part, how to make the picture as it is
            then: with the noisy image in the hole.
        done: how many parts are filled.
        evaluations: of the network, counted.
        seconds: this picture's share of its batches.
    """

    picture: Pixels
    unknown: Mask
    parts: Sequence[Piece]
    number: int = 0
    watch: Callable[[Callable[[], Pixels]], None] | None = None
    done: int = 0
    evaluations: float = 0.0
    seconds: float = 0.0

    def seed(self, seed: int) -> int:
        """Of the noise of the next part."""
        part = [str(self.done)] if self.done else []
        return image_seed(seed, "inpaint", str(self.number), *part)

    def with_answer(self, answer: Pixels) -> Pixels:
        """The picture with a network's answer for the next part, uint8 `[S, S, 3]`, put in."""
        picture = self.picture.copy()
        self.parts[self.done].put(answer, picture)
        return picture

    def accept(self, answer: Pixels) -> None:
        """Go on to the next part."""
        piece, self.picture = self.parts[self.done], self.with_answer(answer)
        self.unknown[piece.box][piece.hole] = False
        self.done += 1

    def describe(self) -> str:
        """Which squares of the picture were filled, for the line that says what was done."""
        views = [f"{len(p.columns)}x{len(p.rows)}" for p in self.parts]
        more = f" and {len(views) - 3} more" if len(views) > 3 else ""
        side = self.parts[0].side
        scaled = f" -> {side}x{side}" if any(p.reduction != 1 for p in self.parts) else ""
        return f"{', '.join(views[:3])}{more}{scaled}"

    def warnings(self) -> list[str]:
        """Where detail will be missing."""
        worst = max(self.parts, key=lambda piece: piece.reduction)
        if worst.reduction <= COARSE:
            return []
        return [
            f"the hole is large for this network: {len(worst.rows)} pixels of the picture were "
            f"brought to {worst.side}, so detail finer than {worst.reduction:.1f} pixels is missing"
        ]


class Filler:
    """One method of one data set, with its network in memory; what `radpipe.load` returns.

    Args:
        settings: of params.yaml.
        root: the project's folder.
        dataset: whose networks.
        method: a file of inpainters/.
        steps: instead of the method's setting `steps`.

    Raises:
        UserError: no such data set or method, no network here, no setting `steps`.
    """

    def __init__(
        self, settings: Settings, root: Path, dataset: str, method: str, steps: int | None = None
    ) -> None:
        if dataset not in settings.datasets:
            raise unknown("data set", dataset, list(settings.datasets), "--dataset")
        resolved, kind = settings.resolve(dataset), load_class(method)
        own: Any = resolved.inpainter(method)
        if steps is not None:
            raw = {**own.model_dump(mode="json"), "steps": steps}
            own = section(kind.Settings, raw, f"inpainters.{method}", "--steps")
        self.method, self.batch = method, settings.resources.sample_batch
        self.device = resolve_device(settings.resources.device)
        self.side = resolved.datasets[dataset].size if kind.requires in ("rad", "base") else None
        networks = _networks(settings, root, dataset, method)
        precision = resolved.sampling.precision
        self.inpainter = build(method, own, networks, settings.resources, precision)
        self.planned_evaluations = max(1, self.inpainter.planned_evaluations())

    def start(
        self, picture: Pixels, hole: Mask, samples: int = 1, crop: Crop = "auto", where: str = ""
    ) -> list[Filling]:
        """What there is to fill for some answers; see `crop.pieces` for the arguments."""
        parts, blank = pieces(hole, self.side, crop, where), with_hole(picture, hole)
        return [Filling(blank, hole.copy(), parts, number) for number in range(samples)]

    def fill(
        self,
        fillings: Sequence[Filling],
        seed: int = 0,
        on_step: Callable[[int], object] = lambda images: None,
    ) -> None:
        """Fill pictures, in batches of `resources.sample_batch`.

        A picture's answer depends on its pixels, the seed and its number alone, not on the others.

        Args:
            fillings: of `start`; changed in place.
            seed: of the noise.
            on_step: called after each evaluation of a batch with the number of its pictures.

        Raises:
            UserError: one picture alone does not fit in memory.
        """
        while waiting := [f for f in fillings if f.done < len(f.parts)]:
            # pictures that show the network the same size go together
            shape = waiting[0].parts[waiting[0].done].shape
            batch = [f for f in waiting if f.parts[f.done].shape == shape][: self.batch]
            self._fill_next(batch, seed, on_step)

    def _fill_next(self, batch: list[Filling], seed: int, on_step: Callable[[int], object]) -> None:
        """Fill the next part of each of some pictures."""
        shown = [f.parts[f.done].show(f.picture, f.unknown) for f in batch]
        images, holes = (np.stack(part) for part in zip(*shown, strict=True))

        def show(states: Pixels) -> None:
            if len(states) == len(batch):  # less where memory ran out
                for f, state in zip(batch, states, strict=True):
                    if f.watch is not None:
                        f.watch(partial(f.with_answer, state))

        self.inpainter.model.tally.show = show if any(f.watch for f in batch) else None
        seeds, begun = [f.seed(seed) for f in batch], time.perf_counter()
        step = partial(on_step, len(batch))
        result = run_batch(self.inpainter, images, holes, seeds, self.device, step)
        show(result.images)
        for f, answer in zip(batch, result.images, strict=True):
            f.accept(answer)
            f.seconds += (time.perf_counter() - begun) / len(batch)
            f.evaluations += result.evaluations

    def __call__(
        self,
        image: Any,
        mask: Any,
        seed: int = 0,
        *,
        samples: int | None = None,
        crop: Crop = "auto",
        **options: Any,
    ) -> Any:
        """Fill the white part of a mask in an image.

        Args:
            image: an image of PIL, or an array: uint8 `[H, W]`, `[H, W, 3]` or `[H, W, 4]`.
            mask: the same, or bool `[H, W]`; white = True = hole.
            seed: of the noise.
            samples: None: one answer; a number: a list of so many.
            crop: auto, whole or none; see `crop.pieces`.
            options: threshold, invert, resize; see `masks.hole.find`.

        Returns:
            What came in: an image of PIL, or an array uint8; the known pixels bit for bit.

        Raises:
            UserError: no picture or mask, another size, no hole, out of memory.
        """
        picture = pictures.from_image(pictures.to_image(image, "image"), "image")
        marks = pictures.from_image(pictures.to_image(mask, "mask"), "mask", "mask")
        hole = polarity.find(marks, picture.size, "mask", **options).mask
        fillings = self.start(picture.opaque, hole, samples or 1, crop, "image")
        self.fill(fillings, seed)
        images = [picture.filled(f.picture, hole).image() for f in fillings]
        results = [i if isinstance(image, Image.Image) else np.asarray(i) for i in images]
        return results[0] if samples is None else results


def load(
    method: str = "rad",
    dataset: str | None = None,
    steps: int | None = None,
    project: str | Path = ".",
) -> Filler:
    """Load a method with its network once, to fill many pictures; see `Filler.__call__`.

    Args:
        method: a file of inpainters/: rad, repaint, lama, telea, ...
        dataset: whose networks; None: the first of `run.datasets` in params.yaml.
        steps: instead of the method's setting `steps`.
        project: the folder that holds params.yaml and results/.

    Raises:
        UserError: no such project, method or data set, or its network is not there.
    """
    return _load(method, dataset, steps, Path(project).resolve())


@lru_cache(maxsize=8)
def _load(method: str, dataset: str | None, steps: int | None, project: Path) -> Filler:
    if not (project / PARAMS).is_file():
        raise UserError(
            "there is no radpipe project in this folder",
            str(project),
            "go to the folder that holds params.yaml, or name it: --project DIR",
        )
    settings = read(project / PARAMS)
    return Filler(settings, project, dataset or settings.run.datasets[0], method, steps)


def inpaint(
    image: Any,
    mask: Any,
    method: str = "rad",
    dataset: str | None = None,
    seed: int = 0,
    *,
    steps: int | None = None,
    project: str | Path = ".",
    **options: Any,
) -> Any:
    """Fill the white part of a mask in an image; the network is loaded once.

    See `load` and `Filler.__call__` for the arguments, what is returned and raised.
    """
    return load(method, dataset, steps, project)(image, mask, seed, **options)


def missing(settings: Settings, root: Path, dataset: str, method: str) -> list[str]:
    """Receipts of the networks that a method runs on and that are not there."""
    weights = Pipeline(settings).weights(dataset, Method(method))
    return [target.receipt for target in weights if not (root / target.receipt).is_file()]


def _networks(settings: Settings, root: Path, dataset: str, method: str) -> dict[str, Folder]:
    """The trained networks that the method runs on, by their stages, or the refusal."""
    if lacking := missing(settings, root, dataset, method):
        others = [n for n in settings.datasets if not missing(settings, root, n, method)]
        here = f"; or --dataset {' or '.join(others)}, whose network is here" if others else ""
        raise UserError(
            f"the network for `{method}` on `{dataset}` is not there yet",
            str((root / lacking[0]).parent),
            f"fetch it: dvc pull; or train it: snakemake --cores all {lacking[0]}{here}",
        )
    weights = Pipeline(settings).weights(dataset, Method(method))
    return {target.stage.name: target.under(root) for target in weights}
