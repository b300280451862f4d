"""What a tuning method is: checks, grouping, counting; then a network that trains, or a run of its own.

A new method is one file like its neighbours and one registration in `config.traits`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from headstart.config.runs import Run
from headstart.config.traits import MethodName, MethodTraits, get_method_traits
from headstart.data.corpus import Part
from headstart.data.tokenise import Tokens
from headstart.device import Precision, choose_weights_dtype
from headstart.engine.generate import Answer
from headstart.engine.member import PackContext
from headstart.engine.stackable_layers import find_stacking_obstacle
from headstart.errors import ModelError
from headstart.events import Log
from headstart.methods.adapted import build_adapted_model
from headstart.methods.partial_start import build_partial_model
from headstart.models.accounting.counts import count_parameters
from headstart.models.initialise import initialise_model
from headstart.models.save import save_model
from headstart.models.vocabulary import compact_embedding, get_input_embedding, restore_embedding
from headstart.prepared import PreparedRun
from headstart.records import Parameters, Scores, Selection
from headstart.tasks import load_task

#: Test examples whose logits a saved model must give again.
_CHECK_EXAMPLES = 8


class Method(ABC):
    """A tuning method; `name` is that of its traits. Without state, so that one object serves all studies."""

    name: MethodName

    @property
    def traits(self) -> MethodTraits:
        """What is known of it without torch."""
        return get_method_traits(self.name)

    def load_libraries(self) -> None:  # noqa: B027 - most need none
        """Import what it needs besides transformers, so that a process's memory can be told before it trains.

        Raises:
            MissingExtraError: it is not installed.
        """

    def check(self, run: Run, skeleton: Any, missing_keys: Collection[str]) -> None:  # noqa: B027 - most fit all
        """Refuse a run that the method does not fit.

        Args:
            skeleton: the run's network on the meta device, to be changed at will.
            missing_keys: names of the weights that its checkpoint lacks.

        Raises:
            ModelError: names the key of the study file.
            MissingExtraError: a library that it needs is not installed.
        """

    def list_cautions(self, prepared: PreparedRun) -> Iterator[str]:
        """What a plan says of a run that the method fits, but otherwise than its user may think."""
        return iter(())

    def prepare_runs(self, runs: Sequence[PreparedRun], log: Log) -> None:  # noqa: B027 - most need nothing
        """Compute, once, what its runs share, before the first of them begins; `log` is told of long work."""

    @abstractmethod
    def explain_alone(self, prepared: PreparedRun) -> str | None:
        """Why no other run may share a pack with this one; None where others may."""

    def select_pack_settings(self, run: Run) -> object:
        """Its own settings that runs of one pack must have in common, as plain values."""
        return None

    def identify_base(self, prepared: PreparedRun) -> object:
        """What runs of one pack must have in common to share frozen weights, as plain values."""
        return None

    @abstractmethod
    def count_parameters(self, prepared: PreparedRun) -> Parameters | None:
        """Parameters of the run's model before it is made; None where they are not known."""

    def choose_quantised_dtype(self, precision: Precision) -> torch.dtype | None:
        """The format of products with a base in four bits; None where the base is left as it is."""
        return None

    def dump_settings(self, run: Run) -> str:
        """Its own settings as one string, by which an unfinished run knows its state again."""
        return ""


@dataclass(frozen=True)
class BuiltModel:
    """A run's model before its first step, on its device.

    `table` is its whole input embedding, where the model has only the rows in use.
    """

    module: nn.Module
    table: nn.Module | None = None


