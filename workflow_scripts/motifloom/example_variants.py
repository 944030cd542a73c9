"""Variants of the built-in example that break or create a binding site, and neutral ones.

What a variant does is known from the matrices that the example's sites were drawn from
(`example.py`). "Strong" is a site that scores at least as high as half of its TF's planted ones,
"weak" one that scores below nine tenths of them. Scores are log-odds in bits.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.alleles import Alleles, alternative_windows, reference_windows
from motifloom.example import GENOME_COMPOSITION, PLANTED, draw_sites, jaspar_counts, log_odds, scan
from motifloom.files import atomic, read_table, write_table
from motifloom.sequences import UNKNOWN, Genome, decode, reverse_complement

WINDOW = 101  # bases around a variant in which its effect on a matrix's best score is seen
LEAST_CHANGE = 4.0  # bits by which a variant breaks or creates a site
LEAST_LOSS = 5.0  # bits that a base must lose when a site is broken by a substitution of it
NEUTRAL_CHANGE = 1.0  # bits, less than which a neutral variant changes any site that is not weak
DELETED = (1, 5)  # bases deleted inside a site
INDEL = (1, 8)  # bases of neutral insertions and deletions
LONGEST_BLOCK = 4  # bases replaced at once where a site is created
CANDIDATES = 5_000  # places of a TF, the best ones, that are looked at for sites to be created
CHUNK = 4_096  # variants whose windows are scanned at a time

COLUMNS = ["chrom", "pos", "id", "ref", "alt", "kind", "dataset", "delta"]

_STREAM = 1_007  # with the seed, a generator apart from those of the example's other files

_HEADER = """##fileformat=VCFv4.3
##source=motifloom simulate_variants
{contigs}
##FILTER=<ID=PASS,Description="All filters passed">
##INFO=<ID=KIND,Number=1,Type=String,Description="break or create (a site), flank (beside a site), \
neutral (away from all)">
##INFO=<ID=DATASET,Number=1,Type=String,Description="Whose site it is">
##INFO=<ID=DELTA,Number=1,Type=Float,Description="Change of its matrix's best score around the \
variant, bits">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
"""


@dataclass(frozen=True)
class Matrix:
    """A TF's matrix and its planted sites.

    counts, weights: float64 [4, W], JASPAR's counts and log-odds in bits
    sites:  rows of the truth table, with `position`, the site's first base in `Genome.flat`
    strong, weak: bits
    """

    counts: np.ndarray
    weights: np.ndarray
    sites: pd.DataFrame
    strong: float
    weak: float

    @property
    def width(self) -> int:
        return self.weights.shape[1]


def simulate_variants(
    genome: str | Path,
    truth: str | Path,
    vcf: str | Path,
    table: str | Path,
    seed: int,
    per_tf: int = 260,
    n_neutral: int = 3_000,
    jaspar_release: str = "JASPAR2026",
) -> None:
    """Write variants of the example's genome as VCF 4.3 (bgzip) and what they do as a table.

    genome, truth: the FASTA and the table that `example.simulate` wrote
    per_tf:        how many variants break sites of each TF, and how many create some; fewer where
                   the genome has no room for them
    n_neutral:     how many do neither; three fifths are substitutions away from all planted sites,
                   a fifth are substitutions beside a site, a fifth insertions and deletions

    - break: a substitution in a strong site, of a base that matters by the worst one, or
      (three in thirteen) a deletion inside it; no other site of that TF is near;
    - create: a base or up to LONGEST_BLOCK adjoining ones of the background replaced by those of
      the matrix's consensus, up to a third of each, or a strong site inserted;
    - flank: a substitution within 50 bases of a site, outside of all sites;
    - neutral: at least WINDOW bases away from all sites.

    The table has chrom, pos (1-based), id, ref and alt as the VCF has them, kind, dataset (NA of
    neutral ones) and delta, the change in bits of the best score of the dataset's matrix in the
    WINDOW bases around the variant, both strands. A neutral variant changes no TF's best score by
    NEUTRAL_CHANGE or more unless it is weak before and after. The same arguments give the same
    bytes.
    """
    genome = Genome.open(genome)
    matrices = read_matrices(genome, truth, jaspar_release)
    streams = np.random.default_rng([seed, _STREAM]).spawn(1 + 2 * len(matrices))
    rooms = _Rooms(genome, matrices)
    parts = []
    for number, (tf, matrix) in enumerate(matrices.items()):
        breaking, creating = streams[2 * number : 2 * number + 2]
        parts.append(break_sites(genome, matrix, per_tf, breaking).assign(dataset=tf))
        parts.append(create_sites(genome, tf, matrix, rooms, per_tf, creating).assign(dataset=tf))
    parts.append(neutral_variants(genome, matrices, rooms, n_neutral, streams[-1]))
    records = _records(genome, pd.concat(parts, ignore_index=True))
    write_table(records[COLUMNS], table)
    write_vcf(records, genome, vcf)


def read_matrices(genome: Genome, truth: str | Path, jaspar_release: str) -> dict[str, Matrix]:
    """The TFs of `example.PLANTED` with their matrices and the sites planted in a genome."""
    counts = jaspar_counts(PLANTED.values(), jaspar_release)
    rows = read_table(truth)
    rows = rows[(rows["kind"] == "site") & rows["dataset"].isin(list(PLANTED))]
    starts = genome.offsets[genome.indices(rows["chrom"])] + rows["start"].astype(np.int64)
    matrices = {}
    for tf, sites in rows.assign(position=starts).groupby("dataset", sort=False):
        matrix = counts[PLANTED[tf]]
        weak, strong = np.quantile(sites["matrix_score"], [0.1, 0.5])
        matrices[tf] = Matrix(
            matrix,
            log_odds(matrix, GENOME_COMPOSITION),
            sites.sort_values("position"),
            strong,
            weak,
        )
    return matrices


def best_scores(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Best score of weights [4, W] in each row of base codes [N, L], both strands: float64 [N]."""
    chunks = [codes[at : at + CHUNK] for at in range(0, len(codes), CHUNK)]
    return np.concatenate([np.empty(0), *(scan(part, weights).max((1, 2)) for part in chunks)])


