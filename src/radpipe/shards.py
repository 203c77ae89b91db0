"""Data sets of many Parquet shards from the Hugging Face hub, pinned to one commit.

huggingface_hub lists and downloads them (HF_ENDPOINT names a mirror); a shard that was cut off by
a kill begins anew. The hub's listing says each shard's size and sha256. The first listing is kept
in the cache, so that everybody who shares the cache, and every later run, reads the same files.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from radpipe import assets
from radpipe.downloads import SourceError, gigabytes, need_space
from radpipe.errors import UserError
from radpipe.files import write_json
from radpipe.lazy import huggingface_hub
from radpipe.manifest import MANIFEST, Collection, Manifest, Pins, collection, token

log = logging.getLogger(__name__)

LISTING = "listing.json"
_PARALLEL = 4  # polite


def fetch_shards(name: str, cache: Path, manifest: Manifest | None = None) -> list[Path]:
    """The verified shards of a collection in the order of their names, downloaded as needed.

    Args:
        name: an entry of `collections` in workflow/assets.yaml.
        cache: folder of downloads; the shards lie in a folder of that name.
        manifest: the list, if not workflow/assets.yaml.

    Raises:
        UserError: gated without a token, not enough space, unreachable, wrong checksum.
    """
    wanted, folder = collection(name, manifest), cache / name
    with assets.storing(folder):
        listing = _listing(name, wanted, folder)
        files = {folder / path: facts for path, facts in sorted(listing["files"].items())}
        missing = sum(facts["size"] for path, facts in files.items() if not path.is_file())
        if missing:
            log.info("%s: to download: %s", name, gigabytes(missing))
            need_space(folder, missing, f"the data set {name}")

        def one(path: Path) -> Path:
            shard = str(path.relative_to(folder))
            if not path.is_file():
                with _reaching(wanted, f"{shard} of {name} cannot be downloaded") as hub:
                    hub.hf_hub_download(
                        wanted.repository,
                        shard,
                        repo_type="dataset",
                        revision=listing["commit"],
                        local_dir=folder,
                    )
            pins = Pins(sha256=files[path]["sha256"], bytes=files[path]["size"])
            assets.verify(shard, pins, path)
            return path

        with ThreadPoolExecutor(_PARALLEL) as pool:
            return list(pool.map(one, files))


def _listing(name: str, wanted: Collection, folder: Path) -> dict[str, Any]:
    """{'commit': ..., 'files': {path: {'size', 'sha256'}}}, asked for once."""
    path = folder / LISTING
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    with _reaching(wanted, f"the list of files of {name} cannot be read") as hub:
        commit = hub.dataset_info(wanted.repository, revision=wanted.revision).sha
        tree = hub.list_repo_tree(
            wanted.repository, recursive=True, revision=commit, repo_type="dataset"
        )
        files = {
            file.path: {"size": file.size, "sha256": file.lfs and file.lfs.sha256}
            for file in tree
            if fnmatch.fnmatch(file.path, wanted.pattern)
        }
    if not files:
        raise UserError(
            f"no file of {wanted.repository} matches {wanted.pattern}",
            f"{MANIFEST}, key `collections.{name}.pattern`",
            "look the names up on the data set's page and correct the pattern",
        )
    listing = {"commit": commit, "files": files}
    write_json(path, listing)
    return listing


@contextlib.contextmanager
def _reaching(wanted: Collection, failed: str) -> Iterator[Any]:
    """The hub, with the token where it is needed; its many errors become one message."""
    try:
        yield huggingface_hub.HfApi(
            endpoint=os.environ.get("HF_ENDPOINT"), token=token() if wanted.gated else False
        )
    except (SourceError, huggingface_hub.errors.HTTPError, OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk's
        cause = error.__cause__ or error
        status = getattr(getattr(cause, "response", None), "status_code", None)
        said = f"HTTP {status}" if status else str(cause).partition("\n")[0]
        raise UserError(
            f"{failed} ({said})",
            wanted.repository,
            "check the network and the token, or name a mirror of the hub in HF_ENDPOINT, or give "
            "a local folder (`datasets.*.data.folder` in params.yaml)",
        ) from None
