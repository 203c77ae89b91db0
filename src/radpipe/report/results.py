"""What tables and figures read: scores of cells, weights and images, all through the job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radpipe.dag import Target
from radpipe.errors import UserError
from radpipe.job import Job
from radpipe.method import DEFAULT, Method
from radpipe.receipts import Folder

if TYPE_CHECKING:
    import pandas as pd

    from radpipe.evaluation.intervals import Interval
    from radpipe.pipeline import Pipeline


@dataclass(frozen=True)
class Cell:
    """The scores of one cell.

    Attributes:
        dataset, method, mask: which; the method may carry a variant.
        rows: metric -> its row of metrics.json.
        scores: a row per image, sorted by image id.
        seed, resamples: of the bootstrap of paired differences.
        split: of the images.
    """

    dataset: str
    method: str
    mask: str
    rows: Mapping[str, Mapping[str, Any]]
    scores: pd.DataFrame
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
    import pandas as pd

    folder = found[0]
    rows = json.loads(readable(folder, "metrics.json").read_text())
    scores = pd.read_csv(readable(folder, "scores.csv"), dtype={"image": str})
    settings = folder.made.settings
    return Cell(
        dataset,
        method,
        mask,
        {row["metric"]: row for row in rows},
        scores.sort_values("image", ignore_index=True),
        settings["seed"],
        settings["evaluation.bootstrap"],
        settings["evaluation.split"],
    )


def readable(folder: Folder, name: str) -> Path:
    """A small file of a result; checked where the receipt vouches for it.

    Measured files (timings, loss curves) are not in receipts, which hold no measurements.
    """
    receipt = json.loads(folder.receipt.read_text()) if folder.receipt.is_file() else None
    if receipt is None or name in receipt["files"]:
        return folder.file(name)
    if not (folder.path / name).is_file():
        raise UserError(
            "a result is missing", str(folder.path / name), "run: snakemake --cores all all"
        )
    return folder.path / name


def difference(cell: Cell, other: Cell, metric: str) -> Interval | None:
    """Paired `cell - other`; None where the metric has no interval or one is not available."""
    from radpipe.evaluation.intervals import bootstrap_difference, jackknife_difference

    row, others = cell.rows.get(metric, {}), other.rows.get(metric, {})
    if row.get("value") is None or others.get("value") is None:
        return None
    require_same_images(cell, other)
    if row.get("replicates"):
        import numpy as np

        mine, theirs = np.array(row["replicates"]), np.array(others["replicates"])
        return jackknife_difference(cell.value(metric), mine, other.value(metric), theirs, row["n"])
    if metric not in cell.scores or row.get("low") is None or others.get("low") is None:
        return None
    return bootstrap_difference(
        cell.scores[metric].to_numpy(float),
        other.scores[metric].to_numpy(float),
        cell.seed,
        cell.resamples,
    )


def require_same_images(cell: Cell, other: Cell) -> None:
    """Refuse to pair scores of different images.

    Raises:
        UserError: where they are.
    """
    if list(cell.scores["image"]) != list(other.scores["image"]):
        raise UserError(
            f"{cell.method} and {other.method} were scored on different images",
            f"results/metrics/{cell.dataset}",
            "run: snakemake --cores all all",
        )


def weights_used(job: Job, dataset: str, method: str) -> list[tuple[str, Folder]]:
    """(stage, results) of the checkpoints upstream that a method runs on."""
    from radpipe.inpainters import load

    asked = Method.parse(method)
    requires = load(asked.name).requires
    if requires is None:
        return []
    found: list[tuple[str, Folder]] = [
        (requires, f) for f in job.folders(requires, dataset=dataset)
    ]
    if requires == "rad":
        own = job.folders("rad", dataset=dataset, variant=asked.variant)
        default = job.folders("rad", dataset=dataset, variant=DEFAULT)
        base: list[tuple[str, Folder]] = [("base", f) for f in job.folders("base", dataset=dataset)]
        found = [("rad", f) for f in (own or default)]
        found = found if _from_scratch(found) else base + found
    return found


def _from_scratch(weights: list[tuple[str, Folder]]) -> bool:
    """Whether a variant's network holds nothing of the base network."""
    settings = [json.loads(f.receipt.read_text())["slice"]["settings"] for _, f in weights]
    return any(own["training.rad"]["adapt"] == "scratch" for own in settings)


def images_seen(job: Job, dataset: str, method: str) -> int | None:
    """Training images of a RAD variant; None for another method, or where that is not recorded."""
    for stage, folder in weights_used(job, dataset, method):
        if stage == "rad":
            images = json.loads(folder.receipt.read_text())["facts"].get("images")
            return None if images is None else int(images)
    return None


def describe_weights(job: Job, dataset: str, method: str) -> str:
    """The weights of a method: where they are from and the start of their checksums."""
    parts = []
    for stage, folder in weights_used(job, dataset, method):
        receipt = json.loads(folder.receipt.read_text())
        facts = receipt["facts"]
        source = facts.get("weights") or (
            f"public file {facts['asset']}" if "asset" in facts else _budget(facts)
        )
        sums = [
            entry["sha256"][:12]
            for name, entry in sorted(receipt["files"].items())
            if not name.endswith(".json")
        ]
        parts.append(f"{stage} {source} sha256 {' '.join(sums)}".replace("  ", " "))
    return "; ".join(parts) or "none"


def _budget(facts: Mapping[str, Any]) -> str:
    return f"trained on {facts['images']:,} images," if "images" in facts else ""


def cell_targets(pipeline: Pipeline, methods: list[str]) -> list[Target]:
    """Scores and weights of some methods on every data set and mask of the settings."""
    run = pipeline.settings.run
    cells = [
        pipeline.target("evaluate", dataset=d, method=m, mask=k)
        for d in run.datasets
        for m in methods
        for k in run.masks
    ]
    weights = [
        w for d in run.datasets for m in methods for w in pipeline.weights(d, Method.parse(m))
    ]
    return list(dict.fromkeys([*cells, *weights]))


def ablation_methods(pipeline: Pipeline, name: str) -> list[str]:
    """Methods of an ablation's cells; of one that is not to be run, those of the comparison."""
    from radpipe.ablations import load

    run = pipeline.settings.run
    methods = list(load(name).methods(name))
    return methods if name in run.ablations else [m for m in methods if m in run.methods]


def image_targets(pipeline: Pipeline, cells: list[Target]) -> list[Target]:
    """Cells with the truths, holes and samples that they were scored from."""
    stages = ("data", "holes", "sample")
    images = [t for c in cells for t in pipeline.upstream(c) if t.stage.name in stages]
    return list(dict.fromkeys([*cells, *images]))
