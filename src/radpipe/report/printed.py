"""How methods are called in print, and what the paper reports about them."""

from __future__ import annotations

LABELS = {
    "rad": "RAD",
    "repaint": "RePaint",
    "score_sde": "Score-SDE",
    "mcg": "MCG",
    "ddrm": "DDRM",
    "lama": "LaMa",
    "telea": "Telea",
    "biharmonic": "Biharmonic",
}
DATASETS = {"ffhq": "FFHQ", "lsun_bedroom": "LSUN Bedroom", "imagenet": "ImageNet"}

# the paper's comparison
PAPER_METHODS = ("rad", "repaint", "score_sde", "mcg", "ddrm", "lama")
PAPER_MASKS = ("box", "extreme", "wide")
PAPER_DATASETS = ("ffhq", "lsun_bedroom", "imagenet")

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


def label(method: str) -> str:
    """How a method is printed; a method that has no entry goes by its file's name."""
    name, _, variant = method.partition("@")
    return LABELS.get(name, name) + (f" ({variant})" if variant else "")


def paper_value(dataset: str, method: str, mask: str, metric: str) -> float | str:
    """The paper's own number, or `not available`; never a guess."""
    return PAPER_VALUES.get((dataset, method, mask, metric), NOT_AVAILABLE)


def with_papers(own: tuple[str, ...] | list[str], papers: tuple[str, ...]) -> list[str]:
    """Our entries in their order, then the paper's that are missing."""
    return list(dict.fromkeys([*own, *papers]))
