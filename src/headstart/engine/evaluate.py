"""Runs a model over examples without gradient, window by window in the examples' own order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import torch

from headstart.data.batches import Batch, collate, iter_eval_batches
from headstart.data.tokenise import Tokens
from headstart.device import Precision, make_autocast_context
from headstart.engine.device_evaluation import (
    WINDOW_EXAMPLES,
    DeviceForward,
    Reduce,
    plan_forward,
    repeat_for_members,
)
from headstart.engine.finite_logits import judge_outputs
from headstart.engine.graphs import Capturing, Graphs
from headstart.engine.group import Group
from headstart.engine.group_rows import collect_parts, deal_batches
from headstart.engine.kind import uses_device_engine
from headstart.engine.modes import evaluation_mode
from headstart.engine.objective import Objective
from headstart.engine.stacked_model import count_members
from headstart.engine.staged import StagedExamples
from headstart.engine.step import build_inputs, build_loss_inputs
from headstart.errors import TrainingError
from headstart.records import Scores

#: Tokens in one forward pass: enough to keep the processor busy, few enough to stay in its caches.
TOKENS_PER_BATCH = 4096


def keep_logits(logits: torch.Tensor, labels: torch.Tensor, precision: Precision) -> torch.Tensor:
    """Logits as they are, in float32 or float64."""
    return logits.to(torch.float64 if precision == "fp64" else torch.float32)


def iter_logits(
    module: torch.nn.Module, tokens: Tokens, *, pad_id: int, device: torch.device, precision: Precision
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Logits of a plain model in the order of the examples: (which, float32 or float64 [n, C]) per window."""
    windows = iter_outputs(module, tokens, keep_logits, pad_id=pad_id, device=device, precision=precision)
    return ((where, logits[0]) for where, logits in windows)


def iter_outputs(
    module: torch.nn.Module,
    tokens: Tokens,
    reduce: Reduce,
    *,
    pad_id: int,
    device: torch.device,
    precision: Precision,
    forward: DeviceForward | None = None,
    group: Group | None = None,
) -> Iterator[tuple[slice, torch.Tensor]]:
    """What `reduce` makes of each example, for each of R members on the same examples: [R, n, K] per window.

    A plain model is R = 1.

    Args:
        forward: on a device, what was planned for these very arguments before; planned for once by default.
        group: processes that each compute some of the batches; each gets what all of them computed.
    """
    if uses_device_engine(device):
        forward = forward or _plan_once(module, tokens, reduce, pad_id, device, precision)
        yield from forward.iter_outputs()
        return
    members = count_members(module)
    most = max(1, TOKENS_PER_BATCH // members)
    start = 0
    for batches in iter_eval_batches(tokens.lengths, most, WINDOW_EXAMPLES):
        index = np.concatenate(batches)
        with evaluation_mode(module):
            parts = [
                _compute_outputs(
                    module, members, collate(tokens, b, b, pad_id), reduce, device, precision, group
                )
                for b in (batches if group is None else deal_batches(batches, group))
            ]
        parts = parts if group is None else collect_parts(parts, len(batches), group)
        outputs = torch.cat(parts, dim=1)
        ordered = torch.empty_like(outputs)
        ordered[:, torch.from_numpy(index - start)] = outputs
        yield slice(start, start + len(index)), ordered
        start += len(index)


def _forbid_gradients(group: Group | None) -> AbstractContextManager[object]:
    """Inference mode, but where weights may be gathered for the pass: they are to train afterwards."""
    return torch.inference_mode() if group is None else torch.no_grad()


def _plan_once(
    module: torch.nn.Module,
    tokens: Tokens,
    reduce: Reduce,
    pad_id: int,
    device: torch.device,
    precision: Precision,
) -> DeviceForward:
    """A pass over examples that are staged for it alone, and not captured: no batch comes again."""
    return plan_forward(
        module,
        tokens,
        StagedExamples(tokens, np.zeros(len(tokens)), pad_id, device),
        reduce,
        precision=precision,
        graphs=Graphs(Capturing(None)),
    )


def _compute_outputs(
    module: torch.nn.Module,
    members: int,
    batch: Batch,
    reduce: Reduce,
    device: torch.device,
    precision: Precision,
    group: Group | None,
) -> torch.Tensor:
    """[R, n, K] of a batch of n examples, which every member reads."""
    inputs = {name: repeat_for_members(x, members) for name, x in build_inputs(batch, device).items()}
    more, labels = build_loss_inputs(module, batch, device)
    labels = repeat_for_members(labels, members)
    with _forbid_gradients(group), make_autocast_context(device, precision):
        logits: torch.Tensor = module(**inputs, **more).logits
    reduced = reduce(logits, labels, precision)
    return reduced.view(members, -1, reduced.shape[-1])


def evaluate_members(
    module: torch.nn.Module,
    tokens: Tokens,
    labels: np.ndarray,
    *,
    task: Objective,
    outputs: int,
    pad_id: int,
    device: torch.device,
    precision: Precision,
    forward: DeviceForward | None = None,
    group: Group | None = None,
) -> list[Scores | TrainingError]:
    """The task's metrics on N examples with labels [N] or [N, C], for each member of `module`; in place of
    those of a member whose outputs are no numbers, the error that says so.

    Args:
        forward, group: as `iter_outputs`.
    """
    meters = [task.make_meter(outputs) for _ in range(count_members(module))]
    errors: dict[int, TrainingError] = {}
    expected = task.select_meter_labels(tokens, labels)
    windows = iter_outputs(
        module,
        tokens,
        task.reduce_logits,
        pad_id=pad_id,
        device=device,
        precision=precision,
        forward=forward,
        group=group,
    )
    for where, kept in windows:
        for r, (meter, member_kept) in enumerate(zip(meters, kept, strict=True)):
            error = judge_outputs(member_kept, f"those from {where.start + 1} to {where.stop}")
            if error is not None:
                errors.setdefault(r, error)
            elif r not in errors:
                meter.add(member_kept, torch.from_numpy(expected[where]))
    return [errors[r] if r in errors else meter.compute_scores() for r, meter in enumerate(meters)]


def require_scores(scores: Scores | TrainingError) -> Scores:
    """The metrics.

    Raises:
        TrainingError: there are none.
    """
    if isinstance(scores, TrainingError):
        raise scores
    return scores
