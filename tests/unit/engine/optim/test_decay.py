"""Which parameters decay: transformers' own rule as the oracle."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import Trainer, TrainingArguments

from headstart.engine.optim.decay import find_decaying_parameters
from tiny import make_tiny_model


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_trainer_decays_the_same_parameters(family: str, tmp_path: Path) -> None:
    model = make_tiny_model(family)
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    theirs = Trainer(model=model, args=arguments).get_decay_parameter_names(model)
    assert find_decaying_parameters(model) == set(theirs)
    assert find_decaying_parameters(model) < {name for name, _ in model.named_parameters()}


def test_frozen_parameters_do_not_train() -> None:
    model = make_tiny_model()
    for parameter in model.bert.parameters():
        parameter.requires_grad = False
    assert find_decaying_parameters(model) == {"classifier.weight"}
