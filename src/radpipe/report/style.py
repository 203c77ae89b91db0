"""How figures look: one palette for the colour-blind, told apart in grey by marker and hatch.

Nothing here touches matplotlib's global state: figures are made without pyplot and settings hold
inside `rc()` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from radpipe.lazy import matplotlib, pandas
from radpipe.report.table import csv_text

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), "-.", (0, (6, 2, 1, 2, 1, 2)))
DPI = 150

_RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters everywhere
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "hatch.linewidth": 0.6,
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Drawing:
    """What a figure file draws.

    Attributes:
        figure: the picture.
        data: the plotted numbers.
        caption: what is shown.
    """

    figure: matplotlib.figure.Figure
    data: pandas.DataFrame
    caption: str

    def files(self) -> dict[str, bytes]:
        """Suffix -> content; no dates or versions, so that equal pictures are equal."""
        png = {"Software": None, "Description": self.caption}
        pdf = {"CreationDate": None, "Creator": None, "Producer": None, "Subject": self.caption}
        return {
            "png": self._saved("png", png),
            "pdf": self._saved("pdf", pdf),
            "csv": csv_text(self.data).encode(),
        }

    def _saved(self, kind: str, metadata: dict[str, Any]) -> bytes:
        content = BytesIO()
        with rc():
            self.figure.savefig(content, format=kind, metadata=metadata, dpi=DPI)
        return content.getvalue()


def rc() -> Any:
    """The settings of our figures, for a `with` statement."""
    return matplotlib.rc_context(_RC)


def canvas(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> matplotlib.figure.Figure:
    """An empty figure, inches, without pyplot."""
    from matplotlib.figure import Figure  # a submodule: not there until it is imported

    return Figure(figsize=(width, height), dpi=DPI, layout=layout)


def note(axes: matplotlib.axes.Axes, text: str) -> None:
    """A statement in place of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color="#555555", wrap=True)


def empty(text: str, columns: tuple[str, ...], caption: str) -> Drawing:
    """A figure that has nothing to show, and says why."""
    with rc():
        figure = canvas(6, 1.2)
        note(figure.add_subplot(), text)
    return Drawing(figure, pandas.DataFrame(columns=list(columns)), caption)
