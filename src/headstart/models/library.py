"""Asks transformers for configurations, tokenizers and networks; never runs a checkpoint's own code."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoTokenizer, dynamic_module_utils
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from headstart.errors import HeadstartError, ModelError
from headstart.files import find_file_fault
from headstart.models.config_limits import check_config
from headstart.models.strict_json import read_strict_json
from headstart.models.weight_files import check_weights, find_weight_files, unpickling_errors
from headstart.models.weight_names import find_renaming
from headstart.models.word_folders import refuse_words
from headstart.os_faults import explain_system_error, is_of_the_machine

EXPECTED_CHECKPOINT = (
    "a folder with config.json, weights and tokenizer, a hub id that can be reached, or asset:minilm"
)
#: What transformers and its libraries raise for files and configurations that are not as they expect: hardly
#: any of it is checked there, so that a wrong value ends wherever it is used first.
_NAMED_ERRORS: Final = (
    *(OSError, ValueError, LookupError, ImportError, StrictDataclassError, AttributeError, TypeError),
    *(AssertionError, ArithmeticError, RuntimeError, MemoryError, EOFError),
)
LIBRARY_ERRORS: Final = (*_NAMED_ERRORS, Exception)
#: In what transformers says of a checkpoint whose own code it would have to run.
_OWN_CODE = "trust_remote_code"


#: Attention that needs 16 bits and a package of its own; where that is absent, the library would fetch code.
_FLASH: Final = "flash"


def read_config(location: str, **changes: Any) -> Any:
    """The configuration of a folder, a `config.json` or a hub id, with `changes`.

    Raises:
        ModelError: what it says cannot be built.
    """
    file = _find_config_file(location)
    if file is not None:
        check_config(read_strict_json(file), file)
    # False, not None: with None the library asks on the terminal, and waits.
    config = AutoConfig.from_pretrained(location, trust_remote_code=False, **changes)
    if _FLASH in str(getattr(config, "_attn_implementation", "")):
        config._attn_implementation = None
    return config


def _find_config_file(location: str) -> Path | None:
    """The file that holds a configuration; None where none is there, which the library says."""
    path = Path(location)
    if path.is_dir():
        refuse_words(path)
        if find_file_fault(path / "config.json") is None and not (path / "config.json").is_file():
            raise ModelError(
                "no usable checkpoint: no config.json", where=location, expected=EXPECTED_CHECKPOINT
            )
        return path / "config.json"
    return path if path.exists() else _find_hub_config(location)


@cache
def _find_hub_config(location: str) -> Path | None:
    found = cached_file(location, "config.json", _raise_exceptions_for_missing_entries=False)
    return None if found is None else Path(found)


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
    if folder.is_dir():
        check_weights(folder)
        settings["key_mapping"] = find_renaming(folder, settings.get("config")) or None
    try:
        loaded = auto_class.from_pretrained(location, trust_remote_code=False, **settings)
    except (UnpicklingError, EOFError):
        with unpickling_errors(_find_pickle(folder)):
            raise
    _forget_renaming(loaded, settings.get("key_mapping") or {})
    return loaded


def _find_pickle(folder: Path) -> Path:
    """The first file of weights of a folder; what one of a hub id is called."""
    return next(iter(find_weight_files(folder)), folder / "pytorch_model.bin")


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
def model_errors(
    name: str, expected: str = EXPECTED_CHECKPOINT, what: str = "no usable checkpoint"
) -> Iterator[None]:
    """Turn what transformers raises for a missing or broken checkpoint into a `ModelError`."""
    try:
        yield
    except LIBRARY_ERRORS as error:
        refuse_own_error(error)
        if _OWN_CODE in str(error):
            raise make_own_code_error(name) from error
        raise ModelError(f"{what}: {get_first_line(error)}", where=name, expected=expected) from error


def refuse_own_error(error: BaseException) -> None:
    """Raise again what is no fault of a checkpoint: a `HeadstartError`, a fault of the machine, such as too
    many threads, or a kind that no library raises.

    tokenizers raises plain `Exception`, of which everything else is a kind.
    """
    if isinstance(error, HeadstartError) or not (
        type(error) is Exception or isinstance(error, _NAMED_ERRORS)
    ):
        raise error
    # What asks for too much memory may itself be damaged.
    if is_of_the_machine(error) and not isinstance(error, MemoryError):
        raise explain_system_error(error) from error


@contextmanager
def never_ask() -> Iterator[None]:
    """Refuse a checkpoint's own code where another library asks for it, and passes no `trust_remote_code`.

    PEFT reads the tokenizer of a prompt's first words so; transformers would ask on the terminal.
    """
    before = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    try:
        yield
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = before


def make_own_code_error(name: str) -> ModelError:
    """What is said of a checkpoint that works with Python code of its own alone."""
    return ModelError(
        "it needs Python code of its own (auto_map in its files), which Headstart never runs",
        where=name,
        expected="a family that transformers itself has",
        fix="name another checkpoint, or one that was converted to such a family",
    )


def get_first_line(error: BaseException) -> str:
    """What an error of the library says, cut to a line, or two where the first ends with a colon."""
    if isinstance(error, KeyError):  # of one that the library looks up by a name of the checkpoint's
        return f"{error} is not known"
    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


@contextmanager
def silence_logs() -> Iterator[None]:
    """Silence the logs and progress bars of transformers inside the block."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    # Each new level clears what all loggers remember: none is set where a block around this one has set it.
    loggers = [logger for logger in loggers if logger.level != logging.ERROR]
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
