"""What runs will need in memory before any of them begins; trains nothing.

Weights with gradients and moments, the activations of a step (traced on tensors without numbers), and the
logits of an evaluation. `process_memory` makes of it the memory of a process on a CPU, `device_memory` that
of a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from headstart.data.batches import (
    Batch,
    collate,
    collate_packed,
    compute_padded_length,
    iter_eval_batches,
    pack_sequences,
)
from headstart.data.tokenise import Tokens
from headstart.device import choose_device, choose_weights_dtype
from headstart.engine.device_evaluation import WINDOW_EXAMPLES
from headstart.engine.evaluate import TOKENS_PER_BATCH
from headstart.engine.families import patch_position_ids
from headstart.engine.trace import UNTRACEABLE, StepMemory, strip_numbers, trace_memory
from headstart.errors import ModelError
from headstart.methods.lora_layers import list_frozen_linear
from headstart.models.accounting.counts import count_parameters
from headstart.models.library import build_network, silence_logs
from headstart.models.vocabulary import compact_embedding, get_input_embedding
from headstart.prepared import PreparedRun
from headstart.tasks import load_task
from headstart.training.build import load_trained_method

#: Bytes of a number between blocks.
_WIDEST = 4
#: Values, gradients and two moments of a weight that trains, and those of the best epoch.
_COPIES, _BEST = 4, 1


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that runs of one group need, apart from their process.

    `shared` is there once for a pack, `member` and `step` for each of its runs; `evaluation` is that of a
    batch, which all share; `whole_model` is one whole model. `narrow` says that products are in 16 bits.

    Known for GPUs alone: `stacked_step`, the step where the run is one of several; `gradient`, that of the
    largest weight, which is there beside all others once.
    """

    shared: int
    member: int
    step: int
    evaluation: int
    whole_model: int
    narrow: bool
    stacked_step: int = 0
    gradient: int = 0


def estimate_memory(runs: Sequence[PreparedRun]) -> MemoryEstimate | None:
    """What runs of one group need; None where it is not known: no steps, or an odd model."""
    first = runs[0]
    if not first.method.has_steps:
        return None
    rank = load_trained_method(first).select_rank([prepared.run for prepared in runs])
    try:
        if choose_device(first.study.study.device).type == "cpu":
            return _estimate(first, rank, _trace(first, rank))
        return _estimate_on_gpu(first, rank)
    except (*UNTRACEABLE, ModelError):
        return None


def _estimate_on_gpu(prepared: PreparedRun, rank: int) -> MemoryEstimate:
    """With what is known for GPUs alone. Dropout's masks are drawn again there, and not kept."""
    traced = _trace(prepared, rank, stores_masks=False)
    return replace(
        _estimate(prepared, rank, traced),
        stacked_step=_trace_stacked(prepared, rank) or traced.step,
        evaluation=traced.evaluation + _estimate_forward(prepared, traced.step),
        gradient=_measure_largest_gradient(prepared, rank),
    )


def _trace_stacked(prepared: PreparedRun, rank: int) -> int | None:
    """The step of a run that is one of several; None where a family's code does not work so.

    Two are enough: a stack keeps as much of each, however many it has.
    """
    if load_trained_method(prepared).explain_alone(prepared) is not None:
        return None
    try:
        return _trace(prepared, rank, members=2, stores_masks=False).step
    # Also what a family's code raises on layers that it does not expect, as where a real stack is checked.
    except (*UNTRACEABLE, ModelError):
        return None


def _estimate_forward(prepared: PreparedRun, step: int) -> int:
    """What a block of an evaluation's largest batch holds at once, from what a step's blocks keep."""
    if prepared.run.training.gradient_checkpointing:
        return step
    pad_id = prepared.checkpoint.tokenizer.pad_token_id
    batch = _make_largest_batch(prepared.tokens["train"], prepared, pad_id)
    evaluated = _make_largest_eval_batch(prepared.tokens["valid"], pad_id)
    share = evaluated.input_ids.size / batch.input_ids.size
    return int(step * share / int(getattr(prepared.checkpoint.config, "num_hidden_layers", 1)))


def _measure_largest_gradient(prepared: PreparedRun, rank: int) -> int:
    """Bytes of the gradient of the largest weight that trains, of an embedding the rows in use."""
    skeleton: Any = prepared.checkpoint.build_skeleton()
    table, unused = get_input_embedding(skeleton), _count_unused(prepared, skeleton)
    weight = None if table is None else table.weight
    adapted = load_trained_method(prepared).adapt_model(skeleton, prepared, rank)
    trained = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    sizes = [parameter.numel() - (unused if parameter is weight else 0) for parameter in trained]
    return choose_weights_dtype(prepared.precision).itemsize * max(sizes, default=0)


