"""Seconds, network evaluations and memory per image, also at the official budgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.report import printed
from radpipe.report.needs import timing_targets
from radpipe.report.results import read_timing
from radpipe.report.table import Block, Table, entries, number

KEYS = ("run.datasets", "run.methods")
CAPTION = (
    "Seconds per image, one method at a time on the same images. Budget `run`: the settings of "
    "this run; median and quartiles over repeats, after warm-up runs. Budget `official`: what the "
    "method's paper uses; one run of one image, after those of the run's budget on the same "
    "network. Times RAD: these seconds over RAD's at the same kind of budget and batch."
)
SHOWN: dict[str, Callable[[Any], str]] = {
    "Method": lambda row: row.label,
    "Budget": lambda row: row.budget,
    "Batch": lambda row: str(row.batch),
    "Evaluations": lambda row: number(row.evaluations, 0),
    "Seconds per image [quartiles]": lambda row: _seconds(row),
    "Peak memory, MB": lambda row: number(row.peak_memory_mb, 0),
    "Times RAD": lambda row: number(row.ratio_to_rad),
}
needs = timing_targets


def build(job: Job) -> Table:
    """A row per data set, method, budget and batch."""
    methods = list(job.settings["run.methods"])
    order = [*job.settings["run.datasets"], *methods]
    data = read_timing(job).sort_values(
        ["dataset", "method"], key=lambda names: names.map(order.index), kind="stable"
    )
    missing = [m for m in printed.PAPER_METHODS if m not in methods]
    empty = ("",) * (len(SHOWN) - 2)
    not_run = [(printed.label(method), printed.NOT_RUN, *empty) for method in missing]
    blocks = tuple(
        Block(str(dataset), tuple(SHOWN), (*entries(part, SHOWN), *not_run))
        for dataset, part in data.groupby("dataset", sort=False)
    )
    notes = (
        f"Device: {', '.join(dict.fromkeys(data['device']))}. The numbers differ from machine to "
        f"machine. Every method is timed by a job of its own, which also times the same fixed "
        f"work: {_spread(data)}. By as much the machine's speed changed between the jobs.",
        "Peak memory: of the accelerator where there is one, else of the whole process.",
    )
    return Table("Time per image", data, blocks, CAPTION, notes)


def _seconds(row: Any) -> str:
    """Median and quartiles; of a single run its seconds."""
    single = row.seconds_q25 == row.seconds_q75
    quartiles = f" [{number(row.seconds_q25)}, {number(row.seconds_q75)}]"
    return number(row.seconds_median) + ("" if single else quartiles)


def _spread(data: pandas.DataFrame) -> str:
    work = data["calibration_seconds"]
    return f"{number(work.min())} to {number(work.max())} s"
