"""The memory of a training step, estimated by running it on fake tensors, which have shapes but no data.

Operators see shapes alone (torch's fake tensors), so a step of any model takes a second and no memory. What
the backward pass needs is kept by the forward pass, and torch tells each time (`saved_tensors_hooks`); what
an operator needs for itself, and what the allocator wastes, is not seen.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from headstart.data.batches import IGNORE_INDEX, Batch
from headstart.device import Precision, make_autocast_context
from headstart.engine.dropout import DropoutKey, HostDropout
from headstart.engine.objective import Objective
from headstart.engine.stack import stack
from headstart.engine.stacked_model import Stack, count_members
from headstart.engine.step import build_inputs, build_loss_inputs
from headstart.models.library import silence_logs
from headstart.models.vocabulary import get_input_embedding

_CPU = torch.device("cpu")


class SavedTensors:
    """Bytes of the storages that a forward pass keeps for the backward pass, each once; weights apart."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.bytes = 0
        # Held, so that none is freed and another takes its address.
        self._storages = [value.untyped_storage() for value in (*model.parameters(), *model.buffers())]
        self._seen = {storage._cdata for storage in self._storages}

    def count_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """Count a tensor that is being kept."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self._storages.append(storage)
            self.bytes += storage.nbytes()
        return tensor


class _FakeValueMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives a value wherever code reads data from a fake tensor.

    A number is 0; two tensors are equal; a choice of elements by truth takes `chosen` of them, or all.
    """

    def __init__(self, chosen: int | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.chosen = chosen

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return 0
        if func is torch.ops.aten.equal.default:
            return True
        if func is torch.ops.aten._grouped_mm.default:
            return _multiply_grouped(*args[:2])
        return self._guess_choice(*args) if _is_boolean_index(func, args) else func(*args, **(kwargs or {}))

    def _guess_choice(self, x: torch.Tensor, index: Any) -> torch.Tensor:
        """What x[mask] has the shape of."""
        (mask,) = index
        count = mask.numel() if self.chosen is None else min(self.chosen, mask.numel())
        return x.flatten(0, mask.dim() - 1)[:count].clone()


def _multiply_grouped(rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What experts make of rows [S, in] by weights [E, in, out]; torch knows the shape of it in bf16 alone,
    and computes others too."""
    return rows.new_empty((*rows.shape[:-1], weights.shape[-1]))


def _is_boolean_index(func: Any, args: tuple[Any, ...]) -> bool:
    """Whether an operator takes elements of a tensor by another of truths."""
    if func is not torch.ops.aten.index.Tensor or len(args[1]) != 1:
        return False
    return isinstance(args[1][0], torch.Tensor) and args[1][0].dtype == torch.bool


class _ShapeOnlyDropout(HostDropout):
    """Dropout that draws no masks: they have their size alone, or where none are stored a single number."""

    def __init__(self, keys: Sequence[DropoutKey], rows: int, tokens: int, stores_masks: bool) -> None:
        super().__init__(keys, rows, tokens)
        self._stores_masks = stores_masks

    def _draw_mask(self, like: torch.Tensor, p: float, site: int) -> torch.Tensor:
        kind = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[like.element_size()]
        return torch.empty(like.shape if self._stores_masks else (1,), dtype=kind).expand(like.shape)


@dataclass(frozen=True)
class StepMemory:
    """Bytes of a run on top of its weights: what a step keeps, and the logits of an evaluation in all their
    copies."""

    step: int
    evaluation: int


#: What code raises that meets tensors without numbers: torch's own errors, and whatever a family's code or a
#: library's says of numbers that it does not expect.
UNTRACEABLE: Final = (
    RuntimeError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
)

#: Copies of an evaluation's logits that are there at once: the model's, in a wide format, and in use.
_COPIES = 3


def trace_memory(
    make: Callable[[], torch.nn.Module],
    batch: Batch,
    eval_batch: Batch,
    task: Objective,
    precision: Precision,
    *,
    members: int = 1,
    stores_masks: bool = True,
) -> StepMemory:
    """The memory that a model of one run needs on top of its weights, gradients and moments.

    Args:
        make: gives the model as it trains; it is called where tensors have no numbers.
        batch: the largest that it trains on, and `eval_batch` that it is evaluated on.
        members: of the stack that the step is made by, whose layers keep more than those of a plain model.
        stores_masks: whether dropout's masks are kept, not drawn again.

    Raises:
        StackError: the architecture cannot be stacked.
    """
    batch = batch if members == 1 else _repeat_rows(batch, members)
    with _trace_without_numbers(_count_loss_tokens(batch)):
        model = make().train()
        _drop_table_gradient(model)
        evaluation = _COPIES * _count_logits_bytes(model, eval_batch, precision)
        module = model.train() if members == 1 else _stack_copies(model, members)
        step = count_saved_bytes(module, batch, task, precision, stores_masks=stores_masks)
        return StepMemory(step // members, evaluation)


def strip_numbers(model: torch.nn.Module) -> None:
    """Give a model weights and buffers on the CPU of the same shapes and ties, made where this is called.

    A model that is made on the meta device, and stripped where tensors have no numbers, is one that was made
    there; but nothing was moved between devices, which is a swap of two tensors there, and corrupts memory
    with those that torch's cache of operators has made.
    """
    known: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}  # with the old ones, so that no id comes again
    for module in model.modules():
        for values in (module._parameters, module._buffers):
            for name, value in values.items():
                if value is not None:
                    values[name] = known.setdefault(id(value), (value, _strip_tensor(value)))[1]  # type: ignore[assignment]


def _strip_tensor(value: torch.Tensor) -> torch.Tensor:
    bare = torch.empty(value.shape, dtype=value.dtype, device=_CPU)
    return torch.nn.Parameter(bare, value.requires_grad) if isinstance(value, torch.nn.Parameter) else bare


def run_without_numbers(model: torch.nn.Module, batch: Batch) -> None:
    """One forward pass of a model of the meta device, whose weights are replaced: does its code run?"""
    with _trace_without_numbers(_count_loss_tokens(batch)):
        strip_numbers(model)
        more, _ = build_loss_inputs(model, batch, _CPU)
        model(**build_inputs(batch, _CPU), **more)


def make_probe_batch(*, causal: bool) -> Batch:
    """Two rows of a few tokens, to see whether a model's code runs."""
    ids = np.full((2, 4), 1)
    token_labels = np.where(np.arange(4) < 3, ids, IGNORE_INDEX) if causal else None
    return Batch(ids, np.ones_like(ids), None, np.zeros(2, np.int64), token_labels)


def _stack_copies(model: torch.nn.Module, members: int) -> Stack:
    """A stack of `members` times the model, whose constants lose their numbers: with them, tensors that have
    shapes alone cannot be copied."""
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # copying tensors without data looks at where the data would be
        return stack([model] * members, check=False).train()


def _repeat_rows(batch: Batch, members: int) -> Batch:
    """The batch's rows once for each member."""
    arrays = {name: value for name, value in vars(batch).items() if value is not None}
    return replace(batch, **{name: np.concatenate([value] * members) for name, value in arrays.items()})


def count_saved_bytes(
    module: torch.nn.Module,
    batch: Batch,
    task: Objective,
    precision: Precision,
    *,
    stores_masks: bool = True,
) -> int:
    """The bytes that a forward pass in training, with its loss, keeps for the backward pass.

    Args:
        module: a plain model, or a stack, whose members have as many rows of the batch each.
    """
    members, tokens = count_members(module), batch.input_ids.shape[1]
    rows = len(batch.input_ids) // members
    keys = (DropoutKey(0, 0, rows, tokens),) * members
    counted = SavedTensors(module)
    with saved_tensors_hooks(counted.count_tensor, lambda tensor: tensor):
        with (
            _ShapeOnlyDropout(keys, rows, tokens, stores_masks),
            make_autocast_context(_CPU, precision),
        ):
            more, labels = build_loss_inputs(module, batch, _CPU)
            logits = module(**build_inputs(batch, _CPU), **more).logits
        task.compute_losses(logits, labels).sum()
    return counted.bytes


def _count_logits_bytes(model: torch.nn.Module, batch: Batch, precision: Precision) -> int:
    more, _ = build_loss_inputs(model, batch, _CPU)
    with torch.no_grad(), make_autocast_context(_CPU, precision):
        logits = model.eval()(**build_inputs(batch, _CPU), **more).logits
    return int(logits.numel() * logits.element_size())


@contextmanager
def _trace_without_numbers(chosen: int | None) -> Iterator[None]:
    # What a family's code cannot do without numbers is an exception here; torch writes its stack on top.
    reports = logging.getLogger("torch._subclasses.fake_tensor")
    level = reports.level
    reports.setLevel(logging.CRITICAL)
    try:
        with silence_logs(), FakeTensorMode(allow_non_fake_inputs=True), _FakeValueMode(chosen):
            yield
    finally:
        reports.setLevel(level)


def _count_loss_tokens(batch: Batch) -> int | None:
    """Number of tokens in the loss, which select the logits of causal models."""
    return None if batch.token_labels is None else int((batch.token_labels >= 0).sum())


def _drop_table_gradient(model: Any) -> None:
    """The gradient of a plain input embedding is kept by the rows of its batch, so it is all but nothing."""
    table = get_input_embedding(model)
    weight = getattr(table, "weight", None)
    is_tied = sum(p is weight for _, p in model.named_parameters(remove_duplicate=False)) > 1
    if weight is not None and not is_tied:
        table.sparse = False
        weight.requires_grad_(False)
