"""RePaint at its official budget beside RePaint as in params.yaml."""

from __future__ import annotations

from radpipe.ablations.official import ABLATION
from radpipe.report.ablation import ablation_table

KEYS, CAPTION, needs, build = ablation_table("official", ABLATION)
