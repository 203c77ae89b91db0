"""Networks in diffusers' layout under ADM's names."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

import madeup
from radpipe.errors import UserError
from radpipe.models import diffusers
from radpipe.models.checkpoints import FFHQ256, IMAGENET256, empty


def test_a_conversion_is_the_network_it_was_made_of(small_net, batch, tmp_path):
    """Three resolutions, attention at two of them; thirds of the legacy rows."""
    x, _, times = batch
    save_file(madeup.diffusers_layout(small_net.state_dict(), small_net.config), tmp_path / "f")
    found = diffusers.load(tmp_path / "f", small_net.config)
    assert torch.equal(found(x, times), small_net(x, times))


def test_another_architecture_is_refused(small_net, tmp_path):
    save_file(madeup.diffusers_layout(small_net.state_dict(), small_net.config), tmp_path / "f")
    with pytest.raises(UserError, match=r"does not fit: `time_embed.0.weight` is \[128, 32\]"):
        diffusers.load(tmp_path / "f", FFHQ256)


@pytest.mark.parametrize(
    ("config", "theirs", "adms"),
    [
        (FFHQ256, "down_blocks.4.attentions.0.to_out.0.bias", "input_blocks.9.1.proj_out.bias"),
        (FFHQ256, "down_blocks.1.downsamplers.0.conv1.bias", "input_blocks.4.0.in_layers.2.bias"),
        (FFHQ256, "up_blocks.1.upsamplers.0.norm2.bias", "output_blocks.3.2.out_layers.0.bias"),
        (FFHQ256, "up_blocks.2.upsamplers.0.norm2.bias", "output_blocks.5.1.out_layers.0.bias"),
        (FFHQ256, "mid_block.resnets.1.norm1.weight", "middle_block.2.in_layers.0.weight"),
        (FFHQ256, "time_embedding.linear_2.bias", "time_embed.2.bias"),
        (FFHQ256, "conv_out.bias", "out.2.bias"),
        (IMAGENET256, "down_blocks.3.resnets.1.conv2.bias", "input_blocks.11.0.out_layers.3.bias"),
        (IMAGENET256, "up_blocks.2.attentions.2.to_q.bias", "output_blocks.8.1.qkv.bias"),
        (IMAGENET256, "up_blocks.5.resnets.0.conv_shortcut.bias",
         "output_blocks.15.0.skip_connection.bias"),
    ],
)  # fmt: skip
def test_names_written_out(config, theirs, adms):
    assert list(diffusers.to_adm({theirs: torch.zeros(1)}, config)) == [adms]
    assert adms in empty(config).state_dict()
