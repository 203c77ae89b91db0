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


def load(name: str) -> DataSet:
    """A data set by name.

    Raises:
        UserError: for a name that is none, with the nearest one that is.
    """
    return cast(DataSet, plugins.load("data", name, "data set"))


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
