"""From cells to rows: values, intervals, ranks and paired differences to RAD."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from radpipe.evaluation import METRICS, info
from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.method import TRUTH
from radpipe.report import printed
from radpipe.report.results import NO_WEIGHTS, Cell, describe_weights, difference, read_cell
from radpipe.report.table import Block, Text, decimals_for, number

COLUMNS = (
    *("dataset", "method", "mask", "metric", "label", "value", "low", "high", "n", "unit"),
    *("lower_is_better", "rank", "difference", "difference_low", "difference_high", "significant"),
    *("paper", "weights", "note"),
)
EVALUATIONS = "evaluations"
# metrics that are best at 0: below it is as wrong as above
NEAREST_ZERO = frozenset(name for name, metric in METRICS.items() if metric.best == "zero")
Row = dict[str, Any]


def compare(
    job: Job, methods: Mapping[str, str], masks: Iterable[str], unchanged: str
) -> tuple[list[Row], list[str]]:
    """The scores of every data set, mask and method.

    Args:
        job: of a table.
        methods: method -> label, in the order of the rows.
        masks: in the order of the blocks.
        unchanged: the method that the others are compared with.

    Returns:
        Rows of the long table, and what a reader must know about them.
    """
    rows: list[Row] = []
    cells: list[Cell] = []
    for dataset in job.settings["run.datasets"]:
        found = {(k, m): read_cell(job, dataset, m, k) for k in masks for m in methods}
        own = [cell for cell in found.values() if cell is not None]
        metrics = own[0].rows if own else job.settings["evaluation.metrics"]
        for (mask, method), cell in found.items():
            if cell is None:
                rows += [not_run_row(dataset, method, mask, metric) for metric in metrics]
                continue
            other = read_cell(job, dataset, unchanged, mask)
            rows += cell_rows(cell, other, describe_weights(job, dataset, method))
        cells += own
    named = dict.fromkeys(
        f"Weights, {row['dataset']}, {methods[row['method']]}: {row['weights']}."
        for row in rows
        if row.get("weights", NO_WEIGHTS) != NO_WEIGHTS
    )
    return rows, [*_facts(cells, methods), *named]


def cell_rows(cell: Cell, other: Cell | None, weights: str) -> list[Row]:
    """Rows of one cell, a row per metric and one for its network evaluations.

    Args:
        cell: to print.
        other: what it is compared with; the truth is not.
        weights: in words.
    """
    rows = []
    place = (cell.dataset, cell.method, cell.mask)
    compared = other is not None and cell.method not in (other.method, TRUTH)
    counted = {
        "label": "Evaluations",
        "value": cell.evaluations,
        "n": len(cell.scores),
        "unit": "per image",
        "lower_is_better": True,
    }
    for metric, row in {**cell.rows, EVALUATIONS: counted}.items():
        value = printed.NOT_AVAILABLE if row["value"] is None else float(row["value"])
        entry = {**row, **_row(*place, metric), "value": value, "weights": weights}
        paired = difference(cell, other, metric) if compared else None
        if paired is not None and not math.isnan(paired.value):
            entry |= {
                "difference": paired.value,
                "difference_low": paired.low,
                "difference_high": paired.high,
                "significant": "yes" if paired.excludes(0.0) else "no",
            }
        rows.append(entry)
    return rows


def not_run_row(dataset: str, method: str, mask: str, metric: str) -> Row:
    """The row of a number that the settings leave out."""
    about = info(metric)
    return _row(dataset, method, mask, metric) | {
        "value": printed.NOT_RUN,
        "label": about.display,
        "unit": about.unit,
        "lower_is_better": about.lower_is_better,
    }


def _row(dataset: str, method: str, mask: str, metric: str) -> Row:
    paper = printed.paper_value(dataset, method, mask, metric)
    return {"dataset": dataset, "method": method, "mask": mask, "metric": metric, "paper": paper}


def long_table(rows: Sequence[Row]) -> pandas.DataFrame:
    """The rows as a table, with ranks: 1 is the best of a data set, mask and metric; equal
    values share a rank; the truth and cells without a number have none, nor have cells of fewer
    images than the largest: a mean over other images is no better or worse."""
    table = pandas.DataFrame(list(rows), columns=list(COLUMNS), dtype=object)
    values = pandas.to_numeric(table["value"], errors="coerce")
    badness = values.where(table["lower_is_better"].eq(True), -values)
    badness = badness.mask(table["metric"].isin(NEAREST_ZERO), values.abs())
    badness = badness.mask(table["method"].eq(TRUTH))
    place = [table["dataset"], table["mask"], table["metric"]]
    images = pandas.to_numeric(table["n"], errors="coerce")
    badness = badness.mask(images < images.groupby(place).transform("max"))
    ranks = badness.groupby(place).rank(method="min")
    whole = [None if math.isnan(rank) else int(rank) for rank in ranks]
    table["rank"] = pandas.Series(whole, index=table.index, dtype=object)
    return table.where(table.notna(), None)


def readable(
    table: pandas.DataFrame, labels: Mapping[str, str], first: str = "Method"
) -> tuple[tuple[Block, ...], list[str]]:
    """The long table for people.

    Args:
        table: a `long_table`.
        labels: method -> label.
        first: name of the methods' column.

    Returns:
        A block per data set and mask, methods down, metrics across, intervals in brackets; and in
        words the columns that say the same in every row.
    """
    blocks, same = [], dict[str, list[str]]()
    for (dataset, mask), part in table.groupby(["dataset", "mask"], sort=False):
        measured = part[part["metric"] != EVALUATIONS]
        columns = {}
        for metric, own in measured.groupby("metric", sort=False):
            values = _numbers(own)
            if len(values) > 1 and len(set(values)) == 1:
                run = "" if len(values) == len(own) else " that was run"
                text = f"{_name(own)}: {number(values[0])} in every row{run}"
                same.setdefault(text, []).append(f"{dataset}, {mask}")
            else:
                columns[metric] = _name(own, arrow=True), _column(own)
        counts = part[part["metric"] == EVALUATIONS].set_index("method")["value"].to_dict()
        rows = tuple(
            (
                labels.get(method, method),
                number(counts[method], 0) if method in counts and method != TRUTH else "",
                *(entries.get(method, "") for _, entries in columns.values()),
            )
            for method in dict.fromkeys(part["method"])
        )
        head = (first, "Evaluations", *(name for name, _ in columns.values()))
        blocks.append(Block(f"{dataset}, {mask}", head, rows))
    return tuple(blocks), [f"{text} ({'; '.join(places)})." for text, places in same.items()]


def _numbers(part: pandas.DataFrame) -> list[float]:
    return [value for value in part["value"] if isinstance(value, float)]


def _name(part: pandas.DataFrame, arrow: bool = False) -> str:
    row = part.iloc[0]
    best = "→ 0" if row["metric"] in NEAREST_ZERO else "↓" if row["lower_is_better"] else "↑"
    name = f"{row['label']}, {row['unit']}" if row["unit"] else str(row["label"])
    return f"{name} {best}" if arrow else name


def _column(part: pandas.DataFrame) -> dict[str, Text]:
    """Method -> printed entry of one metric; the dagger marks a significant difference to RAD."""
    known = [row for row in part.itertuples() if isinstance(row.low, float)]
    decimals = decimals_for([(row.high - row.low) / 2 for row in known])
    differ = len(set(_numbers(part[part["rank"].notna()]))) > 1
    entries = {}
    for row in part.itertuples():
        beside = f"{number(row.paper)} (paper)" if isinstance(row.paper, float) else ""
        if not isinstance(row.value, float):
            entries[row.method] = Text(str(row.value), beside=beside)
            continue
        text = number(row.value, decimals) + ("†" if row.significant == "yes" else "")
        if isinstance(row.low, float) and row.low < row.high:
            text += f" [{number(row.low, decimals)}, {number(row.high, decimals)}]"
        best, second = (differ and row.rank == place for place in (1, 2))
        entries[row.method] = Text(text, best, second, beside)
    return entries


def _facts(cells: Sequence[Cell], labels: Mapping[str, str]) -> list[str]:
    """What a reader must know: images, intervals, networks, resizing, reference, warnings."""
    lines: list[str] = []
    for dataset in dict.fromkeys(c.dataset for c in cells):
        own = [c for c in cells if c.dataset == dataset]
        sizes = sorted({len(c.scores) for c in own}, reverse=True)
        counts = f"{sizes[0]:,}" + "".join(
            f" (a cell of {fewer:,}: the first of them, not ranked; its differences are over these)"
            for fewer in sizes[1:]
        )
        splits = ", ".join(sorted({c.split for c in own}))
        lines.append(
            f"{dataset}: n = {counts} images of the {splits} split per cell, one fixed mask per "
            "image, the same for every method. Truth: these images themselves, not ranked."
        )
        shown = [cell for cell in own if cell.method != TRUTH]
        lines += [_about(dataset, row) for cell in shown for row in cell.rows.values()]
        lines += warnings(dataset, shown, labels)
    return list(dict.fromkeys(lines))


def _about(dataset: str, row: Mapping[str, Any]) -> str:
    """One metric's facts; the same for every cell of a data set."""
    details = dict(row.get("details") or {})
    if "weights_sha256" in details:
        details["weights_sha256"] = str(details["weights_sha256"])[:12]
    facts = [f"{key.replace('_', ' ')}: {value}" for key, value in details.items()]
    parts = [info(row["metric"]).meaning, *facts, row["interval"]]
    return f"{row['label']} ({dataset}): {'; '.join(filter(None, parts))}."


def warnings(dataset: str, cells: Sequence[Cell], labels: Mapping[str, str]) -> list[str]:
    """What is said of single numbers, and of which; of all of a metric without a list."""
    places: dict[str, list[str]] = {}
    for cell in cells:
        for row in cell.rows.values():
            if row["note"]:
                place = f"{labels[cell.method]}, {cell.mask}"
                places.setdefault(f"{row['label']} ({dataset}): {row['note']}", []).append(place)
    return [
        f"{text}." if len(where) == len(cells) else f"{text} ({'; '.join(where)})."
        for text, where in places.items()
    ]
