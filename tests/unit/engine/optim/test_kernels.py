"""The kernel, in triton's interpreter where there is no GPU, updates as torch's operations do."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from adamw_cases import CLIPS, TRAININGS, choose_rates, draw_gradients, make_weights
from headstart.engine.optim.batched import BatchedAdamW

pytest.importorskip("triton")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
#: How far two orders of operations may differ: a few units of the last place.
BOUNDS = {torch.float64: 1e-15, torch.float32: 4e-7}
dtypes = pytest.mark.parametrize("dtype", BOUNDS)


@dataclass
class _Buffers:
    """What stands for `Weights` of any size."""

    values: torch.Tensor
    grads: torch.Tensor
    decayed: slice
    exempt: slice
    linear: slice
    narrow: None = None

    def refresh_narrow(self) -> None:
        """There is no copy."""


def _draw_buffers(members: int, columns: int, border: int, dtype: torch.dtype) -> Any:
    draws = torch.Generator().manual_seed(members * columns)
    values, grads = (torch.randn(members, columns, generator=draws, dtype=dtype).to(DEVICE) for _ in range(2))
    return _Buffers(values, grads, slice(0, border), slice(border, columns), slice(0, 0))


def _step(buffers: Any, members: int, steps: int, *, with_kernel: bool) -> tuple[BatchedAdamW, Any]:
    optimiser = BatchedAdamW(buffers, [TRAININGS[r % 3] for r in range(members)], with_kernel=with_kernel)
    for step in range(steps):
        buffers.grads.mul_(0.7).add_(0.1)
        optimiser.step([0.1 / (r + step + 1) for r in range(members)], [CLIPS[r % 3] for r in range(members)])
    return optimiser, buffers


def _assert_close(first: torch.Tensor, second: torch.Tensor, steps: int) -> None:
    """Within a few units of each step's last place, of numbers of the buffer's size."""
    bound = steps * BOUNDS[first.dtype] * float(second.abs().max())
    assert float((first - second).abs().max()) <= bound


@dtypes
@pytest.mark.parametrize(
    ("members", "columns", "border"),
    [(1, 16, 16), (1, 1000, 0), (2, 1024, 1024), (3, 1025, 700), (5, 2600, 2048), (7, 4096, 1500)],
)
@pytest.mark.parametrize("steps", [1, 5])
def test_members_of_any_number_and_size_step_as_with_torchs_operations(
    members: int, columns: int, border: int, steps: int, dtype: torch.dtype
) -> None:
    (one, mine), (other, its) = (
        _step(_draw_buffers(members, columns, border, dtype), members, steps, with_kernel=with_kernel)
        for with_kernel in (True, False)
    )
    _assert_close(mine.values, its.values, steps)
    for r in range(members):
        moments, expected = one.export_moments(r), other.export_moments(r)
        assert moments.keys() == expected.keys()
        for name, moment in moments.items():
            if moment.numel():
                _assert_close(moment, expected[name], steps)


@dtypes
def test_columns_decay_up_to_the_border_alone(dtype: torch.dtype) -> None:
    buffers = _draw_buffers(2, 1500, 1100, dtype)
    buffers.grads.zero_()
    before = buffers.values.clone()
    BatchedAdamW(buffers, [TRAININGS[0], TRAININGS[1]], with_kernel=True).step([0.1, 0.5], [0.0, 1.0])
    _assert_close(buffers.values[0, :1100], before[0, :1100] * (1 - 0.1 * 0.01), 1)
    _assert_close(buffers.values[1, :1100], before[1, :1100] * (1 - 0.5 * 0.3), 1)
    assert torch.equal(buffers.values[:, 1100:], before[:, 1100:])


@dtypes
@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_norm_that_is_not_finite_leaves_its_member_as_it_was(dtype: torch.dtype, bad: float) -> None:
    weights = make_weights(dtype, device=DEVICE)
    optimiser = BatchedAdamW(weights, TRAININGS, with_kernel=True)
    draw_gradients(weights, 0)
    optimiser.step(choose_rates(1), CLIPS)
    values = weights.values.clone()
    moments = {name: x.clone() for name, x in optimiser.export_moments(1).items()}
    weights.grads[1, 5] = bad
    assert optimiser.step(choose_rates(1), CLIPS).isfinite().tolist() == [True, False, True]
    assert torch.equal(weights.values[1], values[1])
    assert not torch.equal(weights.values[0], values[0])
    assert not torch.equal(weights.values[2], values[2])
    after = optimiser.export_moments(1)
    assert all(torch.equal(after[name], moments[name]) for name in moments)


def _round_as_the_kernel(values: torch.Tensor) -> torch.Tensor:
    """In bf16: to the nearest on a GPU; triton's interpreter cuts off the digits that are too many."""
    return (
        values.bfloat16() if values.is_cuda else (values.view(torch.int32) >> 16).short().view(torch.bfloat16)
    )


@pytest.mark.parametrize(("start", "stop"), [(0, 1500), (700, 1300), (1024, 1025), (5, 5)])
def test_the_narrow_copy_of_some_columns_is_written_with_them(start: int, stop: int) -> None:
    from headstart.engine.optim.kernels import update_members

    buffers = _draw_buffers(3, 1500, 900, torch.float32)
    before = buffers.values.clone()
    # Numbers that change a weight, and leave the second member as it was.
    factors = torch.tensor([1, 1, 0.5, 1, 0, 1, 0.25, 1, 1e-6], device=DEVICE).repeat(3, 1)
    factors[1, 0] = 0
    mean, square = torch.zeros_like(before), torch.zeros_like(before)
    narrow = torch.full((3, stop - start), 7.0, dtype=torch.bfloat16, device=DEVICE)
    update_members(buffers.values, buffers.grads, mean, square, factors, 900, narrow, start)
    columns = buffers.values[:, start:stop].contiguous()
    assert torch.equal(narrow[[0, 2]], _round_as_the_kernel(columns)[[0, 2]])
    assert torch.equal(narrow[1], torch.full_like(narrow[1], 7.0))
    assert torch.equal(buffers.values[1], before[1])
    assert not torch.equal(buffers.values[0], before[0])


def test_the_kernel_writes_the_copy_that_the_module_computes_with() -> None:
    weights = make_weights(torch.float32, device=DEVICE)
    weights.keep_narrow_copy()
    draw_gradients(weights, 0)
    BatchedAdamW(weights, TRAININGS, with_kernel=True).step(choose_rates(1), CLIPS)
    assert weights.narrow is not None
    assert torch.equal(weights.narrow, _round_as_the_kernel(weights.values[:, weights.linear].contiguous()))


#: Compiles for a GPU that need not be there: the interpreter takes much that the compiler refuses.
_COMPILE = """
import sys
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from headstart.engine.optim.kernels import _update_kernel as kernel

number, copied = sys.argv[1:]
tensors = dict.fromkeys(("values", "grads", "exp_avgs", "exp_avg_sqs", "factors"), "*" + number)
signature = dict.fromkeys(kernel.arg_names, "i32") | tensors | {"narrow": "*" + copied}
constants = {"FACTORS": 9, "BLOCK": 1024}
source = ASTSource(kernel, signature | dict.fromkeys(constants, "constexpr"), constants)
print(compile(source, target=GPUTarget("cuda", 80, 32)).asm["ptx"])
"""


@pytest.mark.parametrize("formats", [("fp32", "bf16"), ("fp32", "fp32"), ("fp64", "fp64")])
def test_the_kernel_compiles_for_a_gpu(formats: tuple[str, str], tmp_path: Path) -> None:
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", _COMPILE, *formats]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ".entry _update_kernel" in done.stdout
