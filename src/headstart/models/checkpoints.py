"""Finds a checkpoint's configuration, tokenizer and limits; loads no weights and runs none of its code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import transformers

from headstart.config.traits import TaskName, get_task_traits
from headstart.data.assets import fetch_model, is_asset
from headstart.data.chat_format import find_stop_ids
from headstart.errors import ModelError
from headstart.events import Log, ignore_log
from headstart.models.adapter_folders import (
    find_config_source,
    find_saved_rows,
    find_tokenizer_source,
    name_source,
)
from headstart.models.checkpoint_files import check_folder, refuse_adapter, refuse_quantised
from headstart.models.digests import compute_digest
from headstart.models.hub import fetch_revision, is_pinned
from headstart.models.library import build_network, model_errors, read_config, silence_logs
from headstart.models.padding import (
    check_padding_row,
    drop_unread_types,
    find_position_offset,
    forget_false_padding,
    pad_tokenizer,
    set_padding,
)
from headstart.models.positions import find_position_limit
from headstart.models.size_checks import check_memory
from headstart.models.stop_ids import read_end_ids
from headstart.models.tokenizers import read_tokenizer
from headstart.models.vocabulary import find_embedding_path, get_input_embedding
from headstart.os_faults import check_lookup
from headstart.records import CheckpointDigest
from headstart.stages import tell_stage

#: What a tokenizer without a limit of its own reports is near 1e30.
_NO_LIMIT = 10**6
_DEFAULT_LENGTH = 256
#: Parts of a configuration that name something, and may differ between equal networks.
NAME_KEYS = frozenset({"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"})
#: Parts of a configuration that say nothing about the network's shape.
_NOT_ARCHITECTURE = NAME_KEYS | {"id2label", "label2id"}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint ready to be made into a model: picklable, so that worker processes can be handed it.

    `embedding_rows` are those of its input embedding, where its family says which that is. `keeps_head`: it
    was tuned for these very labels, and its head comes along; any other head is drawn anew. `end_ids` are
    those at which its own generation configuration ends an answer.
    """

    name: str
    location: str
    config: Any
    tokenizer: Any
    max_length: int
    keeps_head: bool
    embedding_rows: int | None = None
    task: TaskName = "classification"
    end_ids: tuple[int, ...] = ()

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """The ids at which answers end: its own, the chat template's turn end, the tokenizer's end token."""
        return find_stop_ids(self.tokenizer, self.end_ids)

    @cached_property
    def source(self) -> CheckpointDigest:
        """What tells it from others: by every byte of its files, which who only asks it need not read."""
        return compute_digest(self.location, self.config)

    @property
    def digest(self) -> str:
        """What tells the checkpoint from others."""
        return self.source.digest

    @property
    def is_causal(self) -> bool:
        """Whether it is loaded as a causal language model."""
        return get_task_traits(self.task).generates

    @property
    def auto_class(self) -> Any:
        """The library's class that makes models of it."""
        return get_auto_class(self.task)

    @cached_property
    def architecture(self) -> dict[str, Any]:
        """The configuration without what differs between checkpoints of one architecture."""
        return {k: v for k, v in self.config.to_dict().items() if k not in _NOT_ARCHITECTURE}

    @property
    def can_recompute(self) -> bool:
        """Whether its network can compute activations again in the backward pass."""
        return bool(getattr(self.build_skeleton(), "supports_gradient_checkpointing", False))

    def build_skeleton(self) -> torch.nn.Module:
        """The network without memory for its weights."""
        return build_skeleton(self.config, self.name, self.task)

    def resolve_max_length(self, wanted: int | None, virtual: int = 0) -> int:
        """The token limit for `training.max_length`, or what suits where it is not set.

        Args:
            virtual: positions that are taken before a text begins.

        Raises:
            ModelError: more than the model takes.
        """
        most = self.max_length - virtual
        if (wanted or 1) > most:
            beside = f" and {virtual} virtual tokens are" if virtual else " is"
            raise ModelError(
                f"max_length {wanted or 1}{beside} more than {self.name} takes",
                where="training.max_length",
                expected=f"at most {most}" if most > 0 else f"fewer than {self.max_length} virtual tokens",
            )
        return wanted or min(_DEFAULT_LENGTH, most)


def get_auto_class(task: TaskName) -> Any:
    """The class of transformers that makes models for a task."""
    return getattr(transformers, get_task_traits(task).auto_class)


def resolve_location(name: str, log: Log = ignore_log) -> str:
    """The folder or hub id behind a checkpoint's name in a study; of `id@revision` a folder of its cache.

    Raises:
        AssetError: it names an asset that cannot be fetched; ModelError: a revision that cannot.
    """
    if is_asset(name):
        return str(fetch_model(name, log))
    check_lookup(name)
    return str(fetch_revision(name)) if is_pinned(name) else name


