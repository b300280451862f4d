"""Builds one trainable module from a pack's runs, and an ordinary model from each trained member."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from headstart.data.corpus import PARTS
from headstart.device import choose_device
from headstart.engine.families import patch_position_ids
from headstart.engine.group import Group
from headstart.engine.join_weights import join_weights
from headstart.engine.kind import uses_device_engine
from headstart.engine.member import Member, PackContext, TokenisedExamples
from headstart.engine.memory import enable_gradient_checkpointing
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.schedule import learning_rate
from headstart.engine.stacked_model import Stack
from headstart.engine.weights import Weights
from headstart.engine.weights_layout import WeightsLayout
from headstart.methods import load_method
from headstart.methods.base import BuiltModel, TrainedMethod
from headstart.methods.lora_layers import cast_base_to_bf16
from headstart.models.vocabulary import compute_decay_factor
from headstart.prepared import PreparedRun
from headstart.tasks import load_task

if TYPE_CHECKING:
    from headstart.engine.sharded_weights import ShardedWeights


def load_trained_method(prepared: PreparedRun) -> TrainedMethod:
    """The object of the run's method, which trains by steps."""
    method = load_method(prepared.run.method)
    assert isinstance(method, TrainedMethod)
    return method


def make_context(prepared: PreparedRun) -> PackContext:
    """What the engine needs to know of the study, for a pack of runs like this one."""
    study, corpus = prepared.study.study, prepared.study.corpus
    method = load_method(prepared.run.method)
    tokens, precision = prepared.tokens, prepared.precision
    if isinstance(method, TrainedMethod):
        tokens, precision = method.select_tokens(prepared), method.select_precision(prepared)
    device = choose_device(study.device)
    is_on_gpu = device.type != "cpu"
    return PackContext(
        task=load_task(study.task),
        outputs=corpus.num_outputs,
        pad_id=prepared.checkpoint.tokenizer.pad_token_id,
        metric=study.metric,
        curves=study.curves,
        parts={part: TokenisedExamples(tokens[part], corpus.parts[part].labels) for part in PARTS},
        device=device,
        precision=precision,
        packs_sequences=prepared.study.shares_rows,
        compiles=study.execution.compile if is_on_gpu else "off",
        captures=study.execution.graph if is_on_gpu else "off",
    )


def make_members(runs: Sequence[PreparedRun]) -> list[Member]:
    """The runs before their first step, each with the examples that it learns from."""
    return [Member(prepared.run, prepared.train_index) for prepared in runs]


def build_weights(
    runs: Sequence[PreparedRun], context: PackContext, kept: dict[str, BuiltModel] | None = None
) -> Weights:
    """The runs' first weights, as their seeds and arms say, for a module that computes all of them.

    Args:
        kept: takes the runs' models, on the CPU, by the runs' keys, for who will want each of them again.

    Raises:
        StackError: the architecture cannot be stacked.
    """
    rank = load_trained_method(runs[0]).select_rank([prepared.run for prepared in runs])
    built: list[BuiltModel] | None = [] if kept is not None else None
    weights = join_weights(_build_modules(runs, context, rank, built), len(runs))
    for prepared, model in zip(runs, built or (), strict=kept is not None):
        assert kept is not None
        kept[prepared.run.key] = BuiltModel(model.module.to("cpu"), model.table)
    _ready_module(weights.module, runs[0], context)
    is_narrow = context.precision == "bf16" and load_trained_method(runs[0]).takes_narrow_weights
    if is_narrow and uses_device_engine(context.device) and context.group is None:
        weights.keep_narrow_copy()
    return weights


def build_weight_parts(prepared: PreparedRun, context: PackContext, group: Group) -> ShardedWeights:
    """The run's first weights, of which each process of the group holds its part.

    Made whole on the host, by each process; then cut block by block on the device where they train.
    """
    # Here: it imports torch's FSDP, which most processes never need.
    from headstart.engine.sharded_weights import ShardedWeights

    module = build_model(prepared, replace(context, device=torch.device("cpu"))).module
    _ready_module(module, prepared, context)
    return ShardedWeights(module, find_decaying_parameters(module), group, context.device)


def _ready_module(module: torch.nn.Module, prepared: PreparedRun, context: PackContext) -> None:
    """What training changes of a module's frozen weights and code, in place."""
    if context.precision == "bf16":
        cast_base_to_bf16(module)
    if context.packs_sequences:
        patch_position_ids(module)
    if prepared.run.training.gradient_checkpointing:
        enable_gradient_checkpointing(module.model if isinstance(module, Stack) else module)


def _build_modules(
    runs: Sequence[PreparedRun], context: PackContext, rank: int, built: list[BuiltModel] | None
) -> Iterator[torch.nn.Module]:
    """The runs' models, one after the other; all that were `built` go to the CPU but the first and the last,
    which a stack is compared with."""
    for r, prepared in enumerate(runs):
        model = build_model(prepared, context, rank)
        if built is not None:
            built.append(model)
            if r > 1:
                built[r - 1].module.to("cpu")
        yield model.module


def build_model(prepared: PreparedRun, context: PackContext, rank: int = 0) -> BuiltModel:
    """The run's model before its first step, as it trains: on the device, in the weights' format.

    Adapters are as wide as `rank` at least.
    """
    method = load_trained_method(prepared)
    return method.build_model(prepared, context.device, context.precision, rank)


def restore_model(
    built: BuiltModel, member: Member, layout: WeightsLayout, prepared: PreparedRun
) -> torch.nn.Module:
    """The member's model at its best epoch, whole, from one that was just built for it.

    Embedding rows that no example uses are those that the run began with, which its seed gives again, times
    what AdamW leaves of a weight without gradient.
    """
    assert member.weights is not None
    decay = _compute_table_decay(member, layout, built)
    return load_trained_method(prepared).restore_model(built, layout.view_parameters(member.weights), decay)


def _compute_table_decay(member: Member, layout: WeightsLayout, built: BuiltModel) -> float:
    """What training up to the best epoch leaves of an embedding row that no example uses."""
    if built.table is None or member.best is None:
        return 1.0
    table = built.module.get_input_embeddings().weight  # type: ignore[operator]
    name = next(name for name, parameter in built.module.named_parameters() if parameter is table)
    if name not in layout.decaying_names:
        return 1.0
    training = member.run.training
    rates = (learning_rate(training, step, member.total_steps) for step in range(member.best.step))
    return compute_decay_factor(rates, training.weight_decay)
