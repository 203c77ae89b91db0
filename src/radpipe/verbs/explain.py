"""From a number in a table back to its images, checkpoints, settings and checksums.

The chain is followed through the receipts, and everything on the way is checked again: receipts
against the current settings and code, files against their receipts, the printed number against
the scores. A chain that does not hold is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from radpipe.dag import Target
from radpipe.dotted import flatten
from radpipe.errors import UserError, did_you_mean
from radpipe.pipeline import Pipeline
from radpipe.receipts import Receipt, changes
from radpipe.stages.evaluate import read_rows
from radpipe.verbs._tables import is_number, read

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
    place = root / table
    row = find(place, method, mask, metric, dataset)
    shown = pipeline.target("table", name=place.stem)
    if place.resolve() != (root / TABLES / f"{place.stem}.csv").resolve():
        raise UserError("only tables of this run can be explained", str(table), f"see {TABLES}")
    cell = pipeline.target("evaluate", dataset=row["dataset"], method=method, mask=mask)
    if cell not in pipeline.upstream(shown):
        raise UserError(
            f"the settings no longer ask for {method} on {mask} masks of {row['dataset']}",
            str(table),
            "run: snakemake --cores all all",
        )
    chain = {t: held(pipeline, root, t) for t in (shown, *reversed([*pipeline.walk([cell])]))}
    how = measured(root, cell, row)
    links = [line for target, receipt in chain.items() for line in _link(target, receipt)]
    all_files = sum(len(receipt.files) for receipt in chain.values())
    files = sum(len(here(pipeline, root, t, receipt)) for t, receipt in chain.items())
    left = f"; {all_files - files} more are not kept and not here" if files < all_files else ""
    verdict = (
        f"The chain holds: {len(chain)} results with {files} files match their receipts, "
        f"the current params.yaml and the current code{left}."
    )
    return "\n".join([*_number(row, table), *how, "", *links, "", verdict])


def find(
    table: Path, method: str, mask: str, metric: str, dataset: str | None = None
) -> dict[str, str]:
    """The row of a number.

    Raises:
        UserError: no such table, column value or measured number; more than one data set.
    """
    if not table.is_file():
        raise UserError("there is no such table", str(table), "run: snakemake --cores all tables")
    rows = read(table)
    if not rows or not set(NEEDED) <= rows[0].keys():
        raise UserError(
            "this table has no row per method, mask and metric", str(table), "try main.csv"
        )
    if dataset is None:  # the paper's data sets stand in the table although they were not run
        measured = dict.fromkeys(r["dataset"] for r in rows if is_number(r["value"]))
        dataset = next(iter(measured)) if len(measured) == 1 else None
    wanted = {"dataset": dataset, "method": method, "mask": mask, "metric": metric}
    for key, value in wanted.items():
        known = list(dict.fromkeys(r[key] for r in rows))
        if value is None and len(known) > 1:
            raise UserError("more than one data set", str(table), f"name one: {', '.join(known)}")
        if value is not None and value not in known:
            do = f"{did_you_mean(value, known)}there are: {', '.join(known)}"
            raise UserError(f"the table has no {key} `{value}`", str(table), do)
        rows = [r for r in rows if value is None or r[key] == value]
    (row,) = rows
    if not is_number(row["value"]):
        raise UserError(f"this cell has no number: {row['value']}", str(table), row.get("note", ""))
    return row


def held(pipeline: Pipeline, root: Path, target: Target) -> Receipt:
    """The receipt of a result, after holding it to the settings, the code and its files.

    Raises:
        UserError: the receipt is missing, or it or a file of it does not match.
    """
    found = Receipt.read(root / target.receipt)
    again = f"snakemake --cores all {target.receipt}"
    if found is None:
        raise UserError(
            "the chain is broken: a receipt is missing", target.receipt, f"run: {again}"
        )
    if found.digest != pipeline.digest(target):
        why = next(changes(found.slice, pipeline.slice(target)), "what it stands on")
        raise UserError(
            f"the chain is broken: changed since this was made: {why}",
            target.receipt,
            f"make it anew: {again}",
        )
    for name in here(pipeline, root, target, found):
        target.under(root).file(name)
    return found


def here(pipeline: Pipeline, root: Path, target: Target, receipt: Receipt) -> list[str]:
    """The files of a result that every copy of the results has, or that are there nevertheless."""
    folder, kept = target.folder, set(pipeline.kept(target))
    return [n for n in receipt.files if f"{folder}/{n}" in kept or (root / folder / n).exists()]


def measured(root: Path, cell: Target, row: Mapping[str, str]) -> list[str]:
    """Check that the table's number is the one that was measured; how it came about in words."""
    folder = root / cell.folder
    name, value = row["metric"], float(row["value"])
    images = read(folder / "scores.csv")
    lines = [f"  measured on {len(images)} images: {cell.folder}/scores.csv"]
    if name != EVALUATIONS:
        rows = {r["metric"]: r for r in read_rows(folder)}
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


def _number(row: Mapping[str, str], table: Path) -> list[str]:
    name = f"{row.get('label') or row['metric']} of {row['method']} on {row['mask']} masks"
    lines = [f"{row['value']}: {name}, {row['dataset']}", f"  a row of {table}"]
    if row.get("low"):
        lines.append(f"  95 % interval {row['low']} to {row['high']}")
    return lines


def _link(target: Target, receipt: Receipt) -> Iterator[str]:
    """Where a result is, its files' checksums and the settings it saw."""
    yield f"{target}  (slice of {target.receipt})"
    for name, entry in receipt.files.items():
        yield f"    sha256 {entry['sha256']}  {target.folder}/{name}"
    for key, value in flatten(receipt.settings).items():
        yield f"    {key}: {json.dumps(value)}"
    for key, value in receipt.facts.items():
        yield f"    found: {key} = {json.dumps(value)}"
