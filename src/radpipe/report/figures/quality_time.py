"""Quality against seconds per image, a point per method."""

from __future__ import annotations

from functools import partial

from radpipe.job import Job
from radpipe.lazy import matplotlib, pandas
from radpipe.report import panels, printed, style
from radpipe.report.needs import quality_time_targets
from radpipe.report.results import SCORES, read_scores, read_timing
from radpipe.report.style import Drawing

KEYS = ("run.datasets", "run.methods", "run.masks")
METRICS = ("lpips", "fid_truth", "fd_alexnet_truth", "fid", "fd_alexnet")
CAPTION = (
    "Quality (lower is better) against the median seconds per image in a batch, both at the "
    "settings of this run: a method is beaten by every point to the lower left of it. Bars: 95 % "
    "intervals; seconds: quartiles."
)
SECONDS = ("seconds", "seconds_q25", "seconds_q75")
COLUMNS = (*SCORES, *SECONDS)
needs = quality_time_targets


def draw(job: Job) -> Drawing:
    """Rows: data set and metric; columns: masks."""
    data = plotted(job)
    if data.empty:
        return style.empty("no quality was measured", COLUMNS, CAPTION)
    panel = partial(_panel, methods=list(job.settings["run.methods"]))
    figure = panels.draw(data, job.settings["run.masks"], panel, "seconds per image")
    return Drawing(figure, data, CAPTION)


def plotted(job: Job) -> pandas.DataFrame:
    """A row per data set, mask, method and metric that has a value; the seconds of the larger
    batch."""
    times = read_timing(job)
    times = times[times["budget"] == "run"].sort_values("batch", kind="stable")
    times = times.groupby(["dataset", "method"], as_index=False).last()
    times = times.rename(columns={"seconds_median": "seconds"})
    scores = read_scores(job, job.settings["run.methods"], METRICS)
    return scores.merge(times[["dataset", "method", *SECONDS]], on=["dataset", "method"])


def _panel(axes: matplotlib.axes.Axes, part: pandas.DataFrame, methods: list[str]) -> None:
    for row in part.itertuples():
        colour, marker = printed.mark(row.method, methods.index(row.method))
        known = not pandas.isna(row.low)
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
