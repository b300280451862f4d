"""Rows are looked up, and learn, as `torch.nn.functional.embedding` has it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from headstart.engine.lookup import look_up, look_up_by_member

IDS = torch.tensor([[0, 3, 1, 1], [2, 0, 3, 3]])


def _make_table(*shape: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=draws, dtype=torch.float64).requires_grad_()


def _differentiate(rows: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    weights = torch.arange(rows.numel(), dtype=rows.dtype).view_as(rows)
    (grad,) = torch.autograd.grad((rows * weights).sum(), table)
    return grad


@pytest.mark.parametrize("padding", [None, 1, -1])
def test_one_table_is_torchs(padding: int | None) -> None:
    table = _make_table(4, 5)
    mine, theirs = look_up(IDS, table, padding), F.embedding(IDS, table, padding)
    assert torch.equal(mine, theirs)
    assert torch.equal(_differentiate(mine, table), _differentiate(theirs, table))


@pytest.mark.parametrize("padding", [None, 1])
def test_each_member_has_its_own_table(padding: int | None) -> None:
    tables = _make_table(2, 4, 5)
    mine = look_up_by_member(tables, IDS, padding)
    theirs = torch.stack([F.embedding(IDS[r], tables[r], padding) for r in range(2)])
    assert torch.equal(mine, theirs)
    assert torch.equal(_differentiate(mine, tables), _differentiate(theirs, tables))


@pytest.mark.parametrize("more", [{"sparse": True}, {"scale_grad_by_freq": True}, {"max_norm": 0.5}], ids=str)
def test_what_is_more_is_left_to_torch(more: dict[str, Any]) -> None:
    mine, theirs = _make_table(4, 5), _make_table(4, 5)
    assert torch.equal(look_up(IDS, mine, **more), F.embedding(IDS, theirs, **more))


def test_a_table_that_does_not_learn_has_no_gradient() -> None:
    frozen, table = _make_table(4, 5).detach(), _make_table(4, 5)
    assert look_up(IDS, frozen).grad_fn is None
    with torch.no_grad():
        assert look_up(IDS, table).grad_fn is None
