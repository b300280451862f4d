"""Sizes are compared with what a folder has saved and with the machine before memory is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from headstart.errors import ModelError
from headstart.machine_memory import measure_free_memory, measure_memory_limit
from headstart.models import size_checks
from headstart.models.checkpoints import open_checkpoint
from headstart.models.size_checks import check_memory, check_saved_sizes
from tiny_checkpoints import write_checkpoint


def _make_skeleton(folder: Path, **changes: int) -> torch.nn.Module:
    config = AutoConfig.from_pretrained(folder, **changes)
    with torch.device("meta"):
        model: torch.nn.Module = AutoModelForSequenceClassification.from_config(config)
    return model


def test_a_model_larger_than_the_machine_is_refused_with_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    skeleton = _make_skeleton(folder)
    needed = 4 * sum(value.numel() for value in skeleton.state_dict().values())
    monkeypatch.setattr(size_checks, "measure_memory_limit", lambda: needed)
    check_memory(skeleton, "m")
    open_checkpoint(str(folder), "classification", ("bad", "good"))
    monkeypatch.setattr(size_checks, "measure_memory_limit", lambda: needed - 1)
    with pytest.raises(ModelError, match=r"need 0.0 GiB in float32, and this machine has 0.0 GiB"):
        check_memory(skeleton, "m")
    with pytest.raises(ModelError, match="and this machine has"):
        open_checkpoint(str(folder), "classification", ("bad", "good"))


def test_sizes_are_those_of_the_file_but_for_the_head(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    check_saved_sizes(_make_skeleton(folder), str(folder), "m")
    check_saved_sizes(_make_skeleton(folder, num_labels=9), str(folder), "m")
    with pytest.raises(ModelError, match=r"weight: \[\d+, 32\] in the file, \[2000000, 32\] by"):
        check_saved_sizes(_make_skeleton(folder, vocab_size=2_000_000), str(folder), "m")


def test_a_body_saved_by_itself_or_by_a_wrapper_is_compared_too(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    file = folder / "model.safetensors"
    plain = load_file(file)
    for change in (lambda name: name.removeprefix("bert."), lambda name: f"module.{name}"):
        save_file({change(name): value for name, value in plain.items()}, file, metadata={"format": "pt"})
        check_saved_sizes(_make_skeleton(folder), str(folder), "m")
        with pytest.raises(ModelError, match="of the wrong size"):
            check_saved_sizes(_make_skeleton(folder, vocab_size=99), str(folder), "m")


def test_what_is_free_is_no_more_than_there_is() -> None:
    assert 0 < measure_free_memory() <= measure_memory_limit()
