"""What `headstart params` shows of a model's size."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from headstart.config.study import Lora
from headstart.models.accounting.breakdown import ParameterBreakdown, PartCount
from headstart.models.accounting.heads import Head
from headstart.models.accounting.sizes import LoraCount, ModelSize, TargetCount
from headstart.report.params import render_params

PARTS = (
    PartCount("embeddings", "token embedding", "weights", "V·D", "1", 1, 8000, 8000),
    PartCount("block", "query", "weights", "D²", "L", 3, 1600, 4800),
    PartCount("block", "norms", "norms", "2·D", "L", 3, 80, 240),
    PartCount("lm-head", "decoder", "weights", "", "1", 1, 0, 0),
)
LORA = LoraCount(
    settings=Lora(r=2),
    layers=("body.0.query", "body.1.query", "body.2.query"),
    adapters=480,
    as_sum="3 x 2 x (40 + 40)",
    head=82,
    biases=0,
    by_rank={4: 960},
    by_target={"all": TargetCount(3, 481)},
    by_bias={"all": 123},
)


def make_size(**changes: Any) -> ModelSize:
    breakdown = ParameterBreakdown(PARTS, {"V": 200, "D": 40, "L": 3, "F": 7})
    settings: dict[str, Any] = {
        "name": "models/a",
        "family": "bert",
        "head": Head.MASKED_LM,
        "full": breakdown,
        "counted": breakdown,
        "omitted": (),
        "bits": 32,
        "quantised": 0,
        "weight_bytes": 52_160,
    }
    return ModelSize(**settings | changes)


def render(size: ModelSize) -> list[str]:
    """The lines on a terminal of 80 columns, without their margins."""
    stream = StringIO()
    Console(file=stream, width=80).print(render_params(size))
    return [line.strip() for line in stream.getvalue().splitlines()]


def test_a_part_stands_with_its_formula_and_both_counts() -> None:
    lines = [line.split() for line in render(make_size())]
    assert ["token", "embedding", "V·D", "8,000", "8,000"] in lines
    assert ["each", "layer", "3", "x", "1,680", "5,040"] in lines
    assert ["query", "D²", "3", "x", "1,600", "4,800"] in lines
    assert ["decoder", "=", "token", "embedding", "0", "0"] in lines


def test_title_legend_and_total_are_told() -> None:
    lines = render(make_size())
    assert lines[0] == "models/a: bert, head: masked-lm"
    assert "V 200 tokens in the vocabulary, D 40 width, L 3 layers" in lines
    assert "13,040 parameters = 8,000 + 3 x 1,680" in lines


def test_what_is_left_out_is_said() -> None:
    size = make_size()
    lines = render(make_size(counted=size.full.omit(["norms", "blocks"]), omitted=("norms", "blocks")))
    assert "8,000 parameters" in lines
    assert "excluded: norms, blocks" in lines
    assert "full fine-tuning, without activations: 203.8 KiB" in lines


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "all weights: 50.9 KiB in 32 bits"),
        ({"bits": 16, "weight_bytes": 26_080}, "all weights: 25.5 KiB in 16 bits"),
        (
            {"bits": 4, "quantised": 4800, "weight_bytes": 35_000},
            "all weights: 34.2 KiB, 4,800 of them in 4 bits and the rest in 32",
        ),
    ],
)
def test_memory_is_told_by_bits(changes: dict[str, Any], line: str) -> None:
    assert line in render(make_size(**changes))


def test_adapters_are_told_with_what_other_settings_cost() -> None:
    lines = render(make_size(lora=LORA))
    assert "3 layers have an adapter: query" in lines
    assert "480 adapter weights = 3 x 2 x (40 + 40)" in lines
    assert "82 weights of the head train in full as well" in lines
    assert "562 trainable, 4.31% of 13,040; scale 5.5" in lines
    assert "the adapter's file: 2.2 KiB" in lines
    assert {"r=4", "target=all", "bias=all"} <= {line.split()[0] for line in lines if line}
    assert ["bias=all", "+123"] in [line.split() for line in lines]
    # 52,160 bytes of weights; 16 for each that trains, less the 4 that a head's weight has already.
    assert "training with this adapter, without activations: 59.4 KiB" in lines
