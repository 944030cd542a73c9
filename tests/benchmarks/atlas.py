"""The report page of many datasets: simulated tables and drawings, and the time the page takes.

python tests/benchmarks/atlas.py --datasets 500 --folder results/atlas writes the page to look at.
"""

import argparse
import base64
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow_scripts"))
MODELS = ("deepbind", "pwm", "kmer")
NEGATIVES = ("dinucleotide", "gc")
MOTIFS, WIDTH, MEMBERS = 24, 12, 6  # motifs of a dataset; the default DeepBind's width and members
WINDOW = 101
N_DATASETS = 500


def simulate(folder: Path, n_datasets: int, seed: int = 1) -> dict:
    """Results of a run of `n_datasets` in `folder`; the arguments of `report.write_page` for it.

    Tables differ from dataset to dataset, drawings are drawn once and copied. The same seed gives
    the same files.
    """
    rng = np.random.default_rng(seed)
    names = [f"TF{number:03d}" for number in range(1, n_datasets + 1)]
    drawings = draw(folder.parent / f"{folder.name}-drawings", rng)
    inputs = [write_dataset(folder, name, drawings, rng) for name in names]
    inputs.append(write_run(folder, names, rng))
    sheet = [
        {"dataset": name, "tf": name.title(), "kind": "peaks", "alphabet": "dna",
         "labels": "binary", "motif": f"MA{i:04d}.1" if i % 3 else ""}
        for i, name in enumerate(names)
    ]  # fmt: skip
    return {
        "templates": sorted((ROOT / "report").glob("*.*")),
        "title": f"simulated: {n_datasets} datasets",
        "results": folder,
        "inputs": [folder / path for paths in inputs for path in paths],
        "sheet": sheet,
        "models": [("deepbind", name) for name in names],
        "configuration": {"name": "simulated", "seed": seed},
        "versions": {"python": "3.11"},
    }


def draw(folder: Path, rng: np.random.Generator) -> dict[str, Path]:
    """Drawings of the size that the workflow's own have, by their file names."""
    from motifloom.plots import draw_curves

    folder.mkdir(parents=True, exist_ok=True)
    x = np.linspace(0, 1, 150)
    frame = pd.concat(
        pd.DataFrame({"model": model, "curve": curve, "x": x, "y": np.sort(rng.random(150))})
        for model in MODELS
        for curve in ("roc", "pr")
    )
    names = ("windows.svg", "calibration.svg", "distributions.svg", "composition.svg")
    paths = {name: folder / name for name in names}
    for path in paths.values():
        draw_curves(frame, {model: model for model in MODELS}, "TF", path)
    return paths


