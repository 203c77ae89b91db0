"""Images of the comparison: truth, hole and what each method made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from radpipe.imagestore import ImageStore
from radpipe.report import printed
from radpipe.report.mosaic import Grid, with_hole
from radpipe.report.results import Cell, image_targets, read_cell

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

COLUMNS = ("dataset", "mask", "image", "method", "metric", "value")
SHOWN = "lpips"


@dataclass
class Images:
    """The images of one data set and mask.

    Args:
        job: a job with the cells' images upstream (`needs`).
        dataset, mask: which.
    """

    job: Job
    dataset: str
    mask: str
    cells: dict[str, Cell] = field(init=False)

    def __post_init__(self) -> None:
        methods = self.job.settings["run.methods"]
        found = {m: read_cell(self.job, self.dataset, m, self.mask) for m in methods}
        self.cells = {m: cell for m, cell in found.items() if cell is not None}
        split = next(iter(self.cells.values())).split
        self._truths = ImageStore(
            self.job.folder("data", dataset=self.dataset).file(f"{split}.zip")
        )
        holes = self.job.folder("holes", dataset=self.dataset, mask=self.mask)
        self._holes = ImageStore(holes.file("holes.zip"))
        self._outputs = {m: self._stores(m) for m in self.cells}

    def _stores(self, method: str) -> list[ImageStore]:
        place = {"dataset": self.dataset, "method": method, "mask": self.mask}
        shards = self.job.folders("sample", **place)
        return [ImageStore(f.file(f"{f.receipt.stem}.zip")) for f in shards]

    @property
    def ids(self) -> list[str]:
        """The images, in the order of the test split."""
        scored = set(next(iter(self.cells.values())).scores["image"])
        return [i for i in self._truths.ids if i in scored]

    def output(self, method: str, image: str) -> np.ndarray:
        """What a method made, uint8 `[H, W, 3]`."""
        store = next(s for s in self._outputs[method] if image in s)
        return store.read(image)

    def score(self, method: str, image: str) -> float:
        """LPIPS of one image; NaN where it was not measured."""
        scores = self.cells[method].scores
        if SHOWN not in scores:
            return float("nan")
        return float(scores.loc[scores["image"] == image, SHOWN].iloc[0])

    def grid(self, title: str, images: list[str], columns: list[str]) -> Grid:
        """Rows: input, each method, truth; columns: images."""
        truths = [self._truths.read(i) for i in images]
        holes = [self._holes.read(i) for i in images]
        inputs = [with_hole(t, h) for t, h in zip(truths, holes, strict=True)]
        outputs = [[self.output(m, i) for i in images] for m in self.cells]
        return Grid(title, columns, [inputs, *outputs, truths])

    @property
    def row_names(self) -> list[str]:
        """Names of the rows of `grid`."""
        return ["input", *(printed.label(m) for m in self.cells), "truth"]

    def numbers(self, images: list[str]) -> list[tuple[object, ...]]:
        """The scores of the images shown, rows of `COLUMNS`."""
        return [
            (self.dataset, self.mask, i, m, SHOWN, self.score(m, i))
            for i in images
            for m in self.cells
        ]


def needs(pipeline: Pipeline) -> list[Target]:
    """The comparison's scores and images."""
    return image_targets(pipeline, pipeline.cells)
