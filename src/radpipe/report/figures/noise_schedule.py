"""RAD's two phases: how noisy hole and known part are over time, for one mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import matplotlib, pandas, torch
from radpipe.report import style
from radpipe.report.printed import BLUE, RED

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.masks")
SHOWN = (0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000)
EVERY = 20
CAPTION = (
    "Share of noise, 1 - abar, per pixel over the levels of the forward process, for one test "
    "mask: in phase 1 the hole gets noisy and the rest stays clean, in phase 2 the rest follows. "
    "RAD samples by reversing phase 1 alone: read the maps from t = 1000 to the left."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """The test masks of the first data set's last family (the least regular one by default)."""
    run = pipeline.settings.run
    return [pipeline.target("holes", dataset=run.datasets[0], mask=run.masks[-1])]


def draw(job: Job) -> style.Drawing:
    """Maps over time above the two curves."""
    hole = middle(ImageStore(job.folder("holes").file("holes.zip")).read_all())
    schedule = TwoPhaseSchedule()
    mask = torch.from_numpy(hole)[None, None]
    maps = {t: schedule.b_bar(t, mask)[0, 0].numpy() for t in SHOWN}
    ends = torch.tensor([[[[1.0, 0.0]]]])
    levels = np.arange(0, schedule.total_steps + 1, EVERY)
    curves = np.array([schedule.b_bar(int(t), ends)[0, 0, 0].numpy() for t in levels])
    data = pandas.DataFrame({"level": levels, "hole": curves[:, 0], "known": curves[:, 1]})
    return style.Drawing(_figure(maps, data, schedule.steps), data, CAPTION)


def middle(holes: np.ndarray) -> np.ndarray:
    """Of bool `[N, H, W]` the mask whose area is nearest to 40 %; the first of equals."""
    return holes[int(np.argmin(np.abs(holes.mean(axis=(1, 2)) - 0.4)))]


def _figure(
    maps: dict[int, np.ndarray], data: pandas.DataFrame, steps: int
) -> matplotlib.figure.Figure:
    with style.rc():
        figure = style.canvas(8.2, 3.6)
        grid = figure.add_gridspec(2, len(maps), height_ratios=(1, 1.7))
        above = [figure.add_subplot(grid[0, i]) for i in range(len(maps))]
        for axes, (t, b_bar) in zip(above, maps.items(), strict=True):
            image = axes.imshow(b_bar, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(f"t = {t}", fontsize=8)
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=above, shrink=0.9, pad=0.01, ticks=(0, 0.5, 1))
        bar.set_label("share of noise")
        below = figure.add_subplot(grid[1, :])
        below.plot(data["level"], data["hole"], color=RED, label="pixels of the hole")
        below.plot(data["level"], data["known"], color=BLUE, linestyle="--", label="known pixels")
        below.axvline(steps, color="black", linewidth=0.8, linestyle=":")
        for x, text in ((steps / 2, "phase 1"), (steps * 1.5, "phase 2")):
            below.text(x, 1.04, text, ha="center", va="bottom", color="#555555")
        below.set(xlim=(0, max(data["level"])), ylim=(-0.02, 1.02))
        below.set(xlabel="level t", ylabel=r"share of noise, $1-\bar\alpha$")
        below.legend(loc="center right")
    return figure
