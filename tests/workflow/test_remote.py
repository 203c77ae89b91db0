"""The embedded remote, a networked one, and orphans."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny
import versioned
from radpipe import params
from radpipe.errors import UserError
from radpipe.pipeline import Pipeline
from radpipe.verbs import remote
from versioned import dvc, git, silent


def pull(folder: Path, **environment: str) -> str:
    """What `radpipe pull` says; it must end well."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return tiny.run(folder, "radpipe", "pull").stderr


def pipeline(folder: Path) -> Pipeline:
    return Pipeline(params.read(folder / "params.yaml"))


def cloned(source: Path, folder: Path) -> Path:
    git(folder.parent, "clone", "-q", str(source), str(folder))
    return folder


def test_publishing_refuses_stale_and_large_results(repository: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in remote.stored(repository).values()}
    with pytest.raises(UserError, match=r"may hold 1 MB[\s\S]*results/"):
        remote.publish(pipeline(repository), repository, limit=1_000_000)
    tiny.edit(repository, evaluation__bootstrap=105)
    refused = tiny.run(repository, "radpipe", "publish", check=False)
    assert refused.returncode == 1
    assert "params.yaml" in refused.stderr
    assert "dvc repro" in refused.stderr
    dvc(repository, "commit", "-f", "-q")  # what the README advises against
    assert versioned.status(repository) == {}
    refused = tiny.run(repository, "radpipe", "publish", check=False)
    assert refused.returncode == 1
    assert "not those of the settings and the code" in refused.stderr
    assert {p: p.stat().st_mtime_ns for p in remote.stored(repository).values()} == before


def test_pull_in_a_clone(finished, tmp_path: Path) -> None:
    clone = cloned(finished.folder, tmp_path / "clone")
    assert "cached results are in place" in pull(clone)
    assert silent(clone)
    (clone / "results/data/emoji/train.zip").unlink()  # a pull that was interrupted
    assert "cached results are in place" in pull(clone)
    assert silent(clone)


def test_pull_never_overwrites_what_is_only_here(finished, tmp_path: Path) -> None:
    clone = cloned(finished.folder, tmp_path / "clone")
    own = clone / "results/checkpoints/emoji/base/model.safetensors"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"weeks of training")
    said = pull(clone)
    assert "are kept (results/checkpoints/emoji/base/model.safetensors)" in said
    assert "dvc checkout --force" in said
    assert own.read_bytes() == b"weeks of training"
    assert not (clone / "results/data").exists()
    dvc(clone, "checkout", "--force")
    assert silent(clone)


def test_pull_without_git_lock_or_remote(finished, tmp_path: Path) -> None:
    """A downloaded archive has no .git: the results come all the same."""
    archive = cloned(finished.folder, tmp_path / "archive")
    shutil.rmtree(archive / ".git")
    assert "cached results are in place" in pull(archive)
    assert versioned.nothing_to_do(archive)
    shutil.rmtree(archive / ".dvc/cache")
    shutil.rmtree(archive / ".dvc/demo-remote")
    shutil.rmtree(archive / "results/metrics")
    before = sorted((archive / "results").rglob("*"))
    assert "what is missing will be computed" in pull(archive)
    assert sorted((archive / "results").rglob("*")) == before  # nothing that is there is lost
    (archive / "dvc.lock").unlink()
    assert "everything will be computed" in pull(archive)


def test_prune_lists_and_removes_what_a_removed_method_left(repository: Path) -> None:
    tiny.edit(repository, run__methods=["rad", "telea"])
    listed = tiny.run(repository, "radpipe", "prune").stdout.splitlines()
    own = [line for line in listed if line.startswith("results/")]
    kinds = ("samples", "metrics", "timing")
    folders = tuple(f"results/{kind}/emoji/repaint/" for kind in kinds)
    assert own
    assert all(line.startswith(folders) for line in own)
    assert all((repository / line).is_file() for line in own)
    records = repository / ".snakemake/metadata"
    before = len(list(records.rglob("*")))

    tiny.run(repository, "radpipe", "prune", "--yes")
    assert not any((repository / folder).exists() for folder in folders)
    assert len(list(records.rglob("*"))) == before - len(own)
    assert tiny.run(repository, "radpipe", "prune").stdout == "no orphans\n"
    assert (repository / "results/samples/emoji/telea/box/0.zip").is_file()
    git(repository, "checkout", "-q", "params.yaml")
    dvc(repository, "checkout")  # DVC still has them
    assert silent(repository)


