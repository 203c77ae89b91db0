"""What people add as one file: methods, masks, data sets, metrics, ablations, stages, reports."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Sequence
from functools import cache
from types import ModuleType

from radpipe.errors import UserError, did_you_mean, unknown

# modules of a plug-in package that are not plug-ins themselves
HELPERS = {
    "data": {"images", "parquet"},
    "inpainters": {"base"},
    "masks": {"bank", "hole"},
}


@cache
def names(kind: str) -> tuple[str, ...]:
    """Names that can be typed: the files of radpipe/<kind>/, found without importing them."""
    spec = importlib.util.find_spec(f"radpipe.{kind}")
    locations = list(spec.submodule_search_locations or []) if spec else []
    found = {module.name for module in pkgutil.iter_modules(locations)}
    return tuple(sorted(n for n in found - HELPERS.get(kind, set()) if not n.startswith("_")))


def load(kind: str, name: str, what: str, where: str = "") -> ModuleType:
    """The module radpipe/<kind>/<name>.py.

    Args:
        kind: a package.
        name: as typed.
        what: it is called in the message, e.g. `mask family`.
        where: see `UserError`.

    Raises:
        UserError: there is no such file; names the nearest.
    """
    if name not in names(kind):
        raise unknown(what, name, names(kind), where)
    return importlib.import_module(f"radpipe.{kind}.{name}")


def known(words: Sequence[str], allowed: Sequence[str], key: str, file: str) -> None:
    """Refuse a word that names nothing, and a word given twice."""
    for position, word in enumerate(words):
        if word not in allowed:
            raise UserError(
                f"`{word}` is not known",
                f"{file}, key `{key}.{position}`",
                f"{did_you_mean(word, allowed)}allowed: {', '.join(allowed)}",
            )
        if word in words[:position]:
            raise UserError(f"`{word}` stands there twice", f"{file}, key `{key}`", "remove one")
