"""Stage `timing`: seconds, network evaluations and memory of every method, in one process.

One method at a time, warmed up and synchronised; each at the run's budget with one image and
with a batch, and once at the official budget of its paper, so that ratios are measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from radpipe.diffusion.noise import image_seed
from radpipe.evaluation.timing import Timing as Measured
from radpipe.evaluation.timing import measure
from radpipe.files import atomic
from radpipe.imagestore import ImageStore
from radpipe.inpainters import load
from radpipe.inpainters.base import run_batch
from radpipe.job import Job
from radpipe.progress import bar
from radpipe.settings import Timing
from radpipe.stages.models import build
from radpipe.stages.training import device_name


def run(job: Job) -> None:
    """Write timing.csv."""
    torch.set_num_threads(job.threads)
    settings = job.section("timing", Timing)
    methods = list(job.settings["run.methods"])
    images, masks, ids = _inputs(job, settings.batch)
    plan = _plan(methods, settings)
    rows: list[dict[str, Any]] = []
    with bar(len(plan), f"timing on {job.wildcards['dataset']}", unit="runs") as progress:
        for method, budget, batch in plan:
            row = _time(job, settings, method, budget, images[:batch], masks[:batch], ids[:batch])
            rows.append(row)
            progress.update()
    table = pd.DataFrame(rows)
    table["ratio_to_rad"] = table.apply(lambda row: _ratio(table, row), axis=1)
    with atomic(job.out / "timing.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    job.finish(methods=methods)


def _plan(methods: list[str], settings: Timing) -> list[tuple[str, str, int]]:
    """(method, budget, batch) of every run."""
    plan = [(m, "run", b) for m in methods for b in dict.fromkeys((1, settings.batch))]
    official = [(m, "official", 1) for m in methods if settings.official and load(m).requires]
    return plan + official


def _inputs(job: Job, count: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    holes = ImageStore(job.folder("holes").file("holes.zip"))
    folder = job.folder("data")
    for split in ("test", "val"):
        truths = ImageStore(folder.file(f"{split}.zip"))
        ids = [i for i in holes.ids if i in truths][:count]
        if ids:
            break
    return np.stack([truths.read(i) for i in ids]), np.stack([holes.read(i) for i in ids]), ids


def _time(
    job: Job,
    settings: Timing,
    method: str,
    budget: str,
    images: np.ndarray,
    masks: np.ndarray,
    ids: list[str],
) -> dict[str, Any]:
    """One row of the table."""
    own = job.settings["inpainters"][method]
    values = own if budget == "run" else load(method).Settings()
    device = device_name(job)
    folders = {s: f for s in ("base", "rad", "lama") for f in job.folders(s)}
    inpainter = build(method, values, folders, device, job.settings["sampling"]["precision"])
    seeds = [image_seed(job.settings["seed"], "timing", i) for i in ids]
    evaluations = 0.0

    def once() -> None:
        nonlocal evaluations
        evaluations = run_batch(inpainter, images, masks, seeds, device).evaluations

    single = budget == "official"
    found: Measured = measure(
        once,
        1 if single else settings.repeats,
        0 if single else settings.warmup,
        torch.device(device),
    )
    return {
        "method": method,
        "budget": budget,
        "batch": len(ids),
        "device": device,
        "evaluations": evaluations,
        "seconds_median": found.median / len(ids),
        "seconds_q25": found.q25 / len(ids),
        "seconds_q75": found.q75 / len(ids),
        "repeats": found.repeats,
        "peak_memory_mb": found.peak_memory / 2**20,
    }


def _ratio(table: pd.DataFrame, row: pd.Series) -> float:
    """Seconds per image against RAD's at the run's budget and the same batch size."""
    same = (table.method == "rad") & (table.budget == "run") & (table.batch == row["batch"])
    rad = table[same]
    return float(row["seconds_median"] / rad["seconds_median"].iloc[0]) if len(rad) else np.nan
