"""Keyed masks: met in number, independent of each other, and a pure function of seed, step and site."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from headstart.engine.dropout import Draw, KeyedDropout
from headstart.errors import StackError
from tiny import tiny_model

N = 200_000


def _keyed(*seeds: int, step: int = 0, rows: int = 1, tokens: int = 0) -> KeyedDropout:
    """The context of a pass in which every member fills its rows and tokens."""
    return KeyedDropout([Draw(seed, step, rows, tokens) for seed in seeds], rows, tokens)


def _mask(seeds: tuple[int, ...], step: int, site: int = 0, p: float = 0.1) -> torch.Tensor:
    """What the given site keeps, [R, N / R]."""
    ones = torch.ones(len(seeds), N // len(seeds))
    with _keyed(*seeds, step=step):
        for _ in range(site + 1):
            dropped = F.dropout(ones, p)
    return dropped != 0


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_the_kept_share_is_within_four_deviations(p: float) -> None:
    kept = _mask((0,), 0, p=p).float().mean().item()
    assert abs(kept - (1 - p)) < 4 * (p * (1 - p) / N) ** 0.5


def test_what_stays_is_scaled_so_that_the_mean_stays() -> None:
    with _keyed(0):
        dropped = F.dropout(torch.ones(N), 0.2)
    assert set(dropped.tolist()) == {0.0, 1.25}


def test_masks_of_seeds_steps_and_sites_are_pairwise_independent() -> None:
    masks = [_mask((seed,), step, site).flatten() for seed, step, site in itertools.product((0, 1), repeat=3)]
    for one, other in itertools.combinations(masks, 2):
        agreement = (one == other).float().mean().item()
        expected = 0.9**2 + 0.1**2
        assert abs(agreement - expected) < 4 * (expected * (1 - expected) / N) ** 0.5


def test_a_member_drops_the_same_alone_and_beside_others() -> None:
    alone, beside = _mask((7,), 3)[0, : N // 2], _mask((5, 7), 3)[1]
    assert torch.equal(alone, beside)


def test_the_same_key_gives_the_same_mask_and_another_step_another() -> None:
    assert torch.equal(_mask((1,), 2), _mask((1,), 2))
    assert not torch.equal(_mask((1,), 2), _mask((1,), 3))


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
        KeyedDropout, "_mask", lambda self, like, p: torch.full_like(like, -1, dtype=torch.int64)
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
    model, ids = tiny_model(family, dropout=0.3), torch.arange(4, 16).view(2, 6)

    def logits(seed: int, noise: int) -> np.ndarray:
        torch.manual_seed(noise)
        with torch.no_grad(), _keyed(seed):
            found: np.ndarray = model(input_ids=ids).logits.numpy()
        return found

    assert np.array_equal(logits(0, 1), logits(0, 2))
    assert not np.array_equal(logits(0, 1), logits(1, 1))


def _in_pack(shape: tuple[int, ...], tokens: int, place: int) -> torch.Tensor:
    """What a member of 3 rows and 5 tokens keeps in a pack of 4 rows and `tokens`, [4, ...]."""
    draws = [Draw(1, 0, 4, tokens), Draw(7, 0, 3, 5)] if place else [Draw(7, 0, 3, 5), Draw(1, 0, 4, tokens)]
    with KeyedDropout(draws, 4, tokens):
        dropped = F.dropout(torch.ones(shape), 0.5)
    return dropped.view(2, -1, *shape[1:])[place] != 0


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("alone", "together", "corner"),
    [
        ((3, 5, 6), (8, 9, 6), (slice(3), slice(5))),
        ((3, 5, 9), (8, 9, 9), (slice(3), slice(5))),
        ((3, 2, 5, 5), (8, 2, 9, 9), (slice(3), slice(None), slice(5), slice(5))),
        ((3, 9, 5, 5), (8, 9, 9, 9), (slice(3), slice(None), slice(5), slice(5))),
        ((6, 5, 5), (16, 9, 9), (slice(6), slice(5), slice(5))),
        ((3, 9), (8, 9), (slice(3),)),
    ],
    ids=[
        "hidden",
        "hidden as wide as long",
        "attention",
        "as many heads as tokens",
        "flat attention",
        "pooled",
    ],
)
def test_what_a_pack_pads_costs_no_number(
    alone: tuple[int, ...], together: tuple[int, ...], corner: tuple[slice, ...], place: int
) -> None:
    """Where widths or heads are as many as tokens, too: a shape must not be mistaken."""
    with _keyed(7, rows=3, tokens=5):
        own = F.dropout(torch.ones(alone), 0.5) != 0
    assert torch.equal(_in_pack(together, 9, place)[corner], own)


def test_tensors_without_rows_are_dropped_by_member() -> None:
    with _keyed(7, rows=3, tokens=5):
        own = F.dropout(torch.ones(11, 6), 0.5) != 0
    with KeyedDropout([Draw(1, 0, 3, 5), Draw(7, 0, 3, 5)], 3, 5):
        both = F.dropout(torch.ones(2, 11, 6), 0.5) != 0
    assert torch.equal(both[1], own)


def test_a_member_without_texts_in_a_pass_draws_nothing() -> None:
    assert not _in_pack_of_none().any()


def _in_pack_of_none() -> torch.Tensor:
    with KeyedDropout([Draw(1, 0, 4, 9), Draw(7, 0, 0, 0)], 4, 9):
        return F.dropout(torch.ones(8, 9, 6), 0.5)[4:]


def test_rows_that_belong_to_nobody_are_refused() -> None:
    with pytest.raises(StackError, match=r"shape \(7, 9\)"), _keyed(0, 1, 2, rows=2, tokens=9):
        F.dropout(torch.ones(7, 9), 0.5)
