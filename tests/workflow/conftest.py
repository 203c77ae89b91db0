"""Two finished tiny runs for all tests of this folder, which each take a copy."""

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
    def build(folder: Path) -> None:
        repository = versioned.start(folder / "repository")
        tiny.snakemake(repository, "all")
        (folder / "adopted").write_text(versioned.repro(repository))
        (folder / "published").write_text(tiny.run(repository, "radpipe", "publish").stdout)
        versioned.commit(repository, "results")

    folder = tiny.once(tmp_path_factory, "finished", build)
    said = [(folder / name).read_text() for name in ("adopted", "published")]
    return Finished(folder / "repository", *said)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Path:
    """A repository with all results for all methods and ablations; never changed.

    Its jobs ran in one process, since `finished` has shown that Snakemake starts them, and its
    solvers have one number of steps each instead of many: they are not needed to see that they run.
    """

    def build(folder: Path) -> None:
        versioned.start(folder, **tiny.ALL)
        for file, text, replacement in (
            ("steps", "STEPS = (10, 20, 50, 100)", "STEPS = (2,)"),
            ("official", '"inpainters.repaint": {}', '"inpainters.repaint.steps": 6'),
            ("official", "IMAGES = 100", "IMAGES = 5"),
        ):
            path = folder / f"src/radpipe/ablations/{file}.py"
            assert path.read_text().count(text) == 1
            path.write_text(path.read_text().replace(text, replacement))
        versioned.commit(folder, "fewer steps")
        tiny.run(folder, "python", str(Path(__file__).with_name("one_process.py")))

    return tiny.once(tmp_path_factory, "everything", build)


@pytest.fixture
def repository(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the finished repository, to be changed."""
    return versioned.copy(finished.folder, tmp_path / "repository")
