"""Keyed masks: met in number, independent of each other, and a pure function of seed, step and site."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from headstart.engine.dropout import KeyedDropout
from tiny import tiny_model

N = 200_000


def _mask(seeds: tuple[int, ...], step: int, site: int = 0, p: float = 0.1) -> torch.Tensor:
    """What the given site keeps, [R, N / R]."""
    ones = torch.ones(len(seeds), N // len(seeds))
    with KeyedDropout(seeds, step):
        for _ in range(site + 1):
            dropped = F.dropout(ones, p)
    return dropped != 0


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_the_kept_share_is_within_four_deviations(p: float) -> None:
    kept = _mask((0,), 0, p=p).float().mean().item()
    assert abs(kept - (1 - p)) < 4 * (p * (1 - p) / N) ** 0.5


def test_what_stays_is_scaled_so_that_the_mean_stays() -> None:
    with KeyedDropout((0,), 0):
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
        with KeyedDropout((0,), 0):
            return F.dropout(x, 0.3)

    assert torch.autograd.gradcheck(dropped, (x,))


def _attention_inputs() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return tuple(torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True) for _ in range(3))


def test_attention_gradients_pass_with_a_fixed_mask() -> None:
    def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        with KeyedDropout((0, 1), 0):
            return F.scaled_dot_product_attention(q, k, v, dropout_p=0.3)

    assert torch.autograd.gradcheck(attended, _attention_inputs())


_BOOLEAN = torch.tensor([True, True, True, False]).expand(4, 4)
_ADDED = torch.tensor([0.0, -1.0, 0.5, float("-inf")], dtype=torch.float64).expand(4, 4)


@pytest.mark.parametrize(
    "options",
    [{}, {"attn_mask": _BOOLEAN}, {"attn_mask": _ADDED}, {"is_causal": True}, {"scale": 0.3}],
    ids=["plain", "boolean", "added", "causal", "scale"],
)
def test_attention_without_what_is_dropped_is_torchs(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v = _attention_inputs()
    monkeypatch.setattr(KeyedDropout, "_mask", lambda self, like, p: torch.ones_like(like) * (1 - p))
    with KeyedDropout((0, 1), 0):
        ours = F.scaled_dot_product_attention(q, k, v, dropout_p=0.4, **options)  # type: ignore[arg-type]
    theirs = F.scaled_dot_product_attention(q, k, v, **options)  # type: ignore[arg-type]
    assert float((ours - theirs).detach().abs().max()) < 1e-12


def test_grouped_queries_are_torchs() -> None:
    q = torch.randn(1, 4, 3, 5)
    k, v = torch.randn(1, 2, 3, 5), torch.randn(1, 2, 3, 5)
    with KeyedDropout((0,), 0):
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
    with KeyedDropout((0,), 0):
        assert torch.equal(call(x), x)


def test_everything_is_dropped_at_one() -> None:
    with KeyedDropout((0,), 0):
        assert not F.dropout(torch.ones(10), 1.0).any()


def test_bfloat16_keeps_the_scale() -> None:
    with KeyedDropout((0,), 0):
        dropped = F.dropout(torch.full((N,), 3.0, dtype=torch.bfloat16), 0.1)
    kept = dropped[dropped != 0]
    assert torch.equal(kept, torch.full_like(kept, 3.0 / 0.9))


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_whole_model_draws_from_no_other_generator(family: str) -> None:
    model, ids = tiny_model(family, dropout=0.3), torch.arange(4, 16).view(2, 6)

    def logits(seed: int, noise: int) -> np.ndarray:
        torch.manual_seed(noise)
        with torch.no_grad(), KeyedDropout((seed,), 0):
            found: np.ndarray = model(input_ids=ids).logits.numpy()
        return found

    assert np.array_equal(logits(0, 1), logits(0, 2))
    assert not np.array_equal(logits(0, 1), logits(1, 1))
