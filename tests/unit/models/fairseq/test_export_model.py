"""Models go to fairseq and come back the same, to the bit; what fairseq cannot compute is refused by name."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

from fairseq_networks import (
    IDS,
    PAD,
    compute_class_logits,
    compute_lm_logits,
    make_settings,
    make_state,
    write_folder,
    write_lines,
)
from headstart import export_fairseq, import_fairseq
from headstart.errors import ModelError
from headstart.files import write_folder_atomically
from headstart.models.fairseq import export_model
from headstart.models.fairseq.archive import open_checkpoint_file
from headstart.models.fairseq.settings import read_settings
from headstart.os_faults import MachineError

PRE: dict[str, Any] = {"arch": "roberta_prenorm", "encoder_normalize_before": True}
#: Codes of fastBPE that join nothing: each word of the dictionary is a letter and a digit, `@@` between.
CODES = "w 0</w> 5\n"


def make_model(
    tmp_path: Path, *, heads: dict[str, int] | None = None, **changes: Any
) -> tuple[Any, Any, Path]:
    """Settings, weights and the folder that was made of them, with a tokenizer."""
    settings = make_settings(**changes)
    state = make_state(settings, heads)
    folder = write_folder(tmp_path / "ck", settings, state)
    (folder / "bpe.codes").write_text(CODES, encoding="utf-8")
    write_lines(folder / "label_dict.txt", ("bad", "good", "madeupword0000"))
    import_fairseq(folder, tmp_path / "model")
    return settings, state, tmp_path / "model"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"untie_weights_roberta": True},
        PRE | {"layernorm_embedding": True},
    ],
)
def test_a_masked_language_model_goes_there_and_back(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings, state, model = make_model(tmp_path, **changes)
    exported = export_fairseq(model, tmp_path / "fs")
    assert exported.head == "lm_head"
    with open_checkpoint_file(tmp_path / "fs" / "model.pt") as file:
        assert list(file.content["model"]) == list(state)
        written = {name: file.read_tensor(ref) for name, ref in file.content["model"].items()}
        assert read_settings(file.content, "x").source == "args"
    assert all(torch.equal(written[name], value) for name, value in state.items())
    assert torch.equal(compute_lm_logits(written, settings, IDS), compute_lm_logits(state, settings, IDS))
    again = import_fairseq(tmp_path / "fs", tmp_path / "again", tokenizer="none")
    before, after = (load_file(folder / "model.safetensors") for folder in (model, tmp_path / "again"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (tmp_path / "again" / "config.json").read_text() == (model / "config.json").read_text()
    assert again.total == exported.parameters


def test_a_family_of_fast_tokenizers_alone(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only fast tokenizers for xlm-roberta-xl"):
        make_model(tmp_path, **PRE, layernorm_embedding=False)
    assert not (tmp_path / "model").exists()


def test_a_classifier_goes_there_and_back_with_its_labels(tmp_path: Path) -> None:
    settings, state, model = make_model(tmp_path, heads={"sst": 2}, activation_fn="relu")
    exported = export_fairseq(model, tmp_path / "fs")
    assert any("lm_head" in note for note in exported.notes)
    imported = import_fairseq(tmp_path / "fs", tmp_path / "again", tokenizer="none")
    assert (imported.labels, imported.head) == (("bad", "good"), "sentence_classification_head")
    found = AutoModelForSequenceClassification.from_pretrained(tmp_path / "again").eval()
    with torch.inference_mode():
        logits = found(IDS, attention_mask=(IDS != PAD).long()).logits
    assert torch.allclose(logits, compute_class_logits(state, settings, "sst", IDS), atol=1e-5)
    lines = (tmp_path / "fs" / "label_dict.txt").read_text(encoding="utf-8").split()[::2]
    assert lines == ["bad", "good", "madeupword0000", "madeupword0001"]


def test_the_dictionary_is_the_one_that_came(tmp_path: Path) -> None:
    _, _, model = make_model(tmp_path)
    export_fairseq(model, tmp_path / "fs")
    words = [
        [line.split()[0] for line in (folder / "dict.txt").read_text(encoding="utf-8").splitlines()]
        for folder in (tmp_path / "ck", tmp_path / "fs")
    ]
    assert words[0] == words[1]


def test_a_token_type_is_added_to_the_positions(tmp_path: Path) -> None:
    settings, _, model = make_model(tmp_path)
    network = AutoModelForMaskedLM.from_pretrained(model).eval()
    torch.nn.init.constant_(network.roberta.embeddings.token_type_embeddings.weight, 0.25)
    network.save_pretrained(model)
    exported = export_fairseq(model, tmp_path / "fs")
    assert any("token type was added" in note for note in exported.notes)
    with torch.inference_mode():
        expected = network(IDS, attention_mask=(IDS != PAD).long()).logits
    with open_checkpoint_file(tmp_path / "fs" / "model.pt") as file:
        written = {name: file.read_tensor(ref) for name, ref in file.content["model"].items()}
    kept = IDS != PAD
    assert torch.allclose(compute_lm_logits(written, settings, IDS)[kept], expected[kept], atol=1e-5)


def test_other_models_are_refused(tmp_path: Path, tiny_model: Path, tiny_roberta: Path) -> None:
    with pytest.raises(ModelError, match="a bert: fairseq's RoBERTa is no such model"):
        export_fairseq(tiny_model, tmp_path / "fs")
    with pytest.raises(ModelError, match="layer_norm_eps"):
        export_fairseq(tiny_roberta, tmp_path / "fs")
    _, _, model = make_model(tmp_path)
    shutil.copytree(model, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(config.read_text().replace('"hidden_act": "gelu"', '"hidden_act": "silu"'))
    with pytest.raises(ModelError, match="the activation silu"):
        export_fairseq(tmp_path / "other", tmp_path / "fs")
    assert not (tmp_path / "fs").exists()


def test_a_disk_that_is_full_amid_the_checkpoint_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with (
            pytest.raises(MachineError, match=r"the file would exceed the size limit"),
            write_folder_atomically(tmp_path / "out") as folder,
        ):
            export_model._save({"model": {"weight": torch.zeros(10_000)}}, folder / "model.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
