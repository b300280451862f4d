"""What a model's code makes of counts and numbers is made where the pass is, unless it says where."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from headstart.engine.dropout import DeviceDropout
from headstart.engine.host_numbers import FilledNumbers

META = torch.device("meta")
MODES: dict[str, Any] = {
    "evaluation": lambda: FilledNumbers(META),
    "training": lambda: DeviceDropout(torch.zeros(1, device=META), torch.zeros(1, device=META)),
}


@pytest.mark.parametrize("mode", MODES)
def test_ranges_and_the_like_lie_on_the_device(mode: str) -> None:
    """MPNet counts positions so, in transformers 5.17."""
    with MODES[mode]():
        made = [torch.arange(3), torch.zeros(2), torch.full((2,), 1.0), torch.ones(1, dtype=torch.int64)]
        here = [torch.arange(3, device="cpu"), torch.zeros_like(torch.tensor([1.0])), torch.tensor(2)]
    assert {x.device.type for x in made} == {"meta"}
    assert {x.device.type for x in here} == {"cpu"}
    assert made[-1].dtype == torch.int64
