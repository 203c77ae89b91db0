"""What a job was given and what it made: slices, receipts, and the folders they vouch for.

A *slice* is all that a job may see: the stage's wildcards, its settings, a digest of its code and
the digests of the slices upstream. A *receipt* repeats the slice and adds the checksum of every
file made. Receipts are small, deterministic (no times), and are the edges of the DAG.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from radpipe.dotted import flatten
from radpipe.errors import UserError
from radpipe.files import sha256, write_json

# Bytes up to which a file's checksum is compared whenever it is used. The larger ones are training
# images, and an image store holds every image it reads against a checksum of its own.
COMPARED = 4 << 30


def canonical(value: Any) -> str:
    """The one JSON text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Short identity of a canonical text."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Slice:
    """All that a job may see.

    Attributes:
        slice: as it is written.
    """

    slice: Mapping[str, Any]

    @property
    def stage(self) -> str:
        """The stage that the job runs."""
        return str(self.slice["stage"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that it may see, by dotted key; its data set's without the data set."""
        return self.slice["settings"]

    @cached_property
    def digest(self) -> str:
        """Identity of the slice."""
        return digest(canonical(self.slice))


@dataclass(frozen=True)
class Receipt(Slice):
    """What a finished job left behind.

    Attributes:
        files: name in the folder -> sha256 and bytes.
        facts: deterministic facts worth keeping (counts, network evaluations, weights used).
        made_by: digest of the code that made it, where it was accepted for newer code.
    """

    files: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    made_by: str = ""

    @classmethod
    def read(cls, path: Path) -> Receipt | None:
        """The receipt at a path; None where there is none, or something else."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return cls(raw["slice"], raw["files"], raw["facts"], raw.get("made_by", ""))
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Write it, atomically."""
        raw = {"slice": self.slice, "files": self.files, "facts": self.facts}
        write_json(path, raw | ({"made_by": self.made_by} if self.made_by else {}))


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What differs between two slices themselves, in words; not what differs upstream."""
    before, after = flatten(old["settings"]), flatten(new["settings"])
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{key}: {_shown(before.get(key))} -> {_shown(after.get(key))}"
    if old["code"] != new["code"]:
        yield f"the code of `{new['stage']}`"


def _shown(value: Any) -> str:
    text = "not there" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True)
class Folder:
    """The results of one target.

    Attributes:
        path: where they lie.
        receipt: that vouches for them.
        wildcards: of the target.
    """

    path: Path
    receipt: Path
    wildcards: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def made(self) -> Receipt:
        """Its receipt.

        Raises:
            UserError: there is none.
        """
        found = Receipt.read(self.receipt)
        if found is None:
            raise UserError(
                "a result is missing", str(self.receipt), "run: snakemake --cores all all"
            )
        return found

    def file(self, name: str) -> Path:
        """A file of the target, its checksum (above `COMPARED`: its size) compared with the
        receipt's.

        Raises:
            UserError: the file is missing or differs from what its stage wrote.
        """
        path = self.path / name
        entry = self.made.files.get(name)
        if entry is None:
            raise UserError(f"the receipt does not name {name}", str(self.receipt))
        if not path.is_file():
            do = f"type: dvc checkout; if it is not there then: snakemake --cores all {path}"
            raise UserError("a result is missing", str(path), do)
        small = entry["bytes"] <= COMPARED
        if path.stat().st_size != entry["bytes"] or (small and sha256(path) != entry["sha256"]):
            raise UserError(
                "the file is damaged: its checksum is not the one in its receipt",
                str(path),
                "delete it, then type: dvc checkout, or: snakemake --cores all",
            )
        return path
