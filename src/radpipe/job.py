"""What one stage is given, and the receipt of what it made.

A job is a *slice*: the stage's wildcards, the settings that it may see, a digest of its code
and the digests of the slices upstream. A receipt repeats the slice and adds the checksum of
every file made. Receipts are small, deterministic (no times), and are the edges of the DAG.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from radpipe.errors import UserError
from radpipe.files import sha256, write_json
from radpipe.settings import Resources, Section, section

S = TypeVar("S", bound=Section)
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
class Folder:
    """The results of one target: where they lie and the receipt that vouches for them."""

    path: Path
    receipt: Path

    def file(self, name: str, verify: bool = True) -> Path:
        """A file of the target, its checksum (above `COMPARED`: its size) compared with the
        receipt's.

        Raises:
            UserError: the file is missing or differs from what its stage wrote.
        """
        path = self.path / name
        if not self.receipt.is_file():
            raise UserError(
                "a result is missing", str(self.receipt), "run: snakemake --cores all all"
            )
        entry = json.loads(self.receipt.read_text())["files"].get(name)
        if entry is None:
            raise UserError(f"the receipt does not name {name}", str(self.receipt))
        if not path.is_file():
            do = f"type: dvc checkout; if it is not there then: snakemake --cores all {path}"
            raise UserError("a result is missing", str(path), do)
        small = entry["bytes"] <= COMPARED
        if verify and (
            path.stat().st_size != entry["bytes"] or (small and sha256(path) != entry["sha256"])
        ):
            raise UserError(
                "the file is damaged: its checksum is not the one in its receipt",
                str(path),
                "delete it, then type: dvc checkout, or: snakemake --cores all",
            )
        return path


@dataclass(frozen=True)
class Job:
    """One run of one stage."""

    stage: str
    wildcards: dict[str, str]
    settings: dict[str, Any]
    upstream: dict[str, dict[str, Any]]
    text: str
    root: Path
    out: Path
    receipt: Path
    resources: Resources
    threads: int = 1

    @classmethod
    def from_slice(cls, text: str, root: Path, resources: Resources, threads: int = 1) -> Job:
        """Read a slice's canonical JSON.

        Args:
            text: the slice.
            root: the repository, to which all paths of the slice are relative.
            resources: how the machine is used.
            threads: CPU threads granted.
        """
        raw = json.loads(text)
        return cls(
            stage=raw["stage"],
            wildcards=raw["wildcards"],
            settings=raw["settings"],
            upstream=raw["upstream"],
            text=canonical(raw),
            root=root,
            out=root / raw["folder"],
            receipt=root / raw["receipt"],
            resources=resources,
            threads=threads,
        )

    @property
    def digest(self) -> str:
        """Identity of the slice."""
        return digest(self.text)

    def section(self, key: str, model: type[S]) -> S:
        """A part of the slice's settings, typed."""
        parsed: S = section(model, self.settings[key], key)
        return parsed

    def folders(self, stage: str, **wildcards: str) -> list[Folder]:
        """Results upstream of one stage, in slice order, restricted by wildcards.

        Shards come in the order of their numbers, so that what they hold together keeps its
        place whatever the number of shards.
        """
        found = [
            entry
            for entry in self.upstream.values()
            if entry["stage"] == stage and wildcards.items() <= entry["wildcards"].items()
        ]
        found.sort(key=lambda entry: int(entry["wildcards"].get("shard", 0)))
        return [Folder(self.root / e["folder"], self.root / e["receipt"]) for e in found]

    def folder(self, stage: str, **wildcards: str) -> Folder:
        """The one result upstream of a stage."""
        (found,) = self.folders(stage, **wildcards)
        return found

    @property
    def resume(self) -> Path:
        """Where unfinished work of exactly this slice is kept; removed on success."""
        return self.root / ".radpipe" / "resume" / self.digest

    def finish(self, *files: str, **facts: Any) -> None:
        """Write the receipt: the last act of a stage.

        Args:
            files: names relative to `out`, each checksummed.
            facts: deterministic facts worth keeping (counts, network evaluations, weights used).
        """
        entries = {
            name: {
                "sha256": sha256(self.out / name),
                "bytes": (self.out / name).stat().st_size,
            }
            for name in files
        }
        write_json(self.receipt, {"slice": json.loads(self.text), "files": entries, "facts": facts})
        shutil.rmtree(self.resume, ignore_errors=True)
