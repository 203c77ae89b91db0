"""Data sets, one file each: adding one is adding a file with `Settings` and `prepare`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any, Protocol, cast

from radpipe.errors import unknown
from radpipe.settings import Section

_HELPERS = {"images", "parquet"}


class DataSet(Protocol):
    """What a module of this package offers.

    Attributes:
        Settings: of `datasets.<name>.data` in params.yaml.
    """

    Settings: type[Section]

    def prepare(
        self, settings: Any, size: int, seed: int, out: Path, cache: Path, threads: int = 1
    ) -> None:
        """Write train.zip, val.zip, test.zip (image stores) and manifest.csv.

        Args:
            settings: an instance of this module's Settings.
            size: image side in pixels.
            seed: the settings' seed.
            out: folder for the four files.
            cache: folder of downloads.
            threads: cores that may be used; without influence on the files.

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


def fingerprint(settings: Section) -> str:
    """Digest of the local files that a data set is read from; empty if there are none.

    It changes with the name, size and time of change of any picture or Parquet shard under
    `settings.folder`, and is for the slice of what is made from them.
    """
    folder = getattr(settings, "folder", None)
    if folder is None:
        return ""
    from radpipe.data.folder import digest

    return digest(Path(folder).expanduser())
