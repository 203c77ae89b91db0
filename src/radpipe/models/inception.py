"""pytorch-fid's InceptionV3, the network of FID and KID."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from radpipe.errors import UserError
from radpipe.files import sha256
from radpipe.lazy import torch
from radpipe.torchvision_compat import ensure_torchvision

if TYPE_CHECKING:
    from torch import nn

ASSET = "inception-fid"  # the download that holds the weights
SIDE = 299  # pixels that the network itself brings images to
# the start of the sha256 of pytorch-fid's weights, from their file name
SHA256 = "6726825d"


def inception(weights: Path, device: str) -> nn.Module:
    """The network: `[B, 3, H, W]` in [0, 1] -> a list of one map, `[B, 2048, 1, 1]` (pool3).

    Args:
        weights: pytorch-fid's file.
        device: where the network lies.

    Raises:
        UserError: the file is another one.
    """
    found = sha256(weights)
    if not found.startswith(SHA256):
        raise UserError(
            f"wrong checksum: expected a sha256 that starts with {SHA256}, found {found}",
            str(weights),
            "delete the file; the next run fetches it again",
        )
    ensure_torchvision()
    from pytorch_fid import inception as package

    state = torch.load(weights, map_location="cpu", weights_only=True)
    # pytorch-fid downloads its weights while building the network: hand it ours instead
    download = package.load_state_dict_from_url
    package.load_state_dict_from_url = lambda *_, **__: state
    try:
        with torch.random.fork_rng(devices=[]):
            net: nn.Module = package.InceptionV3().eval()
    finally:
        package.load_state_dict_from_url = download
    return net.to(device)
