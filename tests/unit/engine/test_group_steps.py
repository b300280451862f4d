"""Steps of a group: what one process cannot do ends the run by name; rows are shared out, none twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from grouped_training import Case, train_case
from groups import Processes, open_processes
from headstart.engine.dropout.host_masks import DropoutKey, HostMasks
from headstart.engine.group import Group
from headstart.engine.group_rows import deal_batches, share_rows
from headstart.engine.member import Member, StepBatches
from headstart.engine.micro_batches import build_micro_batches
from headstart.errors import TrainingError
from tiny import make_tiny_context, make_tiny_run


@pytest.fixture(scope="module")
def two() -> Iterator[Processes]:
    with open_processes(2) as processes:
        yield processes


def _lack_memory(group: Group, case: Case) -> str:
    """Train in a group whose second process has no memory for its fourth step."""
    passes = 0

    def fail(module: torch.nn.Module, *_: object) -> None:
        nonlocal passes
        passes += isinstance(module, torch.nn.Embedding)
        if group.rank == 1 and passes > 12:
            raise MemoryError

    hook = torch.nn.modules.module.register_module_forward_pre_hook(fail)
    try:
        train_case(group, case)
    except (TrainingError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        hook.remove()
    return "trained"


def test_memory_that_one_process_lacks_ends_the_run_in_all(two: Processes) -> None:
    first, second = two.run(_lack_memory, "ddp", Case())
    assert second.startswith("TrainingError: run arm/all/1: out of memory at step ")
    assert first.startswith("RuntimeError")  # it hears no more of the other, at once


@pytest.mark.parametrize(("rows", "size"), [(6, 2), (5, 2), (1, 2), (7, 3)])
def test_each_row_is_one_process_s_with_its_weight_and_its_masks(rows: int, size: int) -> None:
    context, member = make_tiny_context(), Member(make_tiny_run(4, batch_size=rows), np.arange(60))
    step = StepBatches(1, [np.arange(rows) + 3], ends_epoch=False)
    (whole,) = build_micro_batches([member], [step], context)
    shares = [share_rows(whole, Group("ddp", rank, size)) for rank in range(size)]
    counted = [share for share in shares if share.weights.any()]
    assert np.concatenate([s.batch.input_ids for s in counted]).tolist() == whole.batch.input_ids.tolist()
    assert np.concatenate([s.batch.labels for s in counted]).tolist() == whole.batch.labels.tolist()
    assert sum(s.weights.sum() for s in shares) == pytest.approx(1)
    assert all(len(s.batch.input_ids) > 0 for s in shares)
    tokens = whole.batch.input_ids.shape[1]
    for shape in ((3, tokens), (2, tokens, tokens)):
        masks = [_draw(share.keys, len(share.batch.input_ids), tokens, shape) for share in counted]
        assert torch.equal(torch.cat(masks), _draw(whole.keys, rows, tokens, shape))


def _draw(keys: tuple[DropoutKey, ...], rows: int, tokens: int, shape: tuple[int, ...]) -> torch.Tensor:
    return HostMasks(keys, rows, tokens).draw_mask(torch.zeros(rows, *shape), 0.3, 2)


def test_batches_of_an_evaluation_are_dealt_and_their_number_is_equal() -> None:
    batches = [np.array([i]) for i in range(5)]
    dealt = [deal_batches(batches, Group("fsdp", rank, 2)) for rank in range(2)]
    assert [int(b[0]) for b in dealt[0]] == [0, 2, 4]
    assert [int(b[0]) for b in dealt[1]] == [1, 3, 0]
