"""Operations of a step, counted by hand and by torch."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from headstart.pretraining.flops import count_step_cost, find_peak
from tiny_pretraining import BLOCK, make_roberta


def test_operations_are_those_that_torch_counts() -> None:
    model = make_roberta()
    model.set_attn_implementation("eager")  # whose products torch's counter knows
    cost = count_step_cost(model, BLOCK)
    ids = torch.randint(5, 60, (3, BLOCK))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids).logits.sum().backward()
    # Here all places go through the head.
    assert counter.get_total_flops() == cost.count(3 * BLOCK, 3 * BLOCK)


def test_a_device_that_is_not_in_the_table_has_no_peak() -> None:
    assert find_peak("cuda: NVIDIA H100 80GB HBM3") == 989.4e12
    assert find_peak("cuda: NVIDIA H100 PCIe") == 756.5e12
    assert find_peak("cpu") is None
