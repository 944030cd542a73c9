"""Wrong configs, tables and data: every one is refused in a sentence that says what to do."""

import gzip

import pytest
from projects import DATASETS, MEME, Project, make_project, once, write_narrow_peaks

PEAKS = "data/MYC.narrowPeak"


def dataset(name="X", path=PEAKS, **changes):
    """A line of the dataset table."""
    row = {"tf": "X", "kind": "peaks", "test_path": "", "alphabet": "dna", "labels": "binary"}
    row |= {"motif": "", "dataset": name, "path": path, **changes}
    order = ("dataset", "tf", "kind", "path", "test_path", "alphabet", "labels", "motif")
    return tuple(row[column] for column in order)


def assert_refused(result, *words):
    """Not run, and one line of the output, which is not long, has all the words."""
    assert result.returncode == 1
    assert "Traceback" not in result.output
    lines = [line for line in result.output.splitlines() if line.strip()]
    # Snakemake's own heading is half of them.
    assert len(lines) < 40, result.output
    assert any(all(word in line for word in words) for line in lines), result.output


@pytest.mark.parametrize(
    ("section", "value", "words"),
    [
        ("window", {"length": 51}, ["config", "'window' was unexpected"]),
        ("windows", {"lenght": 51}, ["windows", "'lenght' was unexpected"]),
        ("windows", {"length": "wide"}, ["windows", "length", "'wide' is not of type 'integer'"]),
        ("multitask", {"datasets": ["GATA2"]}, ["multitask", "'GATA2' is not in datasets.tsv"]),
        ("multitask", {"datasets": ["selex"]}, ["multitask", "'selex'", "bins need peaks"]),
        ("models", {"settings": {"deepbin": {}}}, ["models: settings", "'deepbin' is no preset"]),
        ("splits", {"test": {"by": "chromosomes"}}, ["splits", "chromosomes"]),
        ("genome", {}, ["genome: fasta is not set"]),
        ("tracks", {"models": ["resnet"]}, ["tracks: models", "'resnet'", "trained on nothing"]),
        ("tracks", {"datasets": ["GATA2"]}, ["tracks: datasets", "'GATA2' is not in datasets.tsv"]),
        ("tracks", {"datasets": ["selex"]}, ["tracks: datasets", "'selex' has no peaks of DNA"]),
        ("tracks", {"resolution": 0}, ["tracks: resolution", "0 is less than the minimum"]),
    ],
)
def test_a_wrong_config_is_refused(project, section, value, words):
    project.config[section] = value
    assert_refused(project.plan(), *words)


def test_tracks_need_something_that_tells_where_sites_begin(project):
    project.config["tracks"] = {"models": ["deepbind"], "null_bases": 0}
    assert project.plan().returncode == 0
    project.config["multitask"]["datasets"] = []
    project.config["splits"]["validation"] = {"by": "clusters"}
    assert_refused(project.plan(), "tracks: null_bases is 0", "set one of the two")


@pytest.mark.parametrize("name", ["a b", "a/b", "a(b)", "a'b", "multitask"])
def test_a_name_that_cannot_be_a_folder_is_refused(project, name):
    project.datasets.append(dataset(name))
    line = len(project.datasets) + 1
    shown = repr(name)
    assert_refused(
        project.plan(), f"datasets.tsv, line {line}", "dataset", shown, "letters, digits"
    )


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (dataset("GATA1"), ["datasets.tsv", "'GATA1' stands on two lines"]),
        (dataset("gata1"), ["datasets.tsv", "'gata1' stands on two lines"]),
        (dataset(kind="peak"), ["datasets.tsv, line 6", "kind", "'peak' is not one of"]),
    ],
)
def test_a_wrong_line_of_the_dataset_table_is_refused(project, row, words):
    project.datasets.append(row)
    assert_refused(project.plan(), *words)


def test_missing_peaks_are_named_before_anything_runs(project):
    project.datasets.append(dataset(path="data/no such.narrowPeak"))
    result = project.run()
    assert_refused(result, "data/no such.narrowPeak")
    assert "Missing input files for rule extract_windows" in result.output
    assert not project.results.exists()


FAULTS = {
    "empty": ("data/empty.bed", "the file is empty"),
    "cut": ("data/cut.bed.gz", "the compressed file is damaged or cut short"),
    "unprefixed": (
        "data/unprefixed.bed",
        "chromosome '1' is not in the genome; did you mean 'chr1'",
    ),
    "ends": ("data/ends.bed", "no peak is left after filtering"),
    "word": ("data/word.bed", "line 2: end (column 3) is 'x', which is no integer"),
    "held": ("data/held.bed", "no training example is left after filtering and splitting"),
}


