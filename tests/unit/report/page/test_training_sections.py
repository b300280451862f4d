"""Parameters by part and what runs cost, as the page and its CSV files have them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from drawn_studies import build_costs, build_details
from headstart.analysis.details.costs import Costs
from headstart.analysis.details.model_parts import ModelParts
from headstart.models.accounting.breakdown import ParameterBreakdown, PartCount
from headstart.report.page.blocks import PageTable, Section, Sentences
from headstart.report.page.material import PageMaterial
from headstart.report.page.table_files import write_tables
from headstart.report.page.training_sections import list_cost_sections, list_training_sections
from studies import findings_of

PARTS = (
    PartCount("embeddings", "token embedding", "weights", "V·D", "1", 1, 800, 800),
    PartCount("block", "query", "weights", "D²", "L", 2, 64, 128),
    PartCount("block", "query adapter", "weights", "2·R·D", "L", 2, 32, 64),
    PartCount("head", "classifier", "weights", "D·C", "1", 1, 16, 16),
)
SYMBOLS = {"V": 100, "D": 8, "L": 2, "R": 2, "C": 2}


def find_table(section: Section, name: str) -> PageTable:
    return next(one for one in section.blocks if isinstance(one, PageTable) and one.name == name)


def list_sentences(section: Section) -> list[str]:
    return [told for one in section.blocks if isinstance(one, Sentences) for told in one.sentences]


def test_parts_tell_what_trains_beside_the_frozen_base(tmp_path: Path) -> None:
    parts = ModelParts(("lora",), ParameterBreakdown(PARTS, SYMBOLS), (0, 0, 64, 16))
    details = build_details(findings_of(), model_parts=(parts,))
    *_, section = list_training_sections(PageMaterial(details))
    table = find_table(section, "parts-1")
    assert table.caption == (
        "Parameters of lora by part: 1,008 = 800 + 2 x 96 + 16. 80 are trainable (7.94%); the rest is frozen."
    )
    assert "R 2 rank of the adapters" in table.note
    write_tables([table], tmp_path)
    with (tmp_path / "parts-1.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["place", "part", "formula", "times", "parameters", "trainable"]
    assert rows[3] == ["each layer", "query adapter", "2·R·D", "2", "64", "64"]
    assert [row[-1] for row in rows[1:]] == ["0", "0", "64", "16"]


def test_of_a_model_that_trains_whole_no_column_tells_so() -> None:
    details = build_details(
        findings_of(), model_parts=(ModelParts(("a",), ParameterBreakdown(PARTS, SYMBOLS)),)
    )
    *_, section = list_training_sections(PageMaterial(details))
    table = find_table(section, "parts-1")
    assert table.head == ["place", "part", "formula", "times", "parameters"]
    assert "frozen" not in table.caption


def test_energy_has_a_column_and_a_sentence_where_counters_tell() -> None:
    plain = build_costs(["a", "b"])
    (section,) = list_cost_sections(PageMaterial(build_details(findings_of(), costs=plain)))
    assert "energy in all" not in find_table(section, "cost").head
    assert not any("Energy" in told for told in list_sentences(section))
    arms = (replace(plain.arms[0], joules=7200.0), plain.arms[1])
    metered = Costs(arms, 100.0, ("cpu",), 7200.0, ("processor", "GPU"))
    (section,) = list_cost_sections(PageMaterial(build_details(findings_of(), costs=metered)))
    table = find_table(section, "cost")
    assert table.head[-1] == "energy in all"
    assert [row[-1] for row in table.body] == ["2 Wh", "-"]
    told = "Energy of the processor and the GPU, by the machine's own counters: 2 Wh."
    assert told in list_sentences(section)
