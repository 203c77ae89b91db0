"""Quality of RAD against the images that it was trained on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from radpipe.ablations.length import ABLATION
from radpipe.job import Job
from radpipe.lazy import matplotlib, pandas
from radpipe.report import panels, printed, style
from radpipe.report.needs import ablation_methods, cell_targets
from radpipe.report.printed import RED
from radpipe.report.results import SCORES, images_seen, read_scores
from radpipe.report.style import Drawing

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods", "run.masks", "run.ablations")
NAME = "length"
METRICS = ("lpips", "fid_truth", "fd_alexnet_truth")
COLUMNS = (*SCORES, "images")
CAPTION = (
    "RAD after trainings of different length, each a training of its own and no snapshot of a "
    "longer one: is the curve flat at its right end, or would more images help? Bars: 95 % "
    "intervals. The other methods of the comparison as lines, at their own budgets."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """Scores and weights of the trainings, and of the comparison."""
    return cell_targets(pipeline, [*pipeline.settings.run.methods, *_lengths(pipeline)])


def _lengths(pipeline: Pipeline) -> list[str]:
    return ablation_methods(pipeline, NAME) if NAME in pipeline.settings.run.ablations else []


def draw(job: Job) -> Drawing:
    """Rows: data set and metric; columns: masks."""
    data = plotted(job)
    if data["images"].nunique() < 2:
        text = f"not run: `run.ablations` in params.yaml does not name `{NAME}`"
        return style.empty(text, COLUMNS, CAPTION)
    panel = partial(_panel, methods=list(job.settings["run.methods"]))
    figure = panels.draw(data, job.settings["run.masks"], panel, "training images seen by RAD")
    return Drawing(figure, data, CAPTION)


def plotted(job: Job) -> pandas.DataFrame:
    """A row per data set, metric, mask and method; the images seen are RAD's alone."""
    lengths = ABLATION.methods(NAME) if NAME in job.settings["run.ablations"] else ()
    data = read_scores(job, dict.fromkeys([*job.settings["run.methods"], *lengths]), METRICS)
    seen = [images_seen(job, row.dataset, row.method) for row in data.itertuples()]
    return data.assign(images=pandas.Series(seen, dtype=float))[list(COLUMNS)]


def _panel(axes: matplotlib.axes.Axes, part: pandas.DataFrame, methods: list[str]) -> None:
    """RAD as a curve with its intervals, each other method as a line across."""
    trained = part[part["images"].notna()].sort_values("images")
    for row in part[part["images"].isna()].itertuples():
        place = methods.index(row.method)
        axes.axhline(
            row.value,
            color=printed.mark(row.method, place)[0],
            linestyle=style.DASHES[place % len(style.DASHES)],
            linewidth=1,
            label=printed.label(row.method),
        )
    low, high = (trained[end].astype(float) for end in ("low", "high"))
    axes.errorbar(
        trained["images"],
        trained["value"],
        yerr=[trained["value"] - low, high - trained["value"]],
        color=RED,
        marker="o",
        capsize=2.5,
        label=printed.label("rad"),
        zorder=4,
    )
    axes.set_xscale("log")
    places = sorted(trained["images"].unique())
    axes.set_xticks(places, [f"{n / 1000:g}k" if n >= 1000 else f"{n:g}" for n in places])
    axes.set_xticks([], minor=True)
