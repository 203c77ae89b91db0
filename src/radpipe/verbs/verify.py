"""`radpipe verify`: a share of each cell of the main table again from the networks, compared.

For every cell some images are chosen by the settings' seed, inpainted and scored again, here and
now, and held to the stored ones: image by image, bit for bit, and score by score. Other processors
round otherwise; then the scores may move, but on average by no more than the half width of the
table's interval. `--all` (`radpipe.verbs.remake`) makes every image, score and claim again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from radpipe.dag import Target
from radpipe.evaluation import info
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import pandas, torch
from radpipe.pipeline import Pipeline
from radpipe.progress import bar
from radpipe.receipts import Folder
from radpipe.stages import evaluate, sample

UNCHANGED = 1e-6  # of a score, relative: it is written with nine digits


@dataclass
class Verified:
    """What the comparison found.

    Attributes:
        cells: cells compared.
        images: images made again.
        same: those that are the same, bit for bit.
        scores: scores compared.
        equal: those that are the same.
        faults: what differs more than it may, a line each.
    """

    cells: int = 0
    images: int = 0
    same: int = 0
    scores: int = 0
    equal: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"verified: {self.images} images of {self.cells} cells made again from the networks;",
            f"  {self.same} are the same, bit for bit; {self.equal} of {self.scores} scores are "
            "the same,",
            "  the others moved by less than half the width of the table's intervals"
            if not self.faults
            else "  and what differs more than it may:",
            *(f"  {fault}" for fault in self.faults),
        ]
        return "\n".join(lines)


def verify(pipeline: Pipeline, root: Path, share: int) -> Verified:
    """Sample and score some images of every cell of the main table again, and compare.

    Args:
        pipeline: of the current settings.
        root: the repository.
        share: images of each cell.

    Raises:
        UserError: a result is missing, damaged, or not that of the settings and the code.
    """
    jobs = [  # each that scored a cell, and those that sampled it
        (_job(pipeline, root, cell), [_job(pipeline, root, t) for t in pipeline.samples(cell)])
        for cell in pipeline.cells
    ]
    found = Verified(cells=len(jobs))
    with bar(len(jobs) * share, "verify") as progress:
        for scores, shards in jobs:
            for shard in shards:
                chosen = _chosen(shard, math.ceil(share / len(shards)))
                _compare(scores, shard, chosen, found)
                progress.update(len(chosen))
    return found


def _job(pipeline: Pipeline, root: Path, target: Target) -> Job:
    """The job that made a result; refused where the result is not its own."""
    pipeline.require(target, root, "results/tables/main.csv", "verify again")
    return Job(pipeline.slice(target), root, pipeline.view(target).resources)


def _chosen(job: Job, count: int) -> list[str]:
    """Images of a shard, chosen by the settings' seed."""
    ids = np.array(_stored(job).ids)
    generator = np.random.default_rng([job.settings["seed"], int(job.wildcards["shard"])])
    return sorted(generator.permutation(ids)[:count].tolist())


def _stored(job: Job) -> ImageStore:
    """The images of a shard that every copy of the results has."""
    return ImageStore(Folder(job.out, job.receipt).file(f"{job.wildcards['shard']}.zip"))


def _compare(scores: Job, job: Job, chosen: list[str], found: Verified) -> None:
    """Make some images of a shard again, and hold them and their scores to those that are here."""
    torch.set_num_threads(job.threads)
    again = sample.inpaint(job, chosen)
    store = _stored(job)
    stored = np.stack([store.read(name) for name in chosen])
    found.images += len(chosen)
    found.same += int((again == stored).all(axis=(1, 2, 3)).sum())
    for name, before, after in _scores(scores, chosen, again):
        found.scores += len(before)
        close = np.isclose(after, before, rtol=UNCHANGED, atol=UNCHANGED, equal_nan=True)
        found.equal += int(close.sum())
        if not close.all():
            allowed = _half_width(scores, name)
            moved = abs(float(np.nanmean(after - before)))
            if not moved <= allowed:
                found.faults.append(
                    f"differs: {job.wildcards['method']} {job.wildcards['mask']} {name}: by "
                    f"{moved:.4g} on average over {len(before)} images, may be {allowed:.4g}"
                )


def _scores(
    job: Job, chosen: list[str], again: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(metric, stored scores, scores again) of the metrics that score single images."""
    rows = pandas.read_csv(job.out / "scores.csv", dtype={"image": str}).set_index("image")
    names = [m for m in job.settings["evaluation.metrics"] if info(m).kind == "per_image"]
    scored = evaluate.score(job, chosen, again, names).per_image
    for name in names:
        before = rows.loc[chosen, name].to_numpy(float)
        yield name, before, scored[name].to_numpy(float)


def _half_width(job: Job, metric: str) -> float:
    """Half the width of the interval of a cell's value; 0 where it has none."""
    rows = {row["metric"]: row for row in evaluate.read_rows(job.out)}
    low, high = rows[metric].get("low"), rows[metric].get("high")
    return 0.0 if low is None or high is None else (float(high) - float(low)) / 2
