"""Mask families, one file each. White = True = hole, everywhere.

A family is a module with `sample(rng, size) -> bool [size, size]`, scaled from its definition
at 256 pixels, and `SMALLEST`, the least image side it makes sense at; `LIMITED = True` where
LaMa's rule on large holes applies to it (see `draw`). Adding a family is adding a file.
"""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np

from radpipe import plugins
from radpipe.errors import UserError

LAMA_LIMIT = 0.5


class Family(Protocol):
    """What a module of this package offers."""

    SMALLEST: int

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One hole: bool `[size, size]`, True = hole."""


def load(name: str) -> Family:
    """A family by name.

    Raises:
        UserError: for a name that is no family, with the nearest one that is.
    """
    return cast(Family, plugins.load("masks", name, "mask family"))


def limit_of(name: str, limit: float | None) -> float | None:
    """The limit on a hole's area that holds for a family: `limit`, or none (see `draw`)."""
    return limit if getattr(load(name), "LIMITED", False) else None


def draw(
    name: str, rng: np.random.Generator, size: int, limit: float | None = LAMA_LIMIT
) -> np.ndarray:
    """One hole of a family, never empty.

    Args:
        name: a file of masks/.
        rng: the only source of randomness.
        size: image side, pixels.
        limit: largest share of the image that a hole of LaMa's families (wide, narrow) may have;
            larger ones are drawn again (LaMa's rule is 0.5). None: no rule, as RAD's authors
            load them.

    Returns:
        bool `[size, size]`, True = hole.

    Raises:
        UserError: no such family.
    """
    family, most = load(name), limit_of(name, limit)
    while True:
        hole = family.sample(rng, size)
        if hole.any() and (most is None or hole.mean() <= most):
            return hole


def fits(name: str, size: int, where: str = "") -> None:
    """Refuse a family that makes no sense at an image size; `where`: see `UserError`.

    Raises:
        UserError: naming the least side.
    """
    least = load(name).SMALLEST
    if size < least:
        raise UserError(
            f"masks of the family `{name}` do not fit images of {size} pixels",
            where,
            f"use images of at least {least} pixels, or another family",
        )