def write_faults(folder):
    """The peak files of FAULTS."""
    data = folder / "data"
    (data / "empty.bed").touch()
    whole = (data / "SPI1.bed.gz").read_bytes()
    (data / "cut.bed.gz").write_bytes(whole[: len(whole) // 2])
    unprefixed = gzip.decompress(whole).decode().replace("chr", "")
    (data / "unprefixed.bed").write_text(unprefixed)
    (data / "ends.bed").write_text("chr1\t0\t20\nchr4\t39980\t40000\n")
    (data / "word.bed").write_text("chr1\t100\t300\nchr1\t400\tx\n")
    (data / "held.bed").write_text("chr2\t100\t300\nchr3\t400\t600\n")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, source) -> tuple[Project, str]:
    """A run over datasets that are all at fault, and one whose test file has one class only.

    The project and what Snakemake said.
    """

    def make(folder):
        project = make_project(folder, source)
        write_faults(folder)
        write_one_class(folder)
        project.datasets = [dataset(name, path) for name, (path, _) in FAULTS.items()]
        table = dataset("one_class", "data/train.fa", kind="sequences", test_path="data/test.fa")
        project.datasets += [table, dataset("MYC")]
        project.config["multitask"]["datasets"] = ["MYC"]
        project.config["models"]["settings"]["deepbind"]["members"] = 1
        targets = [f"results/tiny/sequences/{name}/qc.tsv" for name in FAULTS]
        targets += ["results/tiny/multitask/qc.tsv"]
        targets += ["results/tiny/evaluation/one_class/windows.metrics.tsv"]
        result = project.run("--keep-going", *targets)
        assert result.returncode == 1
        (folder / "output.txt").write_text(result.output, encoding="utf-8")

    folder = once(tmp_path_factory, "faulty", make)
    return Project(folder, source), (folder / "output.txt").read_text(encoding="utf-8")


def write_one_class(folder):
    """Labelled training sequences of both classes, and a test file of positives only."""
    genome = (folder / "data/genome.fa").read_text().split("\n")[1]
    pieces = [genome[i : i + 60] for i in range(0, 60 * 90, 60)]
    train = "".join(f">s{i} {i % 2}\n{piece}\n" for i, piece in enumerate(pieces[:60]))
    (folder / "data/train.fa").write_text(train)
    test = "".join(f">t{i} 1\n{piece}\n" for i, piece in enumerate(pieces[60:]))
    (folder / "data/test.fa").write_text(test)


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_peaks_end_their_job_with_a_sentence(faulty, name):
    project, output = faulty
    path, message = FAULTS[name]
    log = (project.logs / f"extract_windows/{name}.log").read_text(encoding="utf-8")
    sentence = log.splitlines()[-1]
    assert sentence.startswith(f"error: {path}")
    assert message in sentence
    assert "Traceback" not in log
    assert sentence in output
    assert list(project.results.glob(f"sequences/{name}/*")) == []


def test_jobs_at_fault_show_no_traceback(faulty):
    _, output = faulty
    assert "Traceback" not in output


def test_multitask_needs_a_labelled_test_bin(faulty):
    project, _ = faulty
    log = (project.logs / "label_bins.log").read_text(encoding="utf-8")
    sentence = log.splitlines()[-1]
    assert sentence.startswith("error: multitask: no test bin carries a label")
    assert not (project.results / "multitask/bins.safetensors").exists()


def test_one_class_in_the_test_file_gives_na_with_a_note(faulty):
    project, _ = faulty
    table = project.results / "evaluation/one_class/windows.metrics.tsv"
    header, *lines = [line.split("\t") for line in table.read_text().splitlines()]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    # One member, so no row deepbind-single.
    assert [row["model"] for row in rows] == ["deepbind", "kmer"]
    assert (rows[0]["n"], rows[0]["n_positive"], rows[0]["auroc"]) == ("30", "30", "NA")
    assert rows[0]["note"] == "one class only in the test split"


def test_an_unknown_setting_of_a_preset_is_refused(copy):
    copy.config["models"]["settings"]["deepbind"]["epoch"] = 3
    result = copy.run("results/tiny/models/deepbind/MYC/weights.safetensors")
    assert result.returncode == 1
    assert "error: preset 'deepbind' has no setting 'epoch'" in result.output
    assert "Traceback" not in result.output


def test_lsgkm_without_its_programs_says_how_to_get_them(copy):
    copy.config["baselines"] = {"lsgkm": True}
    result = copy.run("results/tiny/baselines/lsgkm/GATA1/test_scores.safetensors")
    assert result.returncode == 1
    assert "error: gkmtrain: is not installed; call snakemake with --sdm conda" in result.output
    assert "Traceback" not in result.output


def test_a_motif_that_its_file_lacks_is_refused(copy):
    copy.datasets[0] = (*DATASETS[0][:-1], f"{MEME}#GATA7")
    result = copy.run("results/tiny/motifs/deepbind/GATA1/matches.tsv")
    assert result.returncode == 1
    assert f"error: {MEME}: has no motif 'GATA7'; did you mean GATA1" in result.output
    assert "Traceback" not in result.output


def test_peaks_only_on_unknown_chromosomes_are_refused_by_name(copy):
    write_narrow_peaks(copy.folder / PEAKS, [("scaffold_9", 500)])
    result = copy.run("results/tiny/sequences/MYC/qc.tsv")
    assert result.returncode == 1
    assert (
        "no interval is on a chromosome of the genome: the file has 'scaffold_9'" in result.output
    )


@pytest.mark.parametrize("name", ["it's.bed", 'a"b.bed', "a\\b.bed", "$(id).bed", "`id`.bed"])
def test_file_names_that_would_end_a_shells_quotes_are_refused(copy, name):
    copy.datasets[2] = dataset("MYC", name)
    result = copy.plan()
    assert result.returncode == 1
    assert "a file name may not hold quotation marks" in result.output
