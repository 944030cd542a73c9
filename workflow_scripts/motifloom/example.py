"""The built-in example: a simulated genome, binding experiments on it, and the truth behind them.

Binding sites are drawn base by base from JASPAR count matrices (Rauluseviciute et al. 2024,
Nucleic Acids Res. 52:D174) and written into a Markov background, so that a network trained on the
peaks has a known motif to find. Nothing is downloaded: pyjaspar carries the matrices.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit

from motifloom.files import InputError, atomic, write_table, write_text
from motifloom.sequences import ALPHABET, UNKNOWN, decode, reverse_complement

# Dataset of peaks -> JASPAR matrix its sites are drawn from.
PLANTED = {
    "CTCF": "MA0139.2",
    "REST": "MA0138.3",
    "GATA1": "MA0035.5",
    "MYC_MAX": "MA0059.2",
    "SPI1": "MA0080.7",
    "TP53": "MA0106.3",
}
SELEX = ("HNF4A_SELEX", "MA0114.5")
RNA = "PUM2_RNA"

# PUM2's element UGUANAUA, with A, C or U preferred at N: an approximation of the consensus found
# by SELEX (White et al. 2001, RNA 7:1855) and in bound 3' UTRs (Galgano et al. 2008, PLoS ONE
# 3:e3164). Probabilities, float64 [4, 8], rows A, C, G, T.
PUM2 = np.array(
    [
        [0.02, 0.01, 0.02, 0.97, 0.45, 0.95, 0.04, 0.80],
        [0.05, 0.01, 0.01, 0.01, 0.20, 0.02, 0.04, 0.05],
        [0.03, 0.97, 0.01, 0.01, 0.05, 0.02, 0.02, 0.10],
        [0.90, 0.01, 0.96, 0.01, 0.30, 0.01, 0.90, 0.05],
    ]
)

CHROMOSOMES = {"chr1": 0.25, "chr2": 0.20, "chr3": 0.17, "chr4": 0.15, "chr5": 0.13, "chr6": 0.10}
GENOME_COMPOSITION = np.array([0.29, 0.21, 0.21, 0.29])
MINIMUM_GENOME = 30_000

# GC levels of the isochore families L1, L2, H1, H2, H3 (after Costantini et al. 2006, Genome Res.
# 16:536), and how many stretches of the genome are of each; the mean GC is 0.42.
ISOCHORE_GC = np.array([0.365, 0.395, 0.445, 0.495, 0.545])
ISOCHORE_STRETCHES = np.array([12, 22, 18, 6, 2])

# Dinucleotide odds ratios f(xy) / (f(x) f(y)) of the human genome, rounded (the measure of Burge,
# Campbell & Karlin 1992, PNAS 89:1358); rows the first base, columns the second. CpG is depleted
# fourfold.
DINUCLEOTIDE_ODDS = np.array(
    [
        [1.13, 0.83, 1.16, 0.88],
        [1.21, 1.24, 0.24, 1.16],
        [0.99, 1.02, 1.24, 0.83],
        [0.76, 0.99, 1.21, 1.13],
    ]
)
TRACT_ODDS = 1.25  # A after AAA, T after TTT: poly-A tracts
REPEAT_ODDS = 1.15  # y after xyx: dinucleotide repeats

SLOT = 100  # bases; every site, and every pair of sites, has such a stretch of the genome to itself
COBOUND_SHARE = 0.3  # of GATA1 and SPI1 sites, planted side by side
COBOUND_GAP = (5, 30)  # bases between the two, both ends included
COOPERATIVITY = 1.0  # what a neighbour adds to the logit of occupancy
MERGED_WITHIN = 150  # bases; of two sites of one TF nearer than that, a peak caller sees one
FALSE_SHARE = 0.09  # of all peaks
SUMMIT_JITTER = 9.0  # bases, standard deviation
PEAK_WIDTH = (150, 300)

PROBES = 4_000
PROBE_LENGTH = 40
RNA_PAIRS = 1_500
RNA_LENGTH = 41
RNA_COMPOSITION = np.array([0.28, 0.20, 0.20, 0.32])
RNA_FALSE_SHARE = 0.08

TRUTH_COLUMNS = [
    "dataset",
    "name",
    "chrom",
    "start",
    "end",
    "strand",
    "matrix_score",
    "occupancy",
    "called",
    "kind",
]


def simulate(
    folder: str | Path,
    seed: int,
    genome_size: int = 2_000_000,
    sites_per_tf: int = 1_200,
    jaspar_release: str = "JASPAR2026",
) -> None:
    """Write the example into `folder`; the same arguments give the same bytes.

    - genome.fa.gz: bgzipped FASTA, chr1 to chr6, `genome_size` bases in all;
    - peaks/<dataset>.narrowPeak: one file a key of PLANTED, `sites_per_tf` sites each, of which
      the weakest are missing, and FALSE_SHARE of the peaks stand on background;
    - selex.tsv: name, sequence, score of 40-base probes for the matrix in SELEX;
    - rna.fa: 41-base RNA, label 1 (bound) or 0 as the last word of the header; each negative is
      a permutation of a positive, so both have the same composition;
    - motifs.meme: the RNA motif;
    - truth.tsv: every planted site, false positive and probe. Positions are 0-based, half-open,
      on the genome's forward strand (on the sequence itself for SELEX and RNA, chrom NA);
      matrix_score is a log-odds score in bits; kind is site, false_positive, background (an RNA
      negative) or probe (SELEX; start to end is its best hit).

    Raises InputError where the genome is too small for the sites asked for, or where the JASPAR
    release lacks a matrix.
    """
    folder = Path(folder)
    _check_size(genome_size, sites_per_tf)
    counts = jaspar_counts([*PLANTED.values(), SELEX[1]], jaspar_release)
    streams = np.random.default_rng(seed).spawn(5 + len(PLANTED))
    codes, bounds = background_genome(genome_size, streams[0])
    planted = {tf: counts[matrix_id] for tf, matrix_id in PLANTED.items()}
    sites = plant_sites(codes, bounds, planted, sites_per_tf, streams[1])
    write_genome(codes, bounds, folder / "genome.fa.gz", streams[2])
    free = _free_slots(codes, bounds, sites)
    truth = []
    for tf, stream in zip(PLANTED, streams[5:], strict=True):
        called = call_peaks(tf, sites[sites["dataset"] == tf], free, bounds, stream)
        _write_peaks(called.dropna(subset="name"), folder / "peaks" / f"{tf}.narrowPeak")
        truth.append(called[TRUTH_COLUMNS])
    probes, probe_truth = selex_probes(counts[SELEX[1]], streams[3])
    write_table(probes, folder / "selex.tsv")
    rna, rna_truth = rna_sequences(streams[4])
    write_text(rna, folder / "rna.fa")
    write_text(_meme(), folder / "motifs.meme")
    write_table(pd.concat([*truth, probe_truth, rna_truth]), folder / "truth.tsv")


def _check_size(genome_size: int, sites_per_tf: int) -> None:
    if genome_size < MINIMUM_GENOME:
        raise InputError(
            f"the example's genome_size is {genome_size}; it must be at least {MINIMUM_GENOME}"
        )
    if sites_per_tf < 10:
        raise InputError(f"the example's sites_per_tf is {sites_per_tf}; it must be at least 10")


# ---- Matrices ----------------------------------------------------------------------------------


def jaspar_counts(matrix_ids: Iterable[str], release: str) -> dict[str, np.ndarray]:
    """Count matrices, float64 [4, W], rows A, C, G, T, of JASPAR ids such as MA0139.2.

    Raises InputError where pyjaspar does not carry the release, or the release lacks an id.
    """
    import warnings
    from contextlib import closing

    import pyjaspar

    if release not in pyjaspar.jaspar_releases:
        known = ", ".join(sorted(pyjaspar.jaspar_releases))
        raise InputError(f"JASPAR release {release!r} is not among those of pyjaspar: {known}")
    database = pyjaspar.jaspardb(release=release)
    counts = {}
    with closing(database.conn), warnings.catch_warnings(action="ignore"):
        for matrix_id in matrix_ids:
            motif = database.fetch_motif_by_id(matrix_id)
            if motif is None:
                raise InputError(
                    f"matrix {matrix_id} is not in {release}; use a release that has it"
                    " (JASPAR2024 or later)"
                )
            counts[matrix_id] = np.array([motif.counts[base] for base in ALPHABET], np.float64)
    return counts


def log_odds(counts: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Log-odds weights in bits, float64 [4, W], of a count matrix [4, W].

    log2(p / background) with p = (count + background) / (column sum + 1): one pseudocount a
    column, shared out by the background probabilities [4].
    """
    background = background[:, None]
    return np.log2((counts + background) / (counts.sum(axis=0) + 1) / background)


