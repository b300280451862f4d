"""Dropout under keyed masks: torch's own but for the masks, in every call and in its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from headstart.engine.dropout import DropoutKey, KeyedDropout
from headstart.engine.dropout.host_masks import HostMasks
from tiny import make_tiny_model

N = 200_000


def _keyed(*seeds: int, step: int = 0, rows: int = 1, tokens: int = 0) -> KeyedDropout:
    """The context of a pass in which every member fills its rows and tokens."""
    return KeyedDropout([DropoutKey(seed, step, rows, tokens) for seed in seeds], rows, tokens)


def test_what_stays_is_scaled_so_that_the_mean_stays() -> None:
    with _keyed(0):
        dropped = F.dropout(torch.ones(N), 0.2)
    assert set(dropped.tolist()) == {0.0, 1.25}


def test_gradients_pass_with_a_fixed_mask() -> None:
    x = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)

    def dropped(x: torch.Tensor) -> torch.Tensor:
        with _keyed(0):
            return F.dropout(x, 0.3)

    assert torch.autograd.gradcheck(dropped, (x,))


def _attention_inputs() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return tuple(torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True) for _ in range(3))


def test_attention_gradients_pass_with_a_fixed_mask() -> None:
    def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        with _keyed(0, 1):
            return F.scaled_dot_product_attention(q, k, v, dropout_p=0.3)

    assert torch.autograd.gradcheck(attended, _attention_inputs())


_BOOLEAN = torch.tensor([True, True, True, False]).expand(4, 4)
_EMPTY = torch.tensor([[True, True, False, False], [False] * 4, [True] * 4, [False] * 4])
_ADDED = torch.tensor([0.0, -1.0, 0.5, float("-inf")], dtype=torch.float64).expand(4, 4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attn_mask": _BOOLEAN},
        {"attn_mask": _ADDED},
        {"attn_mask": _EMPTY},
        {"is_causal": True},
        {"scale": 0.3},
    ],
    ids=["plain", "boolean", "added", "rows of nothing", "causal", "scale"],
)
def test_attention_without_what_is_dropped_is_torchs(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v = _attention_inputs()
    monkeypatch.setattr(
        KeyedDropout, "_draw_mask", lambda self, like, p: torch.full_like(like, -1, dtype=torch.int64)
    )
    with _keyed(0, 1):
        # All stays, and is scaled by 1 / (1 - p).
        ours = 0.6 * F.scaled_dot_product_attention(q, k, v, dropout_p=0.4, **options)  # type: ignore[arg-type]
    theirs = F.scaled_dot_product_attention(q, k, v, **options)  # type: ignore[arg-type]
    assert float((ours - theirs).detach().abs().max()) < 1e-12
    for mine, other in zip(*(torch.autograd.grad(x.sum(), (q, k, v)) for x in (ours, theirs)), strict=True):
        assert float((mine - other).abs().max()) < 1e-12


def test_grouped_queries_are_torchs() -> None:
    q = torch.randn(1, 4, 3, 5)
    k, v = torch.randn(1, 2, 3, 5), torch.randn(1, 2, 3, 5)
    with _keyed(0):
        ours = F.scaled_dot_product_attention(q, k, v, dropout_p=1e-9, enable_gqa=True)
    theirs = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [lambda x: F.dropout(x, 0.5, training=False), lambda x: F.dropout(x, 0.0), torch.nn.Dropout(0.5).eval()],
    ids=["evaluation", "p is 0", "module in evaluation"],
)
def test_nothing_is_dropped_where_nothing_should_be(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.randn(100)
    with _keyed(0):
        assert torch.equal(call(x), x)


def test_everything_is_dropped_at_one() -> None:
    with _keyed(0):
        assert not F.dropout(torch.ones(10), 1.0).any()


def test_bfloat16_keeps_the_scale() -> None:
    with _keyed(0):
        dropped = F.dropout(torch.full((N,), 3.0, dtype=torch.bfloat16), 0.1)
    kept = dropped[dropped != 0]
    assert torch.equal(kept, torch.full_like(kept, 3.0 / 0.9))


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_whole_model_draws_from_no_other_generator(family: str) -> None:
    model, ids = make_tiny_model(family, dropout=0.3), torch.arange(4, 16).view(2, 6)

    def logits(seed: int, noise: int) -> np.ndarray:
        torch.manual_seed(noise)
        with torch.no_grad(), _keyed(seed):
            values: np.ndarray = model(input_ids=ids).logits.numpy()
        return values

    assert np.array_equal(logits(0, 1), logits(0, 2))
    assert not np.array_equal(logits(0, 1), logits(1, 1))


def test_each_call_of_a_pass_is_a_site_and_a_repetition_continues_with_the_next() -> None:
    ones = torch.ones(100)
    with _keyed(3):
        first, second, third = (F.dropout(ones, 0.5) for _ in range(3))
    with _keyed(3) as part:
        assert torch.equal(F.dropout(ones, 0.5), first)
        repeated = part.replay()
        assert torch.equal(F.dropout(ones, 0.5), second)
        with repeated:
            assert torch.equal(F.dropout(ones, 0.5), second)
            assert torch.equal(F.dropout(ones, 0.5), third)
    assert not torch.equal(first, second)


def test_its_masks_are_those_of_the_host_call_by_call() -> None:
    masks = HostMasks([DropoutKey(3, 2, 1, 0)], 1, 0)
    ones = torch.ones(1, 100)
    with _keyed(3, step=2, rows=1):
        for site in range(3):
            assert torch.equal(F.dropout(ones, 0.5) != 0, masks.draw_mask(ones, 0.5, site) != 0)
