"""A bill as text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radpipe.downloads import gigabytes
from radpipe.plan.bytes import Amount
from radpipe.plan.gpus import Gpu
from radpipe.plan.work import Work, kinds

WIDTH = 80
HEAD = ("stage", "what", "jobs", "images", "evaluations", "TFLOP", "GPU h")
COLUMNS = (10, 14, 5, 10, 11, 13, 9)


@dataclass(frozen=True)
class Bill:
    """All that is printed.

    Attributes:
        names: the targets as typed.
        works: by data set, inputs first.
        downloads, disk: bytes.
        gpu: the hours are of this one.
        efficiency: assumed share of its peak.
        free: free bytes of the cache's and the results' disk.
    """

    names: tuple[str, ...]
    works: tuple[Work, ...]
    downloads: tuple[Amount, ...]
    disk: tuple[Amount, ...]
    gpu: Gpu
    efficiency: float
    free: Mapping[str, int]

    def hours(self, work: Work) -> float:
        """GPU hours of some work."""
        return work.flop / 1e12 / (self.gpu.rate(work.precision) * self.efficiency) / 3600


def render(bill: Bill) -> str:
    """The whole bill."""
    lines = [*_wrapped("Plan of " + ", ".join(bill.names)), "", _row(HEAD)]
    for dataset, works in kinds(list(bill.works)):
        lines.append(dataset or "tables and figures")
        lines += [_row(_cells(bill, work)) for work in works]
    lines += ["-" * WIDTH, _row(_total(bill)), ""]
    lines += _amounts("Downloads", bill.downloads, bill.free["cache"])
    lines += _amounts("Disk for results", bill.disk, bill.free["results"])
    return "\n".join([*lines, *_notes(bill)])


def _cells(bill: Bill, work: Work) -> tuple[str, ...]:
    images = f"{'~' if work.estimated else ''}{work.images:,}" if work.images else "-"
    return (
        "  " + work.stage,
        work.what,
        f"{work.jobs:,}",
        images,
        f"{work.evaluations:,}" if work.evaluations else "-",
        _tflop(work.flop),
        _hours(bill.hours(work)),
    )


def _total(bill: Bill) -> tuple[str, ...]:
    works = bill.works
    return (
        "total",
        "",
        f"{sum(w.jobs for w in works):,}",
        "",
        f"{sum(w.evaluations for w in works):,}",
        _tflop(sum(w.flop for w in works)),
        _hours(sum(bill.hours(w) for w in works)),
    )


def _row(cells: Sequence[str]) -> str:
    """Two columns of words, then numbers; long words push no number out of line."""
    first, second, *numbers = cells
    left = f"{first:{COLUMNS[0]}} {second}"
    width = COLUMNS[0] + COLUMNS[1] + 1
    text = "".join(f" {n:>{w}}" for n, w in zip(numbers, COLUMNS[2:], strict=True))
    return (left[: width - 1] + "." if len(left) > width else f"{left:{width}}") + text


def _tflop(flop: int) -> str:
    if not flop:
        return "-"
    tera = flop / 1e12
    return f"{tera:,.0f}" if tera >= 10 else f"{tera:.2g}"


def _hours(hours: float) -> str:
    if not hours:
        return "-"
    if hours < 0.005:
        return "<0.01"
    return f"{hours:,.2f}" if hours < 10 else f"{hours:,.1f}"


def _amounts(title: str, amounts: Sequence[Amount], free: int) -> list[str]:
    lines = [title]
    for amount in amounts:
        mark = "" if amount.exact else "~"
        there = ""
        if amount.present:
            there = "  there" if amount.present >= amount.size else "  partly there"
        lines.append(f"  {amount.what:36} {mark + gigabytes(amount.size):>12}{there}")
    missing = sum(max(0, a.size - a.present) for a in amounts)
    about = "" if all(a.exact for a in amounts) else "~"
    lines.append(f"  {'still to come':36} {about + gigabytes(missing):>12}"
                 f"  ({gigabytes(free)} free)")  # fmt: skip
    return [*lines, ""]


def _notes(bill: Bill) -> list[str]:
    chip, used = bill.gpu, sorted({w.precision for w in bill.works if w.flop})
    rates = ", ".join(f"{p} {chip.rate(p):g}" for p in used)
    notes = [
        f"GPU hours: {chip.name}, peak TFLOP/s dense: {rates or 'unused'} ({chip.source}); "
        f"{bill.efficiency:.0%} of it assumed, not measured.",
        "TFLOP: convolutions and matrix products of the real networks, counted by torch, a "
        "multiply-add as two. Metrics run in full float32, other float32 convolutions in TF32.",
        "~ estimate. A PNG is taken as 60 % of its pixels' bytes.",
    ]
    if any(w.stage == "sample" and w.what.startswith("mcg") for w in bill.works):
        notes.append("mcg: every evaluation has a backward pass, which is counted in TFLOP.")
    if chip.bf16 is None and "bf16" in used:
        notes.append(f"{chip.name} has no bf16: its float32 rate is taken; set precision: fp32.")
    return [line for note in notes for line in _wrapped(note)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH)
