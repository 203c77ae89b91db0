"""`radpipe doctor`: what this machine has, and whether the project can work here."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

PACKAGES = (
    "torch", "torchvision", "peft", "accelerate", "snakemake", "dvc", "lpips", "pytorch-fid",
    "noise", "numpy", "pandas",
)  # fmt: skip


def report(root: Path) -> list[tuple[str, str, bool]]:
    """(what, found, whether it is fine) for everything that has gone wrong for somebody."""
    import torch

    rows = [("Python", platform.python_version(), sys.version_info >= (3, 10))]
    for package in PACKAGES:
        try:
            rows.append((package, importlib.metadata.version(package), True))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, "missing: pip install -c constraints.txt -e '.[dev]'", False))
    rows.append(("CPU cores", str(os.cpu_count()), True))
    rows.append(("bf16 on this CPU", _bf16(), True))
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    rows.append(("GPUs", ", ".join(gpus) or "none: everything runs on the CPU", True))
    free = shutil.disk_usage(root).free / 2**30
    rows.append(("free disk", f"{free:.1f} GiB", free > 2))
    rows.append(("writable", str(root), os.access(root, os.W_OK)))
    rows.append(("params.yaml", *_settings(root)))
    return rows


def _bf16() -> str:
    import torch

    capable = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return "fast (AMX)" if capable else "no AMX: `precision: fp32` trains faster"


def _settings(root: Path) -> tuple[str, bool]:
    from radpipe import params
    from radpipe.errors import UserError

    try:
        params.read(root / params.PARAMS)
    except UserError as error:
        return str(error).splitlines()[0], False
    return "valid", True
