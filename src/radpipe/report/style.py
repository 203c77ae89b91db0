"""How figures look: one palette for the colour-blind, told apart in grey by marker and hatch.

Nothing here touches matplotlib's global state: figures are made without pyplot and settings hold
inside `rc()` only.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008): distinct for the common kinds of colour blindness
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PINK, GREY = "#D9C400", "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"
MARKS: dict[str, tuple[str, str]] = {
    "rad": (RED, "o"),
    "repaint": (BLUE, "s"),
    "score_sde": (SKY, "^"),
    "mcg": (GREEN, "D"),
    "ddrm": (ORANGE, "v"),
    "lama": (PINK, "P"),
    "telea": (GREY, "X"),
    "biharmonic": (BLACK, "*"),
}
COLOURS = (RED, BLUE, GREEN, ORANGE, PINK, SKY, BLACK, YELLOW, GREY)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), "-.", (0, (6, 2, 1, 2, 1, 2)))
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo", "++", "--")
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
    "svg.hashsalt": "radpipe",
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

    figure: Figure
    data: pd.DataFrame
    caption: str

    def savers(self) -> dict[str, Callable[[Path], None]]:
        """Suffix -> how to write it; no dates or versions, so that equal pictures are equal."""
        return {"png": self._png, "pdf": self._pdf, "csv": self._csv}

    def _png(self, path: Path) -> None:
        self._save(path, "png", {"Software": None, "Description": self.caption})

    def _pdf(self, path: Path) -> None:
        none = dict.fromkeys(("CreationDate", "Creator", "Producer"))
        self._save(path, "pdf", {**none, "Subject": self.caption})

    def _csv(self, path: Path) -> None:
        self.data.to_csv(path, index=False, lineterminator="\n")

    def _save(self, path: Path, kind: str, metadata: dict[str, Any]) -> None:
        from matplotlib import rc_context

        buffer = io.BytesIO()
        with rc_context(_RC):
            self.figure.savefig(buffer, format=kind, metadata=metadata, dpi=DPI)
        path.write_bytes(buffer.getvalue())


def rc() -> Any:
    """The settings of our figures, for a `with` statement."""
    from matplotlib import rc_context

    return rc_context(_RC)


def canvas(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """An empty figure, inches, without pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def mark(method: str, position: int = 0) -> tuple[str, str]:
    """Colour and marker of a method; one of its own for a method that has none listed."""
    return MARKS.get(method, (COLOURS[position % 9], MARKERS[(position + 4) % 9]))


def note(axes: Axes, text: str) -> None:
    """A statement in place of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color="#555555", wrap=True)


def empty(text: str, columns: tuple[str, ...], caption: str) -> Drawing:
    """A figure that has nothing to show, and says why."""
    import pandas as pd

    with rc():
        figure = canvas(6, 1.2)
        note(figure.add_subplot(), text)
    return Drawing(figure, pd.DataFrame(columns=list(columns)), caption)
