"""Losses of every training over the images seen."""

from __future__ import annotations

from radpipe.job import Job
from radpipe.lazy import matplotlib, pandas
from radpipe.method import DEFAULT
from radpipe.report import style
from radpipe.report.needs import training_targets
from radpipe.report.printed import COLOURS
from radpipe.report.results import readable, stacked
from radpipe.report.style import Drawing

KEYS = ("run.datasets", "run.methods", "run.ablations")
STAGES = {"base": "base network", "rad": "RAD", "lama": "LaMa"}
PANELS = {**STAGES, "variants": "ablation variants"}  # of RAD
COLUMNS = ("dataset", "training", "curve", "images", "loss")
FIRST = {"reference", "generator"}
SMOOTH = 9  # points of the running median
CAPTION = (
    "Training losses over the images seen: is a curve flat at its end, or would more images help? "
    "Thin: mean over equal spans, thick: running median. Losses of variants with other masks or "
    "another loss region are not comparable with each other; `reference` is RAD itself with as "
    "many images as they. LaMa: generator and discriminator."
)
needs = training_targets


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
        for row, dataset in zip(grid, datasets, strict=True):
            for axes, name in zip(row, names, strict=True):
                _panel(axes, data[(data["dataset"] == dataset) & (data["training"] == name)])
                axes.set_title(f"{PANELS[name]}, {dataset}")
    return Drawing(figure, data, CAPTION)


def plotted(job: Job) -> pandas.DataFrame:
    """The loss curves, long."""
    parts = []
    for stage in STAGES:
        for folder in job.folders(stage):
            dataset, variant = folder.wildcards["dataset"], folder.wildcards.get("variant", "")
            training = stage if variant in ("", DEFAULT) else "variants"
            name = variant.partition("-")[2] or variant or "loss"
            wide = pandas.read_csv(readable(folder, "loss.csv"))
            losses = [c for c in wide if c == "loss" or c.endswith("_loss")]
            long = wide.melt("images", losses, "curve", "value").rename(columns={"value": "loss"})
            long["curve"] = long["curve"].str.removesuffix("_loss").replace("loss", name)
            parts.append(long.assign(dataset=dataset, training=training)[list(COLUMNS)])
    return stacked(parts, COLUMNS)


def _panel(axes: matplotlib.axes.Axes, part: pandas.DataFrame) -> None:
    if part.empty:
        style.note(axes, "public weights: not trained here")
        return
    curves = sorted(dict.fromkeys(part["curve"]), key=lambda c: c not in FIRST)
    for place, curve in enumerate(curves):
        own = part[part["curve"] == curve]
        colour, dash = COLOURS[place % len(COLOURS)], style.DASHES[place % len(style.DASHES)]
        smooth = own["loss"].rolling(SMOOTH, center=True, min_periods=1).median()
        if len(curves) < 3:
            axes.plot(own["images"], own["loss"], color=colour, linewidth=0.5, alpha=0.45)
        label = curve.replace("_", " ")
        axes.plot(own["images"], smooth, color=colour, linestyle=dash, label=label)
    if (part["loss"] > 0).all():
        axes.set_yscale("log")
    axes.set(xlabel="images seen", ylabel="loss")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
    axes.locator_params(axis="x", nbins=5)
    if len(curves) > 4:
        axes.legend(fontsize=6.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif len(curves) > 1:
        axes.legend(fontsize=6.5, labelspacing=0.3)
