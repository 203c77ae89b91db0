"""The architecture of an ADM U-Net as plain values, without torch: plans and settings load fast."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from radpipe.errors import UserError


@dataclass(frozen=True)
class AdmConfig:
    """Architecture of an ADM U-Net, as it is stored in our checkpoints.

    Attributes:
        image_size: side of the images it was trained on, pixels (other sizes run, too).
        model_channels: channels of the first resolution are this times channel_mult[0].
        num_res_blocks: residual blocks per resolution.
        channel_mult: one multiple per resolution, each half as large as the one before.
        attention_resolutions: DOWNSAMPLING FACTORS at which attention follows a residual block
            (256 pixels with attention at 16 pixels: 16).
        num_head_channels: channels of an attention head.
        in_channels: of the image.
        out_channels: twice in_channels when the network also predicts the variance.
        resblock_updown, use_scale_shift_norm: only True is supported, which all public networks
            have; kept so that their descriptions fit.
        dropout: rate inside residual blocks while training.
        use_new_attention_order: split q, k, v before the heads; the public checkpoints do not.
        norm_eps: added to the variances of group normalisation; ADM's is 1e-5.
    """

    image_size: int
    model_channels: int
    num_res_blocks: int
    channel_mult: tuple[int, ...]
    attention_resolutions: tuple[int, ...]
    num_head_channels: int
    in_channels: int = 3
    out_channels: int = 6
    resblock_updown: bool = True
    use_scale_shift_norm: bool = True
    dropout: float = 0.0
    use_new_attention_order: bool = False
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("resblock_updown", "use_scale_shift_norm"):
            if not getattr(self, name):
                raise UserError(
                    f"an ADM network without `{name}` is not supported",
                    f"{name}: false",
                    f"use a network that was trained with {name}",
                )
        for level, multiple in enumerate(self.channel_mult):
            width = multiple * self.model_channels
            if 2**level in self.attention_resolutions and width % self.num_head_channels:
                raise UserError(
                    f"{width} channels cannot be split into heads of {self.num_head_channels}",
                    f"attention at 1/{2**level} of the image size",
                    f"choose head channels that divide {width}",
                )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AdmConfig:
        """The reverse of `dataclasses.asdict`, also by way of JSON.

        Raises:
            UserError: for unknown or missing entries.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise UserError(f"unknown entry `{unknown[0]}` in a description of an ADM network")
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        try:
            return cls(**plain)
        except TypeError as error:
            raise UserError(f"incomplete description of an ADM network: {error}") from None