@pytest.fixture
def webdav(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A WebDAV server on loopback: its address and its folder."""
    from cheroot import wsgi
    from wsgidav.wsgidav_app import WsgiDAVApp

    folder = tmp_path / "webdav"
    folder.mkdir()
    settings = {
        "provider_mapping": {"/": str(folder)},
        "simple_dc": {"user_mapping": {"*": {"lab": {"password": "secret"}}}},
        "verbose": 0,
        "logging": {"enable": False},
    }
    server = wsgi.Server(("127.0.0.1", 0), WsgiDAVApp(settings))
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield f"webdav://127.0.0.1:{server.bind_addr[1]}/", folder
    finally:
        server.stop()
        thread.join(10)


def test_a_remote_over_the_network(repository: Path, tmp_path: Path, webdav) -> None:
    """Push to WebDAV with a password, pull from it where the embedded remote is gone."""
    address, folder = webdav
    dvc(repository, "remote", "add", "lab", address)
    for key, value in (("user", "lab"), ("password", "secret")):
        dvc(repository, "remote", "modify", "--local", "lab", key, value)
    dvc(repository, "push", "-r", "lab")
    stored = {p.parent.name + p.name for p in folder.glob("files/md5/??/*")}
    assert stored == set(remote.objects(repository))

    for gone in (".dvc/cache", ".dvc/demo-remote", ".snakemake/metadata"):
        shutil.rmtree(repository / gone)
    for name in versioned.STAGE_FOLDERS:
        shutil.rmtree(repository / "results" / name)
    dvc(repository, "pull", "-r", "lab")
    git(repository, "checkout", "-q", ".dvc/demo-remote")
    assert silent(repository)


def test_two_clones_share_a_remote(finished, tmp_path: Path, webdav) -> None:
    """Pushed and pulled in turn, one with an edited setting: nothing of the other is overwritten,
    and what nobody has pushed is said in one line."""
    address, folder = webdav
    one, two = (cloned(finished.folder, tmp_path / name) for name in ("one", "two"))
    for clone in (one, two):
        assert "cached results are in place" in pull(clone)
        dvc(clone, "remote", "add", "--local", "--default", "lab", address)
        for key, value in (("user", "lab"), ("password", "secret")):
            dvc(clone, "remote", "modify", "--local", "lab", key, value)

    dvc(one, "push")
    first = {path: path.read_bytes() for path in folder.glob("files/md5/??/*")}
    tiny.edit(two, evaluation__bootstrap=105)
    versioned.repro(two)
    versioned.commit(two, "another bootstrap")
    dvc(two, "push")
    assert {path: path.read_bytes() for path in first} == first
    assert len(list(folder.glob("files/md5/??/*"))) > len(first)

    own = (one / "results/tables/main.csv").read_text()
    git(one, "pull", "-q", str(two), "main")
    assert "cached results are in place" in pull(one)
    assert silent(one)
    git(one, "reset", "-q", "--hard", "HEAD~1")
    assert "cached results are in place" in pull(one)
    assert silent(one)
    assert (one / "results/tables/main.csv").read_text() == own

    tiny.edit(two, evaluation__bootstrap=110)
    versioned.repro(two)
    versioned.commit(two, "not pushed")
    git(one, "pull", "-q", str(two), "main")
    before = {path: path.read_bytes() for path in (one / "results").rglob("*.zip")}
    (said,) = [line for line in pull(one).splitlines() if "dvc push" in line]
    assert "lacks" in said and "results/metrics" in said and "results/samples" not in said
    assert {path: path.read_bytes() for path in before} == before
    # images beyond a cell's first and features are in no remote: scores made anew need them
    jobs = {"reference", "sample", "evaluate", "table", "figure"}
    assert set(versioned.planned(one)) == jobs
