"""Evaluation gives each text its own logits, in the texts' order, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import headstart.engine.evaluate as module
from headstart.engine.epochs import evaluate_part
from headstart.errors import TrainingError
from tiny import PAD, make_tiny_context, make_tiny_model, make_tiny_tokens, make_tiny_weights


@pytest.mark.parametrize(("most", "window"), [(4096, 4096), (64, 10), (1, 3)])
def test_logits_come_in_the_order_of_the_texts(
    most: int, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOKENS_PER_BATCH", most)
    monkeypatch.setattr(module, "WINDOW_EXAMPLES", window)
    model, tokens = make_tiny_model(dropout=0.3), make_tiny_tokens(25)
    windows = list(
        module.iter_logits(model, tokens, pad_id=PAD, device=torch.device("cpu"), precision="fp64")
    )
    all_logits = torch.cat([logits for _, logits in windows])
    covered = np.concatenate([np.arange(25)[where] for where, _ in windows])
    assert covered.tolist() == list(range(25))
    model.eval()
    for i in range(25):
        ids = torch.from_numpy(np.array(tokens.input_ids[tokens.starts[i] : tokens.starts[i + 1]], np.int64))[
            None
        ]
        with torch.no_grad():
            assert torch.allclose(model(input_ids=ids).logits[0], all_logits[i], atol=1e-12)


def test_the_model_is_left_in_training_mode() -> None:
    model = make_tiny_model()
    list(
        module.iter_logits(
            model, make_tiny_tokens(3), pad_id=PAD, device=torch.device("cpu"), precision="fp64"
        )
    )
    assert model.training


def test_a_member_whose_outputs_are_no_numbers_has_an_error_and_others_their_scores() -> None:
    models = [make_tiny_model(seed=seed) for seed in range(3)]
    context, before = make_tiny_context(), make_tiny_weights(models)
    expected = evaluate_part(before.module, "valid", context)
    with torch.no_grad():
        before.values[1] = float("nan")
    first, broken, last = evaluate_part(before.module, "valid", context)
    assert [first, last] == [expected[0], expected[2]]
    assert isinstance(broken, TrainingError)
    assert "outputs for example 1 of those from 1 to" in str(broken)
    with pytest.raises(TrainingError, match="nan or infinite"):
        module.require_scores(broken)
