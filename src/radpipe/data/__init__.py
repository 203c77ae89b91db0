"""Data sets, one file each: adding one is adding a file with `Settings` and `prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, cast

from radpipe import plugins
from radpipe.section import Section


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


def load(name: str) -> DataSet:
    """A data set by name.

    Raises:
        UserError: for a name that is none, with the nearest one that is.
    """
    return cast(DataSet, plugins.load("data", name, "data set"))
