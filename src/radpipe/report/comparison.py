"""From cells to rows: values, intervals, ranks and paired differences to RAD."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from radpipe.evaluation import METRICS
from radpipe.report import printed
from radpipe.report.results import Cell, difference
from radpipe.report.table import Block, Text, decimals_for, number

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "dataset",
    "method",
    "mask",
    "metric",
    "label",
    "value",
    "low",
    "high",
    "n",
    "unit",
    "lower_is_better",
    "rank",
    "difference",
    "difference_low",
    "difference_high",
    "significant",
    "paper",
    "weights",
    "note",
)
EVALUATIONS = "evaluations"


def cell_rows(cell: Cell, rad: Cell | None, weights: str) -> list[dict[str, Any]]:
    """Rows of one cell, a row per metric and one for its network evaluations."""
    rows = []
    for metric, row in cell.rows.items():
        entry = _entry(cell.dataset, cell.method, cell.mask, metric) | {
            "label": row["label"],
            "value": printed.NOT_AVAILABLE if row["value"] is None else float(row["value"]),
            "low": _float(row["low"]),
            "high": _float(row["high"]),
            "n": row["n"],
            "unit": row["unit"],
            "lower_is_better": row["lower_is_better"],
            "weights": weights,
            "note": row["note"],
        }
        paired = None if rad is None or rad is cell else difference(cell, rad, metric)
        if paired is not None and not math.isnan(paired.value):
            entry |= {
                "difference": paired.value,
                "difference_low": paired.low,
                "difference_high": paired.high,
                "significant": "yes" if paired.excludes(0.0) else "no",
            }
        rows.append(entry)
    evaluations = _entry(cell.dataset, cell.method, cell.mask, EVALUATIONS) | {
        "label": "Evaluations",
        "value": cell.evaluations,
        "n": len(cell.scores),
        "unit": "per image",
        "lower_is_better": True,
        "weights": weights,
    }
    return [*rows, evaluations]


def not_run_rows(
    dataset: str, method: str, mask: str, metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of a cell that the settings leave out."""
    rows = []
    for metric in metrics:
        info = METRICS.get(metric)
        entry = _entry(dataset, method, mask, metric) | {"value": printed.NOT_RUN}
        if info is not None:
            entry |= {
                "label": info.display,
                "unit": info.unit,
                "lower_is_better": info.lower_is_better,
            }
        rows.append(entry)
    return rows


def paper_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The paper's known cells that are not among some rows, as cells that were not run."""
    there = {(r["dataset"], r["method"], r["mask"], r["metric"]) for r in rows}
    missing = [place for place in printed.PAPER_VALUES if place not in there]
    return [r for d, method, k, metric in missing for r in not_run_rows(d, method, k, [metric])]


def _entry(dataset: str, method: str, mask: str, metric: str) -> dict[str, Any]:
    place = {"dataset": dataset, "method": method, "mask": mask, "metric": metric}
    return {**place, "label": metric, "paper": printed.paper_value(dataset, method, mask, metric)}


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def long_table(rows: Sequence[Mapping[str, Any]], extra: Sequence[str] = ()) -> pd.DataFrame:
    """The rows as a table, with ranks: 1 is the best of a data set, mask and metric; equal
    values share a rank; cells without a number have none."""
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=[*COLUMNS, *extra], dtype=object)
    values = pd.to_numeric(table["value"], errors="coerce")
    signed = values.where(table["lower_is_better"].eq(True), -values)
    keys = [table["dataset"], table["mask"], table["metric"]]
    ranks = signed.groupby(keys).rank(method="min")
    whole = [None if math.isnan(r) else int(r) for r in ranks]
    table["rank"] = pd.Series(whole, index=table.index, dtype=object)
    return table.where(table.notna(), None)


