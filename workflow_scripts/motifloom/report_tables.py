"""The report's plain tables: which columns of which file they show, and in which words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from motifloom.report_run import grouped
from motifloom.report_values import (
    EXAMPLE_NAMES,
    NEGATIVE_NAMES,
    Row,
    change,
    count,
    decimals,
    evalue,
    family,
    interval,
    mean,
    metric_name,
    model_name,
    number,
    percent,
    significant,
    text,
)

Columns = Sequence[tuple[str, bool, Callable[[Row], str]]]
NUCLEOTIDE_PAIRS = [first + second for first in "ACGT" for second in "ACGT"]


@dataclass(frozen=True)
class Table:
    """A plain table: headers, which of them are numeric, and rows of text."""

    headers: list[str]
    numeric: list[bool]
    rows: list[list[str]]


def plain_table(columns: Columns, rows: list[Row]) -> Table:
    """A `Table` of `rows` by columns (header, numeric, text of a row) without its empty columns."""
    texts = [[make(row) for row in rows] for _, _, make in columns]
    kept = [position for position, column in enumerate(texts) if any(column)]
    return Table(
        [columns[position][0] for position in kept],
        [columns[position][1] for position in kept],
        [[texts[position][row] for position in kept] for row in range(len(rows))],
    )


def field(name: str, form: Callable[[object], str] = text) -> Callable[[Row], str]:
    """A function that takes column `name` of a row and forms its text."""
    return lambda row: form(row.get(name))


def named(names: Mapping[str, str]) -> Callable[[str], str]:
    """A function that gives a key's name, or the key itself where it has none."""
    return lambda key: names.get(key, text(key))


def scored(metric: str, form: Callable[[object], str] = decimals) -> Callable[[Row], str]:
    """A function that writes a value of a row with its interval."""

    def write(row: Row) -> str:
        value, limits = form(row.get(metric)), interval(row, metric)
        return f"{value} ({limits})" if limits else value

    return write


def members_alone(metric: str) -> Callable[[Row], str]:
    """A function that writes how the members of a row's ensemble do alone: mean ± sd."""

    def form(row: Row) -> str:
        value = decimals(row.get(f"{metric}_members_mean"))
        sd = decimals(row.get(f"{metric}_members_sd"))
        return f"{value} ± {sd}" if value and sd else ""

    return form


def spread(metric: str) -> Callable[[Row], str]:
    """A function that writes a metric's mean over the folds with its sd, and lowest to highest."""

    def form(row: Row) -> str:
        value, sd = decimals(row.get(f"{metric}_mean")), decimals(row.get(f"{metric}_sd"))
        limits = f"{decimals(row.get(f'{metric}_min'))}–{decimals(row.get(f'{metric}_max'))}"
        return f"{value} ± {sd} ({limits})" if sd else value

    return form


def ranged(row: Row) -> str:
    """A row's low and high with signs, as an interval of a difference; "" without them."""
    low, high = change(row.get("low")), change(row.get("high"))
    return f"{low} to {high}" if low and high else ""


def bases(value: object) -> str:
    """`value` as a number of base pairs, "" where it is missing."""
    return f"{count(value)} bp" if count(value) else ""


def span(low: str, high: str) -> Callable[[Row], str]:
    """A function that writes two counts of a row as a range, open above where high is missing."""

    def form(row: Row) -> str:
        first, last = count(row.get(low)), count(row.get(high))
        return f"{first}–{last}" if last else f"from {first}"

    return form


