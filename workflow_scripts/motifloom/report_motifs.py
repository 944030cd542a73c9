"""Motifs of a run as the report shows them: cards with their matches, counts in words, families."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from motifloom.report_run import Run, grouped
from motifloom.report_values import (
    NONE,
    Row,
    change,
    count,
    decimals,
    evalue,
    family,
    joined,
    model_name,
    number,
    percent,
    plural,
    significant,
    text,
)

SIGNIFICANT_EVALUE = 0.01  # where the run's summary gives no threshold
CARDS_PER_DATASET = 8
CARDS_PER_NETWORK = 24
MATCHES_PER_CARD = 3
FAMILIES = 120


@dataclass(frozen=True)
class Match:
    """One database match of a motif.

    `matrix` is the database matrix as `matrix_text`, "" where unknown; `offset` the match's column,
    turned to its strand, under the motif's first; it may be negative.
    """

    id: str
    name: str
    evalue: float
    pvalue: str
    qvalue: str
    offset: int
    strand: str
    matrix: str = ""

    @property
    def label(self) -> str:
        """The TF's name where the database gives one, otherwise the matrix's."""
        return self.name or self.id

    @property
    def evalue_text(self) -> str:
        """The E-value as the page writes it."""
        return evalue(self.evalue) if math.isfinite(self.evalue) else ""


@dataclass(frozen=True)
class Histogram:
    """Sites by their distance from the middle, as outlines of an SVG of 100 by 40.

    `forward` rises from the line in the middle, `reverse` hangs below it; `reach` is the distance
    at both ends in bases.
    """

    forward: str
    reverse: str
    reach: int


@dataclass(frozen=True)
class Card:
    """One motif: its matrix, what is known of it as (name, value), and its database matches."""

    name: str
    matrix: str
    facts: list[tuple[str, str]]
    drop: float | None
    drop_text: str
    status: str
    initialised_from: str
    matches: list[Match]
    matched: bool
    recovers: str
    histogram: Histogram | None = None

    @property
    def best(self) -> Match | None:
        """The best match, None where the database holds none."""
        return self.matches[0] if self.matches else None


@dataclass(frozen=True)
class Motifs:
    """The motifs of one model on one dataset: the cards shown, the best one, and how many exist."""

    model: str
    cards: list[Card]
    best: Card | None
    total: int
    sentences: list[str]


def match_of(row: Row) -> Match | None:
    """The match that a row of matches.tsv tells, None for a row without."""
    held = number(row.get("evalue"))
    if not text(row.get("match")) and held is None:
        return None
    return Match(
        text(row.get("match")),
        text(row.get("match_name")),
        math.inf if held is None else held,
        evalue(row.get("pvalue")),
        evalue(row.get("qvalue")),
        int(number(row.get("offset")) or 0),
        text(row.get("strand")) or "+",
    )


def best_matches(rows: Iterable[Row]) -> list[Match]:
    """The matches of one motif, the lowest E-value first."""
    found = [match for match in map(match_of, rows) if match is not None]
    return sorted(found, key=lambda match: match.evalue)[:MATCHES_PER_CARD]


def card_of(row: Row, matches: list[Row], matrix: str, threshold: float) -> Card:
    """The card of a motif: its row of motifs.tsv (or of matches.tsv) and those of its matches."""
    found = best_matches(matches)
    recovers = next((name for own in matches if (name := text(own.get("recovers")))), "")
    return Card(
        text(row["kernel"]),
        matrix,
        motif_facts(row),
        number(row.get("validation_drop")),
        change(drop_of(row, "validation_drop")),
        text(row.get("status")),
        text(row.get("initialised_from")),
        found,
        bool(found) and found[0].evalue < threshold,
        recovers.replace(",", ", "),
    )


def drop_of(row: Row, column: str) -> float | None:
    """How the metric changes without the motif: the drop with its sign turned."""
    held = number(row.get(column))
    return None if held is None else -held


def motif_facts(row: Row) -> list[tuple[str, str]]:
    """What a card says of its motif beside logo and matches, (name, value) without empty ones."""
    metric = {"pearson": "Pearson"}.get(text(row.get("metric")), "AUROC")
    sites, searched = count(row.get("n_sites")), count(row.get("n_sequences"))
    kernels = count(row.get("n_kernels"))
    facts = [
        ("Sites", f"{sites} in {searched} sequences" if sites and searched else sites),
        ("Information", f"{information} bits" if (information := information_of(row)) else ""),
        ("Members", members_of(row)),
        ("Kernels merged", kernels if kernels != "1" else ""),
        ("Reverse strand", percent(row.get("reverse_share"))),
        (f"{metric} without it", change(drop_of(row, "validation_drop"))),
        ("on the test split", change(drop_of(row, "test_drop"))),
        ("Started from", text(row.get("initialised_from"))),
    ]
    return [(name, value) for name, value in facts if value]


def members_of(row: Row) -> str:
    """In how many members of an ensemble a row's motif was found: "3 of 6"; "" for one network."""
    found, total = count(row.get("n_members")), count(row.get("of_members"))
    return f"{found} of {total}" if found and total not in ("", "1") else ""