def open_checkpoint(
    name: str,
    task: TaskName,
    label_names: tuple[str, ...],
    log: Log = ignore_log,
    *,
    is_saved: bool = False,
) -> Checkpoint:
    """Configuration and tokenizer of checkpoint `name`, set up for the task's outputs.

    Args:
        is_saved: it is a model that a study left, which may be an adapter or a probe on a base.

    Raises:
        ModelError: nothing can be found there, it is of no family with a classification head, or runs cannot
            start from it: an adapter, weights that are quantised, a folder without tokenizer.
    """
    location = resolve_location(name, log)
    tell_stage(f"opening {name}")
    check_folder(location)
    if not is_saved:
        refuse_adapter(name, location)
    source = find_config_source(location)
    named = name_source(name, location, source)
    with model_errors(named), silence_logs():
        original_config = read_config(source)
        config = read_config(source, **_make_output_config(task, label_names))
    refuse_quantised(named, config)
    tokenizer = read_tokenizer(find_tokenizer_source(location), name)
    skeleton = _build_prepared_skeleton(config, name, task)
    check_memory(skeleton, name)
    rows = find_saved_rows(location, find_embedding_path(skeleton)) or _count_rows(skeleton)
    _prepare_inputs(config, tokenizer, name, task, skeleton, rows)
    return Checkpoint(
        name=name,
        location=location,
        config=config,
        tokenizer=tokenizer,
        max_length=_find_max_length(config, tokenizer, skeleton),
        keeps_head=_has_same_outputs(original_config, task, label_names),
        embedding_rows=rows,
        task=task,
        end_ids=read_end_ids(source, config) if get_task_traits(task).generates else (),
    )


def _build_prepared_skeleton(config: Any, name: str, task: TaskName) -> torch.nn.Module:
    """The network's skeleton, of a configuration without padding that no table has a row for, in place."""
    forget_false_padding(config)
    return build_skeleton(config, name, task)


def _prepare_inputs(
    config: Any, tokenizer: Any, name: str, task: TaskName, skeleton: torch.nn.Module, rows: int | None
) -> None:
    """Make configuration and tokenizer agree on what the network, of so many `rows`, reads; in place."""
    pad_tokenizer(tokenizer, name)
    drop_unread_types(tokenizer, skeleton)
    check_padding_row(tokenizer, rows, name)
    if not get_task_traits(task).generates:
        tokenizer.padding_side = "right"  # as is trained: a saved model is to be read in the same way
        set_padding(config, tokenizer, skeleton)


def _count_rows(skeleton: torch.nn.Module) -> int | None:
    """Rows of the input embedding; None for a family that does not say which it is."""
    rows = getattr(get_input_embedding(skeleton), "num_embeddings", None)
    return None if rows is None else int(rows)


def _has_same_outputs(config: Any, task: TaskName, label_names: tuple[str, ...]) -> bool:
    """Whether a checkpoint's configuration names these labels, in this order, for this task."""
    traits = get_task_traits(task)
    if traits.generates:
        return True
    if not traits.has_classes:
        return bool(config.problem_type == traits.problem_type)
    fits = config.problem_type in (None, traits.problem_type)
    return fits and config.id2label == dict(enumerate(label_names))


def _make_output_config(task: TaskName, label_names: tuple[str, ...]) -> dict[str, Any]:
    """What a configuration says of a model's outputs for the task."""
    traits = get_task_traits(task)
    if traits.generates:
        return {}
    if not traits.has_classes:
        return {"num_labels": 1, "problem_type": traits.problem_type}
    names = dict(enumerate(label_names))
    return {
        "num_labels": len(names),
        "problem_type": traits.problem_type,
        "id2label": names,
        "label2id": {label: i for i, label in names.items()},
    }


def _find_max_length(config: Any, tokenizer: Any, skeleton: torch.nn.Module) -> int:
    """Most tokens that the model takes: the smaller of the tokenizer's word and the position table's size."""
    positions = getattr(config, "max_position_embeddings", None) or _NO_LIMIT
    table = find_position_limit(skeleton) or _NO_LIMIT
    limits = (positions - find_position_offset(skeleton), table, tokenizer.model_max_length)
    return int(min(limit for limit in (*limits, _NO_LIMIT) if limit >= 1))


def build_skeleton(config: Any, name: str, task: TaskName) -> torch.nn.Module:
    """The network without memory for its weights."""
    with model_errors(name), silence_logs(), torch.device("meta"):
        module: torch.nn.Module = build_network(get_auto_class(task), config)
    return module
