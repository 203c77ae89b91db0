"""Stage `timing`: seconds, network evaluations and memory of every method, in one process.

One method at a time, synchronised. A method's network is loaded once. The run's budget comes
first, with one image and with the sampler's batch: `timing.warmup` runs that are not timed, then
`timing.repeats` that are. The official budget of its paper comes last, one run of one image, on
the same network: all the runs before it are its warm-up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from radpipe.diffusion.noise import image_seed
from radpipe.evaluation.timing import Timing as Measured
from radpipe.evaluation.timing import measure
from radpipe.files import atomic, sha256
from radpipe.imagestore import ImageStore
from radpipe.inpainters import load
from radpipe.inpainters.base import Inpainter, run_batch
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
    plans = {method: _plan(method, settings) for method in methods}
    rows: list[dict[str, Any]] = []
    total = sum(map(len, plans.values()))
    with bar(total, f"timing on {job.wildcards['dataset']}", unit="runs") as progress:
        for method, plan in plans.items():
            budgets = _budgets(job, method)
            for budget, batch in plan:
                inputs = images[:batch], masks[:batch], ids[:batch]
                found = _time(job, settings, budgets[budget], budget, *inputs)
                rows.append({"method": method, "budget": budget} | found)
                progress.update()
    table = pd.DataFrame(rows)
    table["ratio_to_rad"] = table.apply(lambda row: _ratio(table, row), axis=1)
    with atomic(job.out / "timing.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    # seconds differ from run to run: with the checksum, the tables made of older ones are stale
    job.finish(methods=methods, timing_sha256=sha256(job.out / "timing.csv"))


def _plan(method: str, settings: Timing) -> list[tuple[str, int]]:
    """(budget, batch) of every row of a method; methods without a network have no budget."""
    plan = [("run", batch) for batch in dict.fromkeys((1, settings.batch))]
    return plan + ([("official", 1)] if settings.official and load(method).requires else [])


def _budgets(job: Job, method: str) -> dict[str, Inpainter]:
    """A method by budget, on one and the same network."""
    folders = {s: f for s in ("base", "rad", "lama") for f in job.folders(s)}
    precision = job.settings["sampling"]["precision"]
    own = build(method, job.settings["inpainters"][method], folders, device_name(job), precision)
    kind = load(method)
    network = own.model.wrapped if own.model is not None else None
    return {"run": own, "official": kind(kind.Settings(), network, own.schedule)}


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
    inpainter: Inpainter,
    budget: str,
    images: np.ndarray,
    masks: np.ndarray,
    ids: list[str],
) -> dict[str, Any]:
    """One row of the table."""
    device = device_name(job)
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
        "batch": len(ids),
        "device": device,
        "evaluations": evaluations,
        "seconds_median": found.median / len(ids),
        "seconds_q25": found.q25 / len(ids),
        "seconds_q75": found.q75 / len(ids),
        "repeats": found.repeats,
        "peak_memory_mb": found.peak_memory / 2**20,
        "peak_memory_of": found.peak_memory_of,
    }


def _ratio(table: pd.DataFrame, row: pd.Series) -> float:
    """Seconds per image against RAD's at the same budget and batch size."""
    same = (table["budget"] == row["budget"]) & (table["batch"] == row["batch"])
    rad = table[same & (table["method"] == "rad")]
    return float(row["seconds_median"] / rad["seconds_median"].iloc[0]) if len(rad) else np.nan
