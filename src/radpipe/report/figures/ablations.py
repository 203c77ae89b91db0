"""LPIPS of every ablation's variants with its interval; against evaluations for the solvers."""

from __future__ import annotations

from typing import Any

from radpipe.ablations import load
from radpipe.ablations.steps import SOLVERS
from radpipe.job import Job
from radpipe.lazy import matplotlib, pandas
from radpipe.report import style
from radpipe.report.needs import ablation_targets
from radpipe.report.printed import COLOURS, MARKERS, RED
from radpipe.report.results import SCORES, images_seen, read_scores, stacked
from radpipe.report.style import Drawing

KEYS = ("run.datasets", "run.methods", "run.masks", "run.ablations")
METRIC = "lpips"
CURVES = "steps"  # the ablation that is drawn as curves
CAPTION = (
    "LPIPS (lower is better) of each variant with its 95 % interval: a bar that ends left of the "
    "dashed line, the unchanged RAD, is better than it. Solvers: LPIPS against network "
    "evaluations; a curve that falls early needs few, bands are 95 % intervals. The headings say "
    "how many images RAD was trained on: the ablations' RAD saw fewer than the comparison's, so "
    "that values compare within a row of panels only. Variants that were scored on fewer images "
    "have a table alone."
)
COLUMNS = (*SCORES, "ablation", "variant", "images")
needs = ablation_targets


def draw(job: Job) -> Drawing:
    """A row of panels per data set and ablation, a column per mask."""
    data = plotted(job)
    if data.empty:
        text = "not run: `run.ablations` in params.yaml names no ablation"
        return style.empty(text, COLUMNS, CAPTION)
    panels = list(data.groupby(["dataset", "ablation"], sort=False))
    heights = [3.1 if name == CURVES else 1.2 + 0.26 * own["method"].nunique()
               for (_, name), own in panels]  # fmt: skip
    masks = list(job.settings["run.masks"])
    with style.rc():
        figure = style.canvas(2.6 + 2.1 * len(masks), 0.3 + sum(heights))
        rows = figure.subfigures(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, ((dataset, name), own) in zip(rows, panels, strict=True):
            axes = part.subplots(1, len(masks), squeeze=False, sharey=True)[0]
            title = (f"{load(str(name)).title}, {dataset}", trained(own))
            part.suptitle("\n".join(filter(None, title)), fontweight="bold", fontsize=9)
            for column, mask in enumerate(masks):
                panel = _curves if name == CURVES else _bars
                panel(axes[column], own[own["mask"] == mask])
                axes[column].set_title(mask)
            if name == CURVES:
                axes[0].set_ylabel("LPIPS")
                axes[-1].legend(fontsize=7)
    return Drawing(figure, data, CAPTION)


def plotted(job: Job) -> pandas.DataFrame:
    """A row per data set, ablation, mask and variant."""
    parts = []
    for name in job.settings["run.ablations"]:
        if load(name).varies("evaluation.images"):
            continue  # a bar of other images beside the line of these would compare nothing
        labels = load(name).methods(name)
        part = read_scores(job, labels, [METRIC])
        part["ablation"], part["variant"] = name, part["method"].map(labels)
        seen = [images_seen(job, r.dataset, r.method) for r in part.itertuples()]
        parts.append(part.assign(images=pandas.Series(seen, part.index, dtype="Int64")))
    return stacked(parts, COLUMNS)


def trained(part: pandas.DataFrame) -> str:
    """What was trained for a row of panels of RAD, in words."""
    if not part["method"].str.match(r"rad\b").any():
        return ""
    images = sorted({int(n) for n in part["images"].dropna()})
    if not images:
        return "public weights: the images seen are not recorded"
    return "RAD trained on " + " or ".join(f"{n:,}" for n in images) + " images"


def _bars(axes: matplotlib.axes.Axes, part: pandas.DataFrame) -> None:
    for place, row in enumerate(part.itertuples()):
        default = row.method == load(row.ablation).unchanged
        look: Any = {"color": RED} if default else {"color": "#BBD3E6", "hatch": "///"}
        axes.barh(place, row.value, 0.66, edgecolor="black", linewidth=0.6, **look)
        if not pandas.isna(row.low):
            error = [[row.value - row.low], [row.high - row.value]]
            axes.errorbar(row.value, place, xerr=error, color="black", capsize=2.5, linewidth=1)
        if default:
            axes.axvline(row.value, color=RED, linewidth=0.9, linestyle="--")
    axes.set_yticks(range(len(part)), list(part["variant"]))
    axes.set_ylim(len(part) - 0.5, -0.5)
    axes.set_xlabel("LPIPS")
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="y", visible=False)


def _curves(axes: matplotlib.axes.Axes, part: pandas.DataFrame) -> None:
    for place, (solver, label) in enumerate(SOLVERS.items()):
        own = part[part["method"].str.startswith(f"rad@{CURVES}-{solver}_")]
        own = own.sort_values("evaluations")
        colour, marker, dash = COLOURS[place], MARKERS[place], style.DASHES[place]
        x, low, high = own["evaluations"], own["low"].astype(float), own["high"].astype(float)
        axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(x, own["value"], color=colour, marker=marker, linestyle=dash, label=label, ms=5)
    default = part[part["method"] == load(CURVES).unchanged]
    axes.plot(
        *(default["evaluations"], default["value"], "*"),
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
