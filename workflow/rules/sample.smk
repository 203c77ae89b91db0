# Inpainting: one job per cell (data set, method, masks) and shard.


use rule job as sample with:
    input:
        slice=slice_of("sample"),
        receipts=receipts("sample"),  # data, holes; RAD: base and adapter; LaMa: its own
        files=ancient(files_of("sample")),
    output:
        receipt="results/samples/{dataset}/{method}/{mask}/{shard}.json",
        images="results/samples/{dataset}/{method}/{mask}/{shard}.zip",
        rest="results/samples/{dataset}/{method}/{mask}/{shard}.rest.zip",
        seconds="results/samples/{dataset}/{method}/{mask}/{shard}.csv",
    log:
        "results/logs/sample/{dataset}-{method}-{mask}-{shard}.log",
    resources:
        runtime=minutes("sample"),
        mem_mb=memory("sample"),
        gpu=gpu,
    message:
        "{wildcards.method} inpaints {wildcards.mask}, shard {wildcards.shard} ({wildcards.dataset})"


# a few holes, each filled several times, and the reverse process as an animation
use rule job as draws with:
    input:
        slice=slice_of("draws"),
        receipts=receipts("draws"),  # data, holes of every family, base and adapter
        files=ancient(files_of("draws")),
    output:
        receipt="results/draws/{dataset}/receipt.json",
        images="results/draws/{dataset}/draws.zip",
        animation="results/draws/{dataset}/reverse.gif",
    log:
        "results/logs/draws/{dataset}.log",
    resources:
        runtime=minutes("draws"),
        mem_mb=memory("draws"),
        gpu=gpu,
    message:
        "several answers of RAD ({wildcards.dataset})"
