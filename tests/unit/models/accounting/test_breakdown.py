"""Parameters by part: totals, sums as people write them, and parts left out."""

from __future__ import annotations

import pytest

from headstart.errors import HeadstartError
from headstart.models.accounting.breakdown import ParameterBreakdown, PartCount

PARTS = (
    PartCount("embeddings", "token embedding", "weights", "V·D", "1", 1, 400, 400),
    PartCount("embeddings", "norms", "norms", "2·D", "1", 1, 8, 8),
    PartCount("block", "query, key, value", "weights", "3·D²", "L", 3, 48, 144),
    PartCount("block", "biases", "biases", "3·D", "L", 3, 12, 36),
    PartCount("block", "norms", "norms", "D", "M", 2, 4, 8),
    PartCount("body", "norms", "norms", "D", "1", 1, 4, 4),
    PartCount("lm-head", "decoder", "weights", "", "1", 1, 0, 0),
)
BREAKDOWN = ParameterBreakdown(PARTS, {"V": 100, "D": 4, "L": 3, "M": 2, "F": 9})


def test_the_total_is_that_of_its_parts() -> None:
    assert BREAKDOWN.total == 400 + 8 + 144 + 36 + 8 + 4


@pytest.mark.parametrize(
    ("omitted", "as_sum"),
    [
        # What stands in all layers but the first is a term of its own; what is tied is none.
        ([], "400 + 8 + 3 x 60 + 8 + 4"),
        (["norms", "biases"], "400 + 3 x 48"),
        (["embeddings", "norms"], "3 x 60"),
        (["blocks"], "400 + 8 + 4"),
        (["blocks", "embeddings", "norms"], ""),
    ],
)
def test_layers_are_a_product_behind_the_embeddings(omitted: list[str], as_sum: str) -> None:
    breakdown = BREAKDOWN.omit(omitted)
    # Each sum is worked out by Python itself.
    assert (eval(as_sum.replace("x", "*")) if as_sum else 0) == breakdown.total
    assert breakdown.as_sum == as_sum


def test_parts_are_left_out_by_kind_place_or_name() -> None:
    assert BREAKDOWN.omit([]) == BREAKDOWN
    assert BREAKDOWN.omit(["query-key-value"]).total == BREAKDOWN.total - 144
    assert BREAKDOWN.omit(["norms"]).total == BREAKDOWN.total - 20
    assert BREAKDOWN.omit(["pooler"]) == BREAKDOWN  # every model may be asked without one


@pytest.mark.parametrize("name", ["heads", "weights", "body", "block", ""])
def test_another_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(HeadstartError, match="no part is called") as caught:
        BREAKDOWN.omit([name])
    assert "lm-head, decoder, query-key-value, token-embedding" in str(caught.value)


def test_the_legend_has_the_symbols_in_use() -> None:
    assert [(symbol, value) for symbol, value, _ in BREAKDOWN.legend] == [
        ("V", 100),
        ("D", 4),
        ("L", 3),
        ("M", 2),
    ]
