"""Kernels on the GPU do what the operators do on a CPU, in the shapes of real models and in odd ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from adamw_cases import CLIPS, TRAININGS
from headstart.engine.attention_kernels import refuse_cudnn_attention
from headstart.engine.dropout.ops import drop_attention, drop_out
from headstart.engine.dropout.philox import PASSES, derive_keys
from headstart.engine.gradient_order import order_gradient
from headstart.engine.lookup import add_up_rows
from headstart.engine.optim.batched import BatchedAdamW

pytest.importorskip("triton")
SITE, P = 5, 0.1
#: How far two orders of operations may differ, of numbers of about one.
ROUNDING = {torch.float64: 1e-13, torch.float32: 4e-6, torch.bfloat16: 2**-7}
dtypes = pytest.mark.parametrize("dtype", ROUNDING, ids=str)


def name_shape(shape: tuple[int, ...]) -> str:
    """For a test's name."""
    return "x".join(map(str, shape))


def draw(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    """Random numbers, on the CPU."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draws, dtype=torch.float64).to(dtype)


def make_members(count: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys, and the passes that each has made: none, the most, and some."""
    passes = torch.tensor([0, PASSES - 1, *range(3, 3 + count)])[:count]
    return torch.from_numpy(derive_keys(range(count))).to(device), passes.to(device)


def assert_near(mine: torch.Tensor, expected: torch.Tensor) -> None:
    """As near as rounding has them."""
    least = ROUNDING[expected.dtype]
    assert mine.dtype == expected.dtype
    assert torch.allclose(mine.cpu(), expected, rtol=least, atol=least)


@dtypes
@pytest.mark.parametrize(
    ("shape", "members"),
    [
        ((24, 128, 768), 3),
        ((6, 384), 6),
        ((12, 77, 769), 2),
        ((3, 2, 7, 13), 3),
        ((5, 1, 2100), 1),
        ((3,), 3),
    ],
    ids=str,
)
def test_the_same_elements_stay(
    shape: tuple[int, ...], members: int, dtype: torch.dtype, device: torch.device
) -> None:
    """To the bit, in the backward pass too."""
    x, grad = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype, seed=1)
    outputs = []
    for where in (device, torch.device("cpu")):
        leaf = x.to(where).requires_grad_()
        dropped = drop_out(leaf, *make_members(members, where), SITE, P)
        dropped.backward(grad.to(where))
        assert leaf.grad is not None
        outputs.append((dropped.detach().cpu(), leaf.grad.cpu()))
    for mine, expected in zip(*outputs, strict=True):
        assert torch.equal(mine != 0, expected != 0)
        assert_near(mine, expected)


def make_mask(kind: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor | None:
    """A mask of that kind for scores of that shape; each text's begins as long as its row is."""
    rows, _, queries, keys = shape
    seen = (torch.arange(keys) < keys - torch.arange(rows)[:, None] % keys)[:, None, None]
    if kind == "texts":
        return seen
    if kind == "added":
        return torch.zeros(rows, 1, 1, keys, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)
    return draw(1, shape[1], queries, keys, dtype=dtype, seed=2) if kind == "bias" else None


@dtypes
@pytest.mark.parametrize("kind", ["none", "texts", "added", "bias", "causal"])
@pytest.mark.parametrize(
    ("shape", "members"),
    [((6, 12, 128, 128), 3), ((4, 3, 33, 77), 2), ((2, 1, 1, 1), 1), ((1, 2, 3, 8200), 1)],
    ids=str,
)
def test_attention_and_its_gradient_are_the_operators(
    shape: tuple[int, ...], members: int, kind: str, dtype: torch.dtype, device: torch.device
) -> None:
    scores, grad = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype, seed=1)
    mask, outputs = make_mask(kind, shape, dtype), []
    for where in (device, torch.device("cpu")):
        leaf = scores.to(where).requires_grad_()
        on_device = None if mask is None else mask.to(where)
        ran = drop_attention(leaf, on_device, *make_members(members, where), SITE, P, 0.125, kind == "causal")
        ran[1].backward(grad.to(where))
        assert leaf.grad is not None
        outputs.append([x.detach().cpu() for x in (*ran, leaf.grad)])
    (weights, dropped, leaf_grad), expected = outputs
    # A weight so small that it is rounded to zero in one of the two tells nothing of the mask.
    told = (expected[0] > 1e-30) & (weights > 1e-30)
    assert torch.equal((dropped != 0)[told], (expected[1] != 0)[told])
    for mine, other in zip((weights, dropped, leaf_grad), expected, strict=True):
        assert_near(mine, other)


