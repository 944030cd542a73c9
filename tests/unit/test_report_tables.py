from atlas_inputs import metric, scores, text_rows

from motifloom import report_tables as tables


def test_plain_tables_drop_empty_columns():
    table = tables.plain_table(
        tables.QC, [{"stage": "read", "count": "1200"}, {"stage": "kept", "note": ""}]
    )
    assert table == tables.Table(
        ["Stage", "Count"], [False, True], [["read", "1,200"], ["kept", ""]]
    )


def test_means_are_taken_within_one_kind_of_row():
    records = [
        metric("a", "deepbind", **scores(0.9)),
        metric("b", "deepbind", **scores(0.7)),
        metric("c", "deepbind", auroc=None, note="too few"),
        metric("a", "deepbind", **scores(0.6), negatives="gc"),
        metric("a", "danq", **scores(0.8), examples="bins", negatives="none"),
    ]
    found = [
        (row["model"], row["examples"], row["negatives"], row["datasets"], round(row["auroc"], 6))
        for row in tables.mean_rows(text_rows(records))
    ]
    assert found == [
        ("deepbind", "windows", "dinucleotide", 2, 0.8),
        ("deepbind", "windows", "gc", 1, 0.6),
        ("danq", "bins", "none", 1, 0.8),
    ]


def test_metrics_name_the_recall_of_their_precision():
    row = metric("a", "deepbind", **scores(0.9), precision_r50=0.7, precision_r80=0.25)
    table = tables.metric_table(text_rows([row]))
    assert table.headers[-3:] == ["AUPRC", "Precision at recall 0.5", "Precision at recall 0.8"]
    assert table.rows[0][-3:] == ["0.600 (0.500–0.700)", "0.700", "0.250"]
    assert tables.metric_table([]).rows == []


def test_differences_stand_with_interval_and_p():
    row = {"examples": "windows", "negatives": "gc", "metric": "auroc", "model": "deepbind",
           "other": "kmer", "difference": "0.03", "low": "-0.01", "high": "0.07",
           "pvalue": "0.0123", "n": "1100"}  # fmt: skip
    table = tables.plain_table(tables.COMPARISONS, [row])
    assert table.rows == [
        ["windows", "GC-matched windows", "AUROC", "DeepBind", "k-mers", "+0.030",
         "−0.010 to +0.070", "0.012", "1,100"]
    ]  # fmt: skip


def test_bands_may_be_open_above():
    rows = [
        {"model": "deepbind", "negatives": "gc", "metric": "auroc", "n_peaks_low": "1000",
         "n_peaks_high": "", "n_datasets": "9", "q25": "0.8", "median": "0.9", "q75": "0.95"}
    ]  # fmt: skip
    assert tables.plain_table(tables.BANDS, rows).rows == [
        ["DeepBind", "GC-matched windows", "from 1,000", "AUROC", "9", "0.800", "0.900", "0.950"]
    ]


def test_networks_by_total_and_by_layer():
    rows = [
        {"model": "danq", "layer": "convolution", "output_shape": "975 x 320",
         "parameters": "33600", "operations": "32448000", "receptive_field": "26"},
        {"model": "danq", "layer": "total", "output_shape": "", "parameters": "46926479",
         "operations": "200578075", "receptive_field": "1000"},
    ]  # fmt: skip
    totals, layers = tables.network_tables(rows)
    assert totals.headers == ["Network", "Parameters", "Operations", "Receptive field"]
    assert totals.rows == [["DanQ", "46,926,479", "200,578,075", "1,000 bp"]]
    assert layers.rows[0] == ["DanQ", "convolution", "975 × 320", "33,600", "32,448,000", "26 bp"]
    assert [len(table.rows) for table in tables.network_tables([])] == [0, 0]