DATASET = ("Dataset", False, field("dataset"))
MODEL = ("Model", False, field("model", model_name))
EXAMPLES = [
    ("Examples", False, field("examples", named(EXAMPLE_NAMES))),
    ("Negatives", False, field("negatives", named(NEGATIVE_NAMES))),
]
METRICS = [
    MODEL,
    ("Preset", False, field("preset")),
    ("Members", True, field("members", count)),
    *EXAMPLES,
    ("n", True, field("n", count)),
    ("Positives", True, field("n_positive", count)),
    ("AUROC", True, scored("auroc")),
    ("AUROC of members", True, members_alone("auroc")),
    ("AUPRC", True, scored("auprc")),
]
CORRELATIONS = [
    ("Pearson", True, field("pearson", decimals)),
    ("Pearson of members", True, members_alone("pearson")),
    ("Spearman", True, field("spearman", decimals)),
    ("MSE", True, field("mse", significant)),
    ("Note", False, field("note")),
]
COMPARISONS = [
    *EXAMPLES,
    ("Metric", False, field("metric", metric_name)),
    MODEL,
    ("Minus", False, field("other", model_name)),
    ("Difference", True, field("difference", change)),
    ("95 % interval", True, ranged),
    ("p", True, field("pvalue", evalue)),
    ("q", True, field("qvalue", evalue)),
    ("n", True, field("n", count)),
]
CALIBRATION = [
    MODEL,
    *EXAMPLES,
    ("Method", False, field("method")),
    ("Fitted on", False, field("fitted_on")),
    ("Error before", True, field("ece_before", decimals)),
    ("Error after", True, field("ece_after", decimals)),
    ("95 % interval", True, lambda row: interval(row, "ece")),
    ("Note", False, field("note")),
]
COMPOSITION = [
    ("Sequences", False, field("kind", named(NEGATIVE_NAMES))),
    ("n", True, field("n", count)),
    ("GC mean", True, field("gc_mean", decimals)),
    ("GC sd", True, field("gc_sd", decimals)),
    *((pair, True, field(pair, decimals)) for pair in NUCLEOTIDE_PAIRS),
]
QC = [
    ("Stage", False, field("stage")),
    ("Count", True, field("count", count)),
    ("Note", False, field("note")),
]
MEANS = [
    MODEL,
    *EXAMPLES,
    ("Datasets", True, field("datasets", count)),
    ("Mean AUROC", True, field("auroc", decimals)),
    ("Mean AUPRC", True, field("auprc", decimals)),
    ("Mean Pearson", True, field("pearson", decimals)),
    ("Mean Spearman", True, field("spearman", decimals)),
]
FOLDS = [
    DATASET,
    MODEL,
    *EXAMPLES,
    ("Folds", True, field("folds", count)),
    ("AUROC", True, spread("auroc")),
    ("AUPRC", True, spread("auprc")),
    ("Pearson", True, spread("pearson")),
    ("Spearman", True, spread("spearman")),
    ("Note", False, field("note")),
]
LEARNING_CURVE = [
    DATASET,
    EXAMPLES[1],
    ("Share of training sites", True, field("share", percent)),
    ("Training sites", True, field("n_train_positives", count)),
    ("AUROC", True, scored("auroc")),
    ("AUPRC", True, scored("auprc")),
    ("Pearson", True, scored("pearson")),
    ("Note", False, field("note")),
]
BANDS = [
    MODEL,
    EXAMPLES[1],
    ("Peaks", True, span("n_peaks_low", "n_peaks_high")),
    ("Metric", False, field("metric", metric_name)),
    ("Datasets", True, field("n_datasets", count)),
    ("Lower quartile", True, field("q25", decimals)),
    ("Median", True, field("median", decimals)),
    ("Upper quartile", True, field("q75", decimals)),
]
CONTROLS = [
    DATASET,
    MODEL,
    ("Kernels", True, field("kernels", count)),
    ("Never fire", True, field("never_fire", count)),
    ("Weak", True, field("weak", count)),
    ("Redundant", True, field("redundant", count)),
    ("Motifs", True, field("motifs", count)),
    ("Matched", True, field("matched", count)),
    ("By chance", True, field("matched_by_chance", lambda value: decimals(value, 1))),
    ("Share by chance", True, field("chance_share", percent)),
    ("E below", True, field("evalue", significant)),
    ("Controls", True, field("controls", count)),
    ("Note", False, field("note")),
]
NETWORKS = [
    ("Network", False, field("model", model_name)),
    ("Layer", False, field("layer")),
    ("Output", True, field("output_shape", lambda shape: text(shape).replace("x", "×"))),
    ("Parameters", True, field("parameters", count)),
    ("Operations", True, field("operations", count)),
    ("Receptive field", True, field("receptive_field", bases)),
]


def metric_table(rows: list[Row]) -> Table:
    """The metrics of one dataset with intervals, and precision at each recall that they name."""
    recalls = [name for name in (rows[0] if rows else {}) if name.startswith("precision_r")]
    precisions = [
        (f"Precision at recall {int(digits) / 100:g}", True, field(name, decimals))
        for name in recalls
        if (digits := name.removeprefix("precision_r")).isdigit()
    ]
    return plain_table([*METRICS, *precisions, *CORRELATIONS], rows)


def mean_rows(metrics: list[Row]) -> list[Row]:
    """The metrics of each model, examples and negatives, averaged over the datasets with one."""
    keys, scores = ("model", "examples", "negatives"), ("auroc", "auprc", "pearson", "spearman")
    means = []
    for group, rows in grouped(metrics, *keys).items():
        valued = [row for row in rows if any(number(row.get(name)) is not None for name in scores)]
        if valued:
            averages = {name: mean(row.get(name) for row in valued) for name in scores}
            means.append(dict(zip(keys, group, strict=True)) | {"datasets": len(valued)} | averages)
    return sorted(
        means,
        key=lambda row: (family(row["examples"]) != "windows", row["examples"], row["negatives"]),
    )


def network_tables(rows: list[Row]) -> tuple[Table, Table]:
    """The networks' totals, and the same of every layer."""
    sizes = [column for column in NETWORKS if column[0] not in {"Layer", "Output"}]
    totals = [row for row in rows if row["layer"] == "total"]
    return plain_table(sizes, totals), plain_table(NETWORKS, rows)
