"""The paper's claims: the test, fixed before the numbers, our numbers, the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.method import TRUTH
from radpipe.report import printed
from radpipe.report.claim import BEHIND, HOLDS, UNTESTED, Verdict
from radpipe.report.claims import ABLATIONS, claims
from radpipe.report.claims_speed import speed_up
from radpipe.report.evidence import Evidence
from radpipe.report.needs import ablation_methods, cell_targets, timing_targets
from radpipe.report.table import Block, Table, Text, entries

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods", "run.masks", "run.ablations")
COLUMNS = ("dataset", "claim", "statement", "source", "test", "numbers", "verdict")
SHOWN: dict[str, Callable[[Any], Text | str]] = {
    "Claim": lambda row: row.statement,
    "Test": lambda row: row.test,
    "Our numbers": lambda row: row.numbers,
    "Verdict": lambda row: Text(row.verdict, row.verdict not in {UNTESTED, BEHIND}),
}
CAPTION = (
    "One row per claim of the paper and data set. The tests were fixed before the numbers. "
    "`cannot tell`: the interval leaves it open. The claims are about 256-pixel photographs; what "
    "a small run says about them is what its row says, no more."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """The comparison, the timing and, where they are run, the ablations that claims are about."""
    variants = ablation_methods(pipeline, *ABLATIONS)
    methods = dict.fromkeys([*pipeline.settings.run.methods, *variants, TRUTH])
    return [*cell_targets(pipeline, methods), *timing_targets(pipeline)]


def build(job: Job) -> Table:
    """Judge every claim on every data set of the run; name the paper's that were not run."""
    rows: list[tuple[str, ...]] = []
    metrics: dict[str, Any] = {}
    for dataset in job.settings["run.datasets"]:
        evidence = Evidence(job, dataset)
        judged = [(claim, claim.verdict(evidence)) for claim in claims(evidence)]
        for claim, verdict in judged:
            words = (claim.name, claim.statement, claim.source, claim.test)
            rows.append((dataset, *words, verdict.numbers, verdict.outcome))
        metrics[dataset] = _headline(evidence, [verdict for _, verdict in judged])
    rows += [_other(d) for d in printed.PAPER_DATASETS if d not in job.settings["run.datasets"]]
    data = pandas.DataFrame(rows, columns=list(COLUMNS))
    blocks = tuple(
        Block(str(dataset), tuple(SHOWN), entries(part, SHOWN))
        for dataset, part in data.groupby("dataset", sort=False)
    )
    return Table("Claims of the paper", data, blocks, CAPTION, (), metrics)


def _headline(evidence: Evidence, verdicts: list[Verdict]) -> dict[str, Any]:
    """The numbers to watch from run to run: RAD's (else the first method's) LPIPS and distance to
    the truth per mask, its speed over RePaint's, the claims that hold."""
    method = "rad" if "rad" in evidence.methods else evidence.methods[0]
    distance = next((m for m in ("fid_truth", "fd_alexnet_truth") if m in evidence.metrics), "")
    numbers: dict[str, Any] = {"claims_that_hold": sum(v.outcome == HOLDS for v in verdicts)}
    for metric in filter(None, ("lpips", distance)):
        cells = {mask: evidence.cell(method, mask) for mask in evidence.masks}
        values = {mask: cell.value(metric) for mask, cell in cells.items() if cell}
        numbers[metric] = {mask: v for mask, v in values.items() if math.isfinite(v)}
    ratios = {budget: speed_up(evidence, budget, budget) for budget in ("official", "run")}
    numbers["speed_up"] = {budget: found.ratio for budget, found in ratios.items() if found}
    return {key: value for key, value in numbers.items() if value != {}}


def _other(dataset: str) -> tuple[str, ...]:
    return (
        dataset,
        "state_of_the_art",
        f"RAD is the state of the art on {printed.PAPER_DATASETS[dataset]} at 256 pixels",
        "paper, main table",
        "the claims above, on this data set",
        f"`{dataset}` is not in `run.datasets`",
        UNTESTED,
    )
