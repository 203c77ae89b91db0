"""One run of one stage: what it is given, and the receipt of what it made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from radpipe.errors import UserError
from radpipe.files import sha256
from radpipe.method import Method
from radpipe.receipts import Folder, Receipt, Slice
from radpipe.section import Section, section
from radpipe.settings import Resources

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Job(Slice):
    """One run of one stage.

    Attributes:
        root: the repository, to which all paths of the slice are relative.
        resources: how the machine is used.
        threads: CPU threads granted.
    """

    root: Path
    resources: Resources
    threads: int = 1

    @classmethod
    def read(cls, path: Path, root: Path, resources: Resources, threads: int = 1) -> Job:
        """The job of a slice's file.

        Raises:
            UserError: there is no such file, or it is none.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(
                "this is not the slice of a job", str(path), "run: snakemake --cores all all"
            ) from None
        return cls(raw, root, resources, threads)

    @property
    def wildcards(self) -> Mapping[str, str]:
        """Of its target."""
        return self.slice["wildcards"]

    @property
    def method(self) -> Method:
        """The method of its cell."""
        return Method.parse(self.wildcards["method"])

    @property
    def out(self) -> Path:
        """Folder of its results."""
        return self.root / self.slice["folder"]

    @property
    def receipt(self) -> Path:
        """Where its receipt goes."""
        return self.root / self.slice["receipt"]

    def section(self, key: str, model: type[S]) -> S:
        """A part of the slice's settings, typed."""
        return section(model, self.settings[key], key)

    def folders(self, stage: str, **wildcards: str) -> list[Folder]:
        """Results upstream of one stage, in slice order, restricted by wildcards.

        Shards come in the order of their numbers, so that what they hold together keeps its
        place whatever the number of shards.
        """
        found = [
            Folder(self.root / e["folder"], self.root / e["receipt"], e["wildcards"])
            for e in self.slice["upstream"].values()
            if e["stage"] == stage and wildcards.items() <= e["wildcards"].items()
        ]
        return sorted(found, key=lambda result: int(result.wildcards.get("shard", 0)))

    def folder(self, stage: str, **wildcards: str) -> Folder:
        """The one result upstream of a stage."""
        (found,) = self.folders(stage, **wildcards)
        return found

    @property
    def resume(self) -> Path:
        """Where unfinished work of exactly this slice is kept; removed on success."""
        return self.root / ".radpipe" / "resume" / self.digest

    def require_current(self) -> None:
        """Refuse results upstream that are not those of the slice.

        Raises:
            UserError: one was made with other settings or code.
        """
        for entry in self.slice["upstream"].values():
            path = self.root / entry["receipt"]
            found = Receipt.read(path)
            if found is not None and found.digest != entry["slice"]:
                raise UserError(
                    "what this stands on is of other settings or other code",
                    str(path),
                    "settings were edited during a run: type the same command again",
                )

    def finish(self, *files: str, **facts: Any) -> None:
        """Write the receipt: the last act of a stage.

        Args:
            files: names relative to `out`, each checksummed.
            facts: deterministic facts worth keeping (counts, network evaluations, weights used).
        """
        entries = {
            name: {"sha256": sha256(self.out / name), "bytes": (self.out / name).stat().st_size}
            for name in files
        }
        Receipt(self.slice, entries, facts).write(self.receipt)
        shutil.rmtree(self.resume, ignore_errors=True)
