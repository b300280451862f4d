"""A saved model gives its logits again, or the run fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from headstart.errors import ModelError
from headstart.models.checkpoints import open_checkpoint
from headstart.models.initialise import initialise_model
from headstart.models.save import save_model

TEXTS = ["good book", "a bad film", "good good"]


def test_the_saved_model_loads_with_its_label_names(tiny_model: Path, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(tiny_model), "classification", ("bad", "good"))
    model: Any = initialise_model(checkpoint, pretrained=True, seed=0)
    save_model(model, checkpoint, tmp_path / "m", examples=TEXTS, max_length=32)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m")
    assert loaded.config.id2label == {0: "bad", 1: "good"}
    assert loaded.config.problem_type == "single_label_classification"
    assert model.training, "saving must not change the mode"


def test_a_head_lost_on_the_way_is_an_error(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = open_checkpoint(str(tiny_model), "classification", ("bad", "good"))
    model: Any = initialise_model(checkpoint, pretrained=True, seed=0)
    save_pretrained = model.save_pretrained

    def without_head(folder: Path) -> None:
        weights = {name: value for name, value in model.state_dict().items() if "classifier" not in name}
        save_pretrained(folder, state_dict=weights)

    monkeypatch.setattr(model, "save_pretrained", without_head)
    with torch.random.fork_rng(), pytest.raises(ModelError, match="different logits when loaded again"):
        save_model(model, checkpoint, tmp_path / "m", examples=TEXTS, max_length=32)
