"""The memory of a training step without making one: it runs on tensors without numbers, and live bytes count.

Operators see shapes alone (torch's fake tensors), so a step of any model takes a second and no memory. What
an operator needs inside, and what the allocator wastes, is not seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from headstart.config.metrics import Task
from headstart.data.batches import Batch
from headstart.engine.device import Precision, autocast
from headstart.engine.dropout import Draw, KeyedDropout
from headstart.engine.losses import text_losses
from headstart.engine.modes import evaluating
from headstart.engine.step import forward_inputs, spoken
from headstart.models.vocabulary import input_embedding

_CPU = torch.device("cpu")


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the storages that are alive, `now` and at their `peak`.

    A number that a program asks of a tensor without numbers is 0; a choice of elements by truth takes
    `chosen` of them, or all.
    """

    def __init__(self, chosen: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self.chosen = chosen
        self._seen: Any = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return 0
        found = self._choice(*args) if _chooses(func, args) else func(*args, **(kwargs or {}))
        for one in tree_leaves(found):
            if isinstance(one, torch.Tensor):
                self._count(one.untyped_storage())
        return found

    def _choice(self, x: torch.Tensor, index: Any) -> torch.Tensor:
        """What x[mask] has the shape of."""
        (mask,) = index
        count = mask.numel() if self.chosen is None else min(self.chosen, mask.numel())
        return x.flatten(0, mask.dim() - 1)[:count].clone()

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self._seen:
            return
        self._seen[storage] = None
        weakref.finalize(storage, self._free, storage.nbytes())
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)

    def _free(self, size: int) -> None:
        self.now -= size


def _chooses(func: Any, args: tuple[Any, ...]) -> bool:
    """Whether an operator takes elements of a tensor by another of truths."""
    if func is not torch.ops.aten.index.Tensor or len(args[1]) != 1:
        return False
    return isinstance(args[1][0], torch.Tensor) and args[1][0].dtype == torch.bool


class _Shapes(KeyedDropout):
    """Dropout that draws no masks: they have their size alone."""

    def _mask(self, like: torch.Tensor, p: float) -> torch.Tensor:
        kind = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[like.element_size()]
        return torch.empty(like.shape, dtype=kind)


@dataclass(frozen=True)
class Traced:
    """Bytes on top of the weights, at the peak of a step and of an evaluation."""

    step: int
    evaluation: int


def trace(
    make: Callable[[], torch.nn.Module], batch: Batch, reading: Batch, task: Task, precision: Precision
) -> Traced:
    """The memory that a model of one run needs on top of its weights, gradients and moments.

    Args:
        make: gives the model as it trains; it is called where tensors have no numbers.
        batch: the largest that it trains on, and `reading` that it is evaluated on.
    """
    with _without_numbers(_said(batch)) as live:
        model = make().train()
        _without_table_gradient(model)
        step = _peak(live, lambda: _step(model, batch, task, precision))
        with evaluating(model):
            evaluation = _peak(live, lambda: _read(model, reading, precision))
    return Traced(step, evaluation)


@contextmanager
def _without_numbers(chosen: int | None) -> Iterator[LiveBytes]:
    with FakeTensorMode(allow_non_fake_inputs=True), LiveBytes(chosen) as live:
        yield live


def _said(batch: Batch) -> int | None:
    """Tokens that carry loss: what causal models' losses are chosen by."""
    return None if batch.targets is None else int((batch.targets >= 0).sum())


def _without_table_gradient(model: Any) -> None:
    """The gradient of a plain input embedding is kept by the rows of its batch, so it is all but nothing."""
    table = input_embedding(model)
    weight = getattr(table, "weight", None)
    is_tied = sum(p is weight for _, p in model.named_parameters(remove_duplicate=False)) > 1
    if weight is not None and not is_tied:
        table.sparse = False
        weight.requires_grad_(False)


def _peak(live: LiveBytes, work: Callable[[], None]) -> int:
    """The bytes that `work` needs at its peak, on top of what is there before it."""
    before = live.peak = live.now
    work()
    return live.peak - before


def _step(model: torch.nn.Module, batch: Batch, task: Task, precision: Precision) -> None:
    """A forward and a backward pass; each gradient goes where gradients lie, which the caller counts."""
    rows, tokens = batch.ids.shape
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(_let_go)  # type: ignore[no-untyped-call]
    with _Shapes((Draw(0, 0, rows, tokens),), rows, tokens), autocast(_CPU, precision):
        more, labels = spoken(model, batch, _CPU)
        logits = model(**forward_inputs(batch, _CPU), **more).logits
    text_losses(logits, labels, task).sum().backward()  # type: ignore[no-untyped-call]


def _let_go(parameter: torch.Tensor) -> None:
    parameter.grad = None


def _read(model: torch.nn.Module, batch: Batch, precision: Precision) -> None:
    more, _ = spoken(model, batch, _CPU)
    with torch.inference_mode(), autocast(_CPU, precision):
        model(**forward_inputs(batch, _CPU), **more)
