from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("package", ["torchvision", "lpips", "pytorch_fid.inception"])
def test_packages_that_need_torchvision_import(package):
    done = run(
        "from radpipe.torchvision_compat import ensure_torchvision\n"
        "ensure_torchvision(); ensure_torchvision()\n"
        f"import {package}"
    )
    assert done.returncode == 0, done.stderr


def test_nothing_is_declared_where_torchvisions_own_library_has_loaded():
    # the operators as the library would declare them
    done = run(
        "import torch\n"
        "own = torch.library.Library('torchvision', 'DEF')\n"
        "from radpipe import torchvision_compat as c\n"
        "for name in c.OPERATORS: own.define(name + c.SCHEMA)\n"
        "assert c.ensure_torchvision() is None"
    )
    assert done.returncode == 0, done.stderr


def test_nothing_is_declared_without_torchvision():
    done = run(
        "import sys\n"
        "sys.modules['torchvision'] = None\n"
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name, package=None: None\n"
        "from radpipe.torchvision_compat import ensure_torchvision\n"
        "assert ensure_torchvision() is None"
    )
    assert done.returncode == 0, done.stderr