def blocks(table: pd.DataFrame, labels: Mapping[str, str], first: str = "Method") -> list[Block]:
    """One block per data set and mask: methods down, metrics across, intervals in brackets."""
    found = []
    for (dataset, mask), part in table.groupby(["dataset", "mask"], sort=False):
        metrics = [m for m in dict.fromkeys(part["metric"]) if m != EVALUATIONS]
        columns = {m: _column(part[part["metric"] == m]) for m in metrics}
        counts = part[part["metric"] == EVALUATIONS].set_index("method")["value"].to_dict()
        rows = tuple(
            (
                labels.get(method, printed.label(method)),
                number(counts[method], 0) if method in counts else "",
                *(columns[m].get(method, "") for m in metrics),
            )
            for method in dict.fromkeys(part["method"])
        )
        head = (first, "Evaluations", *(_heading(part, m) for m in metrics))
        found.append(Block(f"{dataset}, {mask}", head, rows))
    return found


def _heading(part: pd.DataFrame, metric: str) -> str:
    row = part[part["metric"] == metric].iloc[0]
    unit = f", {row['unit']}" if row["unit"] else ""
    return f"{row['label']}{unit} {'↓' if row['lower_is_better'] else '↑'}"


def _column(part: pd.DataFrame) -> dict[str, Text | str]:
    """Method -> printed entry of one metric; the dagger marks a significant difference to RAD."""
    halves = [(row.high - row.low) / 2 for row in part.itertuples() if isinstance(row.low, float)]
    decimals = decimals_for(halves)
    values = {row.value for row in part.itertuples() if isinstance(row.value, float)}
    entries: dict[str, Text | str] = {}
    for row in part.itertuples():
        beside = f"{number(row.paper)} (paper)" if isinstance(row.paper, float) else ""
        if not isinstance(row.value, float):
            entries[row.method] = Text(str(row.value), beside=beside)
            continue
        finite = math.isfinite(row.value)
        text = number(row.value, decimals if finite else None)
        text += "†" if row.significant == "yes" else ""
        if isinstance(row.low, float) and not math.isnan(row.low):
            text += f" [{number(row.low, decimals)}, {number(row.high, decimals)}]"
        differ = len(values) > 1
        first, second = differ and row.rank == 1, differ and row.rank == 2
        entries[row.method] = Text(text, first, second, beside)
    return entries


def footer(cells: Sequence[Cell]) -> list[str]:
    """What a reader must know: images, intervals, networks, resizing, reference, warnings."""
    lines: dict[str, None] = {}
    for dataset in dict.fromkeys(c.dataset for c in cells):
        own = [c for c in cells if c.dataset == dataset]
        counts = sorted({len(c.scores) for c in own})
        splits = sorted({c.split for c in own})
        lines[
            f"{dataset}: n = {', '.join(map(str, counts))} images of the {', '.join(splits)} "
            "split per cell, one fixed mask per image, the same for every method."
        ] = None
    for cell in cells:
        for row in cell.rows.values():
            lines[_metric_line(cell.dataset, row)] = None
    return list(lines)


def _metric_line(dataset: str, row: Mapping[str, Any]) -> str:
    """One metric's facts; the same for every cell of a data set."""
    details = dict(row.get("details") or {})
    if "weights_sha256" in details:
        details["weights_sha256"] = str(details["weights_sha256"])[:12]
    facts = [f"{key.replace('_', ' ')}: {value}" for key, value in details.items()]
    parts = [METRICS[row["metric"]].meaning] if row["metric"] in METRICS else []
    parts += facts + [p for p in (row["interval"], row["note"]) if p]
    return f"{row['label']} ({dataset}): {'; '.join(parts)}."


def nested(table: pd.DataFrame) -> dict[str, Any]:
    """data set -> mask -> method -> metric -> value, for `dvc metrics`."""
    tree: dict[str, Any] = {}
    for row in table.itertuples():
        if isinstance(row.value, float):
            place = tree.setdefault(row.dataset, {}).setdefault(row.mask, {})
            place.setdefault(row.method, {})[row.metric] = row.value
    return tree
