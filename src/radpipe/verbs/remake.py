"""`radpipe verify --all`: compute the main table again from the networks, and compare.

In a folder of its own, with everything that the table and the claims stand on except the inpainted
images and their scores: Snakemake makes those again there, from the networks, and with them the
main table and the claims. The results of this folder stay as they are.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from radpipe.dag import Target
from radpipe.errors import UserError
from radpipe.pipeline import Pipeline
from radpipe.verbs._tables import Rows, is_number, read

log = logging.getLogger(__name__)

FOLDER = Path(".radpipe/verify")  # a folder in it per digest of the table
DONE = "compared"
# what Snakemake reads; without its records time stamps would decide what is made again
WORKFLOW = ("Snakefile", "workflow", "profiles", "params.yaml", ".snakemake/metadata")
TABLE, CLAIMS = "main", "claims"
CELL = ("dataset", "method", "mask", "metric")
SAME, INSIDE, OUTSIDE = "the same", "inside the interval", "outside the interval"


@dataclass
class Verified:
    """What the comparison found.

    Attributes:
        values: how many values of the main table are the same, inside, or outside the interval.
        cells: cells of which every image is the same, bit for bit.
        all_cells: cells of the main table.
        claims: claims judged; None where the claims here are not of the current settings.
        faults: what differs more than it may, a line each.
    """

    values: Counter[str] = field(default_factory=Counter)
    cells: int = 0
    all_cells: int = 0
    claims: int | None = None
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.values[k]} {k}" for k in (SAME, INSIDE, OUTSIDE))
        lines = [
            f"main.csv    {self.values.total()} values: {counts}",
            f"images      {self.cells} of {self.all_cells} cells the same, bit for bit",
            "claims.csv  left out: it, or what it stands on, is not that of the current settings"
            if self.claims is None
            else f"claims.csv  {self.claims} claims judged again",
            *(f"  {fault}" for fault in self.faults),
        ]
        return "\n".join(lines)


def remake(pipeline: Pipeline, root: Path, cores: str) -> Verified:
    """Sample and score every cell of the main table again, and compare.

    A killed run goes on where it was. After a whole one its folder is removed, unless something
    differs: then it stays, to be looked at, and the next run starts anew.

    Args:
        pipeline: of the current settings.
        root: the repository.
        cores: for Snakemake.

    Raises:
        UserError: the table here is not that of the current settings, or the run failed.
    """
    table, claims = (pipeline.target("table", name=name) for name in (TABLE, CLAIMS))
    pipeline.require(table, root, _csv(TABLE), "verify again")
    tables = [table]
    if pipeline.current(claims, root) and not _missing(pipeline, claims, root):
        tables.append(claims)
    folder = root / FOLDER / pipeline.digest(table)
    _clear(folder)
    _prepare(pipeline, tables, root, folder)
    _run(pipeline, tables, folder, cores)
    found = compare(pipeline, root, folder, with_claims=claims in tables)
    if found.faults:
        (folder / DONE).touch()
        found.faults.append(f"what was made again is in {folder.relative_to(root)}")
    else:
        shutil.rmtree(root / FOLDER)
    return found


def _clear(folder: Path) -> None:
    """Remove what is not unfinished work of exactly these settings and this code."""
    for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if other != folder or (other / DONE).exists():
            shutil.rmtree(other)


def compare(pipeline: Pipeline, root: Path, other: Path, with_claims: bool) -> Verified:
    """Tables and images of `root` against those made again in `other`."""
    found = Verified(all_cells=len(pipeline.cells))
    _compare_values(read(root / _csv(TABLE)), read(other / _csv(TABLE)), found)
    for cell in pipeline.cells:
        pairs = [(t.under(root).made, t.under(other).made) for t in pipeline.samples(cell)]
        found.cells += all(ours.files == again.files for ours, again in pairs)
    if with_claims:
        _compare_claims(read(root / _csv(CLAIMS)), read(other / _csv(CLAIMS)), found)
    return found


def _compare_values(ours: Rows, again: Rows, found: Verified) -> None:
    """Each value of the table here against its interval; one without an interval must agree."""
    values = {tuple(row[k] for k in CELL): row["value"] for row in again}
    for row in ours:
        key = tuple(row[k] for k in CELL)
        other = values.pop(key, "")
        if not is_number(row["value"]) and not is_number(other):
            continue
        verdict = _place(row, other)
        found.values[verdict] += 1
        if verdict == OUTSIDE:
            found.faults.append(
                f"differs: {' '.join(key)}: {row['value'] or 'none'}, again {other or 'none'}"
            )
    found.faults += [f"differs: {' '.join(key)}: not in the table here" for key in values]


def _place(row: dict[str, str], again: str) -> str:
    if row["value"] == again:
        return SAME
    if not all(map(is_number, (again, row["low"], row["high"]))):
        return OUTSIDE
    return INSIDE if float(row["low"]) <= float(again) <= float(row["high"]) else OUTSIDE


def _compare_claims(ours: Rows, again: Rows, found: Verified) -> None:
    verdicts = {(row["dataset"], row["claim"]): row["verdict"] for row in again}
    found.claims = len(ours)
    for row in ours:
        verdict = verdicts.get((row["dataset"], row["claim"]), "not there")
        if verdict != row["verdict"]:
            name = f"{row['dataset']}, claim {row['claim']}"
            found.faults.append(f"differs: {name}: {row['verdict']}, again {verdict}")


def _csv(table: str) -> str:
    return f"results/tables/{table}.csv"


def _missing(pipeline: Pipeline, table: Target, root: Path) -> list[str]:
    """Files that a table stands on and that are not here: git has tables that DVC's results, not
    fetched or not computed, were made from."""
    needed = [name for target in pipeline.walk([table]) for name in pipeline.kept(target)]
    return [name for name in needed if not (root / name).is_file()]


def _prepare(pipeline: Pipeline, tables: list[Target], root: Path, folder: Path) -> None:
    """Everything that the tables stand on, without what is made again: images and scores of the
    main table."""
    samples = [target for cell in pipeline.cells for target in pipeline.samples(cell)]
    again = {*samples, *pipeline.cells, *tables}
    kept = [t for t in pipeline.walk(tables) if t not in again]
    for name in (*WORKFLOW, *(name for target in kept for name in pipeline.kept(target))):
        _copy(root / name, folder / name)


def _copy(source: Path, to: Path) -> None:
    """A file or folder with its time stamps."""
    if not source.exists():
        raise UserError("a result is missing", str(source), "run: snakemake --cores all all")
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, dirs_exist_ok=True)
    else:
        shutil.copy2(source, to)


def _run(pipeline: Pipeline, tables: list[Target], folder: Path, cores: str) -> None:
    snakemake = [sys.executable, "-m", "snakemake", "--cores", cores, "--quiet", "rules"]
    names = [_csv(table["name"]) for table in tables]
    log.info("%d cells are sampled and scored again in %s", len(pipeline.cells), folder)
    done = subprocess.run([*snakemake, "--", *names], cwd=folder)
    if done.returncode:
        raise UserError(
            "the table could not be made again; the message above says why",
            str(folder),
            "the same command goes on",
        )