@dtypes
@pytest.mark.parametrize("padding", [-1, 1])
@pytest.mark.parametrize(
    ("places", "rows", "width"),
    [(6144, 54_000, 384), (7200, 12, 32), (40_000, 192, 12), (3000, 2, 768), (33, 40, 130), (1, 3, 1)],
    ids=str,
)
def test_gradients_of_embeddings_are_added_up_in_one_order(
    places: int, rows: int, width: int, padding: int, dtype: torch.dtype, device: torch.device
) -> None:
    """However often a row is asked for: torch's own adds up hundreds in any order."""
    grads = draw(places, width, dtype=dtype)
    which = (torch.rand(places, generator=torch.Generator().manual_seed(1)) ** 3 * rows).long()
    mine = add_up_rows(grads.to(device), which.to(device), rows, padding)
    for _ in range(4):
        assert torch.equal(mine, add_up_rows(grads.to(device), which.to(device), rows, padding))
    expected = add_up_rows(grads.double(), which, rows, padding)
    least, most = ROUNDING[dtype], max(1.0, float(expected.abs().max()))
    assert mine.dtype == dtype
    assert float((mine.cpu().double() - expected).abs().max()) <= 8 * least * most


@pytest.mark.parametrize("kind", ["none", "texts", "causal"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("rows", "heads", "tokens"), [(32, 12, 512), (2, 4, 2048), (3, 2, 77)], ids=str)
def test_torchs_attention_gives_the_same_gradients_again(
    rows: int, heads: int, tokens: int, dtype: torch.dtype, kind: str, gpu: torch.device
) -> None:
    """In one order; in torch's own, those of 512 tokens differ from time to time."""
    query, key, value, grad = (draw(rows, heads, tokens, 64, dtype=dtype, seed=i).to(gpu) for i in range(4))
    mask = make_mask("texts", (rows, heads, tokens, tokens), dtype) if kind == "texts" else None
    seen = None if mask is None else mask.to(gpu).expand(rows, 1, tokens, tokens)
    first: tuple[torch.Tensor, ...] | None = None
    with refuse_cudnn_attention():
        for _ in range(3):
            q, k, v = (x.detach().requires_grad_() for x in (query, key, value))
            attended = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=kind == "causal")
            gradients = torch.autograd.grad(order_gradient(attended), (q, k, v), grad)
            first = first or gradients
            assert all(map(torch.equal, first, gradients))
    assert not torch.are_deterministic_algorithms_enabled()


@dataclass
class Buffers:
    """What stands for `Weights` of any size."""

    values: torch.Tensor
    grads: torch.Tensor
    decayed: slice
    exempt: slice
    linear: slice
    narrow: torch.Tensor | None

    def refresh_narrow(self) -> None:
        """As `Weights`."""
        if self.narrow is not None:
            self.narrow.copy_(self.values[:, self.linear])


def make_buffers(members: int, columns: int, border: int, dtype: torch.dtype, device: torch.device) -> Any:
    """Random weights and gradients; in float32 with a copy of some columns in bf16."""
    values, grads = (draw(members, columns, dtype=dtype, seed=seed).to(device) for seed in range(2))
    linear = slice(columns // 3, columns - columns // 4)
    narrow = values[:, linear].bfloat16() if dtype == torch.float32 else None
    return Buffers(values, grads, slice(0, border), slice(border, columns), linear, narrow)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("members", "columns", "border"),
    [(6, 500_003, 400_001), (1, 1_000_000, 1_000_000), (3, 1025, 700), (2, 16, 0)],
)
def test_adamw_is_that_of_torchs_operations(
    members: int, columns: int, border: int, dtype: torch.dtype, device: torch.device
) -> None:
    made = []
    for where in (device, torch.device("cpu")):
        buffers = make_buffers(members, columns, border, dtype, where)
        optimiser = BatchedAdamW(buffers, [TRAININGS[r % 3] for r in range(members)])
        for step in range(4):
            buffers.grads.mul_(0.7).add_(0.1)
            rates = [0.1 / (r + step + 1) for r in range(members)]
            norms = optimiser.step(rates, [CLIPS[r % 3] for r in range(members)])
        made.append((buffers, norms.cpu(), [optimiser.export_moments(r) for r in range(members)]))
    (mine, norms, moments), (expected, other_norms, other_moments) = made
    assert torch.allclose(norms, other_norms, rtol=1e-5, atol=0)
    assert_near(mine.values, expected.values)
    if mine.narrow is not None:
        assert torch.equal(mine.narrow, mine.values[:, mine.linear].bfloat16())
    for own, other in zip(moments, other_moments, strict=True):
        assert own.keys() == other.keys()
        for name, moment in own.items():
            assert_near(moment, other[name])
