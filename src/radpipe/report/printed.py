"""How methods are shown, and what the paper reports about them."""

from __future__ import annotations

from collections.abc import Iterable

from radpipe import plugins
from radpipe.inpainters import load
from radpipe.method import Method

# the paper's comparison
PAPER_METHODS = ("rad", "repaint", "score_sde", "mcg", "ddrm", "lama")
PAPER_MASKS = ("box", "extreme", "wide")
PAPER_DATASETS = {"ffhq": "FFHQ", "lsun_bedroom": "LSUN Bedroom", "imagenet": "ImageNet"}

# the cells of the paper's main table that are publicly known: (data set, method, mask, metric)
PAPER_VALUES = {
    ("ffhq", "lama", "box", "fid"): 27.7,
    ("ffhq", "score_sde", "box", "fid"): 30.3,
    ("ffhq", "lama", "wide", "fid"): 23.2,
    ("ffhq", "score_sde", "wide", "fid"): 29.8,
    ("lsun_bedroom", "score_sde", "box", "fid"): 23.7,
}

NOT_RUN = "not run"
NOT_AVAILABLE = "not available"

# Okabe and Ito (2008): distinct for the common kinds of colour blindness
RED, BLUE, GREEN, ORANGE = "#D55E00", "#0072B2", "#009E73", "#E69F00"
PINK, SKY, BLACK, YELLOW, GREY = "#CC79A7", "#56B4E9", "#000000", "#D9C400", "#7F7F7F"
COLOURS = (RED, BLUE, GREEN, ORANGE, PINK, SKY, BLACK, YELLOW, GREY)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<")


def label(method: str) -> str:
    """How a method is printed: its class's `label`, else the name of its file."""
    kind = Method.parse(method)
    name = "Truth" if kind.is_truth else str(_attribute(kind.name, "label", kind.name))
    return f"{name} ({kind.variant})" if kind.is_variant else name


def mark(method: str, position: int) -> tuple[str, str]:
    """Colour and marker of a method: its class's `colour` and `marker`, else those of its
    position."""
    place = position % len(COLOURS)
    colour, marker = COLOURS[place], MARKERS[(position + 4) % len(MARKERS)]
    return _attribute(method, "colour", colour), _attribute(method, "marker", marker)


def _attribute(name: str, attribute: str, fallback: str) -> str:
    """A class attribute of a method; a table may also name a method that is no longer there."""
    if name not in plugins.names("inpainters"):
        return fallback
    found: str = getattr(load(name), attribute, "")
    return found or fallback


def paper_value(dataset: str, method: str, mask: str, metric: str) -> float | str:
    """The paper's own number, or `not available`; never a guess."""
    return PAPER_VALUES.get((dataset, method, mask, metric), NOT_AVAILABLE)


def with_papers(own: Iterable[str], papers: Iterable[str]) -> list[str]:
    """Our entries in their order, then the paper's that are missing."""
    return list(dict.fromkeys([*own, *papers]))
