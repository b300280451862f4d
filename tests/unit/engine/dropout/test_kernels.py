"""The kernels, interpreted where there is no GPU, do what the operators do on a CPU; masks to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("triton")

from headstart.engine.dropout.kernels import launch_attention, launch_attention_backward, launch_drop_out
from headstart.engine.dropout.ops import drop_attention, drop_attention_backward, drop_out
from headstart.engine.dropout.philox import PASSES, derive_keys

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
#: The interpreter cuts a bfloat16's last places off, where a GPU rounds them.
ROUNDING = {torch.float64: 1e-14, torch.float32: 1e-6, torch.bfloat16: 2**-7}
SITE, P, SCALE = 4, 0.4, 0.7


def _make(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype)


def _make_members(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys, and the passes that each has made: none, the most, and some."""
    passes = torch.tensor([0, PASSES - 1, *range(3, 3 + count)])[:count]
    return torch.from_numpy(derive_keys(range(count))), passes


def _run(launch: Callable[..., Any], *inputs: Any) -> Any:
    """What a kernel gives for these inputs on the device, on the CPU again."""
    outputs = launch(*(x.to(DEVICE) if isinstance(x, torch.Tensor) else x for x in inputs))
    return outputs.cpu() if isinstance(outputs, torch.Tensor) else tuple(x.cpu() for x in outputs)


def _assert_same(mine: torch.Tensor, expected: torch.Tensor) -> None:
    """The same elements are zero, and the others as near as rounding has them."""
    least = ROUNDING[expected.dtype]
    assert mine.dtype == expected.dtype
    assert torch.equal(mine != 0, expected != 0)
    assert torch.allclose(mine, expected, rtol=least, atol=least)


