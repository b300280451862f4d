"""What runs will need before any of them begins: parameters, memory and disk; trains nothing.

Memory is that of a process on the host: itself, weights with gradients and moments, the activations of a
step (traced on tensors without numbers), and what the allocator keeps. On another device it is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from headstart.config.expand import Run
from headstart.config.traits import method_traits
from headstart.data.batches import Batch, pad, pad_shared, padded_length, reading_order, shared_rows
from headstart.data.tokenise import Tokens
from headstart.engine.device import choose_device, weights_dtype
from headstart.engine.evaluate import MOST_TOKENS, WINDOW
from headstart.engine.families import teach_positions
from headstart.engine.trace import Traced, trace
from headstart.errors import ModelError
from headstart.execute.prepare import Prepared
from headstart.models.accounting.counts import count_parameters
from headstart.models.checkpoints import quiet
from headstart.models.vocabulary import compact, input_embedding
from headstart.records import Parameters
from headstart.tuning.adapters import wrap
from headstart.tuning.lora import adapt, linear_layers
from headstart.tuning.quantise import four_bit_bytes, quantised

#: Bytes of a number between blocks.
_WIDEST = 4
#: Values, gradients and two moments of a weight that trains, and those of the best epoch.
_COPIES, _BEST = 4, 1


@dataclass(frozen=True)
class Need:
    """Bytes that runs of one group need, apart from their process.

    `shared` is there once for a pack, `member` and `step` for each of its runs; `evaluation` is that of a
    batch, which all share; `whole` is one whole model. `narrow` says that products are in 16 bits.
    """

    shared: int
    member: int
    step: int
    evaluation: int
    whole: int
    narrow: bool


def parameters_of(run: Run, prepared: Prepared) -> Parameters | None:
    """The parameters of a run's model, total and trainable.

    None for a bag of words, which is fitted, and where PEFT has to see a model's numbers to wrap it.
    """
    if run.method == "bag-of-words":
        return None
    checkpoint = prepared.checkpoints[run.checkpoint]
    model: Any = checkpoint.skeleton()
    if run.probe is not None:
        own = prepared.corpus.outputs * (checkpoint.config.hidden_size + 1)
        return Parameters(total=count_parameters(model.base_model).total + own, trainable=own)
    if run.method == "none":
        return Parameters(total=count_parameters(model).total, trainable=0)
    try:
        return count_parameters(_adapted(model, run, prepared, 0))
    except (RuntimeError, NotImplementedError):  # such as an adapter that begins with singular vectors
        return None


def _adapted(model: Any, run: Run, prepared: Prepared, rank: int) -> Any:
    """A model without numbers as the run's method trains it; four-bit weights stay what they were."""
    lora = run.lora if run.lora is None else run.lora.model_copy(update={"r": max(run.lora.r, rank)})
    if lora is not None:
        adapt(model, lora, run.seed, prepared.lacking(run))
    if run.peft is not None:
        model = wrap(model, run.peft, run.seed, prepared.lacking(run))
    return model


def need_of(runs: Sequence[Run], prepared: Prepared) -> Need | None:
    """What runs of one group need; None where it is not known: no steps, another device, an odd model."""
    first = runs[0]
    if not method_traits(first.method).has_steps or choose_device(prepared.study.device).type != "cpu":
        return None
    rank = max((run.lora.r for run in runs if run.lora), default=0)
    try:
        traced = _traced(first, prepared, rank)
        return _static(first, prepared, rank, traced)
    except (RuntimeError, NotImplementedError, TypeError, ModelError):  # something has to see numbers
        return None


def _traced(run: Run, prepared: Prepared, rank: int) -> Traced:
    tokens = prepared.tokens_of(run)
    pad_id = prepared.checkpoints[run.checkpoint].tokenizer.pad_token_id
    batch = _largest_batch(tokens["train"], run, prepared, pad_id)
    traced = trace(
        lambda: _without_numbers(run, prepared, rank),
        batch,
        _largest_reading(tokens["valid"], pad_id),
        task=prepared.study.task,
        precision=prepared.precision_of(run),
    )
    if not run.training.gradient_checkpointing:
        return traced
    return replace(traced, step=_recomputed(traced.step, batch, prepared.checkpoints[run.checkpoint].config))


