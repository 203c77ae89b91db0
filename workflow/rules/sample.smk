# Inpainting: one job per cell (data set, method, masks) and shard.


use rule job as sample with:
    input:
        slice=slice_of("sample"),
        receipts=receipts("sample"),  # data, holes; RAD: base and adapter; LaMa: its own
        files=ancient(files_of("sample")),
    output:
        receipt="results/samples/{dataset}/{method}/{mask}/{shard}.json",
        images="results/samples/{dataset}/{method}/{mask}/{shard}.zip",
        seconds="results/samples/{dataset}/{method}/{mask}/{shard}.csv",
    log:
        "results/logs/sample/{dataset}-{method}-{mask}-{shard}.log",
    resources:
        runtime=minutes("sample"),
        mem_mb=memory("sample"),
        gpu=gpu,
    message:
        "{wildcards.method} inpaints {wildcards.mask}, shard {wildcards.shard} ({wildcards.dataset})"
