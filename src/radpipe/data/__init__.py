"""Data sets, one file each: adding one is adding a file with `Settings` and `prepare`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any, Protocol, cast

from radpipe.errors import unknown
from radpipe.section import Section

_HELPERS = {"images", "parquet"}


class DataSet(Protocol):
    """What a module of this package offers.

    Attributes:
        Settings: of `datasets.<name>.data` in params.yaml.
    """

    Settings: type[Section]

    def prepare(self, settings: Any, size: int, seed: int, out: Path, cache: Path) -> None:
        """Write train.zip, val.zip, test.zip (image stores) and manifest.csv.

        Args:
            settings: an instance of this module's Settings.
            size: image side in pixels.
            seed: the settings' seed.
            out: folder for the four files.
            cache: folder of downloads.

        Raises:
            UserError: missing, gated or malformed images.
        """


def names() -> list[str]:
    """All data sets, by name."""
    found = {module.name for module in pkgutil.iter_modules(__path__)} - _HELPERS
    return sorted(name for name in found if not name.startswith("_"))


def load(name: str) -> DataSet:
    """A data set by name.

    Raises:
        UserError: for a name that is none, with the nearest one that is.
    """
    if name not in names():
        raise unknown("data set", name, names())
    return cast(DataSet, importlib.import_module(f"{__name__}.{name}"))
