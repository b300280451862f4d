"""Label counts, lengths and histograms, against numpy's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headstart.data.corpus import PARTS, Corpus, Examples
from headstart.data.statistics import BINS, histogram, label_summary, length_summary
from headstart.data.tokenise import Tokens
from tiny import tiny_tokens


def corpus(task: Any, labels: Any, names: tuple[str, ...] = ()) -> Corpus:
    """Three parts with the same labels."""
    own = Examples(["x"] * len(labels), np.asarray(labels), list(range(len(labels))))
    return Corpus(task, dict.fromkeys(PARTS, own), names)


def test_classes_are_counted_part_by_part() -> None:
    found = label_summary(corpus("classification", [0, 1, 1], ("a", "b", "c")))
    assert found == {"counts": {n: dict.fromkeys(PARTS, c) for n, c in (("a", 1), ("b", 2), ("c", 0))}}


def test_each_label_of_a_text_is_counted() -> None:
    flags = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    found = label_summary(corpus("multi-label", flags, ("a", "b")))
    assert {name: own["train"] for name, own in found["counts"].items()} == {"a": 2, "b": 1}
    assert found["labels_a_text"]["test"] == 1.0


def test_numbers_have_quantiles_and_a_histogram() -> None:
    values = np.random.default_rng(0).normal(size=100).astype(np.float32)
    found = label_summary(corpus("regression", values))
    assert found["numbers"]["valid"]["median"] == pytest.approx(np.median(values))
    assert sum(bar["count"] for bar in found["histogram"]) == 100
    counts, _ = np.histogram(values, BINS)
    assert [bar["count"] for bar in found["histogram"]] == counts.tolist()


def test_answers_have_no_labels_to_count() -> None:
    assert label_summary(corpus("instruction", [0, 0])) == {}


def test_lengths_are_those_of_the_tokens() -> None:
    tokens = tiny_tokens(200)
    parts: dict[Any, Tokens] = {"train": tokens, "valid": tiny_tokens(10, 1), "test": tiny_tokens(10, 2)}
    found = length_summary(parts, 20)
    assert found["parts"]["train"]["mean"] == pytest.approx(tokens.lengths.mean())
    assert found["parts"]["train"]["p95"] == pytest.approx(np.quantile(tokens.lengths, 0.95))
    assert found["parts"]["valid"]["max"] == parts["valid"].longest
    assert found["limit"] == 20


@pytest.mark.parametrize("seed", range(5))
def test_whole_numbers_lie_in_bars_of_whole_widths(seed: int) -> None:
    draws = np.random.default_rng(seed)
    values = draws.integers(0, int(draws.integers(1, 300)), 500)
    bars = histogram(values)
    assert len(bars) <= BINS
    assert sum(bar["count"] for bar in bars) == 500
    for bar in bars:
        assert bar["count"] == np.sum((values >= bar["from"]) & (values < bar["to"]))
        assert bar["from"].is_integer()
    assert bars[-1]["to"] == values.max() + 1


def test_equal_numbers_are_one_bar() -> None:
    assert histogram(np.array([7, 7, 7])) == [{"from": 7.0, "to": 8.0, "count": 3}]
    assert sum(bar["count"] for bar in histogram(np.array([0.5, 0.5]))) == 2
