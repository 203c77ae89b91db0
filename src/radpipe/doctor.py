"""`radpipe doctor`: what this machine has, and whether the project can work here."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

from radpipe import params
from radpipe.errors import UserError
from radpipe.lazy import torch

PACKAGES = (
    "torch", "torchvision", "peft", "accelerate", "snakemake", "dvc", "lpips", "pytorch-fid",
    "noise", "numpy", "pandas",
)  # fmt: skip


def report(root: Path) -> list[tuple[str, str, bool]]:
    """(what, found, whether it is fine) for everything that has gone wrong for somebody."""
    rows = [("Python", platform.python_version(), sys.version_info >= (3, 10))]
    for package in PACKAGES:
        try:
            rows.append((package, importlib.metadata.version(package), True))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, "missing: pip install -c constraints.txt -e '.[dev]'", False))
    rows.append(("CPU cores", str(os.cpu_count()), True))
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    bf16 = "fast (AMX)" if amx else "no AMX: `precision: fp32` trains faster"
    rows.append(("bf16 on this CPU", bf16, True))
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    rows.append(("GPUs", ", ".join(gpus) or "none: everything runs on the CPU", True))
    free = shutil.disk_usage(root).free / 2**30
    rows.append(("free disk", f"{free:.1f} GiB", free > 2))
    rows.append(("writable", str(root), os.access(root, os.W_OK)))
    try:
        params.read(root / params.PARAMS)
        rows.append((params.PARAMS, "valid", True))
    except UserError as error:
        rows.append((params.PARAMS, str(error).splitlines()[0], False))
    return rows
