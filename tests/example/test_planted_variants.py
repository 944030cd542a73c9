"""Trained models know the variants that break or create sites: make test-example, after make run.

The areas under the ROC curve are printed: of the size of the change of the score, variants that
break or create a dataset's sites against those that do neither.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from motifloom import inference
from motifloom.alleles import alleles_at
from motifloom.bootstrap import bootstrap_areas, exact_areas
from motifloom.example import PLANTED
from motifloom.files import read_table
from motifloom.sequences import Genome
from motifloom.variants import score_variants

RESULTS = Path(__file__).resolve().parents[2] / "results/example"
WEIGHTS = [RESULTS / f"models/deepbind/{tf}/weights.safetensors" for tf in PLANTED]
VARIANTS = RESULTS / "simulated/variants_truth.tsv"
ANNOTATED = RESULTS / "variants/planted/deepbind.tsv.gz"
TEST = ["chr2"]  # config.yaml's; nothing was trained on it
LEAST = 0.95
COLUMNS = ["dataset", "kind", "variants", "AUROC", "interval"]

pytestmark = pytest.mark.skipif(
    not all(path.exists() for path in (*WEIGHTS, VARIANTS)),
    reason="the built-in example was not run here: make run",
)


@pytest.fixture(scope="module")
def scored():
    """The truth table with a column a TF: the change of its model's score."""
    table = read_table(VARIANTS)
    genome = Genome.open(RESULTS / "simulated/genome.fa.gz")
    records = table[["chrom", "pos", "ref", "alt"]].itertuples(index=False, name=None)
    models = [inference.load(path) for path in WEIGHTS]
    effects = score_variants(models, genome, alleles_at(genome, records))
    return table.assign(**dict(zip(PLANTED, effects.difference.T, strict=True)))


def area(own, others):
    """AUROC of the sizes of two sets of changes, its 95 % bootstrap interval and the first's n."""
    positive = np.repeat([True, False], [len(own), len(others)])
    sizes = np.abs(np.concatenate([own, others]))
    low, high = np.quantile(bootstrap_areas(positive, sizes, 1_000, 0)[0], [0.025, 0.975])
    found = exact_areas(positive, sizes)[0]
    return {"variants": len(own), "AUROC": found, "interval": f"{low:.4f} to {high:.4f}"}


def changes_of(table, kinds):
    """A TF's name -> changes of its score: by its own variants of some kinds, by neutral ones."""
    neutral = table["kind"].isin(["neutral", "flank"])
    own = table["kind"].isin(kinds)
    return {
        tf: (table.loc[own & (table["dataset"] == tf), tf].to_numpy(), table.loc[neutral, tf])
        for tf in PLANTED
    }


def areas(table):
    """A row a TF and kind, and rows of all TFs together."""
    rows = []
    for name, kinds in {
        "break": ["break"], "create": ["create"], "both": ["break", "create"],
    }.items():  # fmt: skip
        changes = changes_of(table, kinds)
        pooled = [np.concatenate(parts) for parts in zip(*changes.values(), strict=True)]
        for tf, (own, others) in {**changes, "all": pooled}.items():
            rows.append({"dataset": tf, "kind": name, **area(own, others)})
    return pd.DataFrame(rows)[COLUMNS]


@pytest.mark.parametrize("chromosomes", [TEST, None], ids=["test chromosomes", "whole genome"])
def test_variants_that_break_or_create_sites_are_known_from_neutral_ones(
    scored, chromosomes, capsys
):
    chosen = scored if chromosomes is None else scored[scored["chrom"].isin(chromosomes)]
    found = areas(chosen)
    with capsys.disabled():
        print(f"\n{', '.join(chromosomes or ['all chromosomes'])}")
        print(found.to_string(index=False, float_format="{:.4f}".format))
    assert (found["AUROC"] >= LEAST).all()


def test_scores_fall_where_sites_break_and_rise_where_they_appear(scored, capsys):
    shares = {}
    for kind, sign in {"break": -1, "create": 1}.items():
        for tf in PLANTED:
            own = scored.loc[(scored["kind"] == kind) & (scored["dataset"] == tf), tf]
            shares[kind, tf] = float((sign * own > 0).mean())
    with capsys.disabled():
        print("\nshare of the changes that have the right sign")
        print(pd.Series(shares).unstack(0).to_string(float_format="{:.3f}".format))
    assert min(shares.values()) >= LEAST


@pytest.mark.skipif(not ANNOTATED.exists(), reason="the run annotated no planted variants")
def test_the_annotated_table_says_the_same(scored):
    """Every planted variant is in the table that the workflow wrote, with its differences."""
    table = pd.read_csv(ANNOTATED, sep="\t", low_memory=False).rename(columns={"#chrom": "chrom"})
    written = table.pivot(index="id", columns="dataset", values="difference")
    np.testing.assert_allclose(written.loc[scored["id"], [*PLANTED]], scored[[*PLANTED]], atol=2e-4)
    columns = ["chrom", "pos", "id", "ref", "alt"]
    first = table[table["dataset"] == next(iter(PLANTED))]
    pd.testing.assert_frame_equal(first[columns].reset_index(drop=True), scored[columns])
