# Trainings: base network, RAD and its ablation variants, LaMa.
#
# A training with several processes starts itself anew under `accelerate launch`
# (src/radpipe/launch.py); its batch is split over them. How changes the result by the order of
# sums only, and, in a network with dropout, by what is dropped. LaMa's training is one process:
# its layers use the statistics of the whole batch.
#
# Trainings come before sampling, the longest first: `priority`.
#
# R stands for results/checkpoints/ffhq/rad/default/receipt.json; the settings are those of
# `resources` in params.yaml, here in its `overrides.paper`.
#
# 1 GPU, processes: 1
#   snakemake --cores all --resources gpu=1 -- $R
# 8 GPUs of this machine, processes: 8
#   snakemake --cores all --resources gpu=8 -- $R
# 8 GPUs of a cluster's node, processes: 8
#   snakemake --workflow-profile workflow/profiles/slurm -- $R
# 2 nodes of 8 GPUs, processes: 16, nodes: 2 (run by tests/slurm on two nodes without GPUs only)
#   snakemake --workflow-profile workflow/profiles/slurm -- $R


use rule job as base with:
    input:
        receipts("base"),  # data, unless public weights are taken
        slice=slice_of("base"),
        files=ancient(files_of("base")),
    output:
        receipt="results/checkpoints/{dataset}/base/receipt.json",
        weights="results/checkpoints/{dataset}/base/model.safetensors",
        loss="results/checkpoints/{dataset}/base/loss.csv",
    log:
        "results/logs/base/{dataset}.log",
    priority: 40
    threads: training_threads("base")
    resources:
        runtime=minutes("base"),
        mem_mb=memory("base"),
        gpu=training_gpus("base"),
        nodes=training_nodes("base"),
        tasks=training_tasks("base"),
    message:
        "base network of {wildcards.dataset}"


use rule job as rad with:
    input:
        slice=slice_of("rad"),
        data="results/data/{dataset}/receipt.json",
        base="results/checkpoints/{dataset}/base/receipt.json",
        bank=receipts("rad", "bank"),  # its shards, or those of a variant with masks of its own
        files=ancient(files_of("rad")),
    output:
        receipt="results/checkpoints/{dataset}/rad/{variant}/receipt.json",
        adapter="results/checkpoints/{dataset}/rad/{variant}/adapter/adapter_model.safetensors",
        config="results/checkpoints/{dataset}/rad/{variant}/adapter/adapter_config.json",
        loss="results/checkpoints/{dataset}/rad/{variant}/loss.csv",
    log:
        "results/logs/rad/{dataset}-{variant}.log",
    priority: 20
    threads: training_threads("rad")
    resources:
        runtime=minutes("rad"),
        mem_mb=memory("rad"),
        gpu=training_gpus("rad"),
        nodes=training_nodes("rad"),
        tasks=training_tasks("rad"),
    message:
        "RAD {wildcards.variant} ({wildcards.dataset})"


use rule job as lama with:
    input:
        receipts("lama"),  # data, unless public weights are taken
        slice=slice_of("lama"),
        files=ancient(files_of("lama")),
    output:
        receipt="results/checkpoints/{dataset}/lama/receipt.json",
        weights="results/checkpoints/{dataset}/lama/generator.weights",
        loss="results/checkpoints/{dataset}/lama/loss.csv",
    log:
        "results/logs/lama/{dataset}.log",
    priority: 30
    threads: training_threads("lama")
    resources:
        runtime=minutes("lama"),
        mem_mb=memory("lama"),
        gpu=gpu,
    message:
        "LaMa ({wildcards.dataset})"
