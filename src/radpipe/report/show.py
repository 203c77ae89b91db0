"""The main table for a terminal, in at most 80 columns, and where everything is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from radpipe.errors import UserError
from radpipe.lazy import pandas
from radpipe.report import printed
from radpipe.report.table import number

WIDTH = 80
HEADER = 11  # characters of a line in the head of a column
NEEDED = {"dataset", "method", "mask", "metric", "label", "value", "rank"}
# the first that was measured is shown beside LPIPS
DISTANCES = ("fid_truth", "fd_alexnet_truth", "fid", "fd_alexnet", "fd_vgg16")
LEGEND = "* best   + second best; lower is better; intervals are in main.md"


def show(paths: Sequence[Path]) -> str:
    """Text for the terminal.

    Args:
        paths: results; a table of the comparison (`main.csv`) is printed, all are listed.

    Raises:
        UserError: a path is missing, or a CSV file is not a table of the comparison.
    """
    for path in paths:
        if not path.is_file():
            raise UserError("a result is missing", str(path), f"run: snakemake --cores all {path}")
    parts = [main_table(path) for path in paths if path.suffix == ".csv"]
    return "\n\n".join([*parts, "\n".join(f"  {path}" for path in paths)])


def main_table(path: Path) -> str:
    """LPIPS and a distance per mask, a row per method that was run."""
    table = pandas.read_csv(path)
    if table.empty or not table.columns.isin(NEEDED).sum() == len(NEEDED):
        raise UserError(
            "this table has no row per method, mask and metric",
            str(path),
            "name another one, e.g. results/tables/main.csv",
        )
    table["number"] = pandas.to_numeric(table["value"], errors="coerce")
    run = table[table["number"].notna()]
    blocks = [_blocks(str(dataset), part) for dataset, part in run.groupby("dataset", sort=False)]
    return "\n\n".join([*blocks, LEGEND])


def headline(measured: Iterable[str]) -> list[str]:
    """The two metrics of a short table, of those that were measured: LPIPS and a distance."""
    return [m for m in ("lpips", *DISTANCES) if m in set(measured)][:2]


def _blocks(dataset: str, rows: pandas.DataFrame) -> str:
    """Methods down, masks and metrics across, as many masks beside each other as fit."""
    metrics = headline(rows["metric"])
    masks = list(dict.fromkeys(rows["mask"]))
    for count in range(len(masks), 0, -1):
        chunks = [masks[i : i + count] for i in range(0, len(masks), count)]
        blocks = [_block(dataset, rows, chunk, metrics) for chunk in chunks]
        if max(len(line) for block in blocks for line in block.splitlines()) <= WIDTH:
            break
    return "\n\n".join(blocks)


def _block(dataset: str, rows: pandas.DataFrame, masks: list[str], metrics: list[str]) -> str:
    from tabulate import tabulate

    texts = {(r.method, r.mask, r.metric): _entry(r.number, r.rank) for r in rows.itertuples()}
    columns = list(product(masks, metrics))
    labels = rows.drop_duplicates("metric").set_index("metric")["label"]
    head = [f"{mask if metric == metrics[0] else ''}\n{labels[metric]}" for mask, metric in columns]
    body = [
        [printed.label(method), *(texts.get((method, *column), "") for column in columns)]
        for method in rows["method"].unique()
    ]
    sides = ["left", *("right" for _ in columns)]
    limits = [WIDTH, *(HEADER for _ in columns)]
    table = tabulate(
        body, [dataset, *head], "plain", colalign=sides, disable_numparse=True,
        maxheadercolwidths=limits,
    )  # fmt: skip
    return "\n".join(line.rstrip() for line in table.splitlines())


def _entry(value: float, rank: float) -> str:
    """One number with its mark."""
    return number(value) + {1: "*", 2: "+"}.get(int(rank) if rank == rank else 0, " ")
