"""Asks transformers for configurations, tokenizers and networks; never runs a checkpoint's own code."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import logging as transformers_logging

from headstart.errors import ModelError
from headstart.models.weight_files import check_weights
from headstart.models.weight_names import find_renaming

EXPECTED_CHECKPOINT = (
    "a folder with config.json, weights and tokenizer, a hub id that can be reached, or asset:minilm"
)
#: In what transformers says of a checkpoint whose own code it would have to run.
_OWN_CODE = "trust_remote_code"


def read_config(location: str, **changes: Any) -> Any:
    """The configuration of a folder, a `config.json` or a hub id, with `changes`."""
    # False, not None: with None the library asks on the terminal, and waits.
    return AutoConfig.from_pretrained(location, trust_remote_code=False, **changes)


def load_tokenizer(location: str) -> Any:
    """The tokenizer of a folder or a hub id."""
    return AutoTokenizer.from_pretrained(location, trust_remote_code=False)


def build_network(auto_class: Any, config: Any, **settings: Any) -> Any:
    """A network of `config` with the library's own random weights."""
    return auto_class.from_config(config, trust_remote_code=False, **settings)


def load_network(auto_class: Any, location: str, **settings: Any) -> Any:
    """A network with the weights of a folder or a hub id; `settings` are `from_pretrained`'s.

    Raises:
        ModelError: the folder's weights are absent, cut, a git-lfs pointer, or a pickle of more.
    """
    folder = Path(location)
    try:
        if folder.is_dir():
            check_weights(folder)
            settings["key_mapping"] = find_renaming(folder, settings.get("config")) or None
        loaded = auto_class.from_pretrained(location, trust_remote_code=False, **settings)
        _forget_renaming(loaded, settings.get("key_mapping") or {})
        return loaded
    except UnpicklingError as error:
        raise ModelError(
            "its .bin holds more than weights, which would be run as code",
            where=location,
            expected="model.safetensors, or a pickle of tensors alone",
            fix="save it as safetensors where it can be trusted",
        ) from error


def _forget_renaming(loaded: Any, renaming: Mapping[str, str]) -> None:
    """Have a model saved under the family's own names: the library would give back those that it found.

    Args:
        loaded: the model, or it and the report of its loading.
    """
    model = loaded[0] if isinstance(loaded, tuple) else loaded
    if renaming:
        model._weight_conversions = [
            one for one in model._weight_conversions if not set(one.source_patterns) & set(renaming)
        ]


@contextmanager
def model_errors(name: str, expected: str = EXPECTED_CHECKPOINT) -> Iterator[None]:
    """Turn what transformers raises for a missing or broken checkpoint into a `ModelError`."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, StrictDataclassError) as error:
        if _OWN_CODE in str(error):
            raise make_own_code_error(name) from error
        raise ModelError(
            f"no usable checkpoint: {get_first_line(error)}", where=name, expected=expected
        ) from error


def make_own_code_error(name: str) -> ModelError:
    """What is said of a checkpoint that works with Python code of its own alone."""
    return ModelError(
        "it needs Python code of its own (auto_map in its files), which Headstart never runs",
        where=name,
        expected="a family that transformers itself has",
        fix="name another checkpoint, or one that was converted to such a family",
    )


def get_first_line(error: BaseException) -> str:
    """What an error of the library says, cut to a line; its class where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


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
