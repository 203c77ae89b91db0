"""A network in the layout of the authors' file that does predict noise, without any training.

On grey pictures the noisy hole is nothing but scaled noise, which group normalisation scales back:
conv_in puts x and -x into channels, the last block hands them on, and the output layer undoes the
hole's share of the image. One more channel is an alarm: the attention in the middle and the time
MLP write into it if they are read in another way than `reading`, and then the output is spoilt.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.models.adm_config import AdmConfig
from radpipe.models.authors import PUBLISHED, Reading
from radpipe.models.checkpoints import empty
from radpipe.models.diffusers import LAYERS, modules_of
from radpipe.models.judge import LEVELS
from radpipe.models.noise_embedding import sinusoidal

MICRO = AdmConfig(
    image_size=16,
    model_channels=32,
    num_res_blocks=1,
    channel_mult=(1, 1),
    attention_resolutions=(2,),
    num_head_channels=8,
)
SHARE = 0.25  # of the image that is hole
ADAPTED = ("conv1", "conv2", "to_q", "to_k", "to_v", "to_out.0", "conv_in", "conv_out")


def network(config: AdmConfig, reading: Reading = PUBLISHED) -> dict[str, Tensor]:
    """ADM's state dict of the network described above, right in one reading only."""
    generator = torch.Generator().manual_seed(0)
    shapes = {name: w.shape for name, w in empty(config).state_dict().items()}
    state = {name: torch.zeros(shape) for name, shape in shapes.items()}
    for name in state:
        if (".norm." in name or "layers.0." in name or "out.0" in name) and name.endswith("weight"):
            state[name] += 1
    group = shapes["out.0.weight"][0] // 32
    lifted, alarm = 6 * group, slice(31 * group, 32 * group)
    # 1. x, -x of each colour into a group of channels each; the network's end undoes it.
    for channel in range(lifted):
        colour, sign = channel // group // 2, 1 - 2 * (channel // group % 2)
        state["input_blocks.0.0.weight"][channel, colour, 1, 1] = sign
        state["out.2.weight"][colour, channel, 1, 1] = sign * SHARE**0.5 / group
    state["out.2.weight"][:3, alarm, 1, 1] = 3
    # 2. Down: everything as it is. Up: the alarm; in the last block also what conv_in made.
    for name in (n for n in state if n.endswith("skip_connection.weight")):
        if name.startswith("input"):
            torch.nn.init.dirac_(state[name])
        else:
            state[name][alarm, alarm, 0, 0] = torch.eye(group)
    last = f"output_blocks.{len(config.channel_mult) * (config.num_res_blocks + 1) - 1}.0"
    for channel in range(lifted):
        skip = shapes[f"{last}.skip_connection.weight"][1] - shapes["out.0.weight"][0]
        state[f"{last}.skip_connection.weight"][channel, skip + channel] = 1
    # 3. Attention: the first head alone speaks; it has no values in the right order of rows, and
    #    in the other one the rows of queries or keys in their place.
    qkv, head = state["middle_block.1.qkv.weight"], config.num_head_channels
    qkv[:, :lifted] = 3 * torch.randn(len(qkv), lifted, 1, generator=generator)
    first = 2 * qkv.shape[1] if reading.new_order else 2 * head
    qkv[first : first + head] = 0
    state["middle_block.1.proj_out.weight"][alarm, :head] = 1
    # 4. Time: nothing where the hole's and the known times are right.
    state["time_embed.0.weight"][0] = _sensor(reading, config.model_channels)
    state["time_embed.2.weight"][0, 0] = 1
    state[f"{last}.emb_layers.1.weight"][shapes["out.0.weight"][0], 0] = 1  # shift of channel 0
    state[f"{last}.out_layers.3.weight"][alarm, 0, 1, 1] = 1
    return state


def _sensor(reading: Reading, channels: int) -> Tensor:
    """Weights that make 0 of the times of a reading and 4 of any other's."""
    b_bar = 1 - TwoPhaseSchedule().alpha_bar_scalar[list(LEVELS)]
    hole = {"t + 1": torch.tensor(LEVELS), "t": torch.tensor(LEVELS) - 1.0}
    hole |= {"1 - alpha_bar": b_bar, "1000 (1 - alpha_bar)": 1000 * b_bar}
    known = torch.tensor([-1.0 if reading.times == "t" else 0.0])
    others = torch.stack([times[-1] for name, times in hole.items() if name != reading.times])
    right = torch.cat([hole[reading.times], known])
    features = sinusoidal(torch.cat([right, others]), channels).double()
    wanted = torch.tensor([0.0] * len(right) + [4.0] * len(others), dtype=torch.float64)
    return torch.linalg.lstsq(features, wanted[:, None], driver="gelsd").solution[:, 0].float()


def diffusers_layout(state: dict[str, Tensor], config: AdmConfig) -> dict[str, Tensor]:
    """An ADM state dict under the names of *diffusers*; q, k and v are thirds of the rows."""
    modules = {adm: name for name, adm in modules_of(config).items()}
    layers = {adm: name for name, adm in LAYERS.items()}
    found = {}
    for name, tensor in state.items():
        path, _, kind = name.rpartition(".")
        parents = (path, path.rsplit(".", 1)[0], path.rsplit(".", 2)[0])
        module = next(parent for parent in parents if parent in modules)
        layer = path[len(module) + 1 :]
        if layer in ("qkv", "proj_out") and kind == "weight":
            tensor = tensor[..., 0]
        names = ["to_q", "to_k", "to_v"] if layer == "qkv" else [layers.get(layer, "")]
        for part, own in zip(tensor.chunk(len(names)), names, strict=True):
            found[".".join(filter(None, (modules[module], own, kind)))] = part.contiguous()
    return found


def authors_layout(state: dict[str, Tensor], config: AdmConfig, rank: int) -> dict[str, Tensor]:
    """The same with LoRA taken out of each adapted weight, time layers as 1x1 convolutions."""
    generator, found = torch.Generator().manual_seed(1), {}
    for name, tensor in diffusers_layout(state, config).items():
        layer, _, kind = name.rpartition(".")
        if layer.endswith(ADAPTED):
            if kind == "weight":
                a = torch.randn(rank, *tensor.shape[1:], generator=generator) / rank
                b = torch.randn(len(tensor), rank, *[1] * (tensor.ndim - 2), generator=generator)
                b /= 100
                found[f"{layer}.lora_A.default.weight"] = a
                found[f"{layer}.lora_B.default.weight"] = b
                tensor = tensor - (b.flatten(1) @ a.flatten(1)).reshape(tensor.shape)
            name = f"{layer}.base_layer.{kind}"
        elif kind == "weight" and ("time_embedding" in layer or "time_emb_proj" in layer):
            tensor = tensor[..., None, None]
        found[name] = tensor.contiguous()
    return found


def write(path: Path, config: AdmConfig, rank: int, reading: Reading = PUBLISHED) -> Path:
    """A file in the authors' layout."""
    tensors = authors_layout(network(config, reading), config, rank)
    save_file(tensors, path, {"format": "pt"})
    return path


def grey(count: int, size: int) -> Tensor:
    """Pictures `[B, 3, H, W]` that the network knows."""
    return 0.01 * torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(2))
