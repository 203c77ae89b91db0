# Images and masks.


rule data:
    input:
        receipts_of("data"),
        files=ancient(files_of("data")),
    output:
        **STAGES["data"].outputs(),
    log:
        "results/logs/data/{dataset}.log",
    threads: decoders
    resources:
        runtime=minutes("data"),
        mem_mb=memory("data"),
    params:
        slice=slice_of("data"),
    message:
        "fetch and split {wildcards.dataset}"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"


rule bank:
    input:
        receipts_of("bank"),
        files=ancient(files_of("bank")),
    output:
        **STAGES["bank"].outputs(),
    log:
        "results/logs/bank/{dataset}-{family}-{shard}.log",
    threads: 1
    resources:
        runtime=minutes("bank"),
        mem_mb=memory("bank"),
    params:
        slice=slice_of("bank"),
    message:
        "training masks {wildcards.family}, shard {wildcards.shard} ({wildcards.dataset})"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"


rule holes:
    input:
        receipts_of("holes"),
        files=ancient(files_of("holes")),
    output:
        **STAGES["holes"].outputs(),
    log:
        "results/logs/holes/{dataset}-{mask}.log",
    threads: 1
    resources:
        runtime=minutes("holes"),
        mem_mb=memory("holes"),
    params:
        slice=slice_of("holes"),
    message:
        "test masks {wildcards.mask} ({wildcards.dataset})"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"
