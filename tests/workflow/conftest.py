"""One finished tiny run for all tests of this folder; each takes a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tiny
import versioned


@dataclass(frozen=True)
class Finished:
    """A tiny run, adopted by DVC, published and committed.

    Attributes:
        folder: the repository; never changed by a test.
        adopted: what the first `dvc repro` said.
        published: what `radpipe publish` said.
    """

    folder: Path
    adopted: str
    published: str


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """git without the user's settings, DVC without traces outside the test's folder."""
    people = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME",)}
    people |= {f"GIT_{who}_EMAIL": "test@localhost" for who in ("AUTHOR", "COMMITTER")}
    changes = {
        **people,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "DVC_SITE_CACHE_DIR": str(tmp_path_factory.mktemp("dvc")),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Finished:
    folder = versioned.start(tmp_path_factory.mktemp("finished") / "repository")
    tiny.snakemake(folder, "all")
    adopted = versioned.repro(folder)
    published = tiny.run(folder, "radpipe", "publish").stdout
    versioned.commit(folder, "results")
    return Finished(folder, adopted, published)


@pytest.fixture
def repository(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the finished repository, to be changed."""
    return versioned.copy(finished.folder, tmp_path / "repository")
