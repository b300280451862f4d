"""The GPU computes what the device's engine computes on a CPU, dropout included."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from device_packs import (
    CPU,
    EVEN,
    FAMILIES,
    Setting,
    Trained,
    assert_captured,
    assert_near,
    shorten,
    widen_bloom,
)
from headstart.device import Precision

#: Llama's code computes the angles of places, their cosines and sines in float32 whatever the model is in:
#: those of an NVIDIA H100 differ from a CPU's by 6e-8, and losses then by 9e-8.
_ROUNDED_IN_FP32 = {"llama": 1e-6}


@pytest.mark.parametrize(("precision", "bound"), [("fp64", 1e-8), ("fp32", 1e-4)])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_pack_is_that_of_the_cpu(
    family: str, precision: Precision, bound: float, device: torch.device
) -> None:
    cases = [shorten(case) for case in EVEN]
    setting = Setting(device, family, precision)
    with widen_bloom():
        mine = Trained(cases, setting)
        expected = Trained(cases, replace(setting, device=CPU))
    assert_captured(mine)
    assert_near(mine, expected, range(len(cases)), max(bound, _ROUNDED_IN_FP32.get(family, 0)))
