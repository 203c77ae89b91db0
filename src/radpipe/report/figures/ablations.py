"""Ablations: LPIPS of every variant with its interval; quality against evaluations for steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radpipe.ablations import load
from radpipe.report import style
from radpipe.report.results import ablation_methods, cell_targets, read_cell
from radpipe.report.style import Drawing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods", "run.masks", "run.ablations")
METRIC = "lpips"
CURVES = "steps"  # the ablation that is drawn as curves
CAPTION = (
    "LPIPS (lower is better) of each variant with its 95 % interval; the line is the default RAD. "
    "Solvers: LPIPS against network evaluations, bands are 95 % intervals."
)
COLUMNS = (
    "dataset",
    "ablation",
    "mask",
    "variant",
    "method",
    "metric",
    "value",
    "low",
    "high",
    "evaluations",
)


def needs(pipeline: Pipeline) -> list[Target]:
    """Scores of every ablation that is run."""
    run = pipeline.settings.run
    methods = [m for name in run.ablations for m in ablation_methods(pipeline, name)]
    cells = cell_targets(pipeline, list(dict.fromkeys(methods)))
    return [t for t in cells if t.stage.name == "evaluate"]


def draw(job: Job) -> Drawing:
    """A row of panels per data set and ablation, a column per mask."""
    data = plotted(job)
    if data.empty:
        text = "not run: `run.ablations` in params.yaml names no ablation"
        return style.empty(text, COLUMNS, CAPTION)
    panels = list(dict.fromkeys(zip(data["dataset"], data["ablation"], strict=True)))
    masks = list(job.settings["run.masks"])
    heights = [_height(data[data["ablation"] == name]) for _, name in panels]
    with style.rc():
        figure = style.canvas(2.6 + 2.1 * len(masks), 0.3 + sum(heights))
        rows = figure.subfigures(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, (dataset, name) in zip(rows, panels, strict=True):
            own = data[(data["dataset"] == dataset) & (data["ablation"] == name)]
            draw_panel: Callable[[Axes, pd.DataFrame], None] = _curves if name == CURVES else _bars
            axes = part.subplots(1, len(masks), squeeze=False, sharey=True)[0]
            part.suptitle(f"{load(name).title}, {dataset}", fontweight="bold", fontsize=9)
            for column, mask in enumerate(masks):
                draw_panel(axes[column], own[own["mask"] == mask])
                axes[column].set_title(mask)
            if name == CURVES:
                axes[0].set_ylabel("LPIPS")
                axes[-1].legend(fontsize=7)
    return Drawing(figure, data, CAPTION)


def plotted(job: Job) -> pd.DataFrame:
    """A row per data set, ablation, mask and variant."""
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for dataset in job.settings["run.datasets"]:
        for name in job.settings["run.ablations"]:
            for method, label in load(name).methods(name).items():
                for mask in job.settings["run.masks"]:
                    cell = read_cell(job, dataset, method, mask)
                    if cell is None or math.isnan(cell.value(METRIC)):
                        continue
                    row = cell.rows[METRIC]
                    ends = (cell.value(METRIC), row["low"], row["high"], cell.evaluations)
                    rows.append((dataset, name, mask, label, method, METRIC, *ends))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _height(part: pd.DataFrame) -> float:
    """Inches of a row of panels."""
    if part["ablation"].iloc[0] == CURVES:
        return 2.9
    return 1.0 + 0.26 * part["method"].nunique()


def _bars(axes: Axes, part: pd.DataFrame) -> None:
    for place, row in enumerate(part.itertuples()):
        default = row.method == load(row.ablation).unchanged
        axes.barh(
            place,
            row.value,
            0.66,
            color=style.RED if default else "#BBD3E6",
            edgecolor="black",
            linewidth=0.6,
            hatch="" if default else "///",
        )
        if row.low is not None:
            error = [[row.value - row.low], [row.high - row.value]]
            axes.errorbar(row.value, place, xerr=error, color="black", capsize=2.5, linewidth=1)
        if default:
            axes.axvline(row.value, color=style.RED, linewidth=0.9, linestyle="--")
    axes.set_yticks(range(len(part)), list(part["variant"]))
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.set_xlabel("LPIPS")
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="y", visible=False)


def _curves(axes: Axes, part: pd.DataFrame) -> None:
    from radpipe.ablations.steps import SOLVERS

    for place, (solver, label) in enumerate(SOLVERS.items()):
        own = part[part["method"].str.startswith(f"rad@{CURVES}-{solver}_")]
        own = own.sort_values("evaluations")
        colour, marker = style.COLOURS[place], style.MARKERS[place]
        x, low, high = own["evaluations"], own["low"].astype(float), own["high"].astype(float)
        axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
        dash = style.DASHES[place]
        axes.plot(x, own["value"], color=colour, marker=marker, linestyle=dash, label=label, ms=5)
    default = part[part["method"] == "rad"]
    axes.plot(
        default["evaluations"],
        default["value"],
        "*",
        color="black",
        markersize=11,
        fillstyle="none",
        label="default",
    )
    axes.set_xscale("log")
    ticks = sorted(set(part["evaluations"]))
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("network evaluations")
