"""The operators on a CPU: their masks are the reference's, their gradients right, and torch traces them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from headstart.engine.dropout.ops import drop_attention, drop_attention_backward, drop_out
from headstart.engine.dropout.philox import derive_keys, find_kept

KEYS, PASSES = torch.from_numpy(derive_keys([5, 7])), torch.tensor([3, 2**22 - 1])
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def _kept(shape: tuple[int, ...], site: int, p: float) -> torch.Tensor:
    return torch.from_numpy(find_kept(shape, KEYS.numpy(), PASSES.numpy(), site, p))


def _scores(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_stays_is_the_references(dtype: torch.dtype) -> None:
    x = _scores(4, 3, 11, dtype=dtype)
    dropped = drop_out(x, KEYS, PASSES, 6, 0.3)
    assert dropped.dtype == dtype
    assert torch.equal(dropped, (x * (1 / 0.7)).masked_fill(~_kept((4, 3, 11), 6, 0.3), 0))


def test_rows_in_any_order_of_memory_are_the_same_rows() -> None:
    x = _scores(4, 3, 5)
    other = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(drop_out(x, KEYS, PASSES, 0, 0.5), drop_out(other, KEYS, PASSES, 0, 0.5))


MASKS = {
    "none": None,
    "texts": torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [False] * 5, [True] * 5])[:, None, None],
    "places": torch.ones(5, 5, dtype=torch.bool).tril(1),
    "added": torch.linspace(-2, 2, 50, dtype=torch.float64).view(2, 5, 5),
    "infinite": torch.zeros(4, 1, 5, 5, dtype=torch.float64).masked_fill_(torch.eye(5) == 0, -torch.inf),
}


def _join_masks(mask: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    return mask & seen if mask.dtype == torch.bool else mask.where(seen, -torch.inf)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_attention_weights_are_torchs_and_those_that_stay_the_references(name: str, causal: bool) -> None:
    """Torch's weights are what its attention makes of an identity for values."""
    scores, mask = _scores(4, 2, 5, 5), MASKS[name]
    weights, dropped = drop_attention(scores, mask, KEYS, PASSES, 1, 0.4, 0.7, causal)
    if causal:
        seen = torch.ones(5, 5, dtype=torch.bool).tril()
        mask = seen if mask is None else _join_masks(mask, seen)
    eye = torch.eye(5, dtype=torch.float64).expand(4, 2, 5, 5)
    expected = F.scaled_dot_product_attention(scores, eye, eye, attn_mask=mask, scale=0.7)
    assert torch.allclose(weights, expected, rtol=0, atol=1e-12)
    assert torch.equal(dropped != 0, _kept((4, 2, 5, 5), 1, 0.4) & (weights != 0))
    assert torch.allclose(dropped[dropped != 0], (weights / 0.6)[dropped != 0], rtol=1e-12)


@pytest.mark.parametrize("dtype", FLOATS)
def test_both_are_of_the_scores_format(dtype: torch.dtype) -> None:
    scores = _scores(2, 2, 5, 5, dtype=dtype)
    weights, dropped = drop_attention(scores, None, KEYS, PASSES, 0, 0.5, 1.0, False)
    grad = drop_attention_backward(dropped, weights, KEYS, PASSES, 0, 0.5, 1.0)
    assert (weights.dtype, dropped.dtype, grad.dtype) == (dtype, dtype, dtype)


@pytest.mark.parametrize("name", MASKS)
def test_gradients_are_those_of_differences(name: str) -> None:
    scores = _scores(4, 2, 5, 5).requires_grad_()

    def dropped(scores: torch.Tensor) -> torch.Tensor:
        attended: tuple[torch.Tensor, torch.Tensor] = drop_attention(
            scores, MASKS[name], KEYS, PASSES, 1, 0.4, 0.7, name == "none"
        )
        return attended[1]

    assert torch.autograd.gradcheck(dropped, (scores,))
    assert torch.autograd.gradcheck(lambda x: drop_out(x, KEYS, PASSES, 1, 0.4), (scores,))


def test_no_gradient_comes_through_the_weights_themselves() -> None:
    scores = _scores(2, 1, 3, 3).requires_grad_()
    weights, dropped = drop_attention(scores, None, KEYS, PASSES, 0, 0.5, 1.0, False)
    assert not weights.requires_grad
    assert dropped.requires_grad


def test_torch_finds_them_sound() -> None:
    """Its own examination: schema, fake shapes, autograd registration, and tracing with changing shapes."""
    x = _scores(4, 2, 5, 5, dtype=torch.float32).requires_grad_()
    torch.library.opcheck(drop_out, (x, KEYS, PASSES, 3, 0.5))
    torch.library.opcheck(drop_attention, (x, MASKS["texts"], KEYS, PASSES, 3, 0.5, 0.7, False))
    torch.library.opcheck(drop_attention, (x.transpose(0, 1), None, KEYS, PASSES, 3, 0.5, 0.7, True))
    rest = (KEYS, PASSES, 3, 0.5, 0.7)
    torch.library.opcheck(drop_attention_backward, (x.detach(), x.detach().softmax(-1), *rest))


def test_other_passes_in_the_same_tensor_are_other_masks() -> None:
    ones, passes = torch.ones(2, 1000), torch.tensor([0, 5])
    first = drop_out(ones, KEYS, passes, 0, 0.5)
    passes += 1
    second = drop_out(ones, KEYS, passes, 0, 0.5)
    assert np.all((first != second).any(1).numpy())
