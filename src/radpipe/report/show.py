"""The main table for a terminal, in at most 80 columns, and where everything is."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from radpipe.errors import UserError
from radpipe.report import printed
from radpipe.report.table import number

WIDTH = 80
NAME = 12  # characters for the methods' names
ENTRY = 11  # characters per number and its mark
QUALITY = ("lpips",)
DISTANCES = ("fid", "fd_alexnet", "fd_vgg16")
Rows = list[dict[str, str]]


def show(paths: Sequence[Path]) -> str:
    """Text for the terminal.

    Args:
        paths: results; a table of the comparison (`main.csv`) is printed, all are listed.

    Raises:
        UserError: a path is missing, or a CSV file is not a table of the comparison.
    """
    parts = [main_table(path) for path in paths if path.suffix == ".csv"]
    for path in paths:
        if not path.is_file():
            raise UserError("a result is missing", str(path), f"run: snakemake --cores all {path}")
    return "\n\n".join([*parts, "\n".join(f"  {path}" for path in paths)])


def main_table(path: Path) -> str:
    """LPIPS and a Fréchet distance per mask, a row per method that was run."""
    rows = read(path)
    blocks = []
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        own = [row for row in rows if row["dataset"] == dataset and row["rank"]]
        metrics = [m for m in QUALITY if _has(own, m)]
        metrics += [m for m in DISTANCES if _has(own, m)][:1]
        columns = [(k, m) for k in dict.fromkeys(r["mask"] for r in own) for m in metrics]
        each = (WIDTH - NAME) // ENTRY // max(1, len(metrics)) * max(1, len(metrics))
        chunks = [columns[i : i + each] for i in range(0, len(columns), each)]
        blocks += [_block(dataset, own, chunk) for chunk in chunks]
    legend = "* best   + second best; lower is better; intervals are in main.md"
    return "\n\n".join([*blocks, legend])


def read(path: Path) -> Rows:
    """The rows of a table of the comparison."""
    if not path.is_file():
        raise UserError("there is no such table", str(path), f"run: snakemake --cores all {path}")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"dataset", "method", "mask", "metric", "value", "rank"} <= rows[0].keys():
        raise UserError(
            "this table has no row per method, mask and metric",
            str(path),
            "name another one, e.g. results/tables/main.csv",
        )
    return rows


def _has(rows: Rows, metric: str) -> bool:
    return any(row["metric"] == metric for row in rows)


def _block(dataset: str, rows: Rows, columns: list[tuple[str, str]]) -> str:
    """Masks and metrics across, methods down."""
    found = {(r["method"], r["mask"], r["metric"]): r for r in rows}
    labels = {r["metric"]: r["label"] for r in rows}
    masks = [mask if i == 0 or columns[i - 1][0] != mask else "" for i, (mask, _) in
             enumerate(columns)]  # fmt: skip
    lines = [
        dataset[: NAME - 1].ljust(NAME) + "".join(mask.rjust(ENTRY) for mask in masks),
        " " * NAME + "".join(labels[m][: ENTRY - 1].rjust(ENTRY) for _, m in columns),
    ]
    for method in dict.fromkeys(r["method"] for r in rows):
        entries = [_entry(found.get((method, *column))) for column in columns]
        lines.append(printed.label(method)[: NAME - 1].ljust(NAME) + "".join(entries))
    return "\n".join(line.rstrip() for line in lines)


def _entry(row: dict[str, str] | None) -> str:
    """One number with its mark."""
    if row is None:
        return "".rjust(ENTRY)
    mark = {"1": "*", "2": "+"}.get(row["rank"], " ")
    return (number(float(row["value"])) + mark).rjust(ENTRY)
