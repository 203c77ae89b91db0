# Trainings: base network, RAD and its ablation variants, LaMa.
#
# A training with several processes starts itself anew under `accelerate launch`
# (src/radpipe/launch.py); its batch is split over them. How changes the result by the order of
# sums only, and, in a network with dropout, by what is dropped. LaMa's training is one process:
# its layers use the statistics of the whole batch.
# R stands for results/checkpoints/ffhq/rad/default/receipt.json; the settings are those of
# `resources` in params.yaml, here in its `overrides.paper`.
#
# 1 GPU, processes: 1
#   snakemake --cores all --resources gpu=1 -- $R
# 8 GPUs of this machine, processes: 8
#   snakemake --cores all --resources gpu=8 -- $R
# 8 GPUs of a cluster's node, processes: 8
#   snakemake --workflow-profile workflow/profiles/slurm -- $R
# 2 nodes of 8 GPUs, processes: 16, nodes: 2 (never run: no such cluster was at hand)
#   snakemake --workflow-profile workflow/profiles/slurm -- $R


rule base:
    input:
        receipts_of("base"),
        files=ancient(files_of("base")),
    output:
        **STAGES["base"].outputs(),
    log:
        "results/logs/base/{dataset}.log",
    threads: training_threads
    resources:
        runtime=minutes("base"),
        mem_mb=memory("base"),
        gpu=training_gpus,
        nodes=training_nodes,
    params:
        slice=slice_of("base"),
    message:
        "base network of {wildcards.dataset}"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"


rule rad:
    input:
        receipts_of("rad"),
        files=ancient(files_of("rad")),
    output:
        **STAGES["rad"].outputs(),
    log:
        "results/logs/rad/{dataset}-{variant}.log",
    threads: training_threads
    resources:
        runtime=minutes("rad"),
        mem_mb=memory("rad"),
        gpu=training_gpus,
        nodes=training_nodes,
    params:
        slice=slice_of("rad"),
    message:
        "RAD {wildcards.variant} ({wildcards.dataset})"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"


rule lama:
    input:
        receipts_of("lama"),
        files=ancient(files_of("lama")),
    output:
        **STAGES["lama"].outputs(),
    log:
        "results/logs/lama/{dataset}.log",
    threads: lambda wildcards: machine(wildcards).train_threads
    resources:
        runtime=minutes("lama"),
        mem_mb=memory("lama"),
        gpu=gpu,
    params:
        slice=slice_of("lama"),
    message:
        "LaMa ({wildcards.dataset})"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"
