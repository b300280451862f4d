"""cuDNN's attention is not among torch's choices within the block, and is again afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from headstart.engine.attention_kernels import refuse_cudnn_attention
from headstart.engine.generate import GenerationConfig, generate_answers
from headstart.engine.graphs import make_capturable


def _is_allowed() -> bool:
    return bool(torch.backends.cuda.cudnn_sdp_enabled())  # type: ignore[no-untyped-call]


@pytest.fixture(params=[True, False], ids=["allowed", "refused by the user"])
def own(request: pytest.FixtureRequest) -> Iterator[bool]:
    """What holds outside."""
    before = _is_allowed()
    torch.backends.cuda.enable_cudnn_sdp(request.param)
    yield request.param
    torch.backends.cuda.enable_cudnn_sdp(before)


def test_it_is_refused_within_the_block_alone(own: bool) -> None:
    with refuse_cudnn_attention():
        assert not _is_allowed()
    assert _is_allowed() == own
    with pytest.raises(KeyError), refuse_cudnn_attention():
        raise KeyError
    assert _is_allowed() == own


def test_training_and_evaluation_refuse_it() -> None:
    with make_capturable(torch.nn.Linear(1, 1)):
        assert not _is_allowed()
    assert _is_allowed()


class _Asked(torch.nn.Linear):
    """Answers with the prompt and an end token."""

    def generate(self, input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        """Notes what is allowed meanwhile."""
        self.was_allowed = _is_allowed()
        return torch.cat([input_ids, torch.zeros(len(input_ids), 1, dtype=torch.int64)], dim=1)


def test_answers_refuse_it() -> None:
    model = _Asked(1, 1)
    tokenizer = SimpleNamespace(pad_token_id=1, eos_token_id=0, decode=lambda ids, **_: "")
    (answer,) = generate_answers(model, [[4, 5]], tokenizer, GenerationConfig(), "fp32")
    assert answer.stopped
    assert not model.was_allowed
