"""What tables and figures read: scores, timings and weights, all through the job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radpipe.errors import UserError
from radpipe.evaluation import info
from radpipe.evaluation.intervals import Interval, bootstrap_difference, jackknife_difference
from radpipe.inpainters import load as load_method
from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.method import DEFAULT, Method
from radpipe.receipts import Folder, Receipt
from radpipe.report import printed

NO_WEIGHTS = "none"
SCORES = ("dataset", "mask", "method", "metric", "label", "value", "low", "high", "evaluations")


@dataclass(frozen=True)
class Cell:
    """The scores of one cell.

    Attributes:
        dataset, method, mask: which; the method may carry a variant, or be the truth.
        rows: metric -> its row of metrics.json.
        scores: a row per image, sorted by image id.
        seed, resamples: of the bootstrap of paired differences.
        split: of the images.
    """

    dataset: str
    method: str
    mask: str
    rows: Mapping[str, Mapping[str, Any]]
    scores: pandas.DataFrame
    seed: int
    resamples: int
    split: str

    def value(self, metric: str) -> float:
        """The value of a metric; NaN where it is not available."""
        value = self.rows.get(metric, {}).get("value")
        return float("nan") if value is None else float(value)

    @property
    def evaluations(self) -> float:
        """Network evaluations per image, as counted while sampling."""
        return float(self.scores["evaluations"].mean())


def read_cell(job: Job, dataset: str, method: str, mask: str) -> Cell | None:
    """A cell that is upstream of the job; None where it was not run."""
    found = job.folders("evaluate", dataset=dataset, method=method, mask=mask)
    if not found:
        return None
    rows = json.loads(readable(found[0], "metrics.json").read_text())
    scores = pandas.read_csv(readable(found[0], "scores.csv"), dtype={"image": str})
    settings = found[0].made.settings
    return Cell(
        dataset,
        method,
        mask,
        {row["metric"]: row | _printed(row["metric"]) for row in rows},
        scores.sort_values("image", ignore_index=True),
        settings["seed"],
        settings["evaluation.bootstrap"],
        settings["evaluation.split"],
    )


def _printed(metric: str) -> dict[str, str]:
    """How a metric is called today, whatever it was when it was measured."""
    return {"label": info(metric).display, "unit": info(metric).unit}


def read_scores(job: Job, methods: Iterable[str], metrics: Iterable[str]) -> pandas.DataFrame:
    """A row of `SCORES` per data set, metric, mask and method that has a value."""
    datasets, masks = job.settings["run.datasets"], job.settings["run.masks"]
    places = [(d, m, k) for d in datasets for k in masks for m in methods]
    cells = [cell for place in places if (cell := read_cell(job, *place))]
    rows = [
        {**vars(c), **c.rows[metric], "value": c.value(metric), "evaluations": c.evaluations}
        for dataset in datasets
        for metric in metrics
        for c in cells
        if c.dataset == dataset and not np.isnan(c.value(metric))
    ]
    return pandas.DataFrame(rows, columns=list(SCORES))


def stacked(parts: Sequence[pandas.DataFrame], columns: Sequence[str]) -> pandas.DataFrame:
    """Tables below each other; an empty one with these columns where none has a row."""
    filled = [part for part in parts if len(part)]
    return pandas.concat(filled or [pandas.DataFrame(columns=list(columns))], ignore_index=True)


def read_timing(job: Job) -> pandas.DataFrame:
    """The timings of every data set, with it and the methods' printed names."""
    parts = []
    for folder in job.folders("timing"):
        part = pandas.read_csv(readable(folder, "timing.csv"))
        part.insert(0, "dataset", folder.wildcards["dataset"])
        part.insert(2, "label", [printed.label(m) for m in part["method"]])
        parts.append(part)
    data = pandas.concat(parts, ignore_index=True)
    same = ["dataset", "budget", "batch"]
    rad = data[data["method"] == "rad"].rename(columns={"seconds_median": "rad"})
    data["ratio_to_rad"] = data["seconds_median"] / data.merge(rad, on=same, how="left")["rad"]
    return data