def scan(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Scores, float64 [..., 2, L - W + 1], of weights [4, W] along base codes [..., L].

    Entry [..., 0, i] is the forward window that begins at i, [..., 1, i] the same window read on
    the reverse strand. An N counts as the column's worst base.
    """
    table = np.vstack([weights, weights.min(axis=0)])
    mirrored = np.vstack([weights[::-1, ::-1], weights.min(axis=0)[::-1]])
    width = weights.shape[1]
    positions = codes.shape[-1] - width + 1
    scores = np.zeros((*codes.shape[:-1], 2, positions))
    for column in range(width):
        shifted = codes[..., column : column + positions]
        scores[..., 0, :] += table[:, column][shifted]
        scores[..., 1, :] += mirrored[:, column][shifted]
    return scores


def draw_sites(probabilities: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Base codes, uint8 [n, W], each position drawn from its column of counts or shares [4, W]."""
    cumulative = np.cumsum(probabilities / probabilities.sum(axis=0), axis=0)
    draws = rng.random((n, probabilities.shape[1]))
    return (draws[:, None, :] >= cumulative[:3]).sum(axis=1, dtype=np.uint8)


# ---- Genome ------------------------------------------------------------------------------------


def background_genome(genome_size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A genome without binding sites: base codes and chromosome bounds.

    Codes are uint8 [genome_size], all chromosomes of CHROMOSOMES end to end; chromosome i is
    codes[bounds[i]:bounds[i + 1]]. A third-order Markov chain runs through stretches of five GC
    levels; each chromosome has N at its ends and in three gaps.
    """
    bounds = np.round(np.cumsum([0.0, *CHROMOSOMES.values()]) * genome_size).astype(np.int64)
    families = rng.permutation(np.repeat(np.arange(5, dtype=np.uint8), ISOCHORE_STRETCHES))
    cuts = np.sort(rng.integers(0, genome_size, len(families) - 1))
    family = np.repeat(families, np.diff(cuts, prepend=0, append=genome_size))
    tables = np.stack([transition_table(gc) for gc in ISOCHORE_GC])
    codes = _markov_chain(rng.random(genome_size), family, np.cumsum(tables, axis=-1))
    for begin, end in pairwise(bounds):
        length = end - begin
        codes[begin : begin + length // 200] = UNKNOWN
        codes[end - length // 200 : end] = UNKNOWN
        gap = length // 400
        for start in rng.integers(begin, end - gap, 3):
            codes[start : start + gap] = UNKNOWN
    return codes, bounds


def transition_table(gc: float) -> np.ndarray:
    """Third-order transition probabilities, float64 [64, 4], whose stationary GC share is `gc`.

    Row 16 x + 4 y + z is the context xyz, the column the next base b, with probability
    proportional to composition(b) * DINUCLEOTIDE_ODDS[z, b] * repeat(xyz, b), where repeat is
    TRACT_ODDS or REPEAT_ODDS where they apply, else 1. The odds shift the GC share, so the
    composition is corrected until the chain's stationary share is `gc`.
    """
    x, y, z, b = np.ogrid[:4, :4, :4, :4]
    tract = (x == y) & (y == z) & (z == b) & ((b == 0) | (b == 3))
    repeat = (x == z) & (y == b) & (x != y)
    odds = DINUCLEOTIDE_ODDS[z, b] * np.where(tract, TRACT_ODDS, np.where(repeat, REPEAT_ODDS, 1))
    composed = gc
    for _ in range(20):
        composition = np.array([1 - composed, composed, composed, 1 - composed]) / 2
        table = (odds * composition).reshape(64, 4)
        table /= table.sum(axis=1, keepdims=True)
        composed += gc - _stationary_gc(table)
    return table


def _stationary_gc(table: np.ndarray) -> float:
    context = np.arange(64)
    step = np.zeros((64, 64))
    for base in range(4):
        step[context, context % 16 * 4 + base] = table[:, base]
    stationary = np.linalg.matrix_power(step, 1024)[0]
    return float(stationary @ table[:, 1:3].sum(axis=1))


@njit(cache=True)
def _markov_chain(draws, family, cumulative):
    """Base codes [n] from uniform draws [n], families [n] and cumulative tables [F, 64, 4]."""
    codes = np.empty(len(draws), np.uint8)
    context = 0
    for i in range(len(draws)):
        row = cumulative[family[i], context]
        base = (draws[i] >= row[0]) + (draws[i] >= row[1]) + (draws[i] >= row[2])
        codes[i] = base
        context = context % 16 * 4 + base
    return codes


def write_genome(
    codes: np.ndarray, bounds: np.ndarray, path: str | Path, rng: np.random.Generator
) -> None:
    """Write a genome as bgzipped FASTA, 60 bases a line, with soft-masked (lower-case) stretches.

    Stretches and the gaps between them have exponential lengths, of 300 and 500 bases on average.
    """
    from Bio.bgzf import BgzfWriter

    n = len(codes) // 150 + 20
    runs = np.stack([rng.exponential(500, n), rng.exponential(300, n)], axis=1).astype(np.int64)
    masked = np.repeat(np.tile([False, True], n), runs.ravel() + 1)[: len(codes)]
    letters = np.frombuffer(decode(codes).encode(), np.uint8)
    letters = np.where(masked & (codes != UNKNOWN), letters | 0x20, letters)
    with atomic(path) as temporary, BgzfWriter(str(temporary), "wb") as stream:
        for name, begin, end in zip(CHROMOSOMES, bounds[:-1], bounds[1:], strict=True):
            stream.write(f">{name}\n".encode() + _fasta_lines(letters[begin:end]))


def _fasta_lines(letters: np.ndarray, width: int = 60) -> bytes:
    whole = len(letters) // width * width
    rows = letters[:whole].reshape(-1, width)
    lines = np.column_stack([rows, np.full(len(rows), ord("\n"), np.uint8)]).tobytes()
    rest = letters[whole:].tobytes()
    return lines + rest + (b"\n" if rest else b"")


# ---- Binding sites -----------------------------------------------------------------------------


def plant_sites(
    codes: np.ndarray,
    bounds: np.ndarray,
    counts: Mapping[str, np.ndarray],
    sites_per_tf: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Write sites of each TF's count matrix [4, W] into `codes` and return them.

    Sites never overlap. COBOUND_SHARE of the GATA1 and SPI1 sites stand side by side: GATA1
    first, then COBOUND_GAP bases, then SPI1, both on one strand. The table has dataset, position
    (of the site's first base in `codes`), width, strand, cobound, matrix_score (bits), occupancy,
    chrom, start and end. Raises InputError where the sites would fill half of the genome.
    """
    blocks = _blocks(counts, sites_per_tf)
    slots = _whole_slots(codes, bounds)
    needed = sum(n for _, n in blocks)
    if needed > len(slots) // 2:
        raise InputError(
            f"the example's genome has room for {len(slots) // 2} sites and {needed} are asked"
            " for; lower sites_per_tf or raise genome_size"
        )
    taken = np.split(
        rng.permutation(slots)[:needed], np.cumsum([n for _, n in blocks])[:-1].astype(int)
    )
    placed = []
    for (members, _), begins in zip(blocks, taken, strict=True):
        placed += _place(members, begins, {tf: counts[tf].shape[1] for tf in members}, rng)
    layout = pd.concat(placed).sort_values("position", ignore_index=True)
    written = [
        _write_sites(codes, layout[layout["dataset"] == tf].copy(), counts[tf], rng)
        for tf in counts
    ]
    sites = pd.concat(written, ignore_index=True)
    return sites.assign(
        **_coordinates(sites["position"], sites["position"] + sites["width"], bounds)
    )


def _blocks(
    counts: Mapping[str, np.ndarray], sites_per_tf: int
) -> list[tuple[tuple[str, ...], int]]:
    """What goes into one slot (one TF, or GATA1 with SPI1), and how many slots of it."""
    pair = ("GATA1", "SPI1")
    together = round(COBOUND_SHARE * sites_per_tf)
    alone = [((tf,), sites_per_tf - together * (tf in pair)) for tf in counts]
    return [*alone, (pair, together)]


def _whole_slots(codes: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Starts, int64, of the SLOT-base tiles of every chromosome that hold no N."""
    starts = np.concatenate(
        [np.arange(begin, end - SLOT + 1, SLOT) for begin, end in pairwise(bounds)]
    )
    unknown = np.concatenate([[0], np.cumsum(codes == UNKNOWN)])
    return starts[unknown[starts + SLOT] == unknown[starts]]


def _place(
    members: tuple[str, ...], slots: np.ndarray, widths: dict[str, int], rng: np.random.Generator
) -> list[pd.DataFrame]:
    """One table a member: where in its slot each site begins, and on which strand."""
    n = len(slots)
    gap = rng.integers(COBOUND_GAP[0], COBOUND_GAP[1] + 1, n) if len(members) > 1 else 0
    total = sum(widths.values()) + gap
    begin = slots + np.floor(rng.random(n) * (SLOT - total + 1)).astype(np.int64)
    reverse = rng.random(n) < 0.5
    tables = []
    offset = np.zeros(n, np.int64)
    for tf in members:
        position = begin + np.where(reverse, total - offset - widths[tf], offset)
        tables.append(
            pd.DataFrame(
                {
                    "dataset": tf,
                    "position": position,
                    "width": widths[tf],
                    "strand": np.where(reverse, "-", "+"),
                    "cobound": len(members) > 1,
                }
            )
        )
        offset = offset + widths[tf] + gap
    return tables


def _write_sites(
    codes: np.ndarray, sites: pd.DataFrame, counts: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the sites of one TF, write them into `codes` and add their score and occupancy.

    The occupancy is logistic in the site's energy, as for a binding equilibrium (Berg & von
    Hippel 1987, J. Mol. Biol. 193:723): logit = 1 + 1.5 z + COOPERATIVITY (if cobound) + noise,
    z being the matrix score in standard deviations of this TF's sites.
    """
    n, width = len(sites), counts.shape[1]
    drawn = draw_sites(counts, n, rng)
    score = log_odds(counts, GENOME_COMPOSITION)[drawn, np.arange(width)].sum(axis=1)
    reverse = (sites["strand"] == "-").to_numpy()
    bases = np.where(reverse[:, None], reverse_complement(drawn), drawn)
    codes[sites["position"].to_numpy()[:, None] + np.arange(width)] = bases
    z = (score - score.mean()) / score.std()
    logit = 1 + 1.5 * z + COOPERATIVITY * sites["cobound"] + rng.normal(0, 0.7, n)
    return sites.assign(matrix_score=score, occupancy=1 / (1 + np.exp(-logit)))


def _coordinates(begin: pd.Series, end: pd.Series, bounds: np.ndarray) -> dict[str, np.ndarray]:
    """chrom, start and end of intervals given in positions of the joined genome."""
    chrom = np.searchsorted(bounds, begin, side="right") - 1
    return {
        "chrom": np.array(list(CHROMOSOMES))[chrom],
        "start": np.asarray(begin) - bounds[chrom],
        "end": np.asarray(end) - bounds[chrom],
    }


# ---- Peaks -------------------------------------------------------------------------------------


def call_peaks(
    tf: str, sites: pd.DataFrame, free: np.ndarray, bounds: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """What a peak caller makes of one TF's sites, with false positives among the `free` slots.

    A site is called with probability 1 - (1 - occupancy)^2; of sites within MERGED_WITHIN bases
    only the strongest is. Returns the rows of the truth table; called ones and false positives
    also have name and the narrowPeak columns (NA elsewhere).
    """
    sites = sites.sort_values("position", ignore_index=True)
    occupancy = sites["occupancy"].to_numpy()
    called = rng.random(len(sites)) < 1 - (1 - occupancy) ** 2
    called &= ~_shadowed(sites["position"].to_numpy(), occupancy)
    true = sites.assign(
        called=called.astype(int),
        kind="site",
        summit=sites["position"] + sites["width"] // 2,
        strength=occupancy,
    )
    n_false = round(called.sum() * FALSE_SHARE / (1 - FALSE_SHARE))
    false = _false_positives(tf, sites["position"].to_numpy(), free, n_false, bounds, rng)
    rows = pd.concat([true, false], ignore_index=True).sort_values("position", ignore_index=True)
    peaks = _narrow_peaks(rows[rows["called"] == 1], bounds, rng)
    names = pd.Series([f"{tf}_peak_{i + 1}" for i in range(len(peaks))], index=peaks.index)
    return rows.join(peaks.assign(name=names))


def _shadowed(position: np.ndarray, occupancy: np.ndarray) -> np.ndarray:
    """Whether a stronger site of the same TF stands within MERGED_WITHIN bases (sorted input)."""
    near = np.diff(position) < MERGED_WITHIN
    stronger_next = near & (occupancy[1:] >= occupancy[:-1])
    stronger_before = near & (occupancy[:-1] > occupancy[1:])
    return np.append(stronger_next, False) | np.insert(stronger_before, 0, False)


def _free_slots(codes: np.ndarray, bounds: np.ndarray, sites: pd.DataFrame) -> np.ndarray:
    """Starts of the whole slots without any site, int64."""
    slots = _whole_slots(codes, bounds)
    centres = np.sort((sites["position"] + sites["width"] // 2).to_numpy())
    inside = np.searchsorted(centres, slots + SLOT) - np.searchsorted(centres, slots)
    return slots[inside == 0]


def _false_positives(
    tf: str,
    own: np.ndarray,
    free: np.ndarray,
    n: int,
    bounds: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """`n` summits on background, more than three slots from this TF's `own` sites (sorted)."""
    reach = 3 * SLOT
    near = np.searchsorted(own, free + SLOT + reach) - np.searchsorted(own, free - reach)
    summit = rng.choice(free[near == 0], size=n, replace=False) + rng.integers(0, SLOT, n)
    return pd.DataFrame(
        {
            "dataset": tf,
            "position": summit,
            **_coordinates(summit, summit + 1, bounds),
            "strand": ".",
            "matrix_score": np.nan,
            "occupancy": np.nan,
            "called": 1,
            "kind": "false_positive",
            "summit": summit,
            "strength": rng.beta(1.5, 4, n),
        }
    )


def _narrow_peaks(rows: pd.DataFrame, bounds: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """narrowPeak columns of called rows; signalValue is log-normal around 4 + 40 x strength."""
    n = len(rows)
    chrom = np.searchsorted(bounds, rows["position"], side="right") - 1
    length = np.diff(bounds)[chrom]
    jitter = np.round(rng.normal(0, SUMMIT_JITTER, n)).astype(np.int64)
    summit = np.clip(rows["summit"].to_numpy() + jitter - bounds[chrom], 0, length - 1)
    width = rng.integers(PEAK_WIDTH[0], PEAK_WIDTH[1] + 1, n)
    start = np.maximum(summit - np.round(width * rng.uniform(0.35, 0.65, n)).astype(np.int64), 0)
    signal = (4 + 40 * rows["strength"].to_numpy()) * np.exp(rng.normal(0, 0.3, n))
    p_value = 2 + 1.2 * signal * np.exp(rng.normal(0, 0.1, n))
    return pd.DataFrame(
        {
            "peak_start": start,
            "peak_end": np.minimum(start + width, length),
            "score": np.minimum(np.round(signal * 12), 1000).astype(np.int64),
            "signal": signal,
            "p_value": p_value,
            "q_value": np.maximum(p_value - 2.5, 0),
            "offset": summit - start,
        },
        index=rows.index,
    )


def _write_peaks(peaks: pd.DataFrame, path: Path) -> None:
    """Write narrowPeak (BED6+4), sorted by chromosome and start."""
    peaks = peaks.sort_values(["chrom", "peak_start", "peak_end"])
    integer = peaks[["peak_start", "peak_end", "score", "offset"]].astype(np.int64)
    real = peaks[["signal", "p_value", "q_value"]].map("{:.4f}".format)
    frame = pd.concat([peaks[["chrom", "name"]], integer, real], axis=1).assign(strand=".")
    order = ["chrom", "peak_start", "peak_end", "name", "score", "strand"]
    order += ["signal", "p_value", "q_value", "offset"]
    write_text(frame[order].to_csv(sep="\t", header=False, index=False, lineterminator="\n"), path)


# ---- Scored and labelled sequences -------------------------------------------------------------


def selex_probes(counts: np.ndarray, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random probes with real-valued scores (name, sequence, score), and their truth rows.

    Half of the probes come from a uniform library, half from one round of selection, in which a
    probe is picked in proportion to its affinity K = sum of exp(S) over positions and strands, S
    being the matrix score in nats (Zhao, Granas & Stormo 2009, PLoS Comput. Biol. 5:e1000590).
    The score is ln K plus normal noise of a quarter of its standard deviation.
    """
    codes, hits = _selected_probes(log_odds(counts, np.full(4, 0.25)), rng)
    names = [f"probe_{i + 1:05d}" for i in range(PROBES)]
    affinity = _log_affinity(hits)
    score = affinity + rng.normal(0, affinity.std() / 4, PROBES)
    hits = hits.reshape(PROBES, -1)
    strand, start = np.divmod(hits.argmax(axis=1), PROBE_LENGTH - counts.shape[1] + 1)
    truth = pd.DataFrame(
        {
            "dataset": SELEX[0],
            "name": names,
            "chrom": None,
            "start": start,
            "end": start + counts.shape[1],
            "strand": np.where(strand == 1, "-", "+"),
            "matrix_score": hits.max(axis=1),
            "occupancy": np.nan,
            "called": 1,
            "kind": "probe",
        }
    )
    return pd.DataFrame({"name": names, "sequence": _texts(codes), "score": score}), truth


def _selected_probes(
    weights: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Base codes [PROBES, PROBE_LENGTH] and their scan, half random and half selected, mixed."""
    library = rng.integers(0, 4, (15 * PROBES, PROBE_LENGTH), dtype=np.uint8)
    hits = scan(library, weights)
    half = PROBES // 2
    log_affinity = _log_affinity(hits[half:])
    share = np.exp(log_affinity - log_affinity.max())
    selected = rng.choice(len(share), size=PROBES - half, replace=False, p=share / share.sum())
    rows = rng.permutation(np.concatenate([np.arange(half), half + selected]))
    return library[rows], hits[rows]


def _log_affinity(hits: np.ndarray) -> np.ndarray:
    """ln of the summed exp of scores in bits [N, 2, P] over strands and positions."""
    return np.log(np.exp2(hits).sum(axis=(1, 2)))


def _texts(codes: np.ndarray, alphabet: str = "dna") -> list[str]:
    """The letters of each row of base codes [N, L]."""
    length = codes.shape[1]
    joined = decode(codes.ravel(), alphabet)
    return [joined[i : i + length] for i in range(0, len(joined), length)]


def rna_sequences(rng: np.random.Generator) -> tuple[str, pd.DataFrame]:
    """FASTA text of bound (1) and unbound (0) RNA in random order, and the truth rows.

    RNA_FALSE_SHARE of the bound sequences lack the motif, as cross-linking finds chance contacts.
    """
    bound, truth = _bound_rna(rng)
    unbound = truth[["dataset", "chrom"]].assign(strand=".", called=0, kind="background")
    order = rng.permutation(2 * RNA_PAIRS)
    texts = _texts(np.concatenate([bound, rng.permuted(bound, axis=1)])[order], "rna")
    truth = pd.concat([truth, unbound], ignore_index=True).iloc[order]
    truth["name"] = [f"rna_{i + 1:05d}" for i in range(len(truth))]
    records = zip(truth["name"], truth["called"], texts, strict=True)
    fasta = "".join(f">{name} {label}\n{text}\n" for name, label, text in records)
    return fasta, truth[TRUTH_COLUMNS]


def _bound_rna(rng: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
    """Base codes, uint8 [RNA_PAIRS, RNA_LENGTH], with PUM2 near the middle, and truth rows."""
    n, width = RNA_PAIRS, PUM2.shape[1]
    codes = draw_sites(np.repeat(RNA_COMPOSITION[:, None], RNA_LENGTH, axis=1), n, rng)
    drawn = draw_sites(PUM2, n, rng)
    start = np.round(rng.normal((RNA_LENGTH - width) / 2, 6, n)).astype(np.int64)
    start = np.clip(start, 0, RNA_LENGTH - width)
    planted = rng.random(n) >= RNA_FALSE_SHARE
    rows = np.flatnonzero(planted)
    codes[rows[:, None], start[rows, None] + np.arange(width)] = drawn[rows]
    score = log_odds(100 * PUM2, RNA_COMPOSITION)[drawn, np.arange(width)].sum(axis=1)
    truth = pd.DataFrame(
        {
            "dataset": RNA,
            "chrom": None,
            "start": pd.array(start, "Int64"),
            "end": pd.array(start + width, "Int64"),
            "strand": "+",
            "matrix_score": score,
            "occupancy": np.nan,
            "called": 1,
            "kind": "site",
        }
    )
    truth.loc[~planted, ["start", "end", "matrix_score"]] = pd.NA
    truth.loc[~planted, ["strand", "kind"]] = [".", "false_positive"]
    return codes, truth


def _meme() -> str:
    """The RNA motif in minimal MEME format."""
    lines = [
        "MEME version 4",
        "",
        "ALPHABET= ACGT",
        "",
        "strands: +",
        "",
        "Background letter frequencies",
        " ".join(
            f"{base} {share:.2f}" for base, share in zip(ALPHABET, RNA_COMPOSITION, strict=True)
        ),
        "",
        "MOTIF PUM2 PUM2",
        f"letter-probability matrix: alength= 4 w= {PUM2.shape[1]} nsites= 100 E= 0",
        *(" ".join(f"{value:.6f}" for value in column) for column in PUM2.T),
        "URL https://doi.org/10.1371/journal.pone.0003164",
    ]
    return "\n".join(lines) + "\n"
