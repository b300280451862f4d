"""Dropout of either kind under keyed masks: torch's own but for the masks, in every call and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from headstart.engine.dropout import DeviceDropout, DropoutKey, HostDropout, KeyedDropout
from headstart.engine.dropout.philox import derive_keys
from tiny import make_tiny_model

N = 200_000
#: So small a share that no mask of 16 bits drops anything.
NOTHING = 1e-13
Make = Callable[..., KeyedDropout]


def _on_host(*seeds: int) -> KeyedDropout:
    """The context of a pass in which every member fills its one row."""
    return HostDropout([DropoutKey(seed, 0, 1, 0) for seed in seeds], 1, 0)


def _on_device(*seeds: int) -> KeyedDropout:
    return DeviceDropout(torch.from_numpy(derive_keys(seeds)), torch.zeros(len(seeds), dtype=torch.int64))


@pytest.fixture(params=[_on_host, _on_device], ids=["host", "device"])
def keyed(request: pytest.FixtureRequest) -> Make:
    """Makes the context of a pass of members with the seeds given."""
    make: Make = request.param
    return make


def test_what_stays_is_scaled_so_that_the_mean_stays(keyed: Make) -> None:
    with keyed(0):
        dropped = F.dropout(torch.ones(N), 0.2)
    assert set(dropped.tolist()) == {0.0, 1.25}


def test_gradients_pass_with_a_fixed_mask(keyed: Make) -> None:
    x = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)

    def dropped(x: torch.Tensor) -> torch.Tensor:
        with keyed(0):
            return F.dropout(x, 0.3)

    assert torch.autograd.gradcheck(dropped, (x,))


def _attention_inputs() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return tuple(torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True) for _ in range(3))


def test_attention_gradients_pass_with_a_fixed_mask(keyed: Make) -> None:
    def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        with keyed(0, 1):
            return F.scaled_dot_product_attention(q, k, v, dropout_p=0.3)

    assert torch.autograd.gradcheck(attended, _attention_inputs())


_BOOLEAN = torch.tensor([True, True, True, False]).expand(4, 4)
_EMPTY = torch.tensor([[True, True, False, False], [False] * 4, [True] * 4, [False] * 4])
_ADDED = torch.tensor([0.0, -1.0, 0.5, float("-inf")], dtype=torch.float64).expand(4, 4)
_NEVER = torch.zeros(2, 1, 4, 4, dtype=torch.float64).index_fill_(2, torch.tensor(1), float("-inf"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attn_mask": _BOOLEAN},
        {"attn_mask": _ADDED},
        {"attn_mask": _EMPTY},
        {"attn_mask": _NEVER},
        {"is_causal": True},
        {"scale": 0.3},
    ],
    ids=["plain", "boolean", "added", "rows of nothing", "rows of -inf", "causal", "scale"],
)
def test_attention_without_what_is_dropped_is_torchs(keyed: Make, options: dict[str, Any]) -> None:
    q, k, v = _attention_inputs()
    with keyed(0, 1):
        ours = F.scaled_dot_product_attention(q, k, v, dropout_p=NOTHING, **options)
    theirs = F.scaled_dot_product_attention(q, k, v, **options)
    assert float((ours - theirs).detach().abs().max()) < 1e-12
    for mine, other in zip(*(torch.autograd.grad(x.sum(), (q, k, v)) for x in (ours, theirs)), strict=True):
        assert float((mine - other).abs().max()) < 1e-12


def test_grouped_queries_are_torchs(keyed: Make) -> None:
    q = torch.randn(1, 4, 3, 5)
    k, v = torch.randn(1, 2, 3, 5), torch.randn(1, 2, 3, 5)
    with keyed(0):
        ours = F.scaled_dot_product_attention(q, k, v, dropout_p=NOTHING, enable_gqa=True)
    theirs = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_grouped_queries_meet_the_masks_of_repeated_keys(keyed: Make) -> None:
    q, k, v = torch.randn(2, 4, 3, 5), torch.randn(2, 2, 6, 5), torch.randn(2, 2, 6, 5)
    with keyed(0, 1):
        grouped = F.scaled_dot_product_attention(q, k, v, dropout_p=0.4, enable_gqa=True)
    k, v = (x.repeat_interleave(2, dim=1) for x in (k, v))
    with keyed(0, 1):
        alike = F.scaled_dot_product_attention(q, k, v, dropout_p=0.4)
    assert torch.allclose(grouped, alike, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [lambda x: F.dropout(x, 0.5, training=False), lambda x: F.dropout(x, 0.0), torch.nn.Dropout(0.5).eval()],
    ids=["evaluation", "p is 0", "module in evaluation"],
)
def test_nothing_is_dropped_where_nothing_should_be(
    keyed: Make, call: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    x = torch.randn(100)
    with keyed(0):
        assert torch.equal(call(x), x)


def test_everything_is_dropped_at_one(keyed: Make) -> None:
    q = torch.ones(1, 1, 2, 2)
    with keyed(0):
        assert not F.dropout(torch.ones(10), 1.0).any()
        assert not F.scaled_dot_product_attention(q, q, q, dropout_p=1.0).any()


def test_attention_without_dropout_is_torchs_own_kernel_to_the_bit(keyed: Make) -> None:
    q, k, v = (torch.randn(2, 2, 3, 4) for _ in range(3))
    with keyed(0):
        ours = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert torch.equal(ours, F.scaled_dot_product_attention(q, k, v, is_causal=True))


def test_bfloat16_keeps_the_scale(keyed: Make) -> None:
    with keyed(0):
        dropped = F.dropout(torch.full((N,), 3.0, dtype=torch.bfloat16), 0.1)
    kept = dropped[dropped != 0]
    assert torch.equal(kept, torch.full_like(kept, 3.0 / 0.9))


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_whole_model_draws_from_no_other_generator(keyed: Make, family: str) -> None:
    model, ids = make_tiny_model(family, dropout=0.3), torch.arange(4, 16).view(2, 6)

    def logits(seed: int, noise: int) -> np.ndarray:
        torch.manual_seed(noise)
        with torch.no_grad(), keyed(seed):
            values: np.ndarray = model(input_ids=ids).logits.numpy()
        return values

    assert np.array_equal(logits(0, 1), logits(0, 2))
    assert not np.array_equal(logits(0, 1), logits(1, 1))


def test_each_call_of_a_pass_is_a_site_and_a_repetition_continues_with_the_next(keyed: Make) -> None:
    ones = torch.ones(100)
    with keyed(3):
        first, second, third = (F.dropout(ones, 0.5) for _ in range(3))
    with keyed(3) as part:
        assert torch.equal(F.dropout(ones, 0.5), first)
        repeated = part.replay()
        assert torch.equal(F.dropout(ones, 0.5), second)
        with repeated:
            assert torch.equal(F.dropout(ones, 0.5), second)
            assert torch.equal(F.dropout(ones, 0.5), third)
    assert not torch.equal(first, second)


def test_entered_again_it_counts_from_its_first_site(keyed: Make) -> None:
    ones, context = torch.ones(100), keyed(3)
    with context:
        first, second = F.dropout(ones, 0.5), F.dropout(ones, 0.5)
        rest = context.replay()
    for _ in range(2):
        with context:
            assert torch.equal(F.dropout(ones, 0.5), first)
        with rest:
            assert not torch.equal(F.dropout(ones, 0.5), second)