def score_changes(
    genome: Genome, alleles: Alleles, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Best scores of weights [4, W] before and after each allele, float64 [n] both.

    They are those of the WINDOW bases with the first changed base in the middle.
    """
    return tuple(
        best_scores(cut(genome, alleles, WINDOW), weights)
        for cut in (reference_windows, alternative_windows)
    )


# ---- Sites broken ------------------------------------------------------------------------------


def break_sites(genome: Genome, matrix: Matrix, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Changes (`_changes`) with `delta` that break strong sites of a TF, each another one's."""
    position = matrix.sites["position"].to_numpy()
    gaps = np.concatenate([[WINDOW], np.diff(position) - matrix.width, [WINDOW]])
    alone = np.minimum(gaps[:-1], gaps[1:]) >= WINDOW
    sites = matrix.sites[alone & (matrix.sites["matrix_score"] >= matrix.strong)]
    sites = sites.iloc[rng.permutation(len(sites))]
    of_deletions = len(sites) * 3 // 13
    deleted = _deletions(matrix, sites[:of_deletions], rng)
    substituted = _substitutions(genome, matrix, sites[of_deletions:], rng)
    chosen = []
    for found, share in ((deleted, n * 3 // 13), (substituted, n - n * 3 // 13)):
        found = _with_delta(genome, found, matrix.weights)
        chosen.append(found[found["delta"] <= -LEAST_CHANGE][:share])
    return pd.concat(chosen).assign(kind="break")


def _substitutions(genome, matrix, sites, rng) -> pd.DataFrame:
    """Of each site a base that matters, replaced by the one that the matrix likes least."""
    reverse = (sites["strand"] == "-").to_numpy()
    starts = sites["position"].to_numpy()
    codes = _oriented(genome, starts, reverse, matrix.width)
    loss = matrix.weights[codes, np.arange(matrix.width)] - matrix.weights.min(axis=0)
    drawn = np.where(loss >= LEAST_LOSS, rng.random(loss.shape), -1)
    column = drawn.argmax(axis=1)
    usable = drawn.max(axis=1) >= 0
    worst = matrix.weights.argmin(axis=0)[column].astype(np.uint8)
    place = starts + np.where(reverse, matrix.width - 1 - column, column)
    bases = np.where(reverse, 3 - worst, worst)[:, None]
    return _changes(place[usable], 1, bases[usable])


def _deletions(matrix, sites, rng) -> pd.DataFrame:
    """Of each site some bases inside it deleted."""
    size = rng.integers(DELETED[0], DELETED[1] + 1, len(sites))
    size = np.minimum(size, matrix.width - 2)
    begin = 1 + np.floor(rng.random(len(sites)) * (matrix.width - 1 - size)).astype(np.int64)
    return _changes(sites["position"].to_numpy() + begin, size, np.empty((len(sites), 0), np.uint8))


# ---- Sites created -----------------------------------------------------------------------------


def create_sites(
    genome: Genome, tf: str, matrix: Matrix, rooms: "_Rooms", n: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Changes (`_changes`) with `delta` that create a strong site of a TF in the background."""
    replaced = _replacements(genome, matrix, rooms.beside(tf), rng)
    inserted = _insertions(matrix, rooms.beside(tf), 2 * n, rng)
    found = _with_delta(genome, pd.concat([replaced, inserted], ignore_index=True), matrix.weights)
    found = found[(found["delta"] >= LEAST_CHANGE) & (found["after"] >= matrix.strong)]
    single, inserted = found["n_ref"] == 1, found["n_ref"] == 0
    chosen = [found[single][: n // 3], found[~single & ~inserted][: n // 3]]
    chosen.append(found[inserted][: n - sum(map(len, chosen))])
    return pd.concat(chosen).assign(kind="create")


def _replacements(genome, matrix, room, rng) -> pd.DataFrame:
    """Background windows made strong sites by the fewest adjoining bases of the consensus."""
    starts, reverse = _best_background(genome, matrix, room)
    codes = _oriented(genome, starts, reverse, matrix.width)
    own = matrix.weights[codes, np.arange(matrix.width)]  # [m, W]
    gains = np.cumsum(matrix.weights.max(axis=0) - own, axis=1)
    gains = np.concatenate([np.zeros((len(gains), 1)), gains], axis=1)
    left, parts = np.ones(len(gains), bool), []
    consensus = matrix.weights.argmax(axis=0).astype(np.uint8)
    for size in range(1, min(LONGEST_BLOCK, matrix.width) + 1):
        gained = gains[:, size:] - gains[:, :-size]  # [m, W - size + 1]
        column = gained.argmax(axis=1)
        rows = left & (own.sum(axis=1) + gained.max(axis=1) >= matrix.strong)
        left &= ~rows
        column = column[rows]
        bases = consensus[column[:, None] + np.arange(size)]
        turned = reverse[rows]
        bases = np.where(turned[:, None], reverse_complement(bases), bases)
        place = starts[rows] + np.where(turned, matrix.width - column - size, column)
        parts.append(_changes(place, size, bases))
    found = pd.concat(parts).drop_duplicates(["position", "n_ref", "alt"])
    return found.iloc[rng.permutation(len(found))]


def _best_background(genome, matrix, room) -> tuple[np.ndarray, np.ndarray]:
    """First bases int64 [m] in `Genome.flat` and strands bool [m] of windows nearly sites.

    They are the best-scoring ones that are weaker than a strong site by LEAST_CHANGE.
    """
    scores = scan(genome.flat, matrix.weights)  # [2, positions]
    scores[:, ~room[: scores.shape[1]]] = -np.inf
    scores[scores > matrix.strong - LEAST_CHANGE] = -np.inf
    flat = scores.ravel()
    best = np.argsort(-flat, kind="stable")[:CANDIDATES]
    strand, start = np.divmod(best[np.isfinite(flat[best])], scores.shape[1])
    return start, strand == 1


def _insertions(matrix, room, n, rng) -> pd.DataFrame:
    """Strong sites to be inserted in the background, on either strand."""
    drawn = draw_sites(matrix.counts, 4 * n, rng)
    scores = matrix.weights[drawn, np.arange(matrix.width)].sum(axis=1)
    drawn = drawn[scores >= matrix.strong][:n]
    reverse = rng.random(len(drawn)) < 0.5
    places = _draw(room, len(drawn), rng)
    bases = np.where(reverse[:, None], reverse_complement(drawn), drawn)[: len(places)]
    return _changes(places, 0, bases)


# ---- Neutral variants --------------------------------------------------------------------------


def neutral_variants(
    genome: Genome,
    matrices: dict[str, Matrix],
    rooms: "_Rooms",
    n: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Changes (`_changes`) that neither break nor create a site of any TF.

    Those beside a site have its TF as `dataset`, and `delta`.
    """
    fifth = n // 5
    wanted = {"snv": n - 2 * fifth, "flank": fifth, "insertion": fifth // 2}
    wanted["deletion"] = fifth - wanted["insertion"]
    far = rooms.away()
    drawn = {
        "snv": _random_bases(_draw(far, 2 * wanted["snv"], rng), 1, genome, rng),
        "flank": _beside_sites(genome, matrices, rooms, 2 * fifth, rng),
        "insertion": _random_insertions(_draw(far, 2 * wanted["insertion"], rng), rng),
        "deletion": _random_deletions(_draw(far, 2 * wanted["deletion"], rng), rng),
    }
    chosen = []
    for name, found in drawn.items():
        chosen.append(found[_is_neutral(genome, found, matrices)][: wanted[name]])
    found = pd.concat(chosen, ignore_index=True)
    for tf, matrix in matrices.items():
        own = (found["dataset"] == tf).to_numpy()
        found.loc[own, "delta"] = _with_delta(genome, found[own], matrix.weights)["delta"]
    return found


def _random_bases(places, size, genome, rng) -> pd.DataFrame:
    """Each place's base replaced by one of the three others."""
    codes = genome.flat[places]
    return _changes(
        places, size, ((codes + rng.integers(1, 4, len(places))) % 4).astype(np.uint8)[:, None]
    ).assign(kind="neutral", dataset=None)


def _beside_sites(genome, matrices, rooms, n, rng) -> pd.DataFrame:
    """Substitutions within half a window of a site, outside of all sites."""
    sites = pd.concat([m.sites.assign(width=m.width) for m in matrices.values()])
    sites = sites.iloc[rng.integers(0, len(sites), n)]
    middle = (sites["position"] + sites["width"] // 2).to_numpy()
    places = middle + rng.integers(-(WINDOW // 2), WINDOW // 2 + 1, n)
    usable = rooms.outside()[places]
    found = _random_bases(places[usable], 1, genome, rng)
    return found.assign(kind="flank", dataset=sites["dataset"].to_numpy()[usable])


def _random_insertions(places, rng) -> pd.DataFrame:
    size = rng.integers(INDEL[0], INDEL[1] + 1, len(places))
    bases = rng.integers(0, 4, (len(places), INDEL[1]), dtype=np.uint8)
    found = _changes(places, 0, bases)
    texts = [text[:n] for text, n in zip(found["alt"], size, strict=True)]
    return found.assign(alt=texts, kind="neutral", dataset=None)


def _random_deletions(places, rng) -> pd.DataFrame:
    size = rng.integers(INDEL[0], INDEL[1] + 1, len(places))
    found = _changes(places, size, np.empty((len(places), 0), np.uint8))
    return found.assign(kind="neutral", dataset=None)


def _is_neutral(genome, changes, matrices) -> np.ndarray:
    """Whether no matrix's best score that is not weak changes by NEUTRAL_CHANGE, bool [n]."""
    alleles = _alleles(genome, changes)
    neutral = np.ones(len(changes), bool)
    for matrix in matrices.values():
        before, after = score_changes(genome, alleles, matrix.weights)
        weak = np.maximum(before, after) < matrix.weak
        neutral &= weak | (np.abs(after - before) < NEUTRAL_CHANGE)
    return neutral


# ---- Places ------------------------------------------------------------------------------------


class _Rooms:
    """Where in `Genome.flat` something may be changed, as bool [bases].

    Everywhere a window around the place, with room for what is changed, has no N.
    """

    def __init__(self, genome: Genome, matrices: dict[str, Matrix]):
        self._spans = {
            tf: (matrix.sites["position"].to_numpy(), matrix.width)
            for tf, matrix in matrices.items()
        }
        n = len(genome.flat)
        unknown = np.flatnonzero(genome.flat == UNKNOWN)
        margin = WINDOW  # of half of which windows need, and indels the rest
        self._known = ~_covered(n, unknown - margin, unknown + margin + 1)
        # A window never reaches into the next chromosome.
        self._known &= ~_covered(n, genome.offsets - margin, genome.offsets + margin)
        self._known &= ~_covered(n, genome.ends - margin, genome.ends)
        self._n = n

    def outside(self) -> np.ndarray:
        """Where no planted site is."""
        return self._free(0)

    def beside(self, tf: str) -> np.ndarray:
        """Where a site of another TF is not touched and none of this TF is within WINDOW bases."""
        begin, width = self._spans[tf]
        own = _covered(self._n, begin - WINDOW, begin + width + WINDOW)
        return self._free(max(width for _, width in self._spans.values())) & ~own

    def away(self) -> np.ndarray:
        """Where no site is within WINDOW bases."""
        return self._free(WINDOW)

    def _free(self, margin: int) -> np.ndarray:
        room = self._known.copy()
        for begin, width in self._spans.values():
            room &= ~_covered(self._n, begin - margin, begin + width + margin)
        return room


def _covered(n: int, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which of n bases lie in any of the intervals, bool [n]; intervals are clipped."""
    steps = np.zeros(n + 1, np.int64)
    np.add.at(steps, np.clip(begins, 0, n), 1)
    np.add.at(steps, np.clip(ends, 0, n), -1)
    return np.cumsum(steps[:-1]) > 0


def _draw(room: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n different places of a room, int64, fewer where it has not so many; in random order."""
    places = np.flatnonzero(room)
    return rng.choice(places, min(n, len(places)), replace=False)


# ---- Changes and records -----------------------------------------------------------------------


def _changes(position: np.ndarray, n_ref, bases: np.ndarray) -> pd.DataFrame:
    """A row a change: position in `Genome.flat`, n_ref bases replaced, and the letters `alt`.

    bases: codes uint8 [n, A]
    """
    size = bases.shape[1]
    joined = decode(bases.ravel())
    texts = [joined[i * size : (i + 1) * size] for i in range(len(bases))]
    alt = pd.Series(texts, dtype=object)
    return pd.DataFrame({"position": position, "n_ref": n_ref, "alt": alt})


def _oriented(genome, starts, reverse, width) -> np.ndarray:
    """Base codes uint8 [n, width] of sites, read on their own strand."""
    codes = genome.flat[starts[:, None] + np.arange(width)]
    return np.where(reverse[:, None], reverse_complement(codes), codes)


def _alleles(genome: Genome, changes: pd.DataFrame) -> Alleles:
    """Changes as alleles on the genome's chromosomes."""
    position = changes["position"].to_numpy(np.int64)
    chrom = np.searchsorted(genome.ends, position, side="right").astype(np.int32)
    letters = np.frombuffer("".join(changes["alt"]).encode(), np.uint8)
    sizes = changes["alt"].str.len().to_numpy(np.int64)
    return Alleles(
        chrom,
        position - genome.offsets[chrom],
        changes["n_ref"].to_numpy(np.int32),
        np.searchsorted(np.frombuffer(b"ACGT", np.uint8), letters).astype(np.uint8),
        np.concatenate([[0], np.cumsum(sizes)]),
    )


def _with_delta(genome: Genome, changes: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """The changes with the matrix's best score `after` each and its `delta`, in bits."""
    before, after = score_changes(genome, _alleles(genome, changes), weights)
    return changes.assign(after=after, delta=after - before)


def _records(genome: Genome, changes: pd.DataFrame) -> pd.DataFrame:
    """Rows of COLUMNS in genome order; insertions and deletions with the base before them."""
    position = changes["position"].to_numpy(np.int64)
    n_ref = changes["n_ref"].to_numpy(np.int64)
    anchored = (n_ref == 0) | (changes["alt"].str.len() == 0).to_numpy()
    first = position - anchored
    chrom = np.searchsorted(genome.ends, first, side="right")
    letters = decode(genome.flat)
    ref = [letters[a:b] for a, b in zip(first, position + n_ref, strict=True)]
    alt = [
        text[0] + own if before else own
        for text, own, before in zip(ref, changes["alt"], anchored, strict=True)
    ]
    records = changes.assign(
        number=chrom,
        chrom=np.array(genome.names, object)[chrom],
        pos=first - genome.offsets[chrom] + 1,
        ref=ref,
        alt=alt,
    )
    records = records.drop_duplicates(["number", "pos", "ref", "alt"])
    records = records.sort_values(["number", "pos", "ref", "alt"], ignore_index=True)
    return records.assign(id=[f"planted_{i + 1:05d}" for i in range(len(records))])


def write_vcf(records: pd.DataFrame, genome: Genome, path: str | Path) -> None:
    """Write records (COLUMNS) as bgzipped VCF, with kind, dataset and delta in INFO."""
    from Bio.bgzf import BgzfWriter

    contigs = "\n".join(f"##contig=<ID={name},length={n}>" for name, n in genome.lengths.items())
    named = records["dataset"].notna()
    info = "KIND=" + records["kind"]
    info += (";DATASET=" + records["dataset"].fillna("")).where(named, "")
    info += (";DELTA=" + records["delta"].map("{:.3f}".format)).where(named, "")
    columns = records[["chrom", "pos", "id", "ref", "alt"]].assign(
        qual=".", passed="PASS", info=info
    )
    body = columns.to_csv(sep="\t", header=False, index=False, lineterminator="\n")
    with atomic(path) as temporary, BgzfWriter(str(temporary), "wb") as stream:
        stream.write((_HEADER.format(contigs=contigs) + body).encode())
