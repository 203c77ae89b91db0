"""Data sets of many Parquet shards from the Hugging Face hub, pinned to one commit.

The hub's listing says each shard's size and sha256. The first listing is kept in the cache, so
that everybody who shares the cache, and every later run, reads the same files.
"""

from __future__ import annotations

import fnmatch
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from radpipe.assets import (
    MANIFEST,
    NO_TOKEN,
    Asset,
    Collection,
    Manifest,
    Web,
    obtain,
    read_manifest,
)
from radpipe.downloads import Policy, gigabytes, need_space
from radpipe.errors import UserError, unknown
from radpipe.files import write_json

log = logging.getLogger(__name__)

LISTING = "listing.json"
_PARALLEL = 4  # polite


def collection(name: str, manifest: Manifest | None = None) -> Collection:
    """An entry of the list by name."""
    known = (manifest or read_manifest()).collections
    if name not in known:
        raise unknown("download of shards", name, list(known), str(MANIFEST))
    return known[name]


def endpoint() -> str:
    """The hub, or the mirror that HF_ENDPOINT names."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def fetch_shards(
    name: str, cache: Path, manifest: Manifest | None = None, policy: Policy | None = None
) -> list[Path]:
    """The verified shards of a collection in the listing's order, downloaded as needed.

    Args:
        name: an entry of `collections` in workflow/assets.yaml.
        cache: folder of downloads; the shards lie in a folder of that name.
        manifest: the list, if not workflow/assets.yaml.
        policy: patience of downloads.

    Raises:
        UserError: gated without a token, not enough space, unreachable, wrong checksum.
    """
    wanted = collection(name, manifest)
    folder = cache / name
    listing = _listing(name, wanted, folder)
    entries = {path.rsplit("/", 1)[-1]: (path, facts) for path, facts in listing["files"].items()}
    missing = sum(f["size"] for n, (_, f) in entries.items() if not (folder / n).is_file())
    if missing:
        log.info("%s: to download: %s", name, gigabytes(missing))
        need_space(folder, missing, f"the data set {name}")

    def one(filename: str) -> Path:
        path, facts = entries[filename]
        source = Web(
            kind="https",
            url=f"{endpoint()}/datasets/{wanted.repository}/resolve/{listing['commit']}/{path}",
            gated=wanted.gated,
        )
        asset = Asset(
            filename=filename,
            sha256=facts["sha256"],
            bytes=facts["size"],
            licence=wanted.licence,
            origin=wanted.origin,
            sources=(source,),
        )
        return obtain(filename, asset, folder / filename, folder, policy or Policy())

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(one, sorted(entries)))


def _listing(name: str, wanted: Collection, folder: Path) -> dict[str, Any]:
    """{'commit': ..., 'files': {path: {'size', 'sha256'}}}, asked for once."""
    path = folder / LISTING
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    api = f"{endpoint()}/api/datasets/{wanted.repository}"
    with _session(name, wanted) as session:
        commit = _ask(session, f"{api}/revision/{wanted.revision}", name).json()["sha"]
        parent = str(PurePosixPath(wanted.pattern).parent)
        address: str | None = f"{api}/tree/{commit}/{'' if parent == '.' else parent}"
        files: dict[str, dict[str, Any]] = {}
        while address:
            answer = _ask(session, address, name)
            for entry in answer.json():
                if entry["type"] == "file" and fnmatch.fnmatch(entry["path"], wanted.pattern):
                    checksum = entry.get("lfs", {}).get("oid")
                    files[entry["path"]] = {"size": entry["size"], "sha256": checksum}
            address = answer.links.get("next", {}).get("url")
    if not files:
        raise UserError(
            f"no file of {wanted.repository} matches {wanted.pattern}",
            f"{MANIFEST}, key `collections.{name}.pattern`",
            "look the names up on the data set's page and correct the pattern",
        )
    listing = {"commit": commit, "files": files}
    write_json(path, listing)
    return listing


def _session(name: str, wanted: Collection) -> requests.Session:
    """Requests with retries that honour Retry-After, and the token where it is needed."""
    session = requests.Session()
    token = os.environ.get("HF_TOKEN")
    if wanted.gated and not token:
        raise UserError(f"{name} cannot be downloaded", wanted.repository, NO_TOKEN)
    if wanted.gated:
        session.headers["Authorization"] = f"Bearer {token}"
    retry = Retry(total=5, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _ask(session: requests.Session, address: str, name: str) -> requests.Response:
    """GET, or one message."""
    try:
        answer = session.get(address, timeout=(15, 60))
        answer.raise_for_status()
    except requests.RequestException as error:
        status = error.response.status_code if error.response is not None else None
        raise UserError(
            f"the list of files of {name} cannot be read" + (f" (HTTP {status})" if status else ""),
            address,
            NO_TOKEN
            if status in (401, 403)
            else "check the network, or name a mirror of the hub "
            "in HF_ENDPOINT, or give a local folder (`datasets.*.data.folder` in params.yaml)",
        ) from None
    return answer
