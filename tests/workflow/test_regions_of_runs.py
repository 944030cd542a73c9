"""The user's regions in a whole run: what is written, how it agrees, and that it ends there."""

import gzip

from projects import DATASETS
from reruns import NEW, own_regions
from test_run import files_below, read_rows

from motifloom.provenance import read_checksums

NAMES = [row[0] for row in DATASETS]
EXPECTED = {"phased/haplotypes.tsv", "phased/haplotypes.safetensors", "phased/counts.tsv"}
EXPECTED |= {f"{name}.tsv" for name in NAMES}
EXPECTED |= {f"haplotypes/{name}.tsv" for name in NAMES}
EXPECTED |= {f"mutagenesis/{name}.tsv.gz" for name in NAMES}
EXPECTED |= {f"mutagenesis/drawn/{name}/{number}.svg" for name in NAMES for number in (1, 2)}


def test_regions_are_scored_in_a_run(copy):
    own_regions(copy)
    result = copy.run()
    assert result.returncode == 0, result.output
    folder = copy.results / "regions/mine"
    assert files_below(folder) == EXPECTED
    listed = {f"regions/mine/{name}" for name in EXPECTED}
    assert listed <= read_checksums(copy.results / "checksums.sha256").keys()

    regions = read_rows(folder / "GATA1.tsv")
    assert [row["name"] for row in regions] == ["first", "second"]
    haplotypes = read_rows(folder / "haplotypes/GATA1.tsv")
    assert [row["n_carriers"] for row in haplotypes] == ["1", "3", "4"]
    by_interval = {row["interval"]: row for row in haplotypes if row["haplotype"] == "0"}
    for row in regions:
        same = ("score", "best")
        assert [row[key] for key in same] == [by_interval[row["interval"]][key] for key in same]
    with gzip.open(folder / "mutagenesis/GATA1.tsv.gz", "rt") as stream:
        assert len(stream.readlines()) == 1 + 3 * (60 + 20)

    assert copy.plan().jobs == set()
    copy.datasets.append(NEW)
    jobs = copy.plan().jobs
    rules = ("score_regions", "score_haplotypes", "mutate_regions")
    assert {f"{rule} mine NEW" for rule in rules} <= jobs
    assert not {job for job in jobs if " mine " in job and not job.endswith(" NEW")}


def test_regions_need_a_genome(project):
    own_regions(project)
    project.config["genome"] = {}
    project.datasets = [row for row in project.datasets if row[2] == "sequences"]
    project.config["multitask"] = {"datasets": []}
    project.config["splits"] = {}
    assert "genome: fasta is not set, but regions need a genome" in project.plan().output


def test_regions_need_a_dataset_of_dna(project):
    own_regions(project)
    project.datasets = [(*project.datasets[3][:5], "rna", "score", "")]
    project.config["multitask"] = {"datasets": []}
    project.config["splits"] = {}
    assert "regions: no dataset is of DNA" in project.plan().output


def test_an_unknown_key_of_a_region_is_refused(project):
    project.config["regions"] = {"mine": {"bed": "mine.bed", "vcf": "mine.vcf"}}
    result = project.plan()
    assert result.returncode != 0
    assert "config: regions: mine" in result.output and "'vcf'" in result.output