def readable(folder: Folder, name: str) -> Path:
    """A small file of a result; checked where the receipt vouches for it.

    Measured files (timings, loss curves) are not in receipts, which hold no measurements.
    """
    if name in folder.made.files:
        return folder.file(name)
    path = folder.path / name
    if not path.is_file():
        raise UserError("a result is missing", str(path), "run: snakemake --cores all all")
    return path


def difference(cell: Cell | None, other: Cell | None, metric: str) -> Interval | None:
    """Paired `cell - other`; None where the metric has no interval or one is not available, and
    for a distance of sets of different size."""
    row, others = (c.rows.get(metric, {}) if c else {} for c in (cell, other))
    if not cell or not other or row.get("value") is None or others.get("value") is None:
        return None
    if row.get("replicates") and others.get("replicates"):
        if len(shared_images(cell, other)) < max(row["n"], others["n"]):
            return None
        mine, theirs = np.array(row["replicates"]), np.array(others["replicates"])
        return jackknife_difference(cell.value(metric), mine, other.value(metric), theirs, row["n"])
    if metric not in cell.scores or row.get("low") is None or others.get("low") is None:
        return None
    return pooled_difference([(cell, other)], metric)


def pooled_difference(pairs: Sequence[tuple[Cell, Cell]], metric: str) -> Interval:
    """Paired difference of a per-image metric, averaged over pairs of cells, one per mask.

    An image counts once: its differences on the masks are averaged before images are drawn.
    """
    shared = sorted(set[str].intersection(*(set(shared_images(*pair)) for pair in pairs)))
    mine, theirs = (
        np.mean(
            [pair[side].scores.set_index("image").loc[shared, metric] for pair in pairs], axis=0
        )
        for side in (0, 1)
    )
    first = pairs[0][0]
    return bootstrap_difference(mine, theirs, first.seed, first.resamples)


def shared_images(cell: Cell, other: Cell) -> list[str]:
    """The images of both cells, sorted: those of the smaller one.

    Raises:
        UserError: neither cell has all images of the other.
    """
    mine, theirs = list(cell.scores["image"]), list(other.scores["image"])
    shared = sorted({*mine} & {*theirs})
    if shared not in (mine, theirs):
        raise UserError(
            f"{cell.method} and {other.method} were scored on different images",
            f"results/metrics/{cell.dataset}",
            "run: snakemake --cores all all",
        )
    return shared


def weights_used(job: Job, dataset: str, method: str) -> dict[str, Receipt]:
    """Stage -> receipt of the checkpoints upstream that a method runs on; none for the truth."""
    kind = Method.parse(method)
    requires = None if kind.is_truth else load_method(kind.name).requires
    if requires != "rad":
        found = job.folders(requires, dataset=dataset) if requires else []
        return {folder.made.stage: folder.made for folder in found}
    # a variant that changes no training has the default's weights
    own = job.folders("rad", dataset=dataset, variant=kind.variant)
    adapter = own or job.folders("rad", dataset=dataset, variant=DEFAULT)
    # a network trained from scratch holds nothing of the base network
    trainings = [folder.made.settings["training.rad"] or {} for folder in adapter]
    adapts = any(training.get("adapt") != "scratch" for training in trainings)
    base = job.folders("base", dataset=dataset) if adapts else []
    return {folder.made.stage: folder.made for folder in [*base, *adapter]}


def images_seen(job: Job, dataset: str, method: str) -> int | None:
    """Training images of a RAD variant; None for another method, or where that is not recorded."""
    used = weights_used(job, dataset, method)
    return used["rad"].facts.get("images") if "rad" in used else None


def describe_weights(job: Job, dataset: str, method: str) -> str:
    """The weights of a method: where they are from and the start of their checksums."""
    parts = []
    for stage, made in weights_used(job, dataset, method).items():
        facts = made.facts
        source = facts.get("weights", "")
        if not source and "asset" in facts:
            source = f"public file {facts['asset']}"
        elif not source and "images" in facts:
            source = f"trained on {facts['images']:,} images,"
        files = sorted(made.files.items())
        sums = [entry["sha256"][:12] for name, entry in files if not name.endswith(".json")]
        parts.append(" ".join(filter(None, (stage, source, "sha256", *sums))))
    return "; ".join(parts) or NO_WEIGHTS
