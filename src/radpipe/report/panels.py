"""Figures of scores: a row of panels per data set and metric, a column per mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from radpipe.lazy import matplotlib, pandas
from radpipe.report import style

Panel = Callable[["matplotlib.axes.Axes", "pandas.DataFrame"], None]


def draw(
    data: pandas.DataFrame, masks: Sequence[str], panel: Panel, across: str
) -> matplotlib.figure.Figure:
    """The panels, with one legend for all of them below.

    Args:
        data: scores, at least one.
        masks: in the order of the columns.
        panel: draws the rows of one panel into it.
        across: what the horizontal axis shows, in words.
    """
    rows = list(data.groupby(["dataset", "metric"], sort=False))
    with style.rc():
        figure = style.canvas(1.2 + 2.3 * len(masks), 0.7 + 2.1 * len(rows))
        grid = figure.subplots(len(rows), len(masks), squeeze=False, sharey="row", sharex=True)
        handles: dict[str, Any] = {}
        for row, ((dataset, _), own) in zip(grid, rows, strict=True):
            for axes, mask in zip(row, masks, strict=True):
                panel(axes, own[own["mask"] == mask])
                handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
            row[0].set_ylabel(f"{own['label'].iloc[0]}\n{dataset}")
        for axes, mask in zip(grid[0], masks, strict=True):
            axes.set_title(mask)
        for axes in grid[-1]:
            axes.set_xlabel(across)
        columns = min(len(handles), 2 + 2 * len(masks))
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center", ncols=columns
        )
    return figure
