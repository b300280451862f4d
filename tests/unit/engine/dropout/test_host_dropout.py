"""Host dropout meets the host's masks, call by call."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from headstart.engine.dropout import DropoutKey, HostDropout
from headstart.engine.dropout.host_masks import HostMasks


def test_its_masks_are_those_of_the_host_call_by_call() -> None:
    keys = [DropoutKey(3, 2, 1, 0)]
    masks = HostMasks(keys, 1, 0)
    ones = torch.ones(1, 100)
    with HostDropout(keys, 1, 0):
        for site in range(3):
            assert torch.equal(F.dropout(ones, 0.5) != 0, masks.draw_mask(ones, 0.5, site) != 0)


def test_attentions_weights_meet_them_too() -> None:
    keys = [DropoutKey(3, 2, 2, 5)]
    query, value = torch.zeros(2, 1, 5, 5), torch.eye(5).expand(2, 1, 5, 5)  # all weights are 1/5, and seen
    with HostDropout(keys, 2, 5):
        seen = F.scaled_dot_product_attention(query, query, value, dropout_p=0.5)
    assert torch.equal(seen != 0, HostMasks(keys, 2, 5).draw_mask(query, 0.5, 0) != 0)
