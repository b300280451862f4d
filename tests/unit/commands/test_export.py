"""An adapter becomes a whole model: as PEFT merges it, whole or not at all, and nothing else is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from headstart.cli import main
from headstart.commands.export import export
from headstart.errors import ModelError, OutputError
from headstart.store.model_notes import ModelNotes, read_model_notes, write_model_notes

peft = pytest.importorskip("peft")


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """An adapter that PEFT made, with weights that change what the base computes, and our notes."""
    base = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    folder = tmp_path / "adapter"
    model.save_pretrained(folder)
    AutoConfig.from_pretrained(tiny_model).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    write_model_notes(folder, ModelNotes(task="classification", method="lora", max_length=16))
    return folder


def compute_logits(model: Any, folder: Path) -> torch.Tensor:
    batch = AutoTokenizer.from_pretrained(folder)(["a good film", "a dull story"], return_tensors="pt")
    with torch.inference_mode():
        logits: torch.Tensor = model.eval()(**batch).logits
    return logits


def test_a_merged_model_computes_what_peft_computes(adapter: Path, tiny_model: Path, tmp_path: Path) -> None:
    export(adapter, tmp_path / "whole")
    base = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    plain = compute_logits(base, adapter)
    expected = compute_logits(peft.PeftModel.from_pretrained(base, adapter), adapter)
    whole = AutoModelForSequenceClassification.from_pretrained(tmp_path / "whole")
    merged = compute_logits(whole, tmp_path / "whole")
    assert torch.allclose(merged, expected, atol=1e-5)
    assert not torch.allclose(merged, plain, atol=1e-2)
    assert read_model_notes(tmp_path / "whole") == read_model_notes(adapter)


def test_what_is_no_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="contains no adapter"):
        export(tiny_model, tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_a_folder_that_is_there_is_left_alone(adapter: Path, tmp_path: Path) -> None:
    target = tmp_path / "whole"
    target.mkdir()
    (target / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="already exists"):
        export(adapter, target)
    assert [file.name for file in target.iterdir()] == ["mine.txt"]


def test_nothing_is_left_where_merging_fails(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModelError("the saved model gives different logits")

    monkeypatch.setattr("headstart.commands.export.save_model", fail)
    with pytest.raises(ModelError):
        export(adapter, tmp_path / "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["adapter"]


def test_what_peft_cannot_merge_is_refused_in_its_words(adapter: Path, tmp_path: Path) -> None:
    config = adapter / "adapter_config.json"
    values = json.loads(config.read_text("utf-8")) | {"alora_invocation_tokens": [7]}
    config.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match="aLoRA does not support merging"):
        export(adapter, tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_a_card_goes_along_as_it_is_whatever_its_bytes(adapter: Path, tmp_path: Path) -> None:
    (adapter / "README.md").write_bytes(b"caf\xe9")
    export(adapter, tmp_path / "whole")
    assert (tmp_path / "whole" / "README.md").read_bytes() == b"caf\xe9"


@pytest.mark.parametrize("kind", [["LORA"], {}, 7, None])
def test_a_type_that_is_no_name_is_refused(adapter: Path, tmp_path: Path, kind: Any) -> None:
    config = adapter / "adapter_config.json"
    values = json.loads(config.read_text("utf-8")) | {"peft_type": kind}
    config.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match="adapter"):
        export(adapter, tmp_path / "whole")


def test_a_model_is_replaced_where_that_is_wanted(adapter: Path, tmp_path: Path) -> None:
    target = tmp_path / "whole"
    target.mkdir()
    (target / "config.json").write_text("{}", encoding="utf-8")
    (target / "other.bin").write_text("", encoding="utf-8")
    exported = export(adapter, target, force=True)
    assert exported.merged
    assert (target / "model.safetensors").is_file()
    assert not (target / "other.bin").exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["adapter", "whole"]


def test_an_adapter_by_itself_is_what_it_was(adapter: Path, tiny_model: Path, tmp_path: Path) -> None:
    exported = export(adapter, tmp_path / "copy", merge=False)
    assert (exported.merged, exported.base) == (False, str(tiny_model))
    assert {file.name: file.read_bytes() for file in (tmp_path / "copy").iterdir()} == {
        file.name: file.read_bytes() for file in adapter.iterdir()
    }


@pytest.mark.parametrize(("words", "merged"), [([], True), (["--merge"], True), (["--adapter"], False)])
def test_the_command_merges_by_default(
    words: list[str], merged: bool, adapter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(adapter), "-o", str(tmp_path / "new"), "--json", *words]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["schema_version"], told["merged"]) == (2, merged)
    assert (tmp_path / "new" / "adapter_config.json").exists() is not merged


def test_a_whole_model_needs_no_export(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it is a whole model and needs no export"):
        export(tiny_model, tmp_path / "whole")
