"""Classes that may stand for no label are warned of; scales and words that people use are not."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.data.labels.missing import find_missing_labels


def find_named(**counts: int) -> list[str]:
    names = list(counts)
    labels = np.repeat(np.arange(len(names)), [counts[name] for name in names])
    return [warning.message.split("'")[1] for warning in find_missing_labels(labels, names)]


@pytest.mark.parametrize(
    ("counts", "missing"),
    [
        ({"-1": 8, "0": 100, "1": 100, "2": 100}, ["-1"]),  # natural language inference without agreement
        ({"-1": 8, "0": 100, "1": 100}, ["-1"]),
        ({"-100": 90, "0": 100, "1": 100}, ["-100"]),
        ({"neg": 10, "pos": 10, "nan": 3}, ["nan"]),
        ({"a": 10, "<NA>": 3, "N/A": 3}, ["<NA>", "N/A"]),
        ({"-": 3, "contradiction": 10, "entailment": 9}, ["-"]),
        ({"+": 3, "-": 10}, []),
        ({"-1": 80, "0": 100, "1": 100}, []),  # a scale of sentiment
        ({"-1": 8, "1": 100}, []),
        ({"-2": 5, "-1": 8, "0": 100, "1": 100, "2": 90}, []),
        ({"none": 3, "toxic": 10}, []),  # a class like others
        ({"anna": 3, "nana": 10}, []),
    ],
)
def test_classes_that_mean_no_label(counts: dict[str, int], missing: list[str]) -> None:
    assert find_named(**counts) == missing
