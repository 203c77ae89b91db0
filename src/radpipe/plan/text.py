"""A bill as text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from radpipe.downloads import gigabytes
from radpipe.plan.bytes import Amount
from radpipe.plan.gpus import CPU, Gpu
from radpipe.plan.work import Work

WIDTH = 80
LINE = "{:25} {:>5} {:>10} {:>11} {:>13} {:>9}"


@dataclass(frozen=True)
class Bill:
    """All that is printed.

    Attributes:
        names: the targets as typed.
        works: by data set, inputs first.
        downloads, disk: bytes.
        gpu: the hours are of this one (a CPU's: minutes).
        efficiency: assumed share of its peak.
        free: free bytes of the cache's and the results' disk.
        cpu: of a machine without a GPU.
    """

    names: tuple[str, ...]
    works: tuple[Work, ...]
    downloads: tuple[Amount, ...]
    disk: tuple[Amount, ...]
    gpu: Gpu
    efficiency: float
    free: Mapping[str, int]
    cpu: Gpu | None = None

    def hours(self, work: Work) -> float:
        """GPU hours of some work."""
        return work.flop / 1e12 / (self.gpu.rate(work.precision) * self.efficiency) / 3600


def render(bill: Bill) -> str:
    """The whole bill."""
    unit = "CPU min" if bill.gpu.name == CPU else "GPU h"
    head = (f"{'stage':10} what", "jobs", "images", "evaluations", "TFLOP", unit)
    lines = [*textwrap.wrap("Plan of " + ", ".join(bill.names), WIDTH), "", LINE.format(*head)]
    for dataset, works in groupby(bill.works, lambda work: work.dataset):
        lines.append(dataset or "tables and figures")
        lines += [_row(bill, work) for work in works]
    jobs, evaluations = (sum(getattr(w, k) for w in bill.works) for k in ("jobs", "evaluations"))
    total = ("total", f"{jobs:,}", "", f"{evaluations:,}", *_costs(bill, *bill.works))
    lines += ["-" * WIDTH, LINE.format(*total), ""]
    lines += _amounts("Downloads", bill.downloads, bill.free["cache"])
    lines += _amounts("Disk for results", bill.disk, bill.free["results"])
    return "\n".join([*lines, *(x for note in _notes(bill) for x in textwrap.wrap(note, WIDTH))])


def _row(bill: Bill, work: Work) -> str:
    """One kind of jobs; a long word pushes no number out of line."""
    left = f"  {work.stage:8} {work.what}"
    images = f"{'~' if work.estimated else ''}{work.images:,}" if work.images else "-"
    evaluations = f"{work.evaluations:,}" if work.evaluations else "-"
    left = left if len(left) <= 25 else f"{left[:24]}."
    return LINE.format(left, f"{work.jobs:,}", images, evaluations, *_costs(bill, work))


def _costs(bill: Bill, *works: Work) -> tuple[str, str]:
    """TFLOP and time."""
    tera, hours = sum(work.flop for work in works) / 1e12, sum(map(bill.hours, works))
    if not tera:
        return "-", "-"
    time = hours * 60 if bill.gpu.name == CPU else hours
    shown = f"{time:,.2f}" if time < 10 else f"{time:,.1f}"
    return f"{tera:,.0f}" if tera >= 10 else f"{tera:.2g}", "<0.01" if time < 0.005 else shown


def _amounts(title: str, amounts: Sequence[Amount], free: int) -> list[str]:
    lines = [title]
    for amount in amounts:
        size = ("" if amount.exact else "~") + gigabytes(amount.size)
        part = "there" if amount.present >= amount.size else "partly there"
        lines.append(f"  {amount.what:36} {size:>12}" + (f"  {part}" if amount.present else ""))
    missing = gigabytes(sum(max(0, a.size - a.present) for a in amounts))
    about = "" if all(a.exact for a in amounts) else "~"
    line = f"  {'still to come':36} {about + missing:>12}  ({gigabytes(free)} free)"
    return [*lines, line, ""]


def _notes(bill: Bill) -> list[str]:
    chip, used = bill.gpu, sorted({w.precision for w in bill.works if w.flop})
    if chip.name == CPU:
        first = f"CPU minutes: {_measured(chip, bill.efficiency)}"
    else:
        rates = ", ".join(f"{p} {chip.rate(p):g}" for p in used)
        first = (
            f"GPU hours: {chip.name}, peak TFLOP/s dense: {rates or 'unused'} ({chip.source}); "
            f"{bill.efficiency:.0%} of it assumed, not measured."
        )
    notes = [
        first,
        "TFLOP: convolutions and matrix products of the real networks, counted by torch, a "
        "multiply-add as two. Metrics run in full float32, other float32 convolutions in TF32.",
        "~ estimate. A PNG is taken as 60 % of its pixels' bytes.",
    ]
    if any(w.stage == "sample" and w.what.startswith("mcg") for w in bill.works):
        notes.append("mcg: every evaluation has a backward pass, which is counted in TFLOP.")
    if chip.bf16 is None and "bf16" in used:
        notes.append(f"{chip.name} has no bf16: its float32 rate is taken; set precision: fp32.")
    if bill.cpu is not None and used:
        hours = sum(w.flop for w in bill.works) / 1e12 / bill.cpu.fp32 / bill.cpu.efficiency / 3600
        time = f"{60 * hours:,.0f} minutes" if hours < 10 else f"{hours:,.0f} hours"
        said = _measured(bill.cpu, bill.cpu.efficiency)
        notes.append(f"No GPU here. On this CPU about {time} (--gpu cpu: by row): {said}")
    return notes


def _measured(cpu: Gpu, efficiency: float) -> str:
    return (
        f"a rough estimate from {1e3 * cpu.fp32:.0f} GFLOP/s that convolutions reached just now, "
        f"{efficiency:.0%} of it assumed; what runs no network is not in it."
    )
