"""How large the adapter must be; its alpha follows the rank."""

from __future__ import annotations

from radpipe.ablations.lora_rank import ABLATION
from radpipe.report.ablation import ablation_table

KEYS, CAPTION, needs, build = ablation_table("lora_rank", ABLATION)