def information_of(row: Row) -> str:
    """The information content of a row's motif with one decimal."""
    return decimals(row.get("information"), 1)


def histogram_of(rows: list[Row]) -> Histogram | None:
    """The histogram of one kernel's rows of positions.tsv, None without any site."""
    bins = [(number(row["start"]), number(row["end"])) for row in rows]
    counts = [(number(row["forward"]) or 0, number(row["reverse"]) or 0) for row in rows]
    top = max((max(pair) for pair in counts), default=0)
    if not top:
        return None
    reach = max(max(abs(start), abs(end)) for start, end in bins)

    def outline(strand: int) -> str:
        steps = "".join(
            f"H{50 + 50 * start / reach:.4g}V{20 - (1 - 2 * strand) * 19 * pair[strand] / top:.3g}"
            f"H{50 + 50 * end / reach:.4g}"
            for (start, end), pair in zip(bins, counts, strict=True)
        )
        return f"M0 20{steps}V20z"

    return Histogram(outline(0), outline(1), round(reach))


def ordered_rows(table: list[Row], matches: Mapping[tuple, list[Row]]) -> list[Row]:
    """A model's motifs in rank order: of motifs.tsv, or of matches.tsv where there is none."""
    return table or [rows[0] for rows in matches.values() if text(rows[0].get("kernel"))]


def best_card(cards: list[Card]) -> Card | None:
    """The card for the results table: of the ones that recover the expected motif the first.

    Otherwise the first matched one; otherwise the first in the order of rank.
    """
    ranked = sorted(cards, key=lambda card: (not card.recovers, not card.matched))
    return ranked[0] if ranked else None


def chosen_cards(cards: list[Card], limit: int) -> list[Card]:
    """The first `limit` cards in rank order, the best one always among them."""
    chosen, best = cards[:limit], best_card(cards)
    if best is not None and best not in chosen:
        chosen = [*chosen[: limit - 1], best]
    return chosen


def model_motifs(
    run: Run, model: str, dataset: str, matches: list[Row], database: Mapping[str, str], limit: int
) -> Motifs:
    """The motifs of one model on one dataset, with at most `limit` cards."""
    folder = f"motifs/{model}/{dataset}"
    summary = next(iter(run.rows(f"{folder}/summary.tsv")), {})
    threshold = number(summary.get("evalue")) or SIGNIFICANT_EVALUE
    by_kernel = grouped(matches, "kernel")
    matrices = run.matrices(f"{folder}/motifs.meme")
    of = {"of_members": summary.get("members")}
    rows = [row | of for row in ordered_rows(run.rows(f"{folder}/motifs.tsv"), by_kernel)]
    cards = [
        card_of(
            row, by_kernel.get((row["kernel"],), []), matrices.get(row["kernel"], ""), threshold
        )
        for row in rows
    ]
    shown, best = chosen_cards(cards, limit), best_card(cards)
    positions = grouped(run.rows(f"{folder}/positions.tsv"), "kernel") if shown else {}
    shown = [drawn_card(card, positions.get((card.name,), []), database) for card in shown]
    sentences = summary_sentences(summary)
    return Motifs(model, shown, best, len(cards), sentences)


