import pytest

from motifloom import report_values as values


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2.13e-8, "2.1e-8"), (0.012, "0.012"), (4.26, "4.3"), (812.4, "812"), (1e4, "1.0e4"),
     (0.0, "0"), (None, ""), (float("nan"), ""), ("", ""), ("2.13e-08", "2.1e-8")],
)  # fmt: skip
def test_evalues_have_two_digits(value, expected):
    assert values.evalue(value) == expected


def test_missing_values_are_empty_text():
    for missing in (None, float("nan"), ""):
        assert (values.text(missing), values.number(missing)) == ("", None)
        assert (values.decimals(missing), values.count(missing)) == ("", "")
        assert (values.change(missing), values.percent(missing)) == ("", "")
    assert [values.text(value) for value in ("a", 1234567.0, 2.5, 7)] == [
        "a",
        "1234567",
        "2.5",
        "7",
    ]
    assert (values.decimals(0.91249), values.count("12345")) == ("0.912", "12,345")


def test_changes_carry_their_sign():
    assert [values.change(value) for value in (-0.0125, 0.5, "0")] == ["−0.013", "+0.500", "+0.000"]
    assert values.percent("0.475") == "48 %"


def test_interval_needs_both_ends():
    row = {"auroc_low": "0.891", "auroc_high": "0.9316", "auprc_low": "0.5"}
    assert values.interval(row, "auroc") == "0.891–0.932"
    assert values.interval(row, "auprc") == ""


def test_words_are_joined_as_in_a_sentence():
    assert [values.joined(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [values.plural(n, "motif") for n in (0, 1, 2)] == ["motifs", "motif", "motifs"]


def test_configuration_reads_like_yaml():
    configuration = {
        "name": "yeast",
        "seed": 1,
        "on": True,
        "none": None,
        "empty": {},
        "splits": {"test": ["chrIV", "chrXII"], "fraction": 0.2},
        "pairs": [{"a": 1}],
        "word": "yes",
        "odd": "a: b",
    }
    assert list(values.configuration_lines(configuration)) == [
        "name: yeast",
        "seed: 1",
        "on: true",
        "none: null",
        "empty: {}",
        "splits:",
        "  test:",
        "    - chrIV",
        "    - chrXII",
        "  fraction: 0.2",
        "pairs:",
        "  -",
        "    a: 1",
        'word: "yes"',
        'odd: "a: b"',
    ]
