"""Label counts, lengths and histograms, against numpy's own."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from headstart.data.corpus import PARTS, Corpus, Examples, Part
from headstart.data.statistics import (
    BINS,
    Bar,
    LabelCounts,
    LabelNumbers,
    compute_histogram,
    describe_data,
    describe_labels,
    describe_lengths,
)
from headstart.data.tokenise import Tokens
from tiny import tiny_tokens


def corpus(task: Any, labels: Any, names: tuple[str, ...] = ()) -> Corpus:
    """Three parts with the same labels."""
    own = Examples(["x"] * len(labels), np.asarray(labels), list(range(len(labels))))
    return Corpus(task, dict.fromkeys(PARTS, own), names)


def test_classes_are_counted_part_by_part() -> None:
    found = describe_labels(corpus("classification", [0, 1, 1], ("a", "b", "c")))
    assert found == LabelCounts({n: dict.fromkeys(PARTS, c) for n, c in (("a", 1), ("b", 2), ("c", 0))})


def test_each_label_of_an_example_is_counted() -> None:
    flags = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    found = describe_labels(corpus("multi-label", flags, ("a", "b")))
    assert isinstance(found, LabelCounts)
    assert {name: counts["train"] for name, counts in found.counts.items()} == {"a": 2, "b": 1}
    assert found.labels_per_example == dict.fromkeys(PARTS, 1.0)


def test_numbers_have_quantiles_and_a_histogram() -> None:
    values = np.random.default_rng(0).normal(size=100).astype(np.float32)
    found = describe_labels(corpus("regression", values))
    assert isinstance(found, LabelNumbers)
    assert found.parts["valid"].median == pytest.approx(np.median(values))
    assert sum(bar.count for bar in found.histogram) == 100
    counts, _ = np.histogram(values, BINS)
    assert [bar.count for bar in found.histogram] == counts.tolist()


def test_answers_have_no_labels_to_count() -> None:
    assert describe_labels(corpus("instruction", [0, 0])) is None


def test_lengths_are_those_of_the_tokens() -> None:
    tokens = tiny_tokens(200)
    parts: dict[Part, Tokens] = {"train": tokens, "valid": tiny_tokens(10, 1), "test": tiny_tokens(10, 2)}
    found = describe_lengths("m", 20, parts)
    assert found.parts["train"].mean == pytest.approx(tokens.lengths.mean())
    assert found.parts["train"].quantiles.p95 == pytest.approx(np.quantile(tokens.lengths, 0.95))
    assert found.parts["valid"].quantiles.max == parts["valid"].longest
    assert (found.limit, found.name) == (20, "m (at most 20)")


def test_everything_becomes_plain_values_for_json() -> None:
    tokens = tiny_tokens(20)
    parts: dict[Part, Tokens] = dict.fromkeys(PARTS, tokens)
    data = describe_data(corpus("classification", [0, 1, 1], ("a", "b")), {("m", 20): parts})
    facts = json.loads(json.dumps(data.to_dict()))
    assert (facts["task"], facts["labels"]) == ("classification", ["a", "b"])
    assert facts["texts"] == {"train": 3, "valid": 3, "test": 3}
    assert facts["label_statistics"] == {
        "counts": {"a": dict.fromkeys(PARTS, 1), "b": dict.fromkeys(PARTS, 2)}
    }
    assert facts["tokens"] == {"m (at most 20)": round(float(tokens.lengths.mean()), 1)}
    lengths = facts["lengths"]["m (at most 20)"]
    assert lengths["limit"] == 20
    assert set(lengths["parts"]["test"]) == {"mean", "cut", "min", "q25", "median", "q75", "p95", "max"}
    assert sum(bar["count"] for bar in lengths["histogram"]) == 20


def test_numbers_and_sets_of_labels_become_plain_values_too() -> None:
    numbers = describe_labels(corpus("regression", np.array([0.5, 1.5])))
    assert numbers is not None
    assert numbers.to_dict()["numbers"]["train"]["max"] == 1.5
    assert numbers.to_dict()["histogram"][0] == {"from": 0.5, "to": 0.6, "count": 1}
    sets = describe_labels(corpus("multi-label", np.array([[1, 1]], np.float32), ("a", "b")))
    assert sets is not None
    assert sets.to_dict()["labels_a_text"] == dict.fromkeys(PARTS, 2.0)


@pytest.mark.parametrize("seed", range(5))
def test_whole_numbers_lie_in_bars_of_whole_widths(seed: int) -> None:
    draws = np.random.default_rng(seed)
    values = draws.integers(0, int(draws.integers(1, 300)), 500)
    bars = compute_histogram(values)
    assert len(bars) <= BINS
    assert sum(bar.count for bar in bars) == 500
    for bar in bars:
        assert bar.count == np.sum((values >= bar.start) & (values < bar.stop))
        assert bar.start.is_integer()
    assert bars[-1].stop == values.max() + 1


def test_equal_numbers_are_one_bar() -> None:
    assert compute_histogram(np.array([7, 7, 7])) == (Bar(7.0, 8.0, 3),)
    assert sum(bar.count for bar in compute_histogram(np.array([0.5, 0.5]))) == 2