class TrainedMethod(Method):
    """A method that trains a network by optimiser steps.

    `takes_narrow_weights` says that linear maps compute the same from weights in bf16 as from those that
    autocast makes of float32: not where layers ask what their weights are in.
    """

    takes_narrow_weights: bool = True

    def select_tokens(self, prepared: PreparedRun) -> dict[Part, Tokens]:
        """What the network reads of each part."""
        return prepared.tokens

    def select_precision(self, prepared: PreparedRun) -> Precision:
        """The number format of its products."""
        return prepared.precision

    def select_rank(self, runs: Sequence[Run]) -> int:
        """The rank of a pack's widest adapter; 0 without adapters."""
        return 0

    def explain_alone(self, prepared: PreparedRun) -> str | None:
        """Where the architecture, as it trains, cannot be stacked."""
        return find_stacking_obstacle(self.adapt_model(prepared.checkpoint.build_skeleton(), prepared))

    def place_base(self, model: nn.Module, device: torch.device, precision: Precision) -> None:
        """Change the base before it is adapted, in place: into other number formats, say."""

    def adapt_model(self, model: Any, prepared: PreparedRun, rank: int = 0) -> Any:
        """A base as it trains: frozen where it does not, with what is added. `model` itself may be changed.

        Args:
            model: with weights, or without memory for them.
            rank: adapters get zeros up to this one, so that a pack's have one shape.
        """
        return model

    def build_model(
        self, prepared: PreparedRun, device: torch.device, precision: Precision, rank: int = 0
    ) -> BuiltModel:
        """The run's model before its first step, a function of its arm and seed.

        Of embeddings it has only the rows in use.
        """
        model, table = build_base_model(prepared), None
        if prepared.used_ids is not None:
            embedding = get_input_embedding(model)
            table = embedding if compact_embedding(model, prepared.used_ids) is None else None
        self.place_base(model, device, precision)
        model = self.adapt_model(model, prepared, rank)
        return BuiltModel(model.to(device, choose_weights_dtype(precision)), table)

    def restore_model(self, built: BuiltModel, values: Mapping[str, torch.Tensor], decay: float) -> nn.Module:
        """A model that was just built, with the trained `values` by name, and all its embedding rows.

        Args:
            decay: what training left of embedding rows that no example uses.
        """
        copy_values(values, built.module)
        if built.table is not None:
            restore_embedding(built.module, built.table, decay)
        return built.module

    def count_parameters(self, prepared: PreparedRun) -> Parameters | None:
        """Those of the adapted skeleton."""
        return count_parameters(self.adapt_model(prepared.checkpoint.build_skeleton(), prepared))

    def count_trained(self, model: nn.Module, prepared: PreparedRun) -> Parameters:
        """Those of the trained model."""
        return count_parameters(model)

    def estimate_frozen_bytes(self, skeleton: Any, precision: Precision) -> int:
        """Memory of the weights that a pack holds once, however many runs it has."""
        return 0

    def save(self, model: nn.Module, prepared: PreparedRun, precision: Precision, folder: Path) -> None:
        """Write the trained model to `folder` in the format that the method has elsewhere, and load it again.

        `model` is not to be used afterwards.

        Raises:
            ModelError: what was saved does not give the same logits when loaded.
        """
        save_model(model, prepared.checkpoint, folder, **select_check(prepared))


@dataclass(frozen=True)
class RunResult:
    """What a method without steps found: the record's own fields, and answers to sample prompts."""

    selection: Selection
    valid: Scores
    test: Scores
    parameters: Parameters
    device: str
    precision: str
    best_epoch: int | None = None
    resolved: dict[str, int | float | str] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)


class UntrainedMethod(Method):
    """A method that makes no steps: it fits something else, or only asks."""

    @abstractmethod
    def run(self, prepared: PreparedRun, context: PackContext | None, folder: Path) -> RunResult:
        """Do what the method does, and write the test predictions to the run's `folder`.

        Args:
            context: as the engine has it; None for a method that starts from no checkpoint.
        """


def build_base_model(prepared: PreparedRun) -> nn.Module:
    """The run's model before its method has touched it, a function of arm and seed; float32 on the CPU."""
    run = prepared.run
    if run.adapted:
        return build_adapted_model(prepared)
    if run.start is not None:
        return build_partial_model(prepared, run.start)
    return initialise_model(prepared.checkpoint, pretrained=run.pretrained, seed=run.seed)


def copy_values(values: Mapping[str, torch.Tensor], model: nn.Module) -> None:
    """Give a model the trained `values` by name, of adapters that a pack made wider their first rows."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in values:
                parameter.copy_(values[name][tuple(map(slice, parameter.shape))])


def select_check(prepared: PreparedRun) -> dict[str, Any]:
    """The examples by which a saved model is compared with itself, as keyword arguments of `models.save`."""
    texts = prepared.study.corpus.parts["test"].texts[:_CHECK_EXAMPLES]
    examples = load_task(prepared.study.study.task).select_check_texts(texts)
    return {"examples": examples, "max_length": prepared.max_length}


def name_key(error: ModelError, key: str) -> ModelError:
    """What is wrong with a model or its method, said of the key of the study file that chose it."""
    return ModelError(error.got, where=key, expected=error.expected, fix=error.fix)
