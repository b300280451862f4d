"""Finds a checkpoint's configuration, tokenizer and limits; loads no weights and runs none of its code."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import logging as transformers_logging

from headstart.config.traits import TaskName, get_task_traits
from headstart.data.assets import fetch_model, is_asset
from headstart.data.chat_format import find_stop_ids
from headstart.errors import ModelError
from headstart.events import Log, ignore_log
from headstart.models.positions import find_position_limit
from headstart.models.stop_ids import read_end_ids

_EXPECTED = "a folder with config.json, weights and tokenizer, a hub id that can be reached, or asset:minilm"
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

    `keeps_head`: it was tuned for these very labels, and its head comes along; any other head is drawn anew.
    `end_ids` are those at which its own generation configuration ends an answer.
    """

    name: str
    location: str
    config: Any
    tokenizer: Any
    max_length: int
    digest: str
    keeps_head: bool
    task: TaskName = "classification"
    end_ids: tuple[int, ...] = ()

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """The ids at which answers end: its own, the chat template's turn end, the tokenizer's end token."""
        return find_stop_ids(self.tokenizer, self.end_ids)

    @property
    def is_causal(self) -> bool:
        """Whether it is loaded as a causal language model."""
        return get_task_traits(self.task).generates

    @property
    def auto_class(self) -> Any:
        """The library's class that makes models of it."""
        return get_auto_class(self.task)

    @property
    def architecture(self) -> dict[str, Any]:
        """The configuration without what differs between checkpoints of one architecture."""
        return {k: v for k, v in self.config.to_dict().items() if k not in _NOT_ARCHITECTURE}

    @property
    def can_recompute(self) -> bool:
        """Whether its network can compute activations again in the backward pass."""
        return bool(getattr(self.build_skeleton(), "supports_gradient_checkpointing", False))

    def build_skeleton(self) -> torch.nn.Module:
        """The network without memory for its weights."""
        return _build_skeleton(self.config, self.name, self.task)

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
    """The folder or hub id behind a checkpoint's name in a study."""
    return str(fetch_model(name, log)) if is_asset(name) else name


def open_checkpoint(
    name: str, task: TaskName, label_names: tuple[str, ...], log: Log = ignore_log
) -> Checkpoint:
    """Configuration and tokenizer of checkpoint `name`, set up for the task's outputs.

    Raises:
        ModelError: nothing can be found there, or it is of no family with a classification head.
    """
    location = resolve_location(name, log)
    with model_errors(name), silence_logs():
        original_config = AutoConfig.from_pretrained(location)
        config = AutoConfig.from_pretrained(location, **_make_output_config(task, label_names))
        tokenizer = AutoTokenizer.from_pretrained(location)
    _set_padding(config, tokenizer, name)
    return Checkpoint(
        name=name,
        location=location,
        config=config,
        tokenizer=tokenizer,
        max_length=_find_max_length(config, tokenizer, name, task),
        digest=_compute_digest(location, config),
        keeps_head=_has_same_outputs(original_config, task, label_names),
        task=task,
        end_ids=read_end_ids(location, config) if get_task_traits(task).generates else (),
    )


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


@contextmanager
def model_errors(name: str, expected: str = _EXPECTED) -> Iterator[None]:
    """Turn what transformers raises for a missing or broken checkpoint into a `ModelError`."""
    try:
        yield
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        raise ModelError(
            f"no usable checkpoint: {str(error).strip().splitlines()[0]}",
            where=name,
            expected=expected,
        ) from error


@contextmanager
def silence_logs() -> Iterator[None]:
    """Silence the logs and progress bars of transformers inside the block."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    before, bars = [logger.level for logger in loggers], transformers_logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()


def _set_padding(config: Any, tokenizer: Any, name: str) -> None:
    """Models of causal families often have no padding token; their end token serves, masked by position."""
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            raise ModelError("its tokenizer has neither a padding nor an end token", where=name)
        tokenizer.pad_token = tokenizer.eos_token
    if getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = tokenizer.pad_token_id


def _find_max_length(config: Any, tokenizer: Any, name: str, task: TaskName) -> int:
    """Most tokens that the model takes: the smaller of the tokenizer's word and the position table's size."""
    skeleton = _build_skeleton(config, name, task)
    offsets = [
        module.padding_idx + 1
        for path, module in skeleton.named_modules()
        if isinstance(module, torch.nn.Embedding)
        and path.endswith("position_embeddings")
        and module.padding_idx is not None
    ]
    # RoBERTa and its kin count positions from padding_idx + 1, so the table's first rows are never reached.
    positions = getattr(config, "max_position_embeddings", None) or _NO_LIMIT
    table = find_position_limit(skeleton) or _NO_LIMIT
    limits = (positions - max(offsets, default=0), table, int(tokenizer.model_max_length))
    return min(limit for limit in (*limits, _NO_LIMIT) if limit > 0)


def _build_skeleton(config: Any, name: str, task: TaskName) -> torch.nn.Module:
    """The network without memory for its weights."""
    with model_errors(name), silence_logs(), torch.device("meta"):
        module: torch.nn.Module = get_auto_class(task).from_config(config)
    return module


def _compute_digest(location: str, config: Any) -> str:
    """Identifies a checkpoint: the hub's commit, or the SHA-256 of a folder's weight files."""
    folder = Path(location)
    if not folder.is_dir():
        return str(getattr(config, "_commit_hash", None) or "unknown")
    sha = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with file.open("rb") as weights:
            sha.update(hashlib.file_digest(weights, "sha256").digest())
    return sha.hexdigest()
