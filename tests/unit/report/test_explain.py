"""The page about LoRA: the one in the docs, another model's, and one with a hostile name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from headstart.commands.explain import explain_lora
from headstart.config.study import Lora
from headstart.models.accounting.sizes import LoraExplanation
from headstart.report.explain import render_lora_page

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def example() -> LoraExplanation:
    """That of BLOOM-560m."""
    return explain_lora()


def test_the_page_in_the_docs_is_what_the_command_prints(example: LoraExplanation) -> None:
    assert (ROOT / "docs" / "lora.md").read_text(encoding="utf-8") == render_lora_page(example)


def test_the_page_takes_the_numbers_of_the_model_at_hand(tiny_model: Path) -> None:
    page = render_lora_page(explain_lora(tiny_model, Lora(r=8, target=("query",))))
    assert "2 x 8 x (32 + 32) = 1,024" in page
    assert "it is `SEQ_CLS`, and the head has 66 weights." in page
    assert "BLOOM-560m" not in page
    assert "an example" not in page


@pytest.mark.parametrize(
    ("lora", "sentence"),
    [
        (Lora(), "Here alpha is 32, so scale is 2."),
        (Lora(r=4), "Here alpha is 16, so scale is 4."),
        (Lora(r=8, rslora=True), "Here alpha is 8 with `rslora: true`, so scale is 2.83."),
        (Lora(r=8, alpha=16, rslora=True), "Here alpha is 16 with `rslora: true`, so scale is 5.66."),
        (Lora(dropout=0.2), "1 / (1 - p)\n(here 1.25, for p = 0.2)"),
        (Lora(dropout=0), "1 / (1 - p)\n(here 1, for p = 0)"),
    ],
)
def test_the_page_names_what_is_really_multiplied(tiny_model: Path, lora: Lora, sentence: str) -> None:
    assert sentence in render_lora_page(explain_lora(tiny_model, lora))


def test_the_page_is_filled_by_a_sandbox(example: LoraExplanation) -> None:
    hostile = replace(example, size=replace(example.size, name="{{ ().__class__ }}"))
    assert "{{ ().__class__ }}" in render_lora_page(hostile)


def test_a_name_ends_no_cell_of_a_table(example: LoraExplanation) -> None:
    named = replace(example, size=replace(example.size, name="a|b"))
    assert "**a\\|b**" in render_lora_page(named)
