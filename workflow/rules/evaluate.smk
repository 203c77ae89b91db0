# Scores of every cell, and the timing of every method.


use rule job as reference with:
    input:
        slice=slice_of("reference"),
        data="results/data/{dataset}/receipt.json",
        files=ancient(files_of("reference")),
    output:
        receipt="results/metrics/{dataset}/reference/receipt.json",
        features="results/metrics/{dataset}/reference/features.npz",
    log:
        "results/logs/reference/{dataset}.log",
    threads: decoders
    resources:
        runtime=minutes("reference"),
        mem_mb=memory("reference"),
        gpu=gpu,
    message:
        "reference statistics of {wildcards.dataset}"


use rule job as evaluate with:
    input:
        slice=slice_of("evaluate"),
        data="results/data/{dataset}/receipt.json",
        holes="results/masks/{dataset}/{mask}/receipt.json",
        reference="results/metrics/{dataset}/reference/receipt.json",
        samples=receipts("evaluate", "sample"),  # the cell's shards; of the truth none
        files=ancient(files_of("evaluate")),
    output:
        receipt="results/metrics/{dataset}/{method}/{mask}/receipt.json",
        features="results/metrics/{dataset}/{method}/{mask}/features.npz",
        scores="results/metrics/{dataset}/{method}/{mask}/scores.csv",
        metrics="results/metrics/{dataset}/{method}/{mask}/metrics.json",
    log:
        "results/logs/evaluate/{dataset}-{method}-{mask}.log",
    resources:
        runtime=minutes("evaluate"),
        mem_mb=memory("evaluate"),
        gpu=gpu,
    message:
        "scores of {wildcards.method} on {wildcards.mask} ({wildcards.dataset})"


use rule job as timing with:
    input:
        slice=slice_of("timing"),
        receipts=receipts("timing"),  # data, the holes that it fills, networks
        files=ancient(files_of("timing")),
    output:
        receipt="results/timing/{dataset}/{method}/receipt.json",
        seconds="results/timing/{dataset}/{method}/timing.csv",
    log:
        "results/logs/timing/{dataset}-{method}.log",
    threads: whole_machine
    resources:
        runtime=minutes("timing"),
        mem_mb=memory("timing"),
        gpu=gpu,
    message:
        "times {wildcards.method} on {wildcards.dataset}, alone"


use rule job as gaussian with:
    input:
        slice=slice_of("gaussian"),
    output:
        receipt="results/metrics/gaussian/receipt.json",
        errors="results/metrics/gaussian/gaussian.csv",
    log:
        "results/logs/gaussian.log",
    resources:
        runtime=minutes("gaussian"),
        mem_mb=memory("gaussian"),
    message:
        "every method against the closed form on Gaussian data"
