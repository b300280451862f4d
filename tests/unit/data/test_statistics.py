"""Label counts and lengths, against numpy's own."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from headstart.data.corpus import PARTS, Corpus, Examples
from headstart.data.distributions import MAX_BARS
from headstart.data.statistics import summarise_data, summarise_labels, summarise_lengths
from headstart.data.tokenise import Tokens
from tiny import make_tiny_tokens


def corpus(task: Any, labels: Any, names: tuple[str, ...] = ()) -> Corpus:
    """Three parts with the same labels."""
    examples = Examples(["x"] * len(labels), np.asarray(labels), list(range(len(labels))))
    return Corpus(task, dict.fromkeys(PARTS, examples), names)


def test_classes_are_counted_part_by_part() -> None:
    summary = summarise_labels(corpus("classification", [0, 1, 1], ("a", "b", "c")))
    assert summary.to_dict() == {
        "counts": {name: dict.fromkeys(PARTS, count) for name, count in (("a", 1), ("b", 2), ("c", 0))}
    }


def test_each_label_of_an_example_is_counted() -> None:
    marks = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    summary = summarise_labels(corpus("multi-label", marks, ("a", "b"))).to_dict()
    assert {name: parts["train"] for name, parts in summary["counts"].items()} == {"a": 2, "b": 1}
    assert summary["labels_a_text"]["test"] == 1.0


def test_numbers_have_quantiles_and_a_histogram() -> None:
    values = np.random.default_rng(0).normal(size=100).astype(np.float32)
    summary = summarise_labels(corpus("regression", values)).to_dict()
    assert summary["numbers"]["valid"]["median"] == pytest.approx(np.median(values))
    counts, _ = np.histogram(values, MAX_BARS)
    assert [bar["count"] for bar in summary["histogram"]] == counts.tolist()
    assert "counts" not in summary


def test_conversations_have_no_labels_to_count() -> None:
    assert summarise_labels(corpus("instruction", [0, 0])).to_dict() == {}


def test_lengths_are_those_of_the_tokens() -> None:
    tokens = make_tiny_tokens(200)
    parts: dict[Any, Tokens] = {
        "train": tokens,
        "valid": make_tiny_tokens(10, 1),
        "test": make_tiny_tokens(10, 2),
    }
    summary = summarise_lengths(parts, 20).to_dict()
    assert summary["parts"]["train"]["mean"] == pytest.approx(tokens.lengths.mean())
    assert summary["parts"]["train"]["p95"] == pytest.approx(np.quantile(tokens.lengths, 0.95))
    assert summary["parts"]["valid"]["max"] == parts["valid"].longest
    assert summary["parts"]["test"]["cut"] == 0
    assert summary["limit"] == 20
    assert sum(bar["count"] for bar in summary["histogram"]) == 200


def test_everything_known_of_a_corpus_becomes_plain_values_for_json() -> None:
    tokens = make_tiny_tokens(20)
    parts: dict[Any, Tokens] = dict.fromkeys(PARTS, tokens)
    data = summarise_data(corpus("classification", [0, 1, 1], ("a", "b")), {("m", 20): parts})
    values = json.loads(json.dumps(data.to_dict()))
    assert (values["task"], values["labels"]) == ("classification", ["a", "b"])
    assert values["texts"] == dict.fromkeys(PARTS, 3)
    assert values["label_statistics"]["counts"]["b"] == dict.fromkeys(PARTS, 2)
    assert values["tokens"] == {"m (at most 20)": round(float(tokens.lengths.mean()), 1)}
    assert set(values["lengths"]["m (at most 20)"]) == {"limit", "parts", "histogram"}
