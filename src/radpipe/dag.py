"""What a stage declares of itself, and what a target is: a stage with its wildcards filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radpipe.method import DEFAULT, Method
from radpipe.receipts import Folder

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline


@dataclass(frozen=True)
class Stage:
    """A kind of target. Each file of radpipe/stages/ declares one, and holds its `run(job)`.

    Attributes:
        name: of the stage, its file and its rule.
        folder: where its files go, with wildcards.
        files: big files, inputs by existence only (their receipt stands for their content).
        extras: small measured or readable files that nothing depends on through a checksum.
        receipt: the receipt's name in the folder.
        keys: dotted settings that it may see, `{wildcard}` filled in.
        values: settings that are derived: name -> value.
        plugins: plug-in modules that it runs; the rest of its code is found from its `run`.
        upstream: what it stands on.
        bulk: names of big files that stay out of shared copies of the results (those of an
            ablation's variants: only scores, receipts and curves are kept).
    """

    name: str
    folder: str
    files: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    receipt: str = "receipt.json"
    keys: tuple[str, ...] = ()
    values: Callable[[Pipeline, Target], dict[str, Any]] = lambda pipeline, target: {}
    plugins: Callable[[Pipeline, Target], list[str]] = lambda pipeline, target: []
    upstream: Callable[[Pipeline, Target], list[Target]] = lambda pipeline, target: []
    bulk: Callable[[Pipeline, Target], list[str]] = lambda pipeline, target: []

    def outputs(self) -> dict[str, str]:
        """Named output patterns for a Snakemake rule."""
        names = (self.receipt, *self.files, *self.extras)
        return {
            name.split("/")[-1].replace("{", "").replace("}", "").replace(".", "_"): (
                f"{self.folder}/{name}"
            )
            for name in names
        }


@dataclass(frozen=True)
class Target:
    """One result: a stage and its wildcards."""

    stage: Stage
    wildcards: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        return dict(self.wildcards)[name]

    def get(self, name: str, default: str = "") -> str:
        """A wildcard, or the default where the stage has none of that name."""
        return dict(self.wildcards).get(name, default)

    def __str__(self) -> str:
        return f"{self.stage.name}:" + ",".join(f"{k}={v}" for k, v in self.wildcards)

    def __hash__(self) -> int:
        return hash((self.stage.name, self.wildcards))

    def _path(self, *names: str) -> str:
        return "/".join([self.stage.folder, *names]).format(**dict(self.wildcards))

    @property
    def method(self) -> Method:
        """The method of a cell."""
        return Method.parse(self["method"])

    @property
    def variant(self) -> str:
        """The ablation's variant whose settings it sees."""
        return self.get("variant") or Method.parse(self.get("method")).variant or DEFAULT

    @property
    def folder(self) -> str:
        """Where its files go."""
        return self._path()

    @property
    def receipt(self) -> str:
        """Path of its receipt."""
        return self._path(self.stage.receipt)

    @property
    def files(self) -> list[str]:
        """Paths of its big files."""
        return [self._path(name) for name in self.stage.files]

    @property
    def outputs(self) -> list[str]:
        """Paths of all files that its job writes."""
        return [self.receipt, *self.files, *map(self._path, self.stage.extras)]

    @property
    def place(self) -> dict[str, Any]:
        """How slices name it."""
        return {
            "stage": self.stage.name,
            "wildcards": dict(self.wildcards),
            "folder": self.folder,
            "receipt": self.receipt,
        }

    def under(self, root: Path) -> Folder:
        """Its results in a repository."""
        return Folder(root / self.folder, root / self.receipt, dict(self.wildcards))