def drawn_card(card: Card, positions: list[Row], database: Mapping[str, str]) -> Card:
    """A card with its histogram and the matrices of its matches."""
    matches = [replace(match, matrix=database.get(match.id, "")) for match in card.matches]
    return replace(card, matches=matches, histogram=histogram_of(positions))


def summary_sentences(row: Row) -> list[str]:
    """A row of summary.tsv in words: what became of the kernels, and matches beside chance."""
    if not row:
        return []
    sentences = []
    kernels, motifs = number(row.get("kernels")), number(row.get("motifs"))
    if kernels:
        parts = [
            f"{count(row.get(name))} {words}"
            for name, words in (
                ("never_fire", "never fire"),
                ("weak", "are weak"),
                ("redundant", "repeat a better one"),
            )
            if number(row.get(name))
        ]
        told = f": {joined(parts)}" if parts else ""
        sentences.append(f"{count(kernels)} {plural(kernels, 'kernel')}{told}.")
    if motifs:
        by_chance = decimals(row.get("matched_by_chance"), 1)
        controls = count(row.get("controls"))
        chance = f"; with their columns shuffled {by_chance} do (mean of {controls} controls)"
        sentences.append(
            f"Matched {count(row.get('matched'))} of {count(motifs)} {plural(motifs, 'motif')} at"
            f" E < {significant(row.get('evalue'))}{chance if by_chance else ''}."
        )
    if note := text(row.get("note")):
        sentences.append(f"{note[0].upper()}{note[1:].rstrip('.')}.")
    return sentences


def dataset_motifs(
    run: Run,
    dataset: str,
    models: Iterable[str],
    matches: list[Row],
    database: Mapping[str, str],
    limit: int = CARDS_PER_DATASET,
) -> list[Motifs]:
    """The motifs of each model of one dataset, DeepBind's first, models without any left out."""
    by_model = grouped(matches, "model")
    names = dict.fromkeys([*models, *(model for (model,) in by_model)])
    found = [
        model_motifs(run, model, dataset, by_model.get((model,), []), database, limit)
        for model in sorted(names, key=lambda model: family(model) != "deepbind")
    ]
    return [motifs for motifs in found if motifs.cards or motifs.sentences]


def was_recovered(expected: str, rows: list[Row]) -> bool | None:
    """Whether any motif of DeepBind recovers the expected one; None where none is expected.

    Of several DeepBinds the match table's first counts.
    """
    models = [row["model"] for row in rows if family(row["model"]) == "deepbind"]
    recovered = any(text(row.get("recovers")) for row in rows if row["model"] in models[:1])
    return recovered if expected or recovered else None


# --- families -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Family:
    """A family of motifs found again in several TFs or models."""

    name: str
    matrix: str
    n_motifs: str
    tfs: list[str]
    models: str
    consensus: str
    match: str
    evalue: str


@dataclass(frozen=True)
class Families:
    """The families shown, how many more there are, and how many motifs stand alone."""

    shown: list[Family]
    further: int
    alone: int


def run_families(run: Run) -> Families:
    """The families of a run: the first FAMILIES of those with two motifs or more."""
    found = families(run)
    shared = [family for family in found if family.n_motifs != "1"]
    further = max(0, len(shared) - FAMILIES)
    return Families(shared[:FAMILIES], further, len(found) - len(shared))


def families(run: Run) -> list[Family]:
    """The families of families.tsv with the matrices of families/families.meme."""
    matrices = run.matrices("families/families.meme")
    return [
        Family(
            text(row.get("name")) or row["family"],
            matrices.get(row["family"]) or matrices.get(text(row.get("name")), ""),
            count(row.get("n_motifs")),
            [name for name in text(row.get("tfs")).split(",") if name],
            joined([model_name(name) for name in text(row.get("models")).split(",") if name]),
            text(row.get("consensus")),
            text(row.get("match_name")) or text(row.get("match")) or NONE,
            evalue(row.get("evalue")),
        )
        for row in run.rows("families.tsv")
    ]
