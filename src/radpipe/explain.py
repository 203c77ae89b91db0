"""From a number in a table back to its images, checkpoints, settings and checksums.

The chain is followed through the receipts, and everything on the way is checked again: receipts
against the current settings and code, files against their receipts, the printed number against
the scores. A chain that does not hold is refused.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radpipe.errors import UserError, nearest
from radpipe.job import Folder
from radpipe.pipeline import Pipeline, Target
from radpipe.settings import flatten

TABLES = Path("results/tables")
EVALUATIONS = "evaluations"  # counted while sampling, not a metric
TOLERANCE = 1e-6  # scores.csv is written with nine digits
NEEDED = ("dataset", "method", "mask", "metric", "value")


def explain(
    pipeline: Pipeline,
    root: Path,
    table: Path,
    method: str,
    mask: str,
    metric: str,
    dataset: str | None = None,
) -> str:
    """The chain behind one number, as text.

    Args:
        pipeline: of the current settings.
        root: the repository.
        table: a CSV file of results/tables with a row per method, mask and metric.
        method, mask, metric: which number; a method may carry a variant (`rad@steps-ddim_10`).
        dataset: may be left out where the table has one.

    Raises:
        UserError: there is no such number, or a file, receipt or setting no longer matches.
    """
    place = table if table.is_absolute() else root / table
    row = find(place, method, mask, metric, dataset)
    shown = Target.of("table", name=place.stem)
    if place.resolve() != (root / TABLES / f"{place.stem}.csv").resolve():
        raise UserError("only tables of this run can be explained", str(table), f"see {TABLES}")
    cell = Target.of("evaluate", dataset=row["dataset"], method=method, mask=mask)
    chain = [*reversed(list(pipeline.walk([cell])))]
    if cell not in pipeline.upstream(shown):
        raise UserError(
            f"the settings no longer ask for {method} on {mask} masks of {row['dataset']}",
            str(table),
            "run: snakemake --cores all all",
        )
    links = [verify(pipeline, root, target) for target in (shown, *chain)]
    measured = verify_value(root, pipeline, cell, row)
    return "\n".join([*_number(row, table), *measured, "", *_links(links), "", _verdict(links)])


def find(
    table: Path, method: str, mask: str, metric: str, dataset: str | None = None
) -> dict[str, str]:
    """The row of a number.

    Raises:
        UserError: no such table, column value or measured number; more than one data set.
    """
    if not table.is_file():
        raise UserError("there is no such table", str(table), "run: snakemake --cores all tables")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(NEEDED) <= rows[0].keys():
        raise UserError(
            "this table has no row per method, mask and metric", str(table), "try main.csv"
        )
    if dataset is None:  # the paper's data sets stand in the table although they were not run
        measured = dict.fromkeys(r["dataset"] for r in rows if _is_number(r["value"]))
        dataset = next(iter(measured)) if len(measured) == 1 else None
    wanted = {"dataset": dataset, "method": method, "mask": mask, "metric": metric}
    for key, value in wanted.items():
        known = list(dict.fromkeys(r[key] for r in rows))
        if value is None and len(known) > 1:
            raise UserError("more than one data set", str(table), f"name one: {', '.join(known)}")
        if value is not None and value not in known:
            meant = nearest(value, known)
            hint = f"did you mean `{meant}`? " if meant else ""
            do = f"{hint}there are: {', '.join(known)}"
            raise UserError(f"the table has no {key} `{value}`", str(table), do)
        rows = [r for r in rows if value is None or r[key] == value]
    if not rows:
        raise UserError("the table has no such row", str(table), "see its other data sets")
    (row,) = rows
    if not _is_number(row["value"]):
        raise UserError(f"this cell has no number: {row['value']}", str(table), row.get("note", ""))
    return row


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def verify(pipeline: Pipeline, root: Path, target: Target) -> dict[str, Any]:
    """Check one result; its receipt with its place.

    Raises:
        UserError: the receipt is missing, or it or a file of it does not match.
    """
    place = pipeline.place(target)
    folder = Folder(root / place["folder"], root / place["receipt"])
    if not folder.receipt.is_file():
        raise UserError(
            "the chain is broken: a receipt is missing",
            str(place["receipt"]),
            f"run: snakemake --cores all {place['receipt']}",
        )
    receipt: dict[str, Any] = json.loads(folder.receipt.read_text())
    current = json.loads(pipeline.slice(target))
    if receipt["slice"] != current:
        raise UserError(
            f"the chain is broken: {_changed(receipt['slice'], current)} since this was made",
            str(place["receipt"]),
            f"make it anew: snakemake --cores all {place['receipt']}",
        )
    for name in receipt["files"]:
        folder.file(name)
    return {**receipt, "target": target, "place": place}


def verify_value(root: Path, pipeline: Pipeline, cell: Target, row: Mapping[str, str]) -> list[str]:
    """Check that the table's number is the one that was measured; how it came about in words."""
    folder = root / pipeline.place(cell)["folder"]
    name, value = row["metric"], float(row["value"])
    with (folder / "scores.csv").open(newline="") as file:
        images = list(csv.DictReader(file))
    lines = [f"  measured on {len(images)} images: {folder.relative_to(root)}/scores.csv"]
    if name != EVALUATIONS:
        rows = {r["metric"]: r for r in json.loads((folder / "metrics.json").read_text())}
        found = rows.get(name, {}).get("value")
        if found is None or float(found) != value:
            raise _mismatch(row, f"metrics.json says {found}", folder)
        lines.append(f"  {rows[name]['interval'] or 'no interval'}")
    if name in images[0]:
        scores = [float(r[name]) for r in images if r[name] not in ("", "nan")]
        lowest = "lowest" in lines[-1]
        again = min(scores) if lowest else sum(scores) / len(scores)
        if not (math.isclose(again, value, rel_tol=TOLERANCE, abs_tol=1e-9)):
            raise _mismatch(row, f"the images' scores give {again}", folder)
        lines.append(f"  it is the {'lowest' if lowest else 'mean'} of the column `{name}` there")
    else:
        lines.append("  it is a distance of distributions: from features.npz and the reference")
    return lines


