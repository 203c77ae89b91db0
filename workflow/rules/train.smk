# Trainings: base network, RAD and its ablation variants, LaMa.


rule base:
    input:
        receipts_of("base"),
        files=ancient(files_of("base")),
    output:
        **STAGES["base"].outputs(),
    log:
        "results/logs/base/{dataset}.log",
    threads: SETTINGS.resources.train_threads
    resources:
        runtime=minutes("base"),
        mem_mb=memory("base"),
        gpu=gpu("base"),
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
    threads: SETTINGS.resources.train_threads
    resources:
        runtime=minutes("rad"),
        mem_mb=memory("rad"),
        gpu=gpu("rad"),
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
    threads: SETTINGS.resources.train_threads
    resources:
        runtime=minutes("lama"),
        mem_mb=memory("lama"),
        gpu=gpu("lama"),
    params:
        slice=slice_of("lama"),
    message:
        "LaMa ({wildcards.dataset})"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"
