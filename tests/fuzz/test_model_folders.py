"""Checkpoints whose configuration, tokenizer or weights were edited or damaged: opened, counted, loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing import is_unlimited, own_folder, run_to_end
from headstart.commands.params import params
from headstart.commands.predict import open_predictor
from headstart.models.checkpoints import open_checkpoint
from odd_values import mutated_bytes, values, write_json

#: What a configuration says of shapes, and keys that other families have.
KEYS = (
    "model_type",
    "architectures",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "vocab_size",
    "type_vocab_size",
    "pad_token_id",
    "num_labels",
    "id2label",
    "label2id",
    "problem_type",
    "dtype",
    "hidden_act",
    "auto_map",
    "quantization_config",
    "layer_norm_eps",
    "transformers_version",
)
SIZES = st.one_of(st.sampled_from((0, -1, 1, 3, 10**5, 10**9, 10**12, "32", None, 1.5, True)), values())


def edit_config(data: st.DataObject, whole: bytes) -> bytes:
    """A configuration with some keys changed or taken out."""
    config = json.loads(whole)
    for key in data.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=2)):
        if data.draw(st.integers(0, 5)) == 0:
            config.pop(key, None)
        else:
            config[key] = data.draw(SIZES)
    return write_json(config).encode("utf-8", "surrogatepass")


def open_and_count(folder: Path) -> None:
    """What `params`, `plan` and `predict` do with a folder; each may refuse."""
    run_to_end(params, folder, folder=folder)
    run_to_end(open_checkpoint, str(folder), "classification", ("bad", "good"), folder=folder)
    run_to_end(open_predictor, folder, folder=folder)


@settings(max_examples=100 if is_unlimited() else 25)
@given(data=st.data())
def test_damaged_folders(tiny_model: Path, data: st.DataObject) -> None:
    with own_folder() as folder:
        copy = folder / "model"
        shutil.copytree(tiny_model, copy)
        name = data.draw(st.sampled_from(("config.json", *sorted(file.name for file in copy.iterdir()))))
        whole = (copy / name).read_bytes()
        if name == "config.json" and data.draw(st.integers(0, 4)):
            content = edit_config(data, whole)
        else:
            content = data.draw(mutated_bytes(whole))
        (copy / name).write_bytes(content)
        open_and_count(copy)


@settings(max_examples=100 if is_unlimited() else 25)
@given(st.lists(st.sampled_from(KEYS), max_size=6), st.data())
def test_configurations_alone(keys: list[str], data: st.DataObject) -> None:
    families = st.sampled_from(("bert", "gpt2", "llama", "deberta-v2", "modernbert", "bloom", "none"))
    config: dict[str, Any] = {"model_type": data.draw(families)} | {key: data.draw(SIZES) for key in keys}
    with own_folder() as folder:
        (folder / "config.json").write_text(write_json(config), encoding="utf-8")
        run_to_end(params, folder, folder=folder)
