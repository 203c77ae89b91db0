"""Seconds, network evaluations and memory per image, also at the official budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe.report import printed
from radpipe.report.results import readable
from radpipe.report.table import Block, Table, number

if TYPE_CHECKING:
    import pandas as pd

    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods")
CAPTION = (
    "Seconds per image, one method at a time on the same images. Budget `run`: the settings of "
    "this run; median and quartiles over repeats, after warm-up runs. Budget `official`: what the "
    "method's paper uses; one run of one image, after those of the run's budget on the same "
    "network. Times RAD: seconds over those of RAD at the same kind of "
    "budget and batch, in the same process."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """The timing of every data set."""
    run = pipeline.settings.run
    return [
        pipeline.target("timing", dataset=d, method=m) for d in run.datasets for m in run.methods
    ]


def build(job: Job) -> Table:
    """A row per data set, method, budget and batch."""
    data = read_timing(job)
    missing = [m for m in printed.PAPER_METHODS if m not in job.settings["run.methods"]]
    blocks = [
        Block(str(dataset), _HEAD, (*_rows(part), *_not_run(missing)))
        for dataset, part in data.groupby("dataset", sort=False)
    ]
    devices = ", ".join(dict.fromkeys(data["device"]))
    notes = (
        f"Device: {devices}. Measured on the machine that made this table; "
        "the numbers differ from machine to machine.",
        "Peak memory: of the accelerator where there is one, else of the whole process.",
    )
    metrics = {
        str(dataset): {
            f"{row.method} {row.budget} batch {row.batch}": row.seconds_median
            for row in part.itertuples()
        }
        for dataset, part in data.groupby("dataset", sort=False)
    }
    return Table("Time per image", data, tuple(blocks), CAPTION, notes, metrics)


_HEAD = (
    "Method",
    "Budget",
    "Batch",
    "Evaluations",
    "Seconds per image [quartiles]",
    "Peak memory, MB",
    "Times RAD",
)


def read_timing(job: Job) -> pd.DataFrame:
    """timing.csv of every data set, with its data set and the methods' printed names."""
    import pandas as pd

    parts = []
    for folder in job.folders("timing"):
        part = pd.read_csv(readable(folder, "timing.csv"))
        part.insert(0, "dataset", folder.wildcards["dataset"])
        part.insert(2, "label", [printed.label(m) for m in part["method"]])
        parts.append(part)
    data = pd.concat(parts, ignore_index=True)
    # seconds in units of the fixed work that every job times beside its method
    work = data["seconds_median"] / data["calibration_seconds"]
    same = ["dataset", "budget", "batch"]
    rad = data.assign(rad=work)[data["method"] == "rad"][[*same, "rad"]]
    data["ratio_to_rad"] = work / data.merge(rad, on=same, how="left")["rad"]
    return data


def _rows(part: pd.DataFrame) -> list[tuple[str, ...]]:
    return [
        (
            row.label,
            row.budget,
            str(row.batch),
            number(row.evaluations, 0),
            f"{number(row.seconds_median)} [{number(row.seconds_q25)}, {number(row.seconds_q75)}]",
            number(row.peak_memory_mb, 0),
            number(row.ratio_to_rad),
        )
        for row in part.itertuples()
    ]


def _not_run(methods: list[str]) -> list[tuple[str, ...]]:
    empty = ("",) * (len(_HEAD) - 2)
    return [(printed.label(m), printed.NOT_RUN, *empty) for m in methods]
