"""Let torchvision be imported beside a torch build that its compiled library was not made for.

PyPI's torchvision wheel does not load its library next to a CPU-only torch, and then even
`import torchvision` fails, because its Python code looks up two operators that the library
would have declared. lpips, pytorch-fid and peft (through transformers) import torchvision,
yet none of them calls those operators: declaring them is enough.
"""

from __future__ import annotations

import importlib.util
import logging
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from radpipe.lazy import torch

log = logging.getLogger(__name__)

OPERATORS = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@lru_cache(maxsize=1)
def ensure_torchvision() -> torch.library.Library | None:
    """Call before the first import of torchvision, lpips, pytorch_fid or peft.

    Later calls cost nothing.

    Returns:
        The library that declares the operators, kept alive by the cache; None where nothing
        had to be declared (no torchvision, or its own library loads).
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or _declared() or _library_loads(list(spec.submodule_search_locations or [])):
        return None
    log.debug("torchvision's compiled library cannot be loaded: declaring %s", OPERATORS)
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        library.define(name + SCHEMA)
    return library


def _declared() -> bool:
    return all(hasattr(torch.ops.torchvision, name) for name in OPERATORS)


def _library_loads(folders: list[str]) -> bool:
    """Load torchvision's `_C`, as torchvision itself would."""
    for folder in folders:
        for suffix in EXTENSION_SUFFIXES:
            path = Path(folder, f"_C{suffix}")
            if path.is_file():
                try:
                    torch.ops.load_library(str(path))
                except (ImportError, OSError):
                    return False
                return _declared()
    return False