@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize(
    "shape",
    [(3,), (3, 5), (6, 8), (6, 3, 11), (9, 300), (3, 2, 7, 13), (3, 1, 2100)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_what_stays_is_what_stays_by_the_reference(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Rows of a member, and members, begin and end within a block."""
    x, members = _make(*shape, dtype=dtype), _make_members(3)
    mine = _run(launch_drop_out, x, *members, SITE, P)
    _assert_same(mine, drop_out(x, *members, SITE, P))


def test_other_orders_of_memory_are_the_same_tensor() -> None:
    x, members = _make(4, 5, 9), _make_members(2)
    turned = x.transpose(1, 2).contiguous().transpose(1, 2)
    mine = _run(launch_drop_out, turned, *members, SITE, P)
    assert torch.equal(mine, _run(launch_drop_out, x, *members, SITE, P))


#: By name, of N rows of two heads and S tokens.
MASKS: dict[str, Callable[[int, int], torch.Tensor | None]] = {
    "none": lambda n, s: None,
    "texts": lambda n, s: (torch.arange(s) < s - torch.arange(n)[:, None] % s)[:, None, None],
    "one for all": lambda n, s: torch.ones(1, 1, s, s, dtype=torch.bool).tril(2),
    "rows of nothing": lambda n, s: (torch.arange(s) % 2 == 0)[:, None].expand(s, s),
    "added to all": lambda n, s: _make(s, s, seed=1),
    "added to heads": lambda n, s: _make(n, 2, s, s, seed=1).masked_fill_(
        _make(n, 1, 1, s) > 0.5, -torch.inf
    ),
    "turned": lambda n, s: _make(s, n, seed=1).t()[:, None, None, :],
}


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("name", MASKS)
def test_attention_is_the_operators(name: str, causal: bool) -> None:
    scores, members, mask = _make(6, 2, 9, 9), _make_members(3), MASKS[name](6, 9)
    mine = _run(launch_attention, scores, mask, *members, SITE, P, SCALE, causal)
    expected = drop_attention(scores, mask, *members, SITE, P, SCALE, causal)
    for ours, theirs in zip(mine, expected, strict=True):
        _assert_same(ours, theirs)
    if name == "rows of nothing":
        assert not mine[0][:, :, 1].any()


@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize(
    "shape",
    [(3, 1, 1, 1), (3, 2, 5, 9), (6, 3, 7, 70), (2, 1, 3, 1030), (1, 1, 2, 8200)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_attention_and_its_gradient_are_the_operators_at_all_lengths(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    """Of one row's block, and rows that are longer than what a block has else."""
    scores, grad = _make(*shape, dtype=dtype), _make(*shape, dtype=dtype, seed=2)
    members = _make_members(3 if shape[0] % 3 == 0 else 1)
    mine = _run(launch_attention, scores, None, *members, SITE, P, SCALE, False)
    weights, dropped = drop_attention(scores, None, *members, SITE, P, SCALE, False)
    _assert_same(mine[0], weights)
    _assert_same(mine[1], dropped)
    backward = _run(launch_attention_backward, grad, weights, *members, SITE, P, SCALE)
    expected = drop_attention_backward(grad, weights, *members, SITE, P, SCALE)
    least = ROUNDING[dtype]
    assert torch.allclose(backward, expected, rtol=least, atol=least)


def test_rows_of_nothing_have_no_gradient() -> None:
    members = _make_members(1)
    scores = _make(1, 1, 3, 4)
    scores[:, :, 1] = -torch.inf
    weights, _ = _run(launch_attention, scores, None, *members, SITE, P, SCALE, False)
    grad = _run(launch_attention_backward, _make(1, 1, 3, 4, seed=2), weights, *members, SITE, P, SCALE)
    assert not grad[:, :, 1].any()
    assert grad[:, :, 0].any()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of numpy, which interprets
def test_what_is_not_a_number_stays_so() -> None:
    """A member whose weights overflowed is to be seen, and to fail."""
    scores = _make(1, 1, 2, 5)
    scores[0, 0, 0, 3] = torch.inf
    weights, _ = _run(launch_attention, scores, None, *_make_members(1), SITE, P, 1.0, False)
    assert weights[0, 0, 0].isnan().any()
    assert not weights[0, 0, 1].isnan().any()


def test_members_of_a_pack_meet_the_masks_that_they_meet_alone() -> None:
    """Three rows of seven tokens, in a pack of four rows of nine behind another member."""
    keys, passes = _make_members(2)
    together = _run(launch_drop_out, torch.ones(8, 9, 5), keys, passes, SITE, P)
    alone = _run(launch_drop_out, torch.ones(3, 7, 5), keys[1:], passes[1:], SITE, P)
    assert torch.equal(together[4:7, :7], alone)


_COMPILE = """
import triton.language as tl
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from headstart.engine.dropout import kernels

POINTERS = {"keys": "*i64", "passes": "*i64", "mask": "*i1"}
INTEGERS = {"rows", "before", "last", "heads", "queries", "columns", "site", "threshold",
           "stride_n", "stride_h", "stride_l", "stride_s"}
CONSTANTS = {"scale": 0.125, "factor": 1 / 0.9, "kind": "boolean", "causal": True, "block_counters": 256,
             "block_rows": 16, "block": 128}
for kernel in (kernels._drop_kernel, kernels._attention_kernel, kernels._attention_backward_kernel):
    for kind, sums in (("bf16", tl.float32), ("fp64", tl.float64)):
        constants = CONSTANTS | {"sum_type": sums}
        types = dict.fromkeys(INTEGERS, "i32") | dict.fromkeys(constants, "constexpr") | POINTERS
        signature = {name: types.get(name, "*" + kind) for name in kernel.arg_names}
        used = {(i,): constants[name] for i, name in enumerate(kernel.arg_names) if name in constants}
        source = ASTSource(fn=kernel, signature=signature, constexprs=used)
        print(len(compile(source, target=GPUTarget("cuda", 80, 32)).asm["cubin"]))
"""


def test_they_compile_for_a_gpu_that_need_not_be_here(tmp_path: Path) -> None:
    """The interpreter takes what the compiler may not."""
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    compiled = subprocess.run(
        [sys.executable, "-c", _COMPILE], env=environment, capture_output=True, text=True, check=False
    )
    assert compiled.returncode == 0, compiled.stderr
    assert len(compiled.stdout.split()) == 6
