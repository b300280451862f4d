"""Steps that torch compiles for the GPU are those that it does not, within rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from device_packs import Setting, Trained, assert_captured, assert_near
from headstart.device import Precision
from tiny import make_tiny_run

TEXTS = 400


@pytest.fixture(scope="module", autouse=True)
def _require_inductor(device: torch.device) -> None:
    """Compiling wants what may not be there: a C compiler, Python's headers, a GPU that triton knows."""
    x = torch.ones(8, device=device)
    try:
        torch.compile(lambda y: (y + 1).relu())(x)
    except Exception as error:  # noqa: BLE001 - whatever it lacks
        pytest.skip(f"inductor cannot run here: {error}")


@pytest.mark.parametrize(
    ("precision", "bound"), [("fp32", 1e-4), pytest.param("bf16", 0.05, marks=pytest.mark.long)]
)
def test_compiled_steps_are_the_eager_ones(precision: Precision, bound: float, device: torch.device) -> None:
    """Of texts of one length: compiling a shape takes longer than all else here."""
    setting = Setting(device, "roberta", precision, texts=TEXTS, compiles="on")
    lengths = setting.make_context().parts["train"].tokens.lengths
    index = np.flatnonzero(lengths == 12)[:18]
    cases = [(make_tiny_run(seed, epochs=2), index) for seed in range(2)]
    compiled, eager = Trained(cases, setting), Trained(cases, replace(setting, compiles="off"))
    assert compiled.notes.compiled, f"{setting}: {compiled.notes.eager_reason}"
    assert_captured(compiled)
    assert_near(compiled, eager, range(2), bound)
