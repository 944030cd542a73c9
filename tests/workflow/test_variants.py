"""A VCF of the tiny project's genome, annotated by its models."""

import gzip

import pysam
import pytest
from projects import DATASETS

HEAD = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone\n"
DNA = [row[0] for row in DATASETS]
MULTITASK = ["GATA1", "SPI1.rep-2+b"]


def write_variants(project, chromosome=str):
    """Substitutions, a deletion and an insertion on chr1, and two alleles that are not scored."""
    lines = (project.folder / "data/genome.fa").read_text(encoding="ascii").splitlines()
    genome = lines[1]
    rows = []
    for pos in range(5000, 5200, 10):
        ref = genome[pos - 1]
        rows.append((pos, ref, "ACGT"[("ACGT".index(ref) + 1) % 4]))
    rows.append((6000, genome[5999:6005], genome[5999]))
    rows.append((6100, genome[6099], f"{genome[6099]}ACG,<DEL>"))
    rows.append((6200, "N", "A"))
    text = "".join(
        f"{chromosome('chr1')}\t{pos}\t.\t{ref}\t{alt}\t.\tPASS\t.\tGT:DP\t0/1:{pos}\n"
        for pos, ref, alt in rows
    )
    (project.folder / "mine.vcf").write_text(HEAD + text, encoding="ascii")
    project.config["variants"] = {"files": {"mine": "mine.vcf"}, "null_variants": 50}
    return len(rows)


def test_variants_are_annotated_without_training_again(copy):
    n_records = write_variants(copy)
    planned = copy.plan().jobs - {"write_report", "write_provenance", "all"}
    assert planned == {f"annotate_variants mine {model}" for model in ("deepbind", "danq")}
    result = copy.run()
    assert result.returncode == 0, result.output
    folder = copy.results / "variants/mine"
    for model, targets in (("deepbind", DNA), ("danq", MULTITASK)):
        rows = gzip.decompress((folder / f"{model}.tsv.gz").read_bytes()).decode().splitlines()
        assert len(rows) == 1 + (n_records - 1) * len(targets)
        assert [row.split("\t")[5] for row in rows[1 : 1 + len(targets)]] == targets
        with pysam.VariantFile(str(folder / f"{model}.vcf.gz")) as annotated:
            found = list(annotated.fetch("chr1", 5999, 6000))
            assert [record.pos for record in found] == [6000]
            assert len(found[0].info[f"MOTIFLOOM_{model}"]) == len(targets)
            assert str(found[0]).endswith("\tGT:DP\t0/1:6000\n")
        with pysam.TabixFile(str(folder / f"{model}.tsv.gz")) as table:
            assert len(list(table.fetch("chr1", 5999, 6000))) == len(targets)
        skipped = (folder / f"{model}.skipped.tsv").read_text().splitlines()
        assert [row.split("\t")[4] for row in skipped[1:]] == ["<DEL>", "A"]
        top = (folder / f"{model}.top.tsv").read_text().splitlines()
        assert {f"#{top[0]}", *top[1:]} <= set(rows) and len(top) > 1
    page = (copy.results / "report.html").read_text(encoding="utf-8")
    assert page.count("Strongest effects: mine") == 2
    again = copy.plan()
    assert "Nothing to be done" in again.output, sorted(again.jobs)


def test_other_spellings_of_chromosomes_end_in_one_sentence(copy):
    write_variants(copy, lambda name: name.removeprefix("chr"))
    result = copy.run("results/tiny/variants/mine/deepbind.vcf.gz")
    assert result.returncode != 0
    assert "mine.vcf, line 3: chromosome '1' is not in the genome; did you mean 'chr1'?" in (
        result.output
    )
    assert not (copy.results / "variants/mine").exists() or not list(
        (copy.results / "variants/mine").iterdir()
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"models": ["resnet"]}, "variants: models: 'resnet' is no preset in use"),
        ({"files": {"a": "x.vcf", "A": "y.vcf"}}, "variants: files: names differ in nothing but"),
        ({"mismatches": "stop"}, "mismatches: 'stop' is not one of ['skip', 'error']"),
    ],
)
def test_a_config_that_cannot_be_is_refused_before_a_job_starts(project, settings, told):
    project.config["variants"] = {"files": {"mine": "mine.vcf"}} | settings
    result = project.plan()
    assert result.returncode != 0
    assert told in result.output
