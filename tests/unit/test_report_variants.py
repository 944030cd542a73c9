from atlas_inputs import run_of, text_rows

from motifloom.report_variants import SHOWN, annotated, counts_table, strongest

SUMMARY = {"records": 1200, "alternative alleles": 1204, "scored": 1200, "scored: SNV": 1190,
           "scored: MNV": 0, "scored: deletion": 1, "scored: complex": 9, "skipped: breakend": 1,
           "skipped: REF differs from the genome": 3, "random variants: substitutions": 10000,
           "random variants: indels": 0}  # fmt: skip


def summary(**changes):
    stages = SUMMARY | changes
    return [{"stage": stage, "count": count, "note": None} for stage, count in stages.items()]


def effect(pos, dataset="a", **values):
    found = {"chrom": "chr1", "pos": pos, "id": ".", "ref": "A", "alt": "C", "dataset": dataset}
    found |= {"reference": 4.25, "alternative": -1.5, "difference": -5.75, "log_odds": -6.125}
    found |= {"p": 0.00009999, "strand": "-", "position": 5000, "kernel": 7}
    return found | values


def test_counts_are_told_in_words_without_zeros(tmp_path):
    files = {
        f"variants/mine/{model}.{kind}.tsv": rows
        for model in ("deepbind", "danq")
        for kind, rows in (("summary", summary()), ("top", [effect(1)]))
    }
    table = counts_table(run_of(tmp_path, files), ["deepbind", "danq"])
    assert table.headers == [
        "File", "Model", "Records", "Alleles", "Scored", "Of them", "Random variants", "Skipped",
        "Why",
    ]  # fmt: skip
    counts = ["1,200", "1,204", "1,200", "1,190 SNVs, 1 deletion, 9 complex",
              "10,000 substitutions", "4", "1 breakend, 3 REF differs from the genome"]  # fmt: skip
    assert table.rows == [["mine", "DeepBind", *counts], ["mine", "DanQ", *counts]]


def test_each_allele_stands_once_with_its_strongest_dataset(tmp_path):
    rows = [effect(1200, "b", id="rs1"), effect(1200, id="rs1"), effect(7, log_odds=None, p=None)]
    files = {"variants/mine/deepbind.summary.tsv": summary()}
    files["variants/mine/deepbind.top.tsv"] = rows
    (found,) = annotated(run_of(tmp_path, files))
    assert (found.variants, found.model) == ("mine", "deepbind")
    assert found.strongest.headers == [
        "Chromosome", "Position", "Id", "Ref", "Alt", "Dataset", "Reference", "Alternative",
        "Difference", "Δ log-odds", "p", "Strand", "Motif at",
    ]  # fmt: skip
    assert found.strongest.rows == [
        ["chr1", "1,200", "rs1", "A", "C", "b", "4.25", "−1.50", "−5.75", "−6.12", "1.0e-4", "−",
         "5,000"],
        ["chr1", "7", "", "A", "C", "a", "4.25", "−1.50", "−5.75", "", "", "−", "5,000"],
    ]  # fmt: skip


def test_scores_in_large_units_have_no_decimals(tmp_path):
    rows = [effect(1, reference=51234.4, alternative=4.0, difference=-51230.4)]
    files = {"variants/mine/deepbind.summary.tsv": summary()}
    files["variants/mine/deepbind.top.tsv"] = rows
    (found,) = annotated(run_of(tmp_path, files))
    assert found.strongest.rows[0][5:8] == ["51,234", "4.00", "−51,230"]


def test_only_the_first_alleles_are_shown():
    rows = text_rows([effect(pos) for pos in range(1, 60)])
    assert [row["pos"] for row in strongest(rows)] == [str(n) for n in range(1, SHOWN + 1)]


def test_a_file_without_scored_alleles_and_a_run_without_files(tmp_path):
    files = {"variants/mine/deepbind.summary.tsv": summary(scored=0),
             "variants/mine/deepbind.top.tsv": "\t".join(effect(1)) + "\n"}  # fmt: skip
    (found,) = annotated(run_of(tmp_path, files))
    assert found.strongest.rows == []
    run = run_of(tmp_path / "other", {"metrics.tsv": [{"dataset": "a"}]})
    assert annotated(run) == [] and counts_table(run).rows == []