def _mismatch(row: Mapping[str, str], what: str, folder: Path) -> UserError:
    return UserError(
        f"the chain is broken: the table says {row['value']}, {what}",
        str(folder),
        "run: snakemake --cores all --forcerun table -- all",
    )


def _changed(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What differs between two slices, the most telling first."""
    before, after = flatten(old["settings"]), flatten(new["settings"])
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            return f"`{key}` changed from {before.get(key)} to {after.get(key)}"
    if old["code"] != new["code"]:
        return f"the code of the stage `{new['stage']}` changed"
    stale = [k for k, v in new["upstream"].items() if old["upstream"].get(k) != v]
    return f"what it stands on changed ({', '.join(stale[:3]) or 'something was removed'})"


def _number(row: Mapping[str, str], table: Path) -> list[str]:
    name = f"{row.get('label') or row['metric']} of {row['method']} on {row['mask']} masks"
    lines = [f"{row['value']}: {name}, {row['dataset']}", f"  a row of {table}"]
    if row.get("low"):
        lines.append(f"  95 % interval {row['low']} to {row['high']}")
    return lines


def _links(links: list[dict[str, Any]]) -> list[str]:
    """Per result: where it is, its files' checksums and the settings it saw."""
    lines = []
    for link in links:
        lines.append(f"{link['target']}  (slice of {link['place']['receipt']})")
        folder = link["place"]["folder"]
        for name, entry in link["files"].items():
            lines.append(f"    sha256 {entry['sha256']}  {folder}/{name}")
        for key, value in flatten(link["slice"]["settings"]).items():
            lines.append(f"    {key}: {json.dumps(value)}")
        for key, value in link["facts"].items():
            lines.append(f"    found: {key} = {json.dumps(value)}")
    return lines


def _verdict(links: list[dict[str, Any]]) -> str:
    files = sum(len(link["files"]) for link in links)
    return (
        f"The chain holds: {len(links)} results with {files} files match their receipts, "
        "the current params.yaml and the current code."
    )
