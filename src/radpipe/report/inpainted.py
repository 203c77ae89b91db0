"""What the figures of inpainted images share: truth, hole and what each method made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.report import images, printed, style
from radpipe.report.results import read_cell

COLUMNS = ("dataset", "mask", "image", "method", "metric", "value")
SHOWN = "lpips"
LEFT = 150  # dots for the methods' names
# LPIPS of every image (rows, in the order of the test split) and method -> title, image id
Choose = Callable[["pandas.DataFrame"], list[tuple[str, str]]]


def draw(job: Job, choose: Choose, caption: str) -> style.Drawing:
    """A band per data set, a grid per mask: input, each method, truth; columns: images."""
    bands, numbers = [], []
    for dataset in job.settings["run.datasets"]:
        band = []
        for mask in job.settings["run.masks"]:
            grid, scores = _grid(job, dataset, mask, choose)
            band.append(grid)
            long = scores.rename_axis("image").reset_index().melt("image", var_name="method")
            numbers.append(long.assign(dataset=dataset, mask=mask, metric=SHOWN)[list(COLUMNS)])
        bands.append(band)
    names = ["input", *(printed.label(m) for m in job.settings["run.methods"]), "truth"]
    figure, _ = images.draw(bands, names, LEFT)
    return style.Drawing(figure, pandas.concat(numbers, ignore_index=True), caption)


def _grid(
    job: Job, dataset: str, mask: str, choose: Choose
) -> tuple[images.Grid, pandas.DataFrame]:
    """The chosen images of one data set and mask, and their LPIPS per method."""
    place: dict[str, Any] = {"dataset": dataset, "mask": mask}
    cells = {m: read_cell(job, dataset, m, mask) for m in job.settings["run.methods"]}
    tables = {m: cell.scores.set_index("image") for m, cell in cells.items() if cell}
    split = next(cell.split for cell in cells.values() if cell)
    truths = ImageStore(job.folder("data", dataset=dataset).file(f"{split}.zip"))
    holes = ImageStore(job.folder("holes", **place).file("holes.zip"))
    scores = pandas.DataFrame({m: t.reindex(columns=[SHOWN])[SHOWN] for m, t in tables.items()})
    shards = {m: job.folders("sample", method=m, **place) for m in tables}
    stores = {
        m: [ImageStore(f.file(f"{f.receipt.stem}.zip")) for f in own] for m, own in shards.items()
    }
    kept = {i for store in next(iter(stores.values())) for i in store.ids}
    chosen = choose(scores.reindex([i for i in truths.ids if i in scores.index and i in kept]))
    ids = [i for _, i in chosen]
    shown = [truths.read(i) for i in ids]
    rows = [[images.with_hole(t, holes.read(i)) for t, i in zip(shown, ids, strict=True)]]
    rows += [[next(s for s in own if i in s).read(i) for i in ids] for own in stores.values()]
    titles = [title for title, _ in chosen]
    return images.Grid(f"{dataset}, {mask}", titles, [*rows, shown]), scores.loc[ids]
