"""Stage `evaluate`: all metrics of one cell, per image and as a whole, with intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from radpipe.evaluation import info
from radpipe.evaluation.cell import CellScores, evaluate_cell, passes
from radpipe.evaluation.intervals import Resampling
from radpipe.evaluation.reference import load_references, save_arrays
from radpipe.files import atomic, write_json
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import pandas as pd
from radpipe.method import Method
from radpipe.progress import bar
from radpipe.settings import Evaluation
from radpipe.stages.evaluation import setup_of


def run(job: Job) -> None:
    """Write scores.csv (a row per image), seconds.csv (as measured while sampling), metrics.json
    (a row per metric) and features.npz. Seconds have a file of their own, which no receipt
    vouches for: they differ from run to run."""
    settings = job.section("evaluation", Evaluation)
    truths = ImageStore(job.folder("data").file(f"{settings.split}.zip"))
    holes = ImageStore(job.folder("holes").file("holes.zip"))
    if Method.parse(job.wildcards["method"]).is_truth:
        rows, outputs = untouched(truths, settings.images)
    else:
        rows, outputs = outputs_of(job)
    ids = list(rows["image"])
    what = f"scores {job.wildcards['method']} {job.wildcards['mask']}"
    with bar(len(ids) * passes(settings.metrics), what) as progress:
        scores = evaluate_cell(
            outputs,
            np.stack([truths.read(i) for i in ids]),
            np.stack([holes.read(i) for i in ids]),
            ids,
            settings.metrics,
            load_references(job.folder("reference").file("features.npz")),
            setup_of(job, settings.metrics, settings.fd_size),
            Resampling(settings.jackknife_blocks, settings.bootstrap, job.settings["seed"]),
            progress.update,
        )
    _write(job, rows, scores)


def untouched(truths: ImageStore, images: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows and images of the truth as a method: the cell's own originals, which no network
    evaluation and no second was spent on."""
    ids = sorted(truths.ids[:images])
    rows = pd.DataFrame({"image": ids, "seed": None, "evaluations": 0, "seconds": None})
    return rows, np.stack([truths.read(i) for i in ids])


def outputs_of(job: Job) -> tuple[pd.DataFrame, np.ndarray]:
    """Measured rows and images `[N, H, W, 3]` of all shards, sorted by image id."""
    tables, images = [], {}
    for folder in job.folders("sample"):
        store = ImageStore(folder.file(f"{folder.receipt.stem}.zip"))
        images.update({name: store.read(name) for name in store.ids})
        tables.append(pd.read_csv(folder.path / f"{folder.receipt.stem}.csv", dtype={"image": str}))
    rows = pd.concat(tables).sort_values("image", ignore_index=True)
    return rows, np.stack([images[name] for name in rows["image"]])


def _write(job: Job, rows: pd.DataFrame, scores: CellScores) -> None:
    measured = scores.per_image.rename(columns={"image_id": "image"})
    table = rows.merge(measured, on="image", validate="one_to_one")
    table.insert(1, "mask", job.wildcards["mask"] + "/" + table["image"])
    with atomic(job.out / "seconds.csv") as temporary:
        table[["image", "mask", "seconds"]].to_csv(temporary, index=False)
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
