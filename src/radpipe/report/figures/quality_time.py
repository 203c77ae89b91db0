"""Quality against seconds per image, a point per method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from radpipe.report import printed, style
from radpipe.report.results import cell_targets, read_cell
from radpipe.report.style import Drawing
from radpipe.report.tables import timing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods", "run.masks")
METRICS = ("lpips", "fid", "fd_alexnet")
CAPTION = (
    "Quality (lower is better) against the median seconds per image in a batch, both at the "
    "settings of this run. Bars: 95 % intervals; seconds: quartiles. Lower left is better."
)
COLUMNS = (
    "dataset",
    "mask",
    "method",
    "metric",
    "label",
    "value",
    "low",
    "high",
    "seconds",
    "seconds_q25",
    "seconds_q75",
)


def needs(pipeline: Pipeline) -> list[Target]:
    """Scores of the comparison and the timing."""
    cells = cell_targets(pipeline, list(pipeline.settings.run.methods))
    times = timing.needs(pipeline)
    return [*(t for t in cells if t.stage.name == "evaluate"), *times]


def draw(job: Job) -> Drawing:
    """Rows: data set and metric; columns: masks."""
    data = plotted(job)
    masks = list(job.settings["run.masks"])
    panels = list(dict.fromkeys(zip(data["dataset"], data["metric"], strict=True)))
    if not panels:
        return style.empty("no quality was measured", COLUMNS, CAPTION)
    with style.rc():
        figure = style.canvas(1.2 + 2.3 * len(masks), 0.7 + 2.1 * len(panels))
        axes = figure.subplots(len(panels), len(masks), squeeze=False, sharey="row", sharex=True)
        for row, (dataset, metric) in enumerate(panels):
            for column, mask in enumerate(masks):
                same = (data["dataset"] == dataset) & (data["metric"] == metric)
                part = data[same & (data["mask"] == mask)]
                _panel(axes[row, column], part, list(job.settings["run.methods"]))
                if row == 0:
                    axes[row, column].set_title(mask)
            axes[row, 0].set_ylabel(f"{data[same]['label'].iloc[0]}\n{dataset}")
        for column in range(len(masks)):
            axes[-1, column].set_xlabel("seconds per image")
        found = dict(zip(*reversed(_handles(axes)), strict=True))
        columns = min(len(found), 2 + 2 * len(masks))
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=columns)
    return Drawing(figure, data, CAPTION)


def plotted(job: Job) -> pd.DataFrame:
    """A row per data set, mask, method and metric that has a value."""
    import pandas as pd

    times = timing.read_timing(job)
    times = times[times["budget"] == "run"]
    rows: list[tuple[Any, ...]] = []
    for dataset in job.settings["run.datasets"]:
        for mask in job.settings["run.masks"]:
            for method in job.settings["run.methods"]:
                cell = read_cell(job, dataset, method, mask)
                own = times[(times["dataset"] == dataset) & (times["method"] == method)]
                if cell is None or own.empty:
                    continue
                time = own.sort_values("batch").iloc[-1]
                seconds = [float(time[f"seconds_{k}"]) for k in ("median", "q25", "q75")]
                for metric in METRICS:
                    value = cell.value(metric)
                    if not math.isnan(value):
                        row = cell.rows[metric]
                        ends = (row["label"], value, row["low"], row["high"])
                        rows.append((dataset, mask, method, metric, *ends, *seconds))
    order = {m: i for i, m in enumerate(METRICS)}
    data = pd.DataFrame(rows, columns=list(COLUMNS))
    return data.sort_values(
        ["dataset", "metric"], key=lambda c: c.map(order).fillna(0), kind="stable"
    )


def _panel(axes: Axes, part: pd.DataFrame, methods: list[str]) -> None:
    for row in part.itertuples():
        colour, marker = style.mark(row.method, methods.index(row.method))
        known = row.low is not None and not math.isnan(row.low)
        axes.errorbar(
            row.seconds,
            row.value,
            yerr=[[row.value - row.low], [row.high - row.value]] if known else None,
            xerr=[[row.seconds - row.seconds_q25], [row.seconds_q75 - row.seconds]],
            color=colour,
            marker=marker,
            markersize=8 if row.method == "rad" else 6,
            markeredgecolor="black",
            markeredgewidth=0.6,
            linestyle="none",
            elinewidth=1,
            label=printed.label(row.method),
            zorder=4 if row.method == "rad" else 3,
        )
    axes.set_xscale("log")


def _handles(grid: Any) -> tuple[list[Any], list[str]]:
    """Legend entries of all panels."""
    handles, labels = [], []
    for axes in grid.flat:
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.append(handle)
            labels.append(text)
    return handles, labels
