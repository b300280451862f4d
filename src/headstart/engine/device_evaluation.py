"""Runs a model over staged examples on a device: nothing is read before a window of examples is done.

The batches of a part are the same in every epoch, so that each is one body over fixed buffers (`graphs`).

Shapes: R members, n examples of a batch, T tokens, K numbers that are kept of an example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import torch

from headstart.data.batches import compute_padded_length, iter_eval_batches
from headstart.data.tokenise import Tokens
from headstart.device import Precision, make_autocast_context
from headstart.engine.graphs import Graphs, make_capturable
from headstart.engine.host_numbers import FilledNumbers
from headstart.engine.modes import evaluation_mode
from headstart.engine.stacked_model import count_members
from headstart.engine.staged import StagedExamples, choose_kept_span
from headstart.engine.step import choose_loss_inputs

#: Examples whose outputs are held at once, to be put back into their order.
WINDOW_EXAMPLES: Final = 4096
#: Tokens in one forward pass of all members: enough to fill a large device.
DEVICE_TOKENS_PER_BATCH: Final = 32_768
#: Logits of tokens in one forward pass of all members: in 32 bits a gigabyte.
_MOST_TOKEN_LOGITS: Final = 1 << 28
#: Makes of logits and labels (of a causal model, of tokens) what is kept of each example, [n, K].
Reduce = Callable[[torch.Tensor, torch.Tensor, Precision], torch.Tensor]


@dataclass
class _EvalBatch:
    """Examples at `index` [n], T `tokens`, which logits are kept, and `outputs` [R, n, K] once it has run."""

    index: torch.Tensor
    tokens: int
    positions: torch.Tensor | None
    outputs: torch.Tensor | None = None


@dataclass(frozen=True)
class _Window:
    """Examples `where`, in batches; `order` has the places of the batches' examples in it."""

    where: slice
    batches: list[_EvalBatch]
    order: torch.Tensor


@dataclass(frozen=True)
class DeviceForward:
    """A module, plain or a stack of R, over the examples of one part, as often as it is asked."""

    module: torch.nn.Module
    staged: StagedExamples
    reduce: Reduce
    precision: Precision
    graphs: Graphs
    windows: list[_Window] = field(repr=False)

    def iter_outputs(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """What is kept of each example in their own order, [R, n, K] on the host, window by window."""
        for w, window in enumerate(self.windows):
            with evaluation_mode(self.module):
                for b, batch in enumerate(window.batches):
                    self.graphs.run((w, b), partial(self._compute, batch))
            outputs = torch.cat([b.outputs for b in window.batches if b.outputs is not None], dim=1)
            yield window.where, torch.empty_like(outputs).index_copy_(1, window.order, outputs).cpu()

    def _compute(self, batch: _EvalBatch) -> None:
        members = count_members(self.module)
        read = self.staged.gather(batch.index, batch.tokens)
        more, labels = choose_loss_inputs(self.module, read.labels, batch.positions)
        inputs = {name: repeat_for_members(rows, members) for name, rows in read.inputs.items()}
        labels = repeat_for_members(labels, members)
        device = batch.index.device
        autocast = make_autocast_context(device, self.precision)
        with torch.no_grad(), make_capturable(self.module), FilledNumbers(device), autocast:
            logits = self.module(**inputs, **more).logits
        with torch.no_grad(), make_capturable(self.module):
            kept = self.reduce(logits, labels, self.precision).view(members, len(batch.index), -1)
        if batch.outputs is None:  # never while it is captured: it has run before
            batch.outputs = torch.empty_like(kept)
        batch.outputs.copy_(kept)


def repeat_for_members(rows: torch.Tensor, members: int) -> torch.Tensor:
    """A batch's rows, [n, ...], once for each of R members: [R*n, ...]."""
    return rows.repeat(members, *[1] * (rows.dim() - 1)) if members > 1 else rows


def plan_forward(
    module: torch.nn.Module,
    tokens: Tokens,
    staged: StagedExamples,
    reduce: Reduce,
    *,
    precision: Precision,
    graphs: Graphs,
    window: int = WINDOW_EXAMPLES,
) -> DeviceForward:
    """Cut the examples into windows of at most so many, and those into batches of like lengths."""
    most = _choose_batch_tokens(module, staged)
    windows, start = [], 0
    for batches in iter_eval_batches(tokens.lengths, most, window):
        index = np.concatenate(batches)
        order = torch.from_numpy(index - start).to(staged.device)
        planned = [_plan_batch(batch, tokens, staged) for batch in batches]
        windows.append(_Window(slice(start, start + len(index)), planned, order))
        start += len(index)
    return DeviceForward(module, staged, reduce, precision, graphs, windows)


def _choose_batch_tokens(module: torch.nn.Module, staged: StagedExamples) -> int:
    """Tokens of a batch, which every member reads: fewer where the logits of all are kept."""
    most = DEVICE_TOKENS_PER_BATCH
    if staged.spans is not None:
        vocabulary = int(module.config.vocab_size)  # type: ignore[union-attr,arg-type]
        most = min(most, _MOST_TOKEN_LOGITS // vocabulary)
    return max(1, most // count_members(module))


def _plan_batch(index: np.ndarray, tokens: Tokens, staged: StagedExamples) -> _EvalBatch:
    length, positions = compute_padded_length(tokens, index), None
    if staged.spans is not None:
        first, kept = choose_kept_span(staged.spans[index], length)
        positions = torch.arange(first, first + kept, device=staged.device)
    return _EvalBatch(torch.from_numpy(index).to(staged.device), length, positions)
