"""A saved adapter's and a model's folder with one file edited: predicted with, merged, counted with LoRA."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing import is_unlimited, own_folder, run_to_end
from headstart.commands.explain import explain_lora
from headstart.commands.export import export
from headstart.commands.params import params
from headstart.commands.predict import open_predictor
from headstart.config.study import Lora
from headstart.store.model_notes import ModelNotes, write_model_notes
from odd_values import edited_json, values

peft = pytest.importorskip("peft")
TEXTS = ("a good film", "", "\x1b[31m\u202e", "who is one ?", "a" * 300)


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What PEFT saves of an adapter, with our notes and a card."""
    from transformers import AutoModelForSequenceClassification

    base = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    config = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])
    folder = tmp_path_factory.mktemp("saved") / "adapter"
    with torch.random.fork_rng():
        peft.get_peft_model(base, config).save_pretrained(folder)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, folder / name)
    write_model_notes(folder, ModelNotes(task="classification", method="lora", max_length=16))
    (folder / "README.md").write_text("# A card\n", encoding="utf-8")
    return folder


def edit_one(data: st.DataObject, whole: Path, copy: Path) -> None:
    """A copy of a folder with one file that holds something else."""
    shutil.copytree(whole, copy)
    file = copy / data.draw(st.sampled_from(sorted(file.name for file in whole.iterdir() if file.is_file())))
    file.write_bytes(data.draw(edited_json(file.read_bytes())))


@settings(max_examples=100 if is_unlimited() else 8)
@given(data=st.data())
def test_edited_adapters(adapter: Path, data: st.DataObject) -> None:
    with own_folder() as folder:
        edit_one(data, adapter, folder / "adapter")
        predictor = run_to_end(open_predictor, folder / "adapter", folder=folder)
        if predictor is not None:
            run_to_end(predictor.predict, TEXTS)
        run_to_end(export, folder / "adapter", folder / "whole", folder=folder)


@settings(max_examples=100 if is_unlimited() else 8)
@given(data=st.data(), name=st.sampled_from(("tokenizer.json", "tokenizer_config.json")))
def test_edited_tokenizers(tiny_model: Path, data: st.DataObject, name: str) -> None:
    with own_folder() as folder:
        copy = folder / "model"
        shutil.copytree(tiny_model, copy)
        (copy / name).write_bytes(data.draw(edited_json((copy / name).read_bytes())))
        predictor = run_to_end(open_predictor, copy, folder=folder)
        if predictor is not None:
            run_to_end(predictor.predict, TEXTS)


def settings_of_lora() -> st.SearchStrategy[dict[str, Any]]:
    """What `lora` may say, mostly what it may."""
    near = {
        "r": st.one_of(st.sampled_from((1, 4, 8, 10**6, 10**9)), values()),
        "alpha": st.one_of(st.sampled_from((1, 16.0)), values()),
        "target": st.one_of(
            st.sampled_from((["query"], ["query", "value"], ["all-linear"], ["no"])), values()
        ),
    }
    others = {name: values() for name in Lora.model_fields if name not in near}
    return st.fixed_dictionaries({}, optional=near | others)


@settings(max_examples=200 if is_unlimited() else 12)
@given(said=settings_of_lora(), omit=st.lists(st.sampled_from(("biases", "norms", "head", "x")), max_size=2))
def test_counts_with_lora(tiny_model: Path, said: dict[str, Any], omit: list[str]) -> None:
    try:
        lora = Lora.model_validate(said)
    except ValueError:
        return
    size = run_to_end(params, str(tiny_model), omit=omit, lora=lora)
    if size is not None:
        run_to_end(size.to_dict)
    found = run_to_end(explain_lora, str(tiny_model), lora)
    if found is not None:
        run_to_end(found.to_dict)
