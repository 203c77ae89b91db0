"""What a metric is: its declaration, and what its computation is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from radpipe.errors import UserError
from radpipe.evaluation.reference import Details, Reference


class NotAvailable(Exception):
    """A metric cannot be computed here because an asset is absent; the message says which."""


@dataclass(frozen=True)
class Setup:
    """What the networks of metrics are built from.

    Attributes:
        assets: name in the list of downloads -> file; an absent name is an absent asset.
        device: where networks run.
        batch: images per network call; no influence on the numbers beyond rounding (1e-6).
        feature_size: side that images are brought to for AlexNet and VGG16 features, pixels.
    """

    assets: Mapping[str, Path]
    device: str = "cpu"
    batch: int = 16
    feature_size: int = 224

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


# (outputs, truths, holes) -> `[B]` float64, NaN where an image has nothing to measure.
# Images are uint8 `[B, H, W, 3]`, 8-bit levels 0..255: what is defined on another range converts
# them itself. Holes are bool `[B, H, W]`, True = hole.
Score = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
# (features `[N, d]`, reference, blocks of rows) -> `[len(blocks)]` float64, the distance without
# each block in turn; an empty block gives the distance itself.
Compare = Callable[[np.ndarray, Reference, Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """The declaration of a metric: what settings, plans and tables need to know.

    Attributes:
        name: as typed in params.yaml, and the column of the per-image table.
        display: as printed.
        meaning: one line for people.
        unit: of the value; empty where it has none.
        best: which value is best: the lowest, the highest, or the nearest to zero.
        network: that it sees images through, of `features.NETWORKS`; empty: none.
        assets: names in the list of downloads that it needs.
        optional: where its assets are absent its cell says `not available`; a metric that is
            not optional stops with an error instead.
        details: what a reader must know to reproduce the numbers.
    """

    kind: ClassVar[Literal["per_image", "distribution"]]

    name: str
    display: str
    meaning: str
    unit: str = ""
    best: Literal["low", "high", "zero"] = "low"
    network: str = ""
    assets: tuple[str, ...] = ()
    optional: bool = False
    details: Details = field(default_factory=dict)

    @property
    def lower_is_better(self) -> bool:
        """The direction of the arrow in a table; `best` also knows of zero."""
        return self.best != "high"


@dataclass(frozen=True, kw_only=True)
class PerImage(MetricInfo):
    """A metric with one number per image.

    Attributes:
        build: makes its computation.
        aggregate: how a cell's value is made from the images' values.
    """

    kind = "per_image"

    build: Callable[[Setup], Score]
    aggregate: Literal["mean", "min"] = "mean"


def of_pixels(score: Score) -> Callable[[Setup], Score]:
    """The `build` of a metric that needs no network."""
    return lambda setup: score


@dataclass(frozen=True, kw_only=True)
class Distance(MetricInfo):
    """A metric with one number per set of images: how far its features are from a reference's.

    Attributes:
        without: its computation.
        to_truth: the reference is not the reference split but the truths of the very images,
            row i of the same image, and a block is left out of both; these themselves are at 0.
        biased_below: number of images below which the value is too high by its definition.
    """

    kind = "distribution"

    without: Compare
    to_truth: bool = False
    biased_below: int = 0

    def note(self, n: int) -> str:
        """A warning about this number of images, or an empty string."""
        few = n < self.biased_below
        return f"n < {self.biased_below:,}: biased upwards, compare only at equal n" if few else ""


def rounded(value: float, error: float) -> float:
    """The value, or 0 where rounding errors alone can be as large: `error` bounds them."""
    return 0.0 if abs(value) <= error else value
