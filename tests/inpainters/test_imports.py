"""Reading the settings imports every method and mask family; that must stay cheap."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import importlib, json, pkgutil, sys
import radpipe.inpainters, radpipe.masks
for package in (radpipe.inpainters, radpipe.masks):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


def test_importing_every_method_and_family_executes_no_heavy_package() -> None:
    """A placeholder may stand for a package; what its own code imports must not be there."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    modules = json.loads(done.stdout)
    assert {"radpipe.inpainters.mcg", "radpipe.masks.wide"} <= set(modules)
    heavy = ("torch.", "cv2.", "skimage.", "scipy.", "pandas.")
    assert [name for name in modules if name.startswith(heavy)] == []
