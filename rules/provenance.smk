# What the run was made of, and the digests of all that it made.


rule write_provenance:
    input:
        # Everything else is made before one of these, or together with it.
        results=[
            str(rules.write_report.output.page),
            *ATTRIBUTIONS,
            *SCORES,
            *VARIANTS,
            *TRACKS,
            *REGIONS,
            *SHARED,
        ],
        given=named_files(),
    output:
        provenance=f"{RESULTS}/provenance.json",
        checksums=f"{RESULTS}/checksums.sha256",
    log:
        f"{LOGS}/write_provenance.log",
    benchmark:
        f"{BENCHMARKS}/write_provenance.tsv"
    conda:
        "../envs/data.yaml"
    # As many as the largest job, to see how many of them the machine or --cores allows.
    threads: max(config["threads"].values())
    resources:
        mem_mb=grown(1000),
        runtime=60,
    params:
        run=lambda wildcards: {
            "config": config,
            "sheet": list(DATASETS.values()),
            "tables": tables(
                config["datasets"],
                config["downloads"],
                config["genome"]["sequences"],
                config["genome"]["chromosome_aliases"],
            ),
            "made": made_files(),
            "simulated": [
                str(path)
                for rule in (rules.simulate_example, rules.simulate_variants)
                for path in rule.output
            ],
            "source": SOURCE,
        },
        library=library("write_provenance.py"),
    script:
        "../workflow_scripts/write_provenance.py"
