"""`radpipe readme`: the parts of README.md and docs that are made from results and declarations.

Each stands between `<!-- NAME -->` and `<!-- end -->`; a test holds the texts to what is made here,
so that a number in them is always one of the tables'.
"""

from __future__ import annotations

import re
from pathlib import Path

from radpipe.errors import UserError
from radpipe.evaluation import info
from radpipe.inpainters import load
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import pandas
from radpipe.method import TRUTH
from radpipe.pipeline import Pipeline
from radpipe.report.show import headline
from radpipe.report.table import number
from radpipe.verbs.picture import picture

README, METHODS = "README.md", "docs/methods.md"
TABLES = ("main", "timing")  # that the texts are made from


def write(pipeline: Pipeline, root: Path) -> list[str]:
    """Bring the texts up to date; the blocks that changed.

    Raises:
        UserError: a table that they stand on is not that of the current settings and code.
    """
    for name in TABLES:
        pipeline.require(pipeline.target("table", name=name), root, f"results/tables/{name}.csv")
    changed = []
    for (file, name), content in blocks(pipeline, root).items():
        path = root / file
        text = path.read_text(encoding="utf-8")
        found = re.search(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", text, re.DOTALL)
        if not found:
            raise UserError(f"{file} has no place for `{name}`", str(path), "add its marks")
        if found[0] != f"{content}\n":
            text = f"{text[: found.start()]}{content}\n{text[found.end() :]}"
            path.write_text(text, encoding="utf-8", newline="\n")
            changed.append(name)
    return changed


def blocks(pipeline: Pipeline, root: Path) -> dict[tuple[str, str], str]:
    """(file, name) -> Markdown of every block."""
    main, timing = (pandas.read_csv(root / f"results/tables/{name}.csv") for name in TABLES)
    return {
        (README, "comparison"): comparison(main, timing, pipeline),
        (README, "dag"): f"```mermaid\n{picture(pipeline)}\n```",
        (METHODS, "methods"): methods(timing, pipeline),
    }


def comparison(table: pandas.DataFrame, timing: pandas.DataFrame, pipeline: Pipeline) -> str:
    """Costs, LPIPS and a distance per mask with intervals: a row per method and the truth.

    Of the first data set of the run, which is named below with the number of its images.
    """
    run = pipeline.settings.run
    dataset = run.datasets[0]
    rows = table[table["dataset"] == dataset].set_index(["method", "mask", "metric"])
    rows = rows[pandas.to_numeric(rows["value"], errors="coerce").notna()]
    metrics = headline(rows.index.get_level_values("metric"))
    columns = [(mask, metric) for mask in run.masks for metric in metrics]
    head = ["method", "evaluations", "seconds per image"]
    lines = [[*head, *(f"{mask}: {info(metric).display}" for mask, metric in columns)]]
    for method in (*run.methods, TRUTH):
        label = "*the truth*" if method == TRUTH else load(method).label
        label = f"**{label}**" if method == "rad" else label
        there = [(method, *column) in rows.index for column in columns]
        entries = [
            _entry(rows.loc[(method, *column)]) if found else "not measured"
            for column, found in zip(columns, there, strict=True)
        ]
        costs = cost(timing, dataset, method) if method != TRUTH else ("", "")
        lines += [[label, *costs, *entries]] if any(there) else []
    counts = sorted(set(pandas.to_numeric(rows["n"]).dropna().astype(int)))
    images = " or ".join(f"{count:,}" for count in counts)
    return f"{_markdown(lines)}\n\n*{dataset}, {images} test images per mask.*"


def _entry(row: pandas.Series) -> str:
    low, high = (pandas.to_numeric(row[key], errors="coerce") for key in ("low", "high"))
    value = number(float(row["value"]))
    return value if low != low else f"{value} [{number(low)}, {number(high)}]"


def cost(timing: pandas.DataFrame, dataset: str, method: str) -> tuple[str, str]:
    """Network evaluations (those of the official budget), and seconds per image in a batch."""
    own = timing[(timing["dataset"] == dataset) & (timing["method"] == method)]
    batch = own[own["budget"] == "run"].sort_values("batch").tail(1)
    official = own[own["budget"] == "official"]
    evaluations = " ".join(
        form.format(number(part["evaluations"].iloc[0], 0))
        for form, part in (("{}", batch), ("({})", official))
        if len(part)
    )
    return evaluations, number(batch["seconds_median"].iloc[0]) if len(batch) else "not timed"


def methods(timing: pandas.DataFrame, pipeline: Pipeline) -> str:
    """What each method does with the known region, and what it costs here."""
    lines = [["method", "rule", "evaluations (official)", "seconds per image here", "source"]]
    for method in pipeline.settings.run.methods:
        kind = load(method)
        costs = cost(timing, pipeline.settings.run.datasets[0], method)
        lines.append([kind.label, kind.rule, *costs, _source(kind)])
    return _markdown(lines)


def _source(kind: type[Inpainter]) -> str:
    """Authors and year of a citation, short."""
    authors = kind.citation.partition(":")[0].partition(', "')[0]
    year = re.search(r"(19|20)\d\d", kind.citation)
    return f"{authors.split(',')[0]} {year[0] if year else ''}".strip()


def _markdown(lines: list[list[str]]) -> str:
    """A table; the first line is its head."""
    head, *body = lines
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *body])
