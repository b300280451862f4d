"""The kernels, interpreted where there is no GPU, add up what the operator adds up on a CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")

from headstart.engine.lookup import add_up_rows
from headstart.engine.lookup_kernels import launch_row_sums

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _make(places: int, rows: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(places)
    grads = torch.randn(places, width, generator=draws, dtype=torch.float64)
    return grads, torch.randint(0, rows, (places,), generator=draws)


@pytest.mark.parametrize("padding", [-1, 1])
@pytest.mark.parametrize(
    ("places", "rows", "width"),
    [(0, 4, 3), (1, 2, 1), (31, 40, 5), (64, 2, 4), (65, 2, 130), (100, 1, 8), (400, 3, 2), (200, 90, 7)],
    ids=str,
)
def test_they_add_up_what_the_operator_does(places: int, rows: int, width: int, padding: int) -> None:
    """Runs of one row end within a part of 32 places, at its border, and some parts behind it."""
    grads, which = _make(places, rows, width)
    mine = launch_row_sums(grads.to(DEVICE), which.to(DEVICE), rows, padding).cpu()
    expected = add_up_rows(grads, which, rows, padding)
    assert mine.shape == expected.shape
    assert torch.allclose(mine, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_sums_are_rounded_once(dtype: torch.dtype) -> None:
    """The interpreter cuts a bfloat16's last places off, where a GPU rounds them."""
    grads, which = _make(300, 3, 4)
    narrow = grads.to(dtype)
    mine = launch_row_sums(narrow.to(DEVICE), which.to(DEVICE), 3, -1).cpu()
    exact = add_up_rows(narrow.double(), which, 3, -1)
    assert mine.dtype == dtype
    assert torch.allclose(mine.double(), exact, rtol=2 * torch.finfo(dtype).eps, atol=1e-5)


_COMPILE = """
import triton.language as tl
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from headstart.engine import lookup_kernels as kernels

TYPES = {"ordered": "*i32", "order": "*i64", "places": "i32", "padding": "i32"}
for kernel in (kernels._add_kernel, kernels._join_kernel):
    for kind, sums, wide in (("bf16", tl.float32, "fp32"), ("fp64", tl.float64, "fp64")):
        constants = {"width": 384, "part_places": 32, "block": 128, "sum_type": sums}
        types = TYPES | {"heads": "*" + wide, "tails": "*" + wide} | dict.fromkeys(constants, "constexpr")
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
    assert len(compiled.stdout.split()) == 4
