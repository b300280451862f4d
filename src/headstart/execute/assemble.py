"""Makes one module of a pack's runs, which trains, and of each trained member a whole model again."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch

from headstart.config.expand import Run
from headstart.data.corpus import PARTS
from headstart.data.splits import subset
from headstart.engine.device import choose_device, weights_dtype
from headstart.engine.families import teach_positions
from headstart.engine.member import Member, Setting, Texts
from headstart.engine.memory import recompute_blocks
from headstart.engine.schedule import learning_rate
from headstart.engine.stack import Stack
from headstart.engine.weights import Weights, weights_together
from headstart.execute.methods import tuned
from headstart.execute.prepare import Prepared
from headstart.execute.probing import probe, row_tokens
from headstart.models.initialise import initialise
from headstart.models.vocabulary import compact, decay_factor, restore
from headstart.tuning.lora import narrow_base


def setting_of(run: Run, prepared: Prepared) -> Setting:
    """What the engine needs to know of the study, for a pack of runs like `run`."""
    study, corpus = prepared.study, prepared.corpus
    tokens = prepared.tokens_of(run) if run.probe is None else row_tokens(prepared)
    precision = prepared.precision_of(run)
    if run.probe is not None and precision == "bf16":
        precision = "fp32"  # products as small as a probe's gain nothing
    return Setting(
        task=study.task,
        classes=corpus.outputs,
        pad_id=prepared.checkpoints[run.checkpoint].tokenizer.pad_token_id,
        metric=study.metric,
        curves=study.curves,
        parts={part: Texts(tokens[part], corpus.parts[part].labels) for part in PARTS},
        device=choose_device(study.device),
        precision=precision,
        shares_rows=prepared.shares_rows,
    )


def members_of(runs: Sequence[Run], prepared: Prepared) -> list[Member]:
    """The runs before their first step, each with the texts that it learns from."""
    train = prepared.corpus.parts["train"]
    return [Member(run, subset(train, run.size, run.seed)) for run in runs]


def weights_of(runs: Sequence[Run], prepared: Prepared, setting: Setting) -> Weights:
    """The runs' first weights, as their seeds and arms say, for a module that computes all of them.

    Raises:
        StackError: the architecture cannot be stacked.
    """
    rank = max((run.lora.r for run in runs if run.lora), default=0)
    weights = weights_together((initial(run, prepared, setting, rank) for run in runs), len(runs))
    if setting.precision == "bf16":
        narrow_base(weights.module)
    if setting.shares_rows:
        teach_positions(weights.module)
    if runs[0].training.gradient_checkpointing:
        recompute_blocks(weights.module.model if isinstance(weights.module, Stack) else weights.module)
    return weights


def initial(run: Run, prepared: Prepared, setting: Setting, rank: int = 0) -> torch.nn.Module:
    """The run's model before its first step, as it trains: on the device, in the weights' format.

    Of embeddings it has only the rows in use; adapters are as wide as `rank` at least.
    """
    if run.probe is not None:
        return probe(run, prepared).to(setting.device, weights_dtype(setting.precision))
    model, ids = whole(run, prepared), prepared.vocabulary_of(run)
    if ids is not None:
        compact(model, ids)
    return tuned(model, run, prepared.lacking(run), setting.device, setting.precision, rank)


def whole(run: Run, prepared: Prepared) -> torch.nn.Module:
    """The run's model before its first step, a function of its arm and seed; no method has touched it."""
    return initialise(prepared.checkpoints[run.checkpoint], pretrained=run.pretrained, seed=run.seed)


def trained_model(member: Member, weights: Weights, prepared: Prepared, setting: Setting) -> torch.nn.Module:
    """The member's model at its best epoch, whole: what no text of the study uses has decayed as it would.

    Such rows are those that the run began with, which its seed gives again, times what AdamW leaves of a
    weight without gradient.
    """
    assert member.weights is not None
    run, ids = member.run, prepared.vocabulary_of(member.run)
    if ids is None:
        return _with(weights.named(member.weights), initial(run, prepared, setting))
    first = whole(run, prepared)
    model = copy.deepcopy(first)
    is_compact = compact(model, ids) is None
    model.to(setting.device, weights_dtype(setting.precision))
    _with(weights.named(member.weights), model)
    if is_compact:
        restore(model, first, _decay(member, weights, model))
    return model


def _with(trained: Mapping[str, torch.Tensor], model: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in trained:
                parameter.copy_(_own_part(trained[name], parameter))
    return model


def _own_part(value: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """The first rows and columns of an adapter that its pack made wider than it is."""
    return value[tuple(map(slice, own.shape))]


def _decay(member: Member, weights: Weights, model: torch.nn.Module) -> float:
    """What training up to the best epoch leaves of an embedding row that no text uses."""
    table = model.get_input_embeddings().weight  # type: ignore[operator]
    name = next(name for name, parameter in model.named_parameters() if parameter is table)
    if name not in weights.decays or member.best is None:
        return 1.0
    training = member.run.training
    rates = (learning_rate(training, step, member.total) for step in range(member.best.step))
    return decay_factor(rates, training.weight_decay)


def trained_rows(run: Run, prepared: Prepared) -> int | None:
    """How many embedding rows the run trains, where those that no text uses are kept out; for its record."""
    ids = prepared.vocabulary_of(run)
    return None if ids is None else len(ids)
