"""What a metric is, and what it is built from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from radpipe.errors import UserError

if TYPE_CHECKING:
    from radpipe.evaluation.reference import Reference

Details = dict[str, str | int | float]


class NotAvailable(Exception):
    """A metric cannot be computed here because an asset is absent; the message says which."""


@dataclass(frozen=True)
class Options:
    """Choices that change the numbers; all of them are in a table's footer.

    Attributes:
        feature_size: side that images are brought to for AlexNet and VGG16 features, pixels.
        lpips_size: smallest side LPIPS is computed at, pixels; AlexNet needs 63 or more.
        blocks: blocks of the jackknife.
        resamples: bootstrap resamplings.
        confidence: of every interval.
        seed: of blocks and resamplings.
    """

    feature_size: int = 224
    lpips_size: int = 64
    blocks: int = 20
    resamples: int = 10_000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Setup:
    """What metrics are built from.

    Attributes:
        assets: name in the list of downloads -> file; an absent name is an absent asset.
        cache: folder for files taken out of archives.
        device: where networks run.
        batch: images per network call; no influence on the numbers beyond rounding (1e-6).
        options: choices that change the numbers.
    """

    assets: Mapping[str, Path]
    cache: Path
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    batch: int = 16
    options: Options = field(default_factory=Options)

    def asset(self, name: str, optional: bool = False) -> Path:
        """The file of an asset.

        Raises:
            NotAvailable: absent and optional.
            UserError: absent and needed.
        """
        path = self.assets.get(name)
        if path is not None and path.is_file():
            return path
        if optional:
            raise NotAvailable(f"asset `{name}` is not there")
        raise UserError(
            f"the weights `{name}` that a metric needs are not there",
            str(path or "workflow/assets.yaml"),
            "let the workflow fetch them, or take the metric out of `evaluation.metrics`",
        )


class PerImageMetric(ABC):
    """One number per image."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @abstractmethod
    def score(
        self, outputs: torch.Tensor, truths: torch.Tensor, hole: torch.Tensor
    ) -> torch.Tensor:
        """Score a batch.

        Args:
            outputs: inpainted images, `[B, 3, H, W]` float32 in [-1, 1].
            truths: originals, the same shape and range.
            hole: `[B, 1, H, W]` bool, True = hole.

        Returns:
            `[B]` floating point; NaN where an image has nothing to measure.
        """

    def details(self) -> Details:
        """What a reader must know to reproduce the numbers."""
        return {}


class DistributionMetric(ABC):
    """One number for a set of images against a reference set, from their features."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @abstractmethod
    def distance(self, features: np.ndarray, reference: Reference) -> float:
        """Distance of features `[N, d]` to the reference."""

    @abstractmethod
    def replicates(
        self, features: np.ndarray, reference: Reference, blocks: Sequence[np.ndarray]
    ) -> np.ndarray:
        """`[len(blocks)]`: the distance without each block of rows in turn."""

    def note(self, n: int) -> str:
        """A warning about this number of images, or an empty string."""
        return ""

    def details(self) -> Details:
        """What a reader must know to reproduce the numbers."""
        return {}


def to_float(images: np.ndarray) -> torch.Tensor:
    """uint8 `[B, H, W, 3]` -> float32 `[B, 3, H, W]` in [-1, 1]."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"expected uint8 [B, H, W, 3], not {images.dtype} {images.shape}")
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return pixels.float().div(127.5).sub(1.0)
