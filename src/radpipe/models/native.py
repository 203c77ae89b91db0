"""`norm.c`, compiled by this machine's C compiler at first use and kept in the cache folder."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import torch

from radpipe.assets import cache_folder
from radpipe.files import atomic

log = logging.getLogger(__name__)
SOURCE = Path(__file__).with_name("norm.c")
LANES, WIDEST = 16, 4096  # channels: a multiple of the one, at most the other; see norm.c
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-ffp-contract=off", "-fPIC", "-shared")


class Shape(ctypes.Structure):
    """`Shape` of norm.c."""

    _fields_ = (
        *((n, ctypes.c_long) for n in ("pixels", "channels", "groups", "vectors", "silu", "half")),
        ("eps", ctypes.c_float),
    )


@cache
def library() -> ctypes.CDLL | None:
    """The compiled functions; None, after a warning, where they cannot be had."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        log.warning("no C compiler is found: networks run on PyTorch's own, slower functions")
        return None
    try:
        functions = ctypes.CDLL(str(_built(compiler.split())))
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or str(error)
        log.warning(
            "norm.c cannot be compiled, networks run on PyTorch's slower functions: %s", why
        )
        return None
    for name in ("norm_forward", "norm_backward"):
        places = [ctypes.c_void_p] * 11
        getattr(functions, name).argtypes = [Shape, *[ctypes.c_long] * 2, *places]
    return functions


def _built(compiler: list[str]) -> Path:
    """The shared library of this source, compiler and processor (its macros name both)."""
    macros = subprocess.run(
        [*compiler, *FLAGS, "-dM", "-E", "-x", "c", os.devnull],
        check=True,
        capture_output=True,
    ).stdout
    key = hashlib.sha256(b"\0".join([SOURCE.read_bytes(), " ".join(FLAGS).encode(), macros]))
    path = cache_folder() / "kernels" / f"norm-{key.hexdigest()[:16]}.so"
    if not path.is_file():
        with atomic(path) as temporary:
            command = [*compiler, *FLAGS, str(SOURCE), "-lm", "-o", str(temporary)]
            subprocess.run(command, check=True, capture_output=True, text=True)
    return path


def keep_freed_memory() -> None:
    """Have glibc keep what a step frees for the next one, instead of giving it back to the system
    and clearing fresh pages every time; nothing happens under another C library."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # names of malloc.h
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**25)  # the most it takes


def over_images(work: Callable[[int, int], None], images: int) -> None:
    """Call work(first, last) on torch's number of threads; C code runs at the same time."""
    threads = min(images, torch.get_num_threads())
    if threads == 1:
        work(0, images)
        return
    bounds = [images * i // threads for i in range(threads + 1)]
    list(_pool(threads).map(work, bounds[:-1], bounds[1:]))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
