# Inpainting: one job per cell (data set, method, masks) and shard.


rule sample:
    input:
        receipts_of("sample"),
        files=ancient(files_of("sample")),
    output:
        **STAGES["sample"].outputs(),
    log:
        "results/logs/sample/{dataset}-{method}-{mask}-{shard}.log",
    threads: 1
    resources:
        runtime=minutes("sample"),
        mem_mb=memory("sample"),
        gpu=gpu,
    params:
        slice=slice_of("sample"),
    message:
        "{wildcards.method} inpaints {wildcards.mask}, shard {wildcards.shard} ({wildcards.dataset})"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"
