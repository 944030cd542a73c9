"""Changes that a user makes to a finished project, by the words of docs/reruns.md."""

from collections.abc import Callable

from projects import Project

NEW = ("NEW", "SPI1", "peaks", "data/SPI1.bed.gz", "", "dna", "binary", "data/motifs.meme#SPI1")


def line(name: str, column: int, value: str) -> Callable[[Project], None]:
    """Change one cell of a dataset's line."""

    def change(project: Project) -> None:
        number = [row[0] for row in project.datasets].index(name)
        row = project.datasets[number]
        project.datasets[number] = (*row[:column], value, *row[column + 1 :])

    return change


def key(*path: str, value) -> Callable[[Project], None]:
    """Set one value of the config; a dictionary is laid over what is there."""

    def change(project: Project) -> None:
        section = project.config
        for name in path[:-1]:
            section = section.setdefault(name, {})
        former = section.get(path[-1])
        both = isinstance(former, dict) and isinstance(value, dict)
        section[path[-1]] = former | value if both else value

    return change


def without_last_line(name: str) -> Callable[[Project], None]:
    """Take the last line off a data file."""

    def change(project: Project) -> None:
        path = project.folder / name
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[:-1]), encoding="utf-8")

    return change


def touched(name: str) -> Callable[[Project], None]:
    """Set a data file's time to now."""
    return lambda project: (project.folder / name).touch()


def other_table(project: Project) -> None:
    """The same lines in a table of another name."""
    project.config["datasets"] = "others.tsv"
    (project.folder / "others.tsv").write_bytes((project.folder / "datasets.tsv").read_bytes())


def excluded(project: Project) -> None:
    """Regions that the genome is to be read without."""
    (project.folder / "excluded.bed").write_text("chr1\t0\t100\n", encoding="ascii")
    project.config["genome"]["excluded"] = ["excluded.bed"]


def own_sequences(project: Project) -> None:
    """A FASTA file to score."""
    (project.folder / "mine.fa").write_text(">one\nACGTACGTACGTACGTACGTACGT\n", encoding="ascii")
    project.config["score"] = {"mine": "mine.fa"}


def own_variants(project: Project) -> None:
    """A VCF to annotate."""
    text = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (project.folder / "mine.vcf").write_text(text, encoding="ascii")
    project.config["variants"] = {"files": {"mine": "mine.vcf"}}


def own_regions(project: Project) -> None:
    """Two intervals to score, with phased variants of two samples, and every substitution."""
    bed = "chr2\t1000\t1060\tfirst\t0\t+\nchr4\t300\t320\tsecond\t0\t-\n"
    (project.folder / "mine.bed").write_text(bed, encoding="ascii")
    lines = (project.folder / "data/genome.fa").read_text(encoding="ascii").split("\n")
    base = lines[3][1019]
    other = "A" if base != "A" else "C"
    header = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\ts2"
    record = f"chr2\t1020\t.\t{base}\t{other}\t.\t.\t.\tGT\t0|1\t1|1"
    known = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">'
    text = ["##fileformat=VCFv4.3", "##contig=<ID=chr2>", known]
    text += [header, record, ""]
    (project.folder / "mine.vcf").write_text("\n".join(text), encoding="ascii")
    settings = {"bed": "mine.bed", "variants": "mine.vcf", "mutagenesis": True}
    project.config["regions"] = {"mine": settings}


def moved_data(project: Project) -> None:
    """The data in a folder that data_folder names."""
    (project.folder / "elsewhere").mkdir()
    (project.folder / "data").rename(project.folder / "elsewhere/data")
    project.config["data_folder"] = "elsewhere"


def downloads(project: Project) -> None:
    """A table of downloads with one file that no dataset names."""
    text = "path\turl\tsha256\nunused.bed\thttp://127.0.0.1:9/unused.bed\t\n"
    (project.folder / "downloads.tsv").write_text(text, encoding="ascii")
    project.config["downloads"] = "downloads.tsv"


# The first cell of a row of the tables in docs/reruns.md -> the change.
CHANGES: dict[str, Callable[[Project], None]] = {
    "a line more": lambda project: project.datasets.append(NEW),
    "a line less": lambda project: project.datasets.pop(2),
    "the lines in another order": lambda project: project.datasets.reverse(),
    "a dataset renamed": line("MYC", 0, "MYC_2"),
    "a dataset's `tf`": line("MYC", 1, "MAX"),
    "a dataset's `path`": line("MYC", 3, "data/SPI1.bed.gz"),
    "a dataset's `motif`": line("MYC", 7, "data/motifs.meme#MYC"),
    "a peak file's content": without_last_line("data/MYC.narrowPeak"),
    "a peak file touched, its content as before": touched("data/MYC.narrowPeak"),
    "the genome's content": without_last_line("data/genome.fa"),
    "a MEME file's content": without_last_line("data/motifs.meme"),
    "`name`": key("name", value="another"),
    "`seed`": key("seed", value=2),
    "`datasets`: the same lines elsewhere": other_table,
    "`data_folder`: the data moved there": moved_data,
    "`downloads`": downloads,
    "`device`": key("device", value="auto"),
    "`genome: excluded`": excluded,
    "`genome: ignored_chromosomes`": key("genome", "ignored_chromosomes", value=["chr4"]),
    "`windows`": key("windows", "length", value=81),
    "`splits`": key("splits", "shared_kmer", value=0),
    "`cross_validation`": key("cross_validation", "folds", value=3),
    "`negatives`": key("negatives", "train_negatives_per_positive", value=2),
    "`models: deepbind`": key("models", "deepbind", value=["deepbind", "deepbind-lecture"]),
    "`models: settings` of `deepbind`": key("models", "settings", "deepbind", value={"epochs": 2}),
    "`models: settings` of `danq`": key("models", "settings", "danq", value={"epochs": 2}),
    "`models: multitask`": key("models", "multitask", value=["danq", "cnn"]),
    "`models: windows`": key("models", "windows", value=["resnet"]),
    "`models: score_loss`": key("models", "score_loss", value="cross-entropy"),
    "`training: precision`": key("training", "precision", value="bf16"),
    "`training: checkpoint_minutes`": key("training", "checkpoint_minutes", value=5),
    "`baselines`": key("baselines", "kmer", value=False),
    "`multitask: label`": key("multitask", "label", value="overlap"),
    "`multitask: datasets`": key("multitask", "datasets", value=["GATA1"]),
    "`evaluation: bootstraps`": key("evaluation", "bootstraps", value=30),
    "`evaluation: calibration`": key("evaluation", "calibration", value="isotonic"),
    "`evaluation: learning_curve`": key("evaluation", "learning_curve", value=[0.5]),
    "`motifs: jaspar`": key("motifs", "jaspar", "taxa", value=["fungi"]),
    "`motifs: top_sequences`": key("motifs", "top_sequences", value=50),
    "`motifs: evalue`": key("motifs", "evalue", value=0.05),
    "`motifs: logos_per_model`": key("motifs", "logos_per_model", value=2),
    "`attribution`": key("attribution", "sequences", value=5),
    "`tracks`": key("tracks", value={"models": ["deepbind"]}),
    "`share: licence`": key("share", "licence", value="CC0-1.0"),
    "`share: onnx`": key("share", "onnx", value=True),
    "`score`": own_sequences,
    "`variants`": own_variants,
    "`regions`": own_regions,
    "`threads`": key("threads", "multitask", value=1),
}
