"""A slice of `make fuzz`: some hundred damaged and invented files for every reader."""

import pytest
from fuzz import by_grammar, mutated
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import TARGETS
from trial import attempt, warm_up

SEED, INPUTS = 7, 100


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_uncaught(name, tmp_path):
    target = TARGETS[name]
    folder = tmp_path / "input"
    folder.mkdir()
    warm_up(target, folder / target.file)
    inputs = [mutated(target, SEED, number) for number in range(1, INPUTS)]
    inputs += by_grammar(target, SEED, INPUTS // 3)
    outcomes = [(data, attempt(target, folder / target.file, data)) for data in inputs]
    uncaught = [(data[:200], one.why) for data, one in outcomes if one.verdict == "uncaught"]
    assert uncaught == []
    verdicts = {one.verdict for _, one in outcomes}
    assert verdicts == {"accepted", "refused"}


@given(data=st.binary(max_size=64), name=st.sampled_from(sorted(TARGETS)))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_bytes(tmp_path_factory, data, name):
    folder = tmp_path_factory.getbasetemp() / f"bytes-{name}"
    folder.mkdir(exist_ok=True)
    outcome = attempt(TARGETS[name], folder / TARGETS[name].file, data)
    assert outcome.verdict != "uncaught", outcome.why


@pytest.mark.parametrize("name", ["peaks", "store", "card"])
def test_the_same_seed_gives_the_same_inputs(name):
    target = TARGETS[name]
    assert [mutated(target, 1, n) for n in range(20)] == [mutated(target, 1, n) for n in range(20)]
    assert by_grammar(target, 1, 20) == by_grammar(target, 1, 20)
