"""Stage `timing`: seconds, network evaluations and memory of one method, alone on the machine.

A method's network is loaded once. The run's budget comes first, with one image and with the
sampler's batch: `timing.warmup` runs that are not timed, then `timing.repeats` that are. The
official budget of its paper comes last, one run of one image, on the same network: all the runs
before it are its warm-up.

Methods are timed by jobs of their own, so a kill costs one of them and a method taken out leaves
the others' times alone. Each job also times the same fixed work, before and after: how much the
machine's speed changed between two jobs is how uncertain the ratio of their seconds is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from radpipe import inpainters
from radpipe.dag import Stage, Target
from radpipe.devices import resolve_device
from radpipe.diffusion.noise import image_seed
from radpipe.evaluation import timing
from radpipe.files import atomic, sha256
from radpipe.imagestore import ImageStore
from radpipe.inpainters.base import Inpainter, run_batch
from radpipe.job import Job
from radpipe.lazy import pandas, torch
from radpipe.method import Method
from radpipe.progress import bar
from radpipe.settings import Timing
from radpipe.stages._models import build

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline

Inputs = tuple[np.ndarray, np.ndarray, list[str]]


def _upstream(pipeline: Pipeline, target: Target) -> list[Target]:
    dataset = target["dataset"]
    mask = pipeline.settings.run.masks[0]
    return [
        pipeline.target("data", dataset=dataset),
        pipeline.target("holes", dataset=dataset, mask=mask),
        *pipeline.weights(dataset, Method(target["method"])),
    ]


STAGE = Stage(
    name="timing",
    folder="results/timing/{dataset}/{method}",
    extras=("timing.csv",),
    keys=("seed", "datasets.{dataset}.size", "timing", "sampling"),
    values=lambda pipeline, target: {
        f"inpainters.{target['method']}": pipeline.inpainter(target, target["method"])
    },
    plugins=lambda pipeline, target: [f"inpainters.{target['method']}"],
    upstream=_upstream,
)


def run(job: Job) -> None:
    """Write timing.csv."""
    torch.set_num_threads(job.threads)
    settings, method = job.section("timing", Timing), job.wildcards["method"]
    images, masks, ids = _inputs(job, settings.batch)
    plan, budgets = _plan(method, settings), _budgets(job, method)
    device = torch.device(resolve_device(job.resources.device))
    rows: list[dict[str, Any]] = []
    with bar(len(plan), f"timing {method} on {job.wildcards['dataset']}", unit="runs") as progress:
        before = timing.calibrate(device)
        for budget, batch in plan:
            inputs = images[:batch], masks[:batch], ids[:batch]
            found = _time(job, settings, budgets[budget], budget, inputs)
            rows.append({"method": method, "budget": budget} | found)
            progress.update()
        calibration = math.sqrt(before * timing.calibrate(device))
    table = pandas.DataFrame(rows).assign(calibration_seconds=calibration)
    with atomic(job.out / "timing.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    # seconds differ from run to run: with the checksum, the tables made of older ones are stale
    job.finish(timing_sha256=sha256(job.out / "timing.csv"))


def _plan(method: str, settings: Timing) -> list[tuple[str, int]]:
    """(budget, batch) of every row of a method; methods without a network have no budget."""
    plan = [("run", batch) for batch in dict.fromkeys((1, settings.batch))]
    official = settings.official and inpainters.load(method).requires
    return plan + ([("official", 1)] if official else [])


def _budgets(job: Job, method: str) -> dict[str, Inpainter]:
    """A method by budget, on one and the same network."""
    own = build(job, method, job.settings["sampling"]["precision"])
    kind = inpainters.load(method)
    return {"run": own, "official": kind(kind.Settings(), own.model.wrapped, own.schedule)}


def _inputs(job: Job, count: int) -> Inputs:
    holes = ImageStore(job.folder("holes").file("holes.zip"))
    folder = job.folder("data")
    for split in ("test", "val"):
        truths = ImageStore(folder.file(f"{split}.zip"))
        ids = [i for i in holes.ids if i in truths][:count]
        if ids:
            break
    return np.stack([truths.read(i) for i in ids]), np.stack([holes.read(i) for i in ids]), ids


def _time(
    job: Job, settings: Timing, inpainter: Inpainter, budget: str, inputs: Inputs
) -> dict[str, Any]:
    """One row of the table."""
    images, masks, ids = inputs
    device = resolve_device(job.resources.device)
    seeds = [image_seed(job.settings["seed"], "timing", i) for i in ids]
    evaluations = 0.0

    def once() -> None:
        nonlocal evaluations
        evaluations = run_batch(inpainter, images, masks, seeds, device).evaluations

    single = budget == "official"
    repeats, warmup = (1, 0) if single else (settings.repeats, settings.warmup)
    found = timing.measure(once, repeats, warmup, torch.device(device))
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
