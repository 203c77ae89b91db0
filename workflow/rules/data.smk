# Images and masks.


use rule job as data with:
    input:
        slice=slice_of("data"),
    output:
        receipt="results/data/{dataset}/receipt.json",
        images=multiext("results/data/{dataset}/", "train.zip", "val.zip", "test.zip"),
        manifest="results/data/{dataset}/manifest.csv",
    log:
        "results/logs/data/{dataset}.log",
    threads: all_cores
    resources:
        runtime=minutes("data"),
        mem_mb=memory("data"),
    message:
        "fetch and split {wildcards.dataset}"


use rule job as bank with:
    input:
        slice=slice_of("bank"),
    output:
        receipt="results/masks/{dataset}/bank/{variant}/{shard}.json",
        masks="results/masks/{dataset}/bank/{variant}/{shard}.npz",
    log:
        "results/logs/bank/{dataset}-{variant}-{shard}.log",
    resources:
        runtime=minutes("bank"),
        mem_mb=memory("bank"),
    message:
        "training masks {wildcards.variant}, shard {wildcards.shard} ({wildcards.dataset})"


use rule job as holes with:
    input:
        slice=slice_of("holes"),
        data="results/data/{dataset}/receipt.json",
        files=ancient(files_of("holes")),
    output:
        receipt="results/masks/{dataset}/{mask}/receipt.json",
        masks="results/masks/{dataset}/{mask}/holes.zip",
    log:
        "results/logs/holes/{dataset}-{mask}.log",
    resources:
        runtime=minutes("holes"),
        mem_mb=memory("holes"),
    message:
        "test masks {wildcards.mask} ({wildcards.dataset})"
