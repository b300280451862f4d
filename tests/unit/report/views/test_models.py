"""How a model's size, the page of LoRA and a first study print, and which tables they have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import headstart
from conftest import review


@pytest.fixture
def config(tmp_path: Path) -> Path:
    shape = {"model_type": "bloom", "vocab_size": 300, "hidden_size": 64, "n_layer": 2, "n_head": 2}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(shape | {"architectures": ["BloomForCausalLM"]}), encoding="utf-8")
    return file


def test_a_models_size_is_its_parts(config: Path) -> None:
    size = headstart.params(config, lora=headstart.Lora(r=4))
    assert repr(size) == f"<ModelSize: {config}, {size.total:,} parameters, {size.trainable:,} train>"
    assert size.frame()["value"].sum() == size.total
    assert size.lora is not None
    settings = size.frame("lora").set_index(["setting", "value"])["parameters"]
    assert settings["r", 4] == size.lora.adapters
    assert "formulas and walk agree on every part" in size.to_text()
    assert headstart.params(config).frame("lora").empty


def test_the_page_of_lora_is_cut_to_a_screen(config: Path) -> None:
    explanation = headstart.explain_lora(config)
    assert len(str(explanation).split("\n")) == 40
    assert explanation.to_text().startswith(str(explanation).rpartition("\n")[0])
    assert explanation._repr_html_().count("<pre>") == 1
    assert len(repr(explanation)) < 200


def test_a_first_study_prints_what_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = ({"text": review(i, ("good", "bad")), "label": i % 2} for i in range(40))
    Path("r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    draft = headstart.init("r.jsonl")
    assert repr(draft) == "<StudyDraft: study.yaml, a study of r.jsonl, classification>"
    assert str(draft).startswith("r.jsonl: 40 rows")
    with pytest.raises(headstart.HeadstartError, match="has no table"):
        draft.frame()
