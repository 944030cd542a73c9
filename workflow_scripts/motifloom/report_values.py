"""Values of tables as the report writes them: numbers, E-values, names, configurations."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

NONE = "–"  # what stands for a missing value
MODEL_NAMES = {
    "deepbind": "DeepBind",
    "danq": "DanQ",
    "resnet": "ResNet",
    "rnn": "RNN",
    "lstm": "LSTM",
    "cnn": "CNN",
    "pwm": "PWM",
    "kmer": "k-mers",
    "lsgkm": "LS-GKM",
}
BASELINES = ("pwm", "kmer", "lsgkm")  # no networks
NEGATIVE_NAMES = {
    "given": "given negatives",
    "dinucleotide": "dinucleotide shuffles",
    "gc": "GC-matched windows",
    "flank": "flanking windows",
    "none": "",
    "bins": "",
}
EXAMPLE_NAMES = {
    "windows-distinct": "windows that share no 31-mer with training",
    "bins-all": "all bins",
}

Row = dict[str, Any]


def number(value: object) -> float | None:
    """A table's value as a float; None where it is missing or not a number."""
    if value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(result) else result


def text(value: object) -> str:
    """A table's value as text; "" where it is missing, whole floats without their ".0"."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def decimals(value: object, places: int = 3) -> str:
    """`value` with a fixed number of decimals, "" where it is missing."""
    held = number(value)
    return "" if held is None else f"{held:.{places}f}"


def significant(value: object) -> str:
    """`value` with three significant digits, "" where it is missing."""
    held = number(value)
    return "" if held is None else f"{held:.3g}"


def count(value: object) -> str:
    """`value` as a whole number with thousands separators, "" where it is missing."""
    held = number(value)
    return "" if held is None else f"{held:,.0f}"


def evalue(value: object) -> str:
    """An E-value with two significant digits, "" where it is missing.

    >>> evalue(2.13e-08), evalue(0.012), evalue(4.26)
    ('2.1e-8', '0.012', '4.3')
    """
    held = number(value)
    if held is None:
        return ""
    if held == 0 or 0.001 <= held < 1000:
        return f"{held:.2g}" if held < 100 else f"{held:.0f}"
    digits, exponent = f"{held:.1e}".split("e")
    return f"{digits}e{int(exponent)}"


def interval(row: Row, metric: str) -> str:
    """The 95 % interval of a metric as "0.891–0.932", "" where it is missing."""
    low, high = decimals(row.get(f"{metric}_low")), decimals(row.get(f"{metric}_high"))
    return f"{low}–{high}" if low and high else ""


def change(value: object, places: int = 3) -> str:
    """`value` with its sign and a fixed number of decimals, "" where it is missing.

    >>> change(-0.01234), change(0.5), change(None)
    ('−0.012', '+0.500', '')
    """
    held = number(value)
    return "" if held is None else f"{held:+.{places}f}".replace("-", "−")


def percent(value: object) -> str:
    """A share as whole per cent, "" where it is missing."""
    held = number(value)
    return "" if held is None else f"{100 * held:.0f} %"


def mean(values: Iterable[object]) -> float | None:
    """The mean of the values that are there, None where there is none."""
    held = [value for value in map(number, values) if value is not None]
    return sum(held) / len(held) if held else None


def plural(number_of: float, noun: str) -> str:
    """`noun`, with an s unless there is one of it."""
    return noun if number_of == 1 else f"{noun}s"


def joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence: "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def family(model: str) -> str:
    """The kind of network that a model's name begins with: "deepbind" of "deepbind-lecture"."""
    return model.partition("-")[0]


def model_name(model: str) -> str:
    """The name of a model as the page writes it.

    >>> model_name("danq"), model_name("danq-lecture")
    ('DanQ', 'DanQ-lecture')
    """
    kind = family(model)
    return MODEL_NAMES.get(kind, kind) + model.removeprefix(kind)


def metric_name(metric: str) -> str:
    """The name of a metric as the page writes it."""
    return metric.upper() if metric.startswith("au") else metric.capitalize()


def configuration_lines(value: object, indent: str = "") -> Iterator[str]:
    """Nested mappings and lists as the lines of a YAML text, keys in the order given."""
    keyed = isinstance(value, Mapping)
    for key, item in value.items() if keyed else ((None, item) for item in value):
        head = f"{indent}{key}:" if keyed else f"{indent}-"
        if isinstance(item, Mapping | list | tuple) and len(item):
            yield head
            yield from configuration_lines(item, indent + "  ")
        else:
            yield f"{head} {_scalar(item)}"


def _scalar(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if not isinstance(value, str):
        return str(value)
    plain = re.fullmatch(r"[A-Za-z_/.][\w ./+-]*", value)
    reserved = value.lower() in {"true", "false", "null", "yes", "no", "on", "off"}
    return value if plain and not reserved else json.dumps(value, ensure_ascii=False)