def write(table: dict | list, path: Path) -> None:
    """A TSV of columns or rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table).to_csv(path, sep="\t", index=False, na_rep="NA", float_format="%.6g")


def write_dataset(
    folder: Path, name: str, drawings: dict[str, Path], rng: np.random.Generator
) -> list[str]:
    """Everything of one dataset; the paths written, relative to the results."""
    evaluation, motifs = f"evaluation/{name}", f"motifs/deepbind/{name}"
    (folder / evaluation).mkdir(parents=True)
    for file, drawing in drawings.items():
        shutil.copyfile(drawing, folder / evaluation / file)
    predicted = np.linspace(0.05, 0.95, 10)
    observed = np.clip(predicted + rng.normal(0, 0.05, 10), 0, 1)
    write(
        {"model": "deepbind", "bin": range(10), "predicted": predicted, "observed": observed,
         "low": observed - 0.04, "high": observed + 0.04, "n": 200},
        folder / evaluation / "reliability.tsv",
    )  # fmt: skip
    write(composition(rng), folder / evaluation / "composition.tsv")
    stages = ["peaks read", "dropped: too many N", "train sites", "test sites"]
    sites = int(10 ** rng.uniform(2.3, 4.7))
    write(
        {"stage": stages, "count": [sites, 3, int(0.8 * sites), int(0.1 * sites)], "note": ""},
        folder / "sequences" / name / "qc.tsv",
    )
    write_attribution(folder / "attribution" / name, rng)
    tables = write_motifs(folder / motifs, name, rng)
    evaluated = [*drawings, "reliability.tsv", "composition.tsv"]
    return [f"sequences/{name}/qc.tsv", *(f"{motifs}/{file}" for file in tables),
            *(f"{evaluation}/{file}" for file in evaluated),
            *(f"attribution/{name}/{file}" for file in ATTRIBUTED)]  # fmt: skip


ATTRIBUTED = ("sequences.tsv", "attributions.safetensors")


def write_attribution(folder: Path, rng: np.random.Generator) -> None:
    """Mutation maps and contributions of ten sequences."""
    from motifloom.store import write_arrays

    codes = rng.integers(4, size=(10, WINDOW), dtype=np.uint8)
    near = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / 50)
    changes = (rng.normal(-0.5, 0.4, (10, 4, WINDOW)) * near).astype(np.float32)
    np.put_along_axis(changes, codes[:, None].astype(int), 0, axis=1)
    write(
        [{"rank": i + 1, "chrom": "chr1", "start": 100 * i, "end": 100 * i + WINDOW, "strand": "+",
          "score": 5 - i / 10, "row": i} for i in range(10)],
        folder / "sequences.tsv",
    )  # fmt: skip
    values = (rng.normal(0.3, 0.3, changes.shape) * near).astype(np.float32)
    arrays = {"mutagenesis": changes, "deeplift": values, "codes": codes}
    shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    path = folder / "attributions.safetensors"
    write_arrays(path, shapes, arrays.values(), {"method": "deeplift"})


def composition(rng: np.random.Generator) -> list[dict]:
    """GC content and dinucleotides of sites and negatives."""
    pairs = [first + second for first in "ACGT" for second in "ACGT"]
    return [
        {"kind": kind, "n": 1000, "gc_mean": 0.42, "gc_sd": 0.08}
        | dict(zip(pairs, rng.dirichlet(np.full(16, 50)), strict=True))
        for kind in ("sites", *NEGATIVES)
    ]


def write_motifs(folder: Path, name: str, rng: np.random.Generator) -> list[str]:
    """Motifs, their positions, matches and summary; the names of the files."""
    from motifloom.motif_files import write_meme
    from motifloom.motifs import Motif

    kernels = [f"m{1 + i % MEMBERS}k{i:03d}" for i in range(MOTIFS)]
    matrices = [rng.dirichlet(np.full(4, 0.2), WIDTH).T for _ in kernels]
    drops = np.sort(rng.exponential(0.01, MOTIFS))[::-1]
    motifs = [
        Motif(kernel, matrix, n_sites=int(rng.integers(50, 900)))
        for kernel, matrix in zip(kernels, matrices, strict=True)
    ]
    rows = [
        {"rank": i + 1, "kernel": motif.name, "kernels": motif.name, "n_kernels": 1 + i % 9,
         "n_members": 1 + i % MEMBERS, "members": "1,2,3"[: 1 + 2 * (i % 3)],
         "n_sites": motif.n_sites, "n_sequences": 900, "information": motif.information,
         "width": WIDTH, "reverse_share": rng.random(), "position_mean": 0.2, "position_sd": 12.0,
         "effect": 1.0, "validation_drop": drops[i], "test_drop": drops[i] * 0.9,
         "status": "weak" if i == MOTIFS - 1 else "", "recipe": "deepbind",
         "initialised_from": "", "consensus": "N" * WIDTH, "metric": "auroc"}
        for i, motif in enumerate(motifs)
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_meme(motifs, folder / "motifs.meme")
    write(rows, folder / "motifs.tsv")
    edges = np.arange(-50, 50, 5)
    places = np.exp(-((edges + 2.5) ** 2) / 400)
    write(
        [{"kernel": kernel, "start": start, "end": start + 5, "forward": int(90 * place),
          "reverse": int(60 * place)}
         for kernel in kernels for start, place in zip(edges, places, strict=True)],
        folder / "positions.tsv",
    )  # fmt: skip
    write(
        [{"dataset": name, "model": "deepbind", "members": MEMBERS, "kernels": 1536,
          "never_fire": 40, "weak": 210, "redundant": 900, "motifs": MOTIFS, "matched": 15,
          "matched_by_chance": 0.4, "chance_share": 0.4 / MOTIFS, "evalue": 0.01, "controls": 10,
          "note": ""}],
        folder / "summary.tsv",
    )  # fmt: skip
    return ["motifs.meme", "motifs.tsv", "positions.tsv", "summary.tsv"]


def matches(names: list[str], rng: np.random.Generator) -> list[dict]:
    """Three database matches of each motif of every dataset."""
    rows = []
    for name in names:
        for i in range(MOTIFS):
            evalues = np.sort(10 ** rng.uniform(-9, 1, 3))
            for rank, value in enumerate(evalues, start=1):
                number = int(rng.integers(MATRICES))
                rows.append(
                    {"dataset": name, "model": "deepbind", "kernel": f"m{1 + i % MEMBERS}k{i:03d}",
                     "n_sites": 100, "information": 9.0, "validation_drop": 0.01,
                     "initialised_from": "", "rank": rank, "match": f"MA{number:04d}.1",
                     "match_name": f"FACTOR{number}", "pvalue": value / MATRICES, "evalue": value,
                     "qvalue": value / 10, "offset": int(rng.integers(-3, 4)), "overlap": 9,
                     "strand": "+-"[rank % 2], "recovers": name.title() if i + rank == 1 else ""}
                )  # fmt: skip
    return rows


MATRICES = 400  # of the database


def metrics(names: list[str], rng: np.random.Generator) -> list[dict]:
    """A row a dataset, model and kind of negatives."""
    rows = []
    for name in names:
        for negatives in NEGATIVES:
            best = rng.uniform(0.7, 0.98)
            for model, loss in zip(MODELS, (0, 0.08, 0.04), strict=True):
                value = best - loss * rng.random()
                rows.append(
                    {"dataset": name, "tf": name.title(), "model": model, "preset": model,
                     "members": MEMBERS if model == "deepbind" else "", "examples": "windows",
                     "negatives": negatives, "n": 1100, "n_positive": 100, "auroc": value,
                     "auroc_low": value - 0.03, "auroc_high": value + 0.02,
                     "auroc_members_mean": value - 0.01, "auroc_members_sd": 0.004,
                     "auprc": value - 0.2, "auprc_low": value - 0.25, "auprc_high": value - 0.15,
                     "precision_r50": value - 0.1, "precision_r80": value - 0.3, "note": ""}
                )  # fmt: skip
    return rows


def comparisons(names: list[str], rng: np.random.Generator) -> list[dict]:
    """DeepBind minus each baseline on every dataset, and over all."""
    return [
        {"dataset": name, "examples": "windows", "negatives": negatives, "model": "deepbind",
         "other": other, "metric": "auroc", "difference": value, "low": value - 0.02,
         "high": value + 0.02, "pvalue": 0.01, "n": 1100, "qvalue": 0.02}
        for name in [*names, "all"]
        for negatives in NEGATIVES
        for other, value in zip(MODELS[1:], rng.normal(0.04, 0.02, 2), strict=True)
    ]  # fmt: skip


def write_run(folder: Path, names: list[str], rng: np.random.Generator) -> list[str]:
    """The tables of the run as a whole; the paths written, relative to the results."""
    from motifloom.motif_files import write_meme
    from motifloom.motifs import Motif

    write(metrics(names, rng), folder / "metrics.tsv")
    write(matches(names, rng), folder / "matches.tsv")
    write(comparisons(names, rng), folder / "comparisons.tsv")
    families = [f"F{i:03d}" for i in range(1, 2 + len(names) // 3)]
    write(
        [{"family": family, "name": f"FACTOR{i}", "n_motifs": 12, "n_tfs": 3,
          "tfs": ",".join(names[i : i + 3]), "models": "deepbind", "consensus": "TTACCCGG",
          "match": "MA0001.1", "match_name": f"FACTOR{i}", "evalue": 1e-6, "logo": family}
         for i, family in enumerate(families)],
        folder / "families.tsv",
    )  # fmt: skip
    matrices = {"motifs/database.meme": [f"MA{i:04d}.1" for i in range(MATRICES)]}
    matrices["families/families.meme"] = families
    for path, labels in matrices.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        drawn = rng.dirichlet(np.full(4, 0.2), (len(labels), WIDTH)).transpose(0, 2, 1)
        motifs = [Motif(label, m, n_sites=20) for label, m in zip(labels, drawn, strict=True)]
        write_meme(motifs, folder / path)
    return ["metrics.tsv", "matches.tsv", "comparisons.tsv", "families.tsv", *matrices]


def inline(page: Path, given: dict) -> None:
    """The plain way to one file: every table as HTML by pandas, every drawing in base64."""
    parts = ["<!doctype html><meta charset=utf-8>"]
    for path in given["inputs"]:
        if path.suffix == ".tsv":
            parts.append(pd.read_csv(path, sep="\t").to_html())
        elif path.suffix == ".svg":
            drawing = base64.b64encode(path.read_bytes()).decode()
            parts.append(f'<img src="data:image/svg+xml;base64,{drawing}">')
    page.write_text("".join(parts), encoding="utf-8")


def rows() -> list:
    """The row of the table of benchmarks: the page of 500 datasets beside `inline`."""
    import harness

    pages = {}

    def setup(folder: Path) -> harness.Pair:
        from motifloom.report import write_page

        given = simulate(folder / "results", N_DATASETS)
        pages.update(ours=folder / "report.html", reference=folder / "inline.html")
        return harness.Pair(
            ours=lambda: write_page(pages["ours"], **given),
            reference=lambda: inline(pages["reference"], given),
            n_ours=N_DATASETS,
            n_reference=N_DATASETS,
            check=lambda ours, reference: check_size(pages["ours"]),
        )

    def note(result: harness.Result) -> str:
        ours, reference = (page.stat().st_size / 1e6 for page in pages.values())
        return f"{ours:.0f} MB, inline tables and drawings {reference:.0f} MB"

    return [harness.Row(f"report-{N_DATASETS}", "datasets/s", setup, note)]


def check_size(page: Path) -> None:
    """Raise where a page of all simulated datasets is larger than 30 MB."""
    assert page.stat().st_size < 30e6, f"{page.stat().st_size / 1e6:.0f} MB"


def main() -> None:
    """Simulate, write the page, and say seconds and megabytes."""
    from motifloom.report import write_page

    parser = argparse.ArgumentParser(description="Time the report page of simulated datasets.")
    parser.add_argument("--datasets", type=int, default=N_DATASETS)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    given = simulate(options.folder / "results", options.datasets)
    page = options.folder / "report.html"
    begin = time.perf_counter()
    write_page(page, **given)
    seconds, size = time.perf_counter() - begin, page.stat().st_size / 1e6
    print(f"{options.datasets} datasets: {seconds:.1f} s, {size:.1f} MB")


if __name__ == "__main__":
    main()
