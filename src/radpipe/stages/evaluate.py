"""Stage `evaluate`: all metrics of one cell, per image and as a whole, with intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radpipe.dag import Stage, Target
from radpipe.evaluation import feature_networks, info, modules
from radpipe.evaluation.cell import CellScores, evaluate_cell, passes
from radpipe.evaluation.intervals import Resampling
from radpipe.evaluation.reference import load_references, save_arrays
from radpipe.files import atomic, write_json
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.progress import bar
from radpipe.stages._measuring import setup_of
from radpipe.stages.sample import PARTS

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline


def _upstream(pipeline: Pipeline, target: Target) -> list[Target]:
    """The truths, the holes, the reference statistics, and the images to be scored; the truth's
    cell has none but the truths."""
    dataset, mask, method = target["dataset"], target["mask"], target.method
    shards = 0 if method.is_truth else pipeline.resolved(dataset).resources.shards(method)
    return [
        pipeline.target("data", dataset=dataset),
        pipeline.target("holes", dataset=dataset, mask=mask),
        pipeline.target("reference", dataset=dataset),
        *(
            pipeline.target("sample", dataset=dataset, method=str(method), mask=mask, shard=str(i))
            for i in range(shards)
        ),
    ]


STAGE = Stage(
    name="evaluate",
    folder="results/metrics/{dataset}/{method}/{mask}",
    files=("features.npz",),
    extras=("scores.csv", "metrics.json"),
    keys=(
        "seed",
        "evaluation.images",
        "evaluation.split",
        "evaluation.metrics",
        "evaluation.fd_size",
        "evaluation.jackknife_blocks",
        "evaluation.bootstrap",
    ),
    plugins=lambda pipeline, target: modules(pipeline.view(target).evaluation.metrics),
    upstream=_upstream,
    bulk=lambda pipeline, target: ["features.npz"],
)


def run(job: Job) -> None:
    """Write scores.csv (a row per image), metrics.json (a row per metric) and features.npz. The
    seconds of sampling stay with the samples: they differ from run to run."""
    truths = ImageStore(_truths(job))
    rows, outputs = truths_of(job, truths) if job.method.is_truth else outputs_of(job)
    metrics = job.settings["evaluation.metrics"]
    with bar(len(rows) * passes(metrics), f"scores {job.method} {job.wildcards['mask']}") as moves:
        _write(job, rows, score(job, list(rows["image"]), outputs, metrics, moves.update))


def score(
    job: Job,
    ids: list[str],
    outputs: np.ndarray,
    metrics: list[str],
    on_step: Callable[[int], object] | None = None,
) -> CellScores:
    """Measure some images of the cell, uint8 `[N, H, W, 3]`.

    The reference statistics, which no shared copy of the results has, are read where a metric
    compares with them.
    """
    compared = feature_networks(metrics, to_truth=False)
    truths = ImageStore(_truths(job))
    holes = ImageStore(job.folder("holes").file("holes.zip"))
    return evaluate_cell(
        outputs,
        np.stack([truths.read(i) for i in ids]),
        np.stack([holes.read(i) for i in ids]),
        ids,
        metrics,
        load_references(job.folder("reference").file("features.npz")) if compared else {},
        setup_of(job, metrics, job.settings["evaluation.fd_size"]),
        Resampling(
            job.settings["evaluation.jackknife_blocks"],
            job.settings["evaluation.bootstrap"],
            job.settings["seed"],
        ),
        on_step,
    )


def _truths(job: Job) -> Path:
    return job.folder("data").file(f"{job.settings['evaluation.split']}.zip")


def outputs_of(job: Job) -> tuple[pandas.DataFrame, np.ndarray]:
    """Measured rows and images `[N, H, W, 3]` of all shards, sorted by image id."""
    tables, stores = [], {}
    for folder in job.folders("sample"):
        for end in PARTS:
            store = ImageStore(folder.file(f"{folder.receipt.stem}.{end}"))
            stores.update(dict.fromkeys(store.ids, store))
        path = folder.path / f"{folder.receipt.stem}.csv"
        tables.append(pandas.read_csv(path, dtype={"image": str}))
    rows = pandas.concat(tables).sort_values("image", ignore_index=True)
    return rows, np.stack([stores[name].read(name) for name in rows["image"]])


def truths_of(job: Job, truths: ImageStore) -> tuple[pandas.DataFrame, np.ndarray]:
    """The same for the untouched images of the cell: no evaluations, no seconds."""
    ids = sorted(truths.ids[: job.settings["evaluation.images"]])
    rows = pandas.DataFrame({"image": ids, "seed": None, "evaluations": 0, "seconds": None})
    return rows, np.stack([truths.read(name) for name in ids])


def _write(job: Job, rows: pandas.DataFrame, scores: CellScores) -> None:
    measured = scores.per_image.rename(columns={"image_id": "image"})
    table = rows.merge(measured, on="image", validate="one_to_one")
    table.insert(1, "mask", job.wildcards["mask"] + "/" + table["image"])
    with atomic(job.out / "scores.csv") as temporary:
        table.drop(columns="seconds").to_csv(temporary, index=False, float_format="%.9g")
    save_arrays(job.out / "features.npz", scores.features)
    write_json(job.out / "metrics.json", [_row(n, s) for n, s in scores.rows.items()])
    job.finish("features.npz", "metrics.json", "scores.csv", images=len(table))


def _row(name: str, summary: dict[str, object]) -> dict[str, Any]:
    """One metric for metrics.json; numbers that are not finite are written as text."""
    metric = info(name)
    row: dict[str, Any] = {
        "metric": name,
        "label": metric.display,
        "unit": metric.unit,
        "lower_is_better": metric.lower_is_better,
        "value": None,
        "low": None,
        "high": None,
        "se": None,
        "n": None,
        "interval": "",
        "note": "",
        **summary,
    }
    row["interval"] = row.pop("method", "")
    return {key: _plain(value) for key, value in row.items()}


def _plain(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value + 0.0  # zero has no sign


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """metrics.json of a cell: a row per metric."""
    rows: list[dict[str, Any]] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return rows