def _trace(prepared: PreparedRun, rank: int, *, members: int = 1, stores_masks: bool = True) -> StepMemory:
    """A step of the largest batch, and an evaluation of the largest."""
    tokens, training = prepared.tokens, prepared.run.training
    pad_id = prepared.checkpoint.tokenizer.pad_token_id
    batch = _make_largest_batch(tokens["train"], prepared, pad_id)
    skeleton = _build_adapted_skeleton(prepared, rank)
    traced = trace_memory(
        lambda: _strip_skeleton(skeleton, prepared),
        batch,
        _make_largest_eval_batch(tokens["valid"], pad_id),
        task=load_task(prepared.study.study.task),
        precision=prepared.precision,
        members=members,
        stores_masks=stores_masks,
    )
    if not training.gradient_checkpointing:
        return traced
    return replace(traced, step=_estimate_recomputed(traced.step, batch, prepared.checkpoint.config))


def _estimate_recomputed(step: int, batch: Batch, config: Any) -> int:
    """What checkpointing leaves of a step: each block's input, and one block's share, computed again."""
    blocks = int(config.num_hidden_layers)
    inputs = blocks * batch.input_ids.size * int(config.hidden_size) * _WIDEST
    return min(step, inputs + step // blocks)


def _build_adapted_skeleton(prepared: PreparedRun, rank: int) -> Any:
    """The run's model as it trains, on the meta device."""
    checkpoint = prepared.checkpoint
    with silence_logs(), torch.device("meta"):
        dtype = choose_weights_dtype(prepared.precision)
        model = build_network(checkpoint.auto_class, checkpoint.config, dtype=dtype)
    return load_trained_method(prepared).adapt_model(model, prepared, rank)


def _strip_skeleton(model: Any, prepared: PreparedRun) -> torch.nn.Module:
    """The same on the CPU, to be called where tensors have no numbers; ids are looked up there alone."""
    strip_numbers(model)
    if prepared.used_ids is not None:
        compact_embedding(model, prepared.used_ids)
    if prepared.precision == "bf16":
        _narrow_base(model)
    if prepared.study.shares_rows:
        patch_position_ids(model)
    assert isinstance(model, torch.nn.Module)
    return model


def _narrow_base(model: torch.nn.Module) -> None:
    """As `cast_base_to_bf16`, whose conversion in place tensors without numbers do not take."""
    for module in list_frozen_linear(model):
        for name, parameter in list(module.named_parameters(recurse=False)):
            narrow = torch.nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False)
            setattr(module, name, narrow)


def _make_largest_batch(tokens: Tokens, prepared: PreparedRun, pad_id: int) -> Batch:
    """The longest training examples in one batch: no batch of the run is larger."""
    index = np.argsort(-tokens.lengths, kind="stable")[: prepared.run.training.batch_size]
    if not prepared.study.shares_rows:
        return collate(tokens, index, prepared.study.corpus.parts["train"].labels[index], pad_id)
    width = compute_padded_length(tokens, index)
    return collate_packed(tokens, pack_sequences(tokens.lengths, index, width), width, pad_id)


def _make_largest_eval_batch(tokens: Tokens, pad_id: int) -> Batch:
    batches = [
        batch
        for window in iter_eval_batches(tokens.lengths, TOKENS_PER_BATCH, WINDOW_EXAMPLES)
        for batch in window
    ]
    index = max(batches, key=lambda batch: len(batch) * compute_padded_length(tokens, batch))
    return collate(tokens, index, index, pad_id)


def _estimate(prepared: PreparedRun, rank: int, traced: StepMemory) -> MemoryEstimate:
    method, precision = load_trained_method(prepared), prepared.precision
    skeleton: Any = prepared.checkpoint.build_skeleton()
    width = choose_weights_dtype(precision).itemsize
    adapted = method.adapt_model(prepared.checkpoint.build_skeleton(), prepared, rank)
    copies = _COPIES + (_BEST if prepared.run.training.epochs > 1 else 0)
    return MemoryEstimate(
        shared=method.estimate_frozen_bytes(skeleton, precision),
        member=copies * width * (count_parameters(adapted).trainable - _count_unused(prepared, skeleton)),
        step=traced.step,
        evaluation=traced.evaluation,
        whole_model=width * count_parameters(skeleton).total,
        narrow=precision == "bf16",
    )


def _count_unused(prepared: PreparedRun, skeleton: Any) -> int:
    """Weights of embedding rows that no example uses, which do not train."""
    ids, table = prepared.used_ids, get_input_embedding(skeleton)
    return 0 if ids is None or table is None else int(table.weight.numel()) - len(ids) * table.weight.shape[1]
