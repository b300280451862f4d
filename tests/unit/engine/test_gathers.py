"""Gathers by an index that all rows share give torch's numbers and gradients."""

from __future__ import annotations

import pytest
import torch

from headstart.engine import gathers
from headstart.engine.gathers import gather_shared, shares_index

INDEX = torch.tensor([[0, 2, 2, 1], [4, 4, 4, 0], [1, 2, 3, 3]])


@pytest.mark.parametrize("at_once", [1 << 26, 25, 1], ids=["all places", "one", "fewer than one"])
def test_it_is_torchs(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathers, "_MOST_CHOSEN", at_once)
    x = torch.randn(6, 3, 5, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(6, 3, 4, dtype=torch.float64)
    mine, theirs = gather_shared(x, INDEX), x.gather(-1, INDEX.expand(6, -1, -1))
    assert torch.equal(mine, theirs)
    own, expected = (torch.autograd.grad(each, x, grad)[0] for each in (mine, theirs))
    assert torch.allclose(own, expected, rtol=0, atol=1e-12)


def test_rows_do_not_meet() -> None:
    """What is no number in one row's gradient is none in another's."""
    x = torch.zeros(2, 3, 5, requires_grad=True)
    grad = torch.ones(2, 3, 4)
    grad[0] = torch.nan
    (found,) = torch.autograd.grad(gather_shared(x, INDEX), x, grad)
    assert found[0].isnan().any()
    assert not found[1].isnan().any()


def test_an_index_of_each_rows_own_is_not_shared() -> None:
    x, shared = torch.zeros(6, 3, 5), INDEX.expand(6, -1, -1)
    assert shares_index(x, -1, shared)
    assert shares_index(x, 2, shared)
    assert not shares_index(x, 1, shared)
    assert not shares_index(x, -1, shared.contiguous())
    assert not shares_index(x, -1, INDEX.expand(2, -1, -1)), "fewer rows"
    assert not shares_index(x[0], -1, INDEX)
