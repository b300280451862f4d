"""Masks drawn on the host: met in number, independent, and a pure function of seed, step, site and shape."""

from __future__ import annotations

import itertools

import pytest
import torch

from headstart.engine.dropout.host_masks import DropoutKey, HostMasks
from headstart.errors import StackError

N = 200_000


def _kept(
    keys: list[DropoutKey], shape: tuple[int, ...], rows: int, tokens: int, p: float = 0.5, site: int = 0
) -> torch.Tensor:
    return HostMasks(keys, rows, tokens).draw_mask(torch.empty(shape), p, site) != 0


def _mask(seeds: tuple[int, ...], step: int, site: int = 0, p: float = 0.1) -> torch.Tensor:
    """What members of one row keep at a site, [R, N / R]."""
    keys = [DropoutKey(seed, step, 1, 0) for seed in seeds]
    return _kept(keys, (len(seeds), N // len(seeds)), 1, 0, p, site)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_the_kept_share_is_within_four_deviations(p: float) -> None:
    kept = _mask((0,), 0, p=p).float().mean().item()
    assert abs(kept - (1 - p)) < 4 * (p * (1 - p) / N) ** 0.5


def test_masks_of_seeds_steps_and_sites_are_pairwise_independent() -> None:
    masks = [_mask((seed,), step, site).flatten() for seed, step, site in itertools.product((0, 1), repeat=3)]
    for first, other in itertools.combinations(masks, 2):
        agreement = (first == other).float().mean().item()
        expected = 0.9**2 + 0.1**2
        assert abs(agreement - expected) < 4 * (expected * (1 - expected) / N) ** 0.5


def test_a_member_drops_the_same_alone_and_beside_others() -> None:
    alone, beside = _mask((7,), 3)[0, : N // 2], _mask((5, 7), 3)[1]
    assert torch.equal(alone, beside)


def test_the_same_key_gives_the_same_mask_and_another_step_another() -> None:
    assert torch.equal(_mask((1,), 2), _mask((1,), 2))
    assert not torch.equal(_mask((1,), 2), _mask((1,), 3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_mask_is_all_bits_or_none_of_its_tensors_size(dtype: torch.dtype) -> None:
    mask = HostMasks([DropoutKey(0, 0, 1, 0)], 1, 0).draw_mask(torch.empty(1, 100, dtype=dtype), 0.5, 0)
    assert mask.element_size() == torch.empty(0, dtype=dtype).element_size()
    assert set(mask.flatten().tolist()) == {0, -1}


def _in_pack(shape: tuple[int, ...], tokens: int, place: int) -> torch.Tensor:
    """What a member of 3 rows and 5 tokens keeps in a pack of 4 rows and `tokens`, [4, ...]."""
    keys = (
        [DropoutKey(1, 0, 4, tokens), DropoutKey(7, 0, 3, 5)]
        if place
        else [DropoutKey(7, 0, 3, 5), DropoutKey(1, 0, 4, tokens)]
    )
    return _kept(keys, shape, 4, tokens).view(2, -1, *shape[1:])[place]


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
    alone_mask = _kept([DropoutKey(7, 0, 3, 5)], alone, 3, 5)
    assert torch.equal(_in_pack(together, 9, place)[corner], alone_mask)


def test_tensors_without_rows_are_dropped_by_member() -> None:
    alone_mask = _kept([DropoutKey(7, 0, 3, 5)], (11, 6), 3, 5)
    both = _kept([DropoutKey(1, 0, 3, 5), DropoutKey(7, 0, 3, 5)], (2, 11, 6), 3, 5)
    assert torch.equal(both[1], alone_mask)


def test_a_member_without_texts_in_a_pass_draws_nothing() -> None:
    assert not _kept([DropoutKey(1, 0, 4, 9), DropoutKey(7, 0, 0, 0)], (8, 9, 6), 4, 9)[4:].any()


def test_rows_that_belong_to_nobody_are_refused() -> None:
    with pytest.raises(StackError, match=r"shape \(7, 9\)"):
        _kept([DropoutKey(seed, 0, 2, 9) for seed in range(3)], (7, 9), 2, 9)