def _recomputed(step: int, batch: Batch, config: Any) -> int:
    """What checkpointing leaves of a step: each block's input, and one block's share, computed again."""
    blocks = int(config.num_hidden_layers)
    inputs = blocks * batch.ids.size * int(config.hidden_size) * _WIDEST
    return min(step, inputs + step // blocks)


def _without_numbers(run: Run, prepared: Prepared, rank: int) -> torch.nn.Module:
    """The run's model as it trains, to be called where tensors have no numbers."""
    checkpoint, precision = prepared.checkpoints[run.checkpoint], prepared.precision_of(run)
    with quiet():
        model = checkpoint.library.from_config(checkpoint.config, dtype=weights_dtype(precision))
    ids = prepared.vocabulary_of(run)
    if ids is not None:
        compact(model, ids)
    model = _adapted(model, run, prepared, rank)
    if precision == "bf16":
        _narrow(model)
    if prepared.shares_rows:
        teach_positions(model)
    assert isinstance(model, torch.nn.Module)
    return model


def _narrow(model: torch.nn.Module) -> None:
    """As `narrow_base`, whose conversion in place tensors without numbers do not take."""
    for module in model.modules():
        if type(module) is torch.nn.Linear and not any(p.requires_grad for p in module.parameters()):
            for name, parameter in list(module.named_parameters(recurse=False)):
                narrow = torch.nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False)
                setattr(module, name, narrow)


def _largest_batch(tokens: Tokens, run: Run, prepared: Prepared, pad_id: int) -> Batch:
    """The longest texts of train in one batch: no batch of the run is larger."""
    index = np.argsort(-tokens.lengths, kind="stable")[: run.training.batch_size]
    if not prepared.shares_rows:
        return pad(tokens, index, prepared.corpus.parts["train"].labels[index], pad_id)
    width = padded_length(tokens, index)
    return pad_shared(tokens, shared_rows(tokens.lengths, index, width), width, pad_id)


def _largest_reading(tokens: Tokens, pad_id: int) -> Batch:
    batches = [batch for window in reading_order(tokens.lengths, MOST_TOKENS, WINDOW) for batch in window]
    index = max(batches, key=lambda batch: len(batch) * padded_length(tokens, batch))
    return pad(tokens, index, index, pad_id)


def _static(run: Run, prepared: Prepared, rank: int, traced: Traced) -> Need:
    model: Any = prepared.checkpoints[run.checkpoint].skeleton()
    width = weights_dtype(prepared.precision_of(run)).itemsize
    whole, unused = count_parameters(model).total, _unused(run, prepared, model)
    adapted = _adapted(prepared.checkpoints[run.checkpoint].skeleton(), run, prepared, rank)
    frozen = 0 if run.method == "full" else _frozen_bytes(model, run, prepared)
    copies = _COPIES + (_BEST if run.training.epochs > 1 else 0)
    return Need(
        shared=frozen,
        member=copies * width * (count_parameters(adapted).trainable - unused),
        step=traced.step,
        evaluation=traced.evaluation,
        whole=width * whole,
        narrow=prepared.precision_of(run) == "bf16",
    )


def _unused(run: Run, prepared: Prepared, model: Any) -> int:
    """Weights of embedding rows that no text uses, which do not train."""
    ids, table = prepared.vocabulary_of(run), input_embedding(model)
    return 0 if ids is None or table is None else int(table.weight.numel()) - len(ids) * table.weight.shape[1]


def _frozen_bytes(model: Any, run: Run, prepared: Prepared) -> int:
    """What a frozen base takes: linear layers in four bits or in the format of their products."""
    numbers = {path: int(model.get_submodule(path).weight.numel()) for path in linear_layers(model)}
    rest = 4 * (count_parameters(model).total - sum(numbers.values()))
    if run.method == "qlora":
        small = set(quantised(model))
        return rest + sum(four_bit_bytes(n) if path in small else 4 * n for path, n in numbers.items())
    return rest + sum(numbers.values()) * (2 if prepared.precision_of(run) == "bf16" else 4)
