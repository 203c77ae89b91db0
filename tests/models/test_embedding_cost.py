"""The benchmark measures what it says (memory only: seconds depend on the machine's load)."""

from __future__ import annotations

from radpipe.bench.embedding import FORMS, compare
from radpipe.models.adm_config import AdmConfig


def test_rows_and_memory():
    """The dense form holds a map of 128 float32 channels; the low-rank form holds none."""
    config = AdmConfig(
        image_size=256,
        model_channels=32,
        num_res_blocks=1,
        channel_mult=(1, 1, 1, 1, 1),
        attention_resolutions=(),
        num_head_channels=32,
    )
    rows = {row["form"]: row for row in compare(config, batch=1, repeats=1)}
    assert list(rows) == list(FORMS)
    assert rows["scalar"]["ratio"] == rows["scalar"]["peak_ratio"] == 1
    map_mib = 128 * 256 * 256 * 4 / 2**20
    rise = {form: row["activations_mib"] for form, row in rows.items()}
    assert rise["dense"] - rise["scalar"] > map_mib
    assert rise["low-rank"] - rise["scalar"] < map_mib / 4
