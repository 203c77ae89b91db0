"""Losses of every training over the images seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe.method import DEFAULT, Method
from radpipe.report import style
from radpipe.report.results import ablation_methods, readable
from radpipe.report.style import Drawing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline
    from radpipe.receipts import Folder

KEYS = ("run.datasets", "run.methods", "run.ablations")
STAGES = {"base": "base network", "rad": "RAD", "lama": "LaMa"}
PANELS = {**STAGES, "variants": "ablation variants"}  # of RAD
COLUMNS = ("dataset", "training", "curve", "images", "loss")
FIRST = {"reference", "generator"}
SMOOTH = 9  # points of the running median
CAPTION = (
    "Training losses over the images seen; thin: mean over equal spans, thick: running median. "
    "Losses of variants with other masks or another loss region are not comparable with each "
    "other; `reference` is RAD itself with as many images as they. LaMa: generator and "
    "discriminator."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """The trainings of the comparison and of the ablations that are run."""
    run = pipeline.settings.run
    variants = [m for name in run.ablations for m in ablation_methods(pipeline, name)]
    methods = list(dict.fromkeys([*run.methods, *variants]))
    weights = [
        w for d in run.datasets for m in methods for w in pipeline.weights(d, Method.parse(m))
    ]
    return list(dict.fromkeys(weights))


def draw(job: Job) -> Drawing:
    """A row per data set, a panel per training."""
    data = plotted(job)
    names = [name for name in PANELS if (data["training"] == name).any() or job.folders(name)]
    if not names:
        return style.empty("no method of this run is trained", COLUMNS, CAPTION)
    datasets = list(job.settings["run.datasets"])
    with style.rc():
        figure = style.canvas(1.4 + 2.6 * len(names), 2.7 * len(datasets) + 0.2)
        grid = figure.subplots(len(datasets), len(names), squeeze=False)
        for row, dataset in enumerate(datasets):
            for axes, name in zip(grid[row], names, strict=True):
                own = data[(data["dataset"] == dataset) & (data["training"] == name)]
                _panel(axes, own)
                axes.set_title(f"{PANELS[name]}, {dataset}")
    return Drawing(figure, data, CAPTION)


def plotted(job: Job) -> pd.DataFrame:
    """The loss curves, long."""
    import pandas as pd

    parts = [pd.DataFrame(columns=list(COLUMNS))]
    for stage in STAGES:
        for folder in job.folders(stage):
            dataset, name = _place(folder, stage)
            curve = pd.read_csv(readable(folder, "loss.csv"))
            for column in (c for c in curve if c == "loss" or c.endswith("_loss")):
                label = name if column == "loss" else column.removesuffix("_loss")
                part = pd.DataFrame({"images": curve["images"], "loss": curve[column]})
                part.insert(0, "curve", label)
                variant = stage == "rad" and name != DEFAULT
                part.insert(0, "training", "variants" if variant else stage)
                part.insert(0, "dataset", dataset)
                parts.append(part)
    return pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)


def _place(folder: Folder, stage: str) -> tuple[str, str]:
    """(data set, name of the curve) from where the training lies."""
    if stage == "rad":
        name = folder.path.name
        return folder.path.parent.parent.name, name.partition("-")[2] or name
    return folder.path.parent.name, "loss"


def _panel(axes: Axes, part: pd.DataFrame) -> None:
    if part.empty:
        style.note(axes, "public weights: not trained here")
        return
    curves = sorted(dict.fromkeys(part["curve"]), key=lambda c: c not in FIRST)
    for place, curve in enumerate(curves):
        own = part[part["curve"] == curve]
        colour = style.COLOURS[place % len(style.COLOURS)]
        smooth = own["loss"].rolling(SMOOTH, center=True, min_periods=1).median()
        if len(curves) < 3:
            axes.plot(own["images"], own["loss"], color=colour, linewidth=0.5, alpha=0.45)
        axes.plot(
            own["images"],
            smooth,
            color=colour,
            linestyle=style.DASHES[place % len(style.DASHES)],
            label=curve.replace("_", " "),
        )
    if (part["loss"] > 0).all():
        axes.set_yscale("log")
    axes.set_xlabel("images seen")
    axes.set_ylabel("loss")
    axes.xaxis.set_major_formatter(_thousands)
    axes.locator_params(axis="x", nbins=5)
    if len(curves) > 4:
        axes.legend(fontsize=6.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif len(curves) > 1:
        axes.legend(fontsize=6.5, labelspacing=0.3)


def _thousands(value: float, position: float = 0) -> str:
    """20000 -> 20k."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
