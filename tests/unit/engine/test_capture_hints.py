"""transformers is told of a capture within the block and the thread, and its own answer comes back."""

from __future__ import annotations

import threading

import pytest
import torch
from transformers.utils import import_utils

from headstart.engine.capture_hints import pretend_capture
from tiny import make_tiny_model


def test_it_is_told_within_the_block_alone() -> None:
    own = import_utils.is_cuda_stream_capturing
    assert not import_utils.is_tracing()
    with pretend_capture():
        with pretend_capture():
            assert import_utils.is_tracing()
        assert import_utils.is_tracing()
    assert not import_utils.is_tracing()
    assert import_utils.is_cuda_stream_capturing is own


def test_an_error_restores_it() -> None:
    own = import_utils.is_cuda_stream_capturing
    with pytest.raises(KeyError), pretend_capture():
        raise KeyError
    assert import_utils.is_cuda_stream_capturing is own


def test_another_thread_hears_the_truth() -> None:
    heard: list[bool] = []
    with pretend_capture():
        thread = threading.Thread(target=lambda: heard.append(import_utils.is_tracing()))
        thread.start()
        thread.join()
    assert heard == [False]


def test_blocks_of_two_threads_may_end_in_any_order() -> None:
    own = import_utils.is_cuda_stream_capturing
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with pretend_capture():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=stay)
    with pretend_capture():
        thread.start()
        assert entered.wait(10)
    assert not import_utils.is_tracing()
    leave.set()
    thread.join()
    assert import_utils.is_cuda_stream_capturing is own


def test_a_version_that_asks_nothing_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(import_utils, "is_cuda_stream_capturing")
    with pretend_capture():
        assert not hasattr(import_utils, "is_cuda_stream_capturing")


@pytest.mark.parametrize("family", ["bert", "gpt2", "modernbert"])
def test_a_model_computes_the_same_where_nothing_is_padded(family: str) -> None:
    """It cannot look whether the mask is all ones, and uses it."""
    model = make_tiny_model(family).eval()
    ids = torch.arange(4, 16).view(2, 6)
    with torch.no_grad():
        plain = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        with pretend_capture():
            told = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    assert float((plain - told).abs().max()) < 1e-12
