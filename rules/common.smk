# Config, dataset table and the functions that rules share.

import ast
import functools
import hashlib
import io
import os
import re
from pathlib import Path

import pandas as pd
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate


def brief(text):
    """A text on one line, without its middle where it is long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= 300 else f"{line[:200]} [...] {line[-80:]}"


def refuse_endless(data):
    """Refuse a config of very many values, which a few YAML anchors can make."""
    waiting, found = [data], 0
    while waiting:
        value = waiting.pop()
        found += 1
        if found > 1_000_000:
            raise WorkflowError(
                "config: has more than a million values; are there YAML anchors (&, *) inside each"
                " other? write them out"
            )
        if isinstance(value, (dict, list)):
            waiting.extend(value.values() if isinstance(value, dict) else value)


def check(data, schema, where):
    """Validate a config or table and set its defaults; the first fault as one sentence.

    Snakemake's own message goes on with the whole schema and the whole config.
    """
    try:
        validate(data, schema=f"../config/schemas/{schema}.schema.yaml")
    except WorkflowError as error:
        fault = error.__context__
        row = re.search(r"row (\d+) of data frame", str(error))
        place = [f"{where}, line {int(row[1]) + 2}" if row else where, *fault.absolute_path]
        hint = f"; {fault.schema['description']}" if "description" in fault.schema else ""
        where = ": ".join(map(brief, place))
        raise WorkflowError(f"{where}: {brief(fault.message)}{hint}") from None


refuse_endless(config)
check(config, "config", "config")

RESULTS = f"results/{config['name']}"
LOGS = f"logs/{config['name']}"
BENCHMARKS = f"{LOGS}/benchmarks"


def read_sheet(path):
    """A tab-separated table as text, unset cells as ""; a clear error where it is none."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        first = [line for line in text.splitlines() if line.strip(" ")][:2]
        if first and first[0].count("\t") > 1000:
            raise ValueError("it has more than a thousand columns")
        # Pandas would take the first columns for names of rows.
        if len(first) == 2 and first[1].count("\t") > first[0].count("\t"):
            raise ValueError("lines have more columns than the header")
        return pd.read_csv(io.StringIO(text), sep="\t", dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise WorkflowError(f"{brief(path)}: no such file; check the config") from None
    # ValueErrors are also those of decoding and of pandas' parser.
    except (OSError, ValueError) as error:
        raise WorkflowError(
            f"{brief(path)}: is not a tab-separated table: {brief(error)}"
        ) from None


class Lines(dict):
    """The lines of the dataset table by dataset name; a name that it lacks is said in a sentence.

    Plain dictionaries: rules look lines up for every job, which a table is slow at.
    """

    def __missing__(self, name):
        raise WorkflowError(f"{name!r} is no dataset of {config['datasets']}; check the target")


def read_datasets(path):
    """The lines of the dataset table by dataset name, validated."""
    sheet = read_sheet(path)
    if not len(sheet):
        raise WorkflowError(f"{path}: lists no dataset; add a line for each TF")
    check(sheet, "datasets", path)
    repeated = sheet.dataset[sheet.dataset.str.lower().duplicated()]
    if len(repeated):
        raise WorkflowError(
            f"{path}: dataset {repeated.iloc[0]!r} stands on two lines; names must differ in"
            " more than case"
        )
    return Lines((line["dataset"], line) for line in sheet.to_dict("records"))


def read_downloads(path):
    """Downloadable files by path; none where the config names no table or a data_folder."""
    if not path or config["data_folder"]:
        return {}
    sheet = read_sheet(path)
    if not len(sheet):
        return {}
    check(sheet, "downloads", path)
    # While a file is fetched it lies under its address without the query.
    address = sheet.url.str.partition("?")[0]
    for name, repeated in (("path", sheet.path), ("address (up to any '?')", address)):
        if repeated.duplicated().any():
            raise WorkflowError(
                f"{path}: {name} {repeated[repeated.duplicated()].iloc[0]!r} stands on two lines;"
                " give every file a path and an address of its own"
            )
    return {row.path: row for row in sheet.itertuples()}


DATASETS = read_datasets(config["datasets"])
DOWNLOADS = read_downloads(config["downloads"])
PRESETS = config["models"]["deepbind"]
WINDOW_NETWORKS = config["models"]["windows"]
MULTITASK = config["models"]["multitask"] if config["multitask"]["datasets"] else []
FOLDS = config["cross_validation"]["folds"] if config["cross_validation"]["folds"] > 1 else 0
# The datasets that are cross-validated: a fixed test file cannot be rotated.
IN_FOLDS = [
    name for name, line in DATASETS.items() if line["kind"] == "peaks" or not line["test_path"]
]
# A fold's results, in folders as those of the main run, and the summary of all.
FOLD = f"{RESULTS}/cross_validation/fold{{fold}}"
CROSS_VALIDATION = [f"{RESULTS}/cross_validation.tsv"] if FOLDS else []
# The shares of the training positives of a learning curve, and the folder of each one's results.
SHARES = sorted(config["evaluation"]["learning_curve"])
SHARE = f"{RESULTS}/learning_curve/{{share}}"
LEARNING_CURVE = [f"{RESULTS}/learning_curve.tsv"] if SHARES else []
# The splits of whole chromosomes: their names.
HELD_OUT = {
    name: config["splits"][name]["chromosomes"]
    for name in ("validation", "test")
    if config["splits"][name]["by"] == "chromosomes"
}

# The datasets of DNA, whose models score what lies on the genome.
DNA = [name for name, line in DATASETS.items() if line["alphabet"] == "dna"]
# The presets that variants are scored with.
VARIANT_MODELS = config["variants"]["models"] or [*PRESETS[:1], *MULTITASK]


def is_peaks(dataset):
    """Whether a dataset is given as peaks on the genome."""
    return DATASETS[dataset]["kind"] == "peaks"


def is_multitask(model):
    """Whether a preset stands for its multi-task network; in use both ways it does."""
    return model in MULTITASK


def variant_datasets(model):
    """The datasets (or "multitask") whose models of a preset score variants: all of DNA."""
    return ["multitask"] if is_multitask(model) else DNA


def check_config():
    """What a schema cannot say: names that must exist, sections that need each other."""
    if config["data_folder"] and not os.path.isdir(config["data_folder"]):
        raise WorkflowError(
            f"data_folder: {config['data_folder']!r} is no folder; name the one that holds the data,"
            " such as with --config data_folder=PATH"
        )
    unknown = [name for name in config["multitask"]["datasets"] if name not in DATASETS]
    if unknown:
        raise WorkflowError(
            f"multitask: datasets: {unknown[0]!r} is not in {config['datasets']}; add the line or"
            " take the name out of the list"
        )
    trained = [name for name in config["multitask"]["datasets"]]
    tables = [name for name in trained if not is_peaks(name)]
    if tables:
        raise WorkflowError(
            f"multitask: datasets: {tables[0]!r} is a sequence table; bins need peaks"
        )
    if any(map(is_peaks, DATASETS)) and not config["genome"]["fasta"]:
        raise WorkflowError("genome: fasta is not set, but datasets with peaks need a genome")
    if config["regions"] and not config["genome"]["fasta"]:
        raise WorkflowError("genome: fasta is not set, but regions need a genome")
    if config["regions"] and not DNA:
        raise WorkflowError(
            "regions: no dataset is of DNA, whose models score them; add one, or empty regions"
        )
    splits = config["splits"]
    by_chromosome = [splits[name]["by"] == "chromosomes" for name in ("test", "validation")]
    if trained and not all(by_chromosome):
        raise WorkflowError(
            "multitask: needs splits: test and validation by chromosomes, since neighbouring"
            " bins share their context; set both or empty multitask: datasets"
        )
    for name in ("test", "validation"):
        if splits[name]["by"] == "chromosomes" and not splits[name]["chromosomes"]:
            raise WorkflowError(f"splits: {name}: chromosomes is empty; name at least one")
        if splits[name]["by"] != "chromosomes" and splits[name]["chromosomes"]:
            raise WorkflowError(
                f"splits: {name}: chromosomes are named, but by is {splits[name]['by']!r}; set by:"
                " chromosomes or take them out"
            )
    if FOLDS == 2:
        raise WorkflowError(
            "cross_validation: folds is 2, but one fold is for the test, another for validation"
            " and the others for training; set 3 or more, or 0 for none"
        )
    if FOLDS and not IN_FOLDS:
        raise WorkflowError(
            f"cross_validation: folds is {FOLDS}, but every dataset has a test file of its own;"
            " set 0, or take test_path out of the dataset table"
        )
    flanks = config["multitask"]["context"] - config["multitask"]["bin"]
    if flanks < 0 or flanks % 2:
        raise WorkflowError(
            "multitask: context must be the bin and the same number of bases on both sides of it"
        )
    check_tracks()
    for key, files in (
        ("score", config["score"]),
        ("variants: files", config["variants"]["files"]),
        ("regions", config["regions"]),
    ):
        if len({name.lower() for name in files}) < len(files):
            raise WorkflowError(
                f"{key}: names differ in nothing but case; give them names of their own"
            )
    unknown = set(config["models"]["settings"]) - {
        *PRESETS,
        *WINDOW_NETWORKS,
        *config["models"]["multitask"],
    }
    if unknown:
        raise WorkflowError(
            f"models: settings: {min(unknown, key=str)!r} is no preset in use; see models: deepbind,"
            " windows and multitask"
        )


def check_variants():
    """The same of the section about variants."""
    if not config["variants"]["files"]:
        return
    if not config["genome"]["fasta"]:
        raise WorkflowError("genome: fasta is not set, but variants need a genome")
    known = [*PRESETS, *WINDOW_NETWORKS, *MULTITASK]
    unknown = [name for name in config["variants"]["models"] or [] if name not in known]
    if unknown:
        raise WorkflowError(
            f"variants: models: {unknown[0]!r} is no preset in use; see models: deepbind, windows and"
            " multitask (with multitask: datasets)"
        )
    idle = [name for name in VARIANT_MODELS if not variant_datasets(name)]
    if idle:
        raise WorkflowError(
            f"variants: {idle[0]!r} has no model of DNA; add a dataset of DNA or set variants: models"
        )


def check_tracks():
    """The same of `tracks`: its models must be in use, its datasets peaks on DNA."""
    asked = config["tracks"]
    used = [*PRESETS, *WINDOW_NETWORKS, *MULTITASK]
    unused = [model for model in asked["models"] if model not in used]
    if unused:
        raise WorkflowError(
            f"tracks: models: {unused[0]!r} is trained on nothing; name it in models: deepbind,"
            " windows or multitask (which needs multitask: datasets), or take it out"
        )
    for name in asked["datasets"] or []:
        if name not in DATASETS:
            raise WorkflowError(
                f"tracks: datasets: {name!r} is not in {config['datasets']}; add the line or take"
                " the name out of the list"
            )
        if not is_tracked(name):
            raise WorkflowError(
                f"tracks: datasets: {name!r} has no peaks of DNA; tracks are judged by peaks, so"
                " take it out of the list"
            )
    if asked["models"] and not any(map(is_tracked, DATASETS)):
        raise WorkflowError(
            "tracks: models are named, but no dataset has peaks of DNA; empty the list"
        )
    if asked["models"] and not asked["null_bases"] and "validation" not in HELD_OUT:
        raise WorkflowError(
            "tracks: null_bases is 0 and splits: validation is not by chromosomes, so that nothing"
            " tells where sites begin; set one of the two"
        )


def is_tracked(dataset):
    """Whether a dataset has peaks of DNA, and tracks are wanted of it."""
    wanted = config["tracks"]["datasets"]
    return is_peaks(dataset) and dataset in DNA and (wanted is None or dataset in wanted)


check_config()
check_variants()


wildcard_constraints:
    # Any name: that of every dataset, in every path, would cost more than all else of the graph.
    dataset="[^/]+",
    model="|".join(map(re.escape, {*PRESETS, *WINDOW_NETWORKS, *config["models"]["multitask"]})),
    fold="|".join(map(str, range(1, FOLDS + 1))) or "(?!)",
    share="|".join(re.escape(str(share)) for share in SHARES) or "(?!)",
    part="[0-9]+",


def only(datasets):
    """A wildcard's constraint to some of the datasets: short where these are all or none."""
    if len(datasets) == len(DATASETS):
        return "(?!multitask/)[^/]+"
    return "|".join(map(re.escape, datasets)) or "(?!)"


def download_key(path):
    """Path of a downloaded file below the folder of downloads.

    Its address and digest name the first folder: a line of the table that changes is another file.
    """
    source = f"{DOWNLOADS[path].url} {DOWNLOADS[path].sha256}"
    return f"{hashlib.sha256(source.encode()).hexdigest()[:8]}/{path}"


# Snakemake asks the server about a storage input whenever it builds the graph of jobs. A file that
# is here already is therefore made by no rule: later runs need neither network nor server.
ABSENT = {
    download_key(path): line
    for path, line in DOWNLOADS.items()
    if not os.path.exists(f"{RESULTS}/downloads/{download_key(path)}")
}


def safe(path):
    """The path, unless Snakemake or a cluster's shell could take part of it for something else.

    Snakemake writes file names into the scripts of submitted jobs in quotes of its own, which some
    characters end and in which others stand for commands; it takes braces for wildcards.
    """
    if any(letter in "'\"\\$`<>{}" or not letter.isprintable() for letter in path):
        raise WorkflowError(
            f"{path!r}: a file name may not hold quotation marks, any of \\ $ ` < > {{ }} or control"
            " characters; rename the file"
        )
    return path


def locate(path):
    """Where a data file of the config is: absolute, in the data folder, downloaded, or as given."""
    safe(os.path.join(config["data_folder"], path))
    if not path or os.path.isabs(path):
        return path
    if config["data_folder"]:
        return os.path.join(config["data_folder"], path)
    if path in DOWNLOADS:
        return f"{RESULTS}/downloads/{download_key(path)}"
    return path


def given(*paths):
    """The located ones of optional data files that are set."""
    return [locate(path) for path in paths if path]


def tables(*paths):
    """Those that are set of the tables that lie with the config, never in the data folder."""
    return [safe(path) for path in paths if path]


@functools.lru_cache(maxsize=None)
def _imported_modules(path):
    """Names of the motifloom modules that one source file imports, sorted."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "motifloom":
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("motifloom."):
            found.add(node.module.removeprefix("motifloom."))
    return sorted(found)


@functools.lru_cache(maxsize=None)
def library(script):
    """Digest of the library modules that a script imports, directly or through others.

    Rules take it as a param, so that a changed library reruns the rules that use it; reading
    through source_path also fetches the modules where the workflow itself is loaded remotely.
    """
    base = "../workflow_scripts/"
    waiting, digests = _imported_modules(workflow.source_path(base + script)), {}
    while waiting:
        name = waiting.pop()
        if name in digests:
            continue
        path = workflow.source_path(f"{base}motifloom/{name}.py")
        digests[name] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        waiting.extend(_imported_modules(path))
    together = "".join(f"{name}={digests[name]};" for name in sorted(digests))
    return hashlib.sha256(together.encode()).hexdigest()[:16]


def row(wildcards):
    """What a store keeps of a dataset's line: a new motif or path must not train again."""
    return {
        key: DATASETS[wildcards.dataset][key] for key in ("dataset", "tf", "alphabet", "labels")
    }


def weights_of(model, dataset):
    """The weights file of one model on one dataset (or "multitask")."""
    return f"{RESULTS}/models/{model}/{dataset}/weights.safetensors"


def fold_splits(wildcards):
    """The splits of a fold: it is the test, the next one, cyclically, the validation."""
    fold = int(wildcards.fold)
    return config["splits"] | {
        "test": {"by": "fold", "fold": fold, "folds": FOLDS},
        "validation": {"by": "fold", "fold": fold % FOLDS + 1, "folds": FOLDS},
    }


def baselines_of(dataset):
    """The baselines of one dataset: those switched on that take its kind of labels."""
    names = ("kmer", "lsgkm") if DATASETS[dataset]["labels"] == "binary" else ("kmer",)
    return [name for name in names if config["baselines"][name]]


def baseline_scores(dataset, folder=RESULTS):
    """The files of those baselines' test scores, in the results or in a fold's folder."""
    return [
        f"{folder}/baselines/{name}/{dataset}/test_scores.safetensors"
        for name in baselines_of(dataset)
    ]


def motif_spec(dataset):
    """A dataset's known motif, a JASPAR id or FILE#ID with the file located; may be ""."""
    path, mark, name = DATASETS[dataset]["motif"].rpartition("#")
    return f"{locate(path)}{mark}{name}"


def motif_file(dataset):
    """The MEME file in which a dataset's known motif stands; empty for JASPAR ids."""
    return given(DATASETS[dataset]["motif"].rpartition("#")[0])


def datasets_of(wildcards):
    """The datasets that a model was trained on."""
    return (
        config["multitask"]["datasets"] if wildcards.dataset == "multitask" else [wildcards.dataset]
    )


def own_motifs(wildcards):
    """TF name -> motif spec of the known motifs that a model's kernels may recover."""
    names = datasets_of(wildcards)
    return {DATASETS[name]["tf"]: motif_spec(name) for name in names if motif_spec(name)}


def known_motif_files(wildcards):
    """The MEME files in which those motifs stand."""
    return sorted({path for name in datasets_of(wildcards) for path in motif_file(name)})


def trained_models():
    """(model, dataset) of every trained model, in a fixed order."""
    return [(p, d) for d in DATASETS for p in [*PRESETS, *WINDOW_NETWORKS]] + [
        (model, "multitask") for model in MULTITASK
    ]


def on_genome(dataset):
    """Whether a dataset (or "multitask") lies on the genome."""
    return dataset == "multitask" or is_peaks(dataset)


def own_metrics(wildcards):
    """The tables that hold the metrics of a trained model."""
    kind = "bins" if wildcards.dataset == "multitask" else "windows"
    return [f"{RESULTS}/evaluation/{name}/{kind}.metrics.tsv" for name in datasets_of(wildcards)]


def own_calibration(wildcards):
    """The maps from scores to probabilities of a dataset's models; there are none for bins."""
    if wildcards.dataset == "multitask":
        return []
    return f"{RESULTS}/evaluation/{wildcards.dataset}/calibration.json"


def reading_threads(wildcards):
    """Threads of a job that reads a model's kernels off, and runs the large ones again."""
    return config["threads"]["multitask"] if wildcards.dataset == "multitask" else 1


def grown(megabytes):
    """Memory that doubles with each attempt."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)


def by_store(base, each):
    """Memory that grows with a store of sequences, `each` MB a megabyte, and doubles by attempt.

    A megabyte holds about 8,000 windows of 101 bp. `base` is what Python's libraries take, half as
    much again as was measured; scores and activations of all windows are held together.
    """
    return lambda wildcards, input, attempt: (
        int(base + each * os.path.getsize(input.store) / 1e6) * 2 ** (attempt - 1)
    )


def minutes_by_store(base, each):
    """Run time that grows with a store, `each` minutes a megabyte, and with attempts.

    A megabyte holds 8,000 windows, or 30,000 labelled bins.
    """
    return lambda wildcards, input, attempt: (
        int(base + each * os.path.getsize(input.store) / 1e6) * attempt
    )


def variant_minutes(wildcards, input, attempt):
    """Run time of a job that scores variants: ten minutes a megabyte of a bgzipped file."""
    return int(60 + 10 * os.path.getsize(input.variants) / 1e6) * attempt


def kmer_memory(wildcards, input, attempt):
    """Memory of k-mer counts, 8 bytes a gap and base of training, and of Python's libraries."""
    copies = 1 + config["negatives"]["train_negatives_per_positive"]
    return int(400 + 7 * 8 * copies * input.size_mb) * 2 ** (attempt - 1)


def train_memory(wildcards, input, attempt):
    """Memory of a DeepBind's training, doubled with each attempt.

    Python's libraries and their compilation take 600 MB (PyTorch on a GPU 3 GB more); an epoch's
    sequences with their shuffles stand twice. The number of networks hardly matters.
    """
    copies = 1 + config["negatives"]["train_negatives_per_positive"]
    libraries = 600 if config["device"] == "cpu" else 3600
    return int(libraries + 2 * copies * input.size_mb) * 2 ** (attempt - 1)


def train_minutes(wildcards, input, attempt):
    """Run time of a DeepBind's training: about a minute a megabyte of sequences on one core."""
    return int(60 + 4 * input.size_mb) * attempt


def start_motifs(wildcards):
    """The MEME file that a preset's kernels start from; empty for presets that start at random."""
    settings = config["models"]["settings"].get(wildcards.preset, {})
    wanted = settings.get("from_matrices", wildcards.preset == "danq-jaspar")
    return [f"{RESULTS}/motifs/database.meme"] if wanted else []


def multitask_memory(wildcards, input, attempt):
    """Memory of a multi-task training, doubled with each attempt.

    Weights, gradients and the optimiser's moments of the published networks are 1 GB in each
    process, PyTorch on a GPU takes 3 GB more; batches and libraries take the rest. Labels are read
    as a whole, bases are mapped.
    """
    process = 4000 if config["device"] == "cpu" else 7000
    labels = 2 * os.path.getsize(input.store) / 1e6
    return int(config["training"]["devices"] * process + labels) * 2 ** (attempt - 1)


def track_step(wildcards):
    """Bases a step of a model's tracks."""
    resolution = config["tracks"]["resolution"]
    return config["multitask"]["bin"] if is_multitask(wildcards.model) else resolution


def scanned(wildcards):
    """The dataset, or "multitask", whose weights make a track."""
    return "multitask" if is_multitask(wildcards.model) else wildcards.dataset


def scan_parts(wildcards):
    """The scores of all parts of the genome that a track is made of."""
    folder = f"{RESULTS}/tracks/{wildcards.model}/parts"
    parts = range(1, config["tracks"]["jobs"] + 1)
    return [f"{folder}/{scanned(wildcards)}.{part}.safetensors" for part in parts]


def shuffled_scan(wildcards):
    """The scores along shuffled sequence; none where none are asked for."""
    path = f"{RESULTS}/tracks/{wildcards.model}/{scanned(wildcards)}.shuffled.safetensors"
    return [path] * (config["tracks"]["null_bases"] > 0)


def scan_minutes(bases):
    """Run time of a scan, a minute for so many thousand bases of the whole genome."""
    return lambda wildcards, input, attempt: (
        int(60 + os.path.getsize(input.genome) / 1000 / bases) * attempt
    )


def scan_gpu(wildcards):
    """The GPU that a scan asks for: a DeepBind is scanned on the CPU."""
    return 0 if wildcards.model in PRESETS else GPU


GPU = int(config["device"] == "cuda")
GPUS = GPU * config["training"]["devices"]
HARDWARE = {"device": config["device"]} | {
    key: config["training"][key] for key in ("devices", "precision", "compile")
}
# What lies beside the weights of every trained model, for others to load.
SHARED = [
    f"{RESULTS}/models/{model}/{dataset}/{name}"
    for model, dataset in trained_models()
    for name in ["card.json", "motifs.meme"] + ["model.onnx"] * config["share"]["onnx"]
]
# (model, dataset) of every track; a multi-task network has tracks of the datasets it learned.
TRACKED = [
    (model, dataset)
    for model in config["tracks"]["models"]
    for dataset in filter(is_tracked, DATASETS)
    if not is_multitask(model) or dataset in config["multitask"]["datasets"]
]
TRACKS = [f"{RESULTS}/sites.tsv"] if TRACKED else []
SCORES = [
    f"{RESULTS}/scores/{fasta}/{dataset}.tsv" for fasta in config["score"] for dataset in DATASETS
]
VARIANTS = [
    f"{RESULTS}/variants/{name}/{model}.vcf.gz"
    for name in config["variants"]["files"]
    for model in VARIANT_MODELS
]
# What is asked of the user's regions, of the first DeepBind of every DNA dataset.
PHASED = [name for name, region in config["regions"].items() if region["variants"]]
MUTATED = [name for name, region in config["regions"].items() if region["mutagenesis"]]
REGIONS = [
    f"{RESULTS}/regions/{region}/{table}"
    for dataset in DNA
    for names, table in (
        (config["regions"], f"{dataset}.tsv"),
        (PHASED, f"haplotypes/{dataset}.tsv"),
        (MUTATED, f"mutagenesis/{dataset}.tsv.gz"),
    )
    for region in names
]
# Whether anything that is asked for lies on the genome.
NEEDS_GENOME = bool(any(map(is_peaks, DATASETS)) or VARIANTS or REGIONS)
# What attribution makes of every dataset.
ATTRIBUTIONS = [
    f"{RESULTS}/attribution/{dataset}/{name}"
    for name in ["sequences.tsv"] * (config["attribution"]["sequences"] > 0)
    + ["modisco.tsv"] * config["attribution"]["modisco"]
    for dataset in DATASETS
]


def named_files():
    """The data files that the config and the dataset table name and the run reads, each once."""
    peaks = [name for name in DATASETS if is_peaks(name)]
    tested = [line["test_path"] for name, line in DATASETS.items() if not is_peaks(name)]
    genome = config["genome"]["excluded"] if peaks else []
    if NEEDS_GENOME:
        genome = [config["genome"]["fasta"], *genome]
    regions = config["regions"].values()
    paths = given(
        *genome,
        *(line["path"] for line in DATASETS.values()),
        *tested,
        *config["motifs"]["meme_files"],
        *config["score"].values(),
        *config["variants"]["files"].values(),
        *(region[key] for region in regions for key in ("bed", "variants")),
    )
    return sorted({*paths, *(path for name in DATASETS for path in motif_file(name))})


def made_files():
    """All result files and folders of the run's rules, as groups (names, values of wildcards).

    Taken from the rules' outputs, so that a rule's new file is one more here too.
    """
    each, folds = {"dataset": [*DATASETS]}, {"dataset": IN_FOLDS, "fold": range(1, FOLDS + 1)}
    tables = ["metrics", "comparisons", "calibration", "matches", "motif_summaries"]
    looked = ["attribute_sequences"] * (config["attribution"]["sequences"] > 0)
    looked += ["discover_modisco"] * config["attribution"]["modisco"]
    shared = ["export_motifs", "annotate_motifs", "share_model"]
    shared += ["export_onnx"] * config["share"]["onnx"]
    first = {"preset": PRESETS[:1]}
    groups = [
        (["encode_genome"] * NEEDS_GENOME, {}),
        (["label_bins"] * bool(MULTITASK), {}),
        (["prepare_database", "compute_bands", "describe_networks", "cluster_motifs"], {}),
        ([f"collect_{table}" for table in tables] + ["draw_comparison", "write_report"], {}),
        # Peaks and tables alike: the two rules' outputs have the same names.
        (["extract_windows", "evaluate_windows", "examine_windows", *looked], each),
        (["train_deepbind"], each | {"preset": PRESETS}),
        (["train_windows"], each | {"preset": WINDOW_NETWORKS}),
        (["train_multitask", "predict_bins"], {"preset": MULTITASK}),
        (["evaluate_bins"] * bool(MULTITASK), {"dataset": config["multitask"]["datasets"]}),
        (shared, each | {"model": [*PRESETS, *WINDOW_NETWORKS]}),
        (shared, {"dataset": ["multitask"], "model": MULTITASK}),
        (["score_sequences"], each | {"fasta": [*config["score"]]}),
        (
            ["annotate_variants"],
            {"variants": [*config["variants"]["files"]], "model": VARIANT_MODELS},
        ),
        (["score_regions"], {"dataset": DNA, "region": [*config["regions"]]}),
        (["build_haplotypes"], {"region": PHASED}),
        (["score_haplotypes"], {"dataset": DNA, "region": PHASED}),
        (["mutate_regions"], {"dataset": DNA, "region": MUTATED}),
        (["assign_folds", "collect_folds"] * bool(FOLDS), {}),
        (["extract_fold", "train_fold", "evaluate_fold"], folds | first),
        (["collect_learning_curve"] * bool(SHARES), {}),
        (["collect_sites"] * bool(TRACKED), {}),
        (["train_share", "evaluate_share"], each | {"share": SHARES} | first),
    ]
    sites = ["write_track", "call_sites", "evaluate_sites"]
    shuffled = ["scan_shuffled"] * (config["tracks"]["null_bases"] > 0)
    for model in config["tracks"]["models"]:
        datasets = [dataset for preset, dataset in TRACKED if preset == model]
        sources = ["multitask"] if is_multitask(model) else datasets
        groups.append((sites, {"model": [model], "dataset": datasets}))
        groups.append((shuffled, {"model": [model], "dataset": sources}))
    for name in ("kmer", "lsgkm"):
        for rule, values in ((f"fit_{name}", each), (f"fit_{name}_fold", folds)):
            fitted = [dataset for dataset in values["dataset"] if name in baselines_of(dataset)]
            groups.append(([rule], values | {"dataset": fitted}))
    return [
        ([str(path) for rule in names for path in getattr(rules, rule).output], values)
        for names, values in groups
    ]


# Where the workflow comes from, if it is no local folder: repository, file and version.
SOURCE = (
    "" if workflow.current_basedir.is_local else str(workflow.current_basedir.join("../Snakefile"))
)
# What library() leaves out, so that a local workflow's jobs import it, and find their compiled
# functions, where it lies and not from Snakemake's copy: the file that makes modules a package.
if SOURCE:
    workflow.source_path("../workflow_scripts/motifloom/__init__.py")
