"""Loads adapters that PEFT or Headstart saved, on their base; refuses what would leave weights to chance."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import torch

from headstart.config.traits import TaskName
from headstart.errors import ModelError
from headstart.methods.four_bits import quantise_model
from headstart.methods.lora_layers import import_peft
from headstart.methods.peft_format import silence_warnings
from headstart.models.adapter_folders import (
    make_base_error,
    read_adapter_shapes,
    read_base_name,
    strip_peft_name,
)
from headstart.models.checkpoint_files import (
    ADAPTER_CONFIG,
    check_folder,
    read_adapter_config,
    refuse_adapter,
)
from headstart.models.checkpoints import build_skeleton, get_auto_class, resolve_location
from headstart.models.initialise import check_complete, check_finite, list_missing_keys, list_uncounted
from headstart.models.library import (
    LIBRARY_ERRORS,
    get_first_line,
    load_network,
    model_errors,
    read_config,
    refuse_own_error,
    silence_logs,
)
from headstart.models.size_checks import check_memory, check_saved_sizes
from headstart.models.vocabulary import find_embedding_path


def load_adapter(
    folder: Path,
    config: Any = None,
    base: str | None = None,
    task: TaskName = "classification",
    four_bits: torch.dtype | None = None,
) -> Any:
    """The model of an adapter's folder: its base, found where it says, with adapter and head.

    Args:
        config: the configuration that the model is to have; the folder's by default.
        base: name of the base checkpoint, where it is to be found elsewhere.
        four_bits: put the base into four bits, with products in this format.

    Raises:
        ModelError: the base is not there, or is another one.
    """
    location = resolve_location(base or read_base_name(folder))
    _check_type(folder)
    _check_base(location, folder)
    try:
        with silence_warnings(), torch.random.fork_rng(devices=[]):
            plain = _load_base(location, config or read_config(str(folder)), task, folder)
        if four_bits is not None:
            quantise_model(plain, plain.device, four_bits)
        model = attach_adapter(plain, folder)
    except LIBRARY_ERRORS as error:
        refuse_own_error(error)
        what = f"its base model {location} cannot be used: {get_first_line(error)}"
        raise make_base_error(what, folder) from error
    _check_layers(model, folder)
    check_finite(model, str(folder))
    return model


def _check_base(location: str, folder: Path) -> None:
    """See that the base's files can be given to transformers, and that it is a whole model."""
    try:
        check_folder(location)
        refuse_adapter(location, location)
        with model_errors(location), silence_logs():
            read_config(location)
    except ModelError as error:
        raise make_base_error(f"its base model {location} cannot be used: {error.got}", folder) from error


def _check_type(folder: Path) -> None:
    kind = read_adapter_config(folder).get("peft_type")
    library = import_peft()
    if not isinstance(kind, str) or kind not in library.PEFT_TYPE_TO_CONFIG_MAPPING:
        raise ModelError(
            f"PEFT {library.__version__} does not support its type {kind!r}",
            where=f"{folder}/{ADAPTER_CONFIG}",
            fix="pip install -U peft, if a later version supports it",
        )


def _check_layers(model: Any, folder: Path) -> None:
    """See that the base has every layer that the adapter changes: PEFT drops the others unsaid."""
    extra = list_uncounted(read_adapter_shapes(folder), list(map(strip_peft_name, model.state_dict())))
    if extra:
        raise ModelError(
            f"it changes layers that its base does not have, such as {extra[0]}",
            where=str(folder),
            expected="the checkpoint that the adapter was trained on",
            fix=f"name that as base_model_name_or_path in {ADAPTER_CONFIG}",
        )


def _load_base(location: str, config: Any, task: TaskName, folder: Path) -> Any:
    """The base in `location`, with as many rows of tokens as the adapter in `folder` saved.

    Raises:
        ModelError: something is in neither, and would be at random.
    """
    saved = read_adapter_shapes(folder)
    settings = {"dtype": torch.float32, "ignore_mismatched_sizes": True, "output_loading_info": True}
    own_rows = read_config(location).get_text_config().vocab_size
    config = copy.deepcopy(config)
    config.get_text_config().vocab_size = own_rows
    skeleton = build_skeleton(config, str(folder), task)
    check_memory(skeleton, str(folder))
    check_saved_sizes(skeleton, location, location)
    plain, report = load_network(get_auto_class(task), location, config=config, **settings)
    missing = list_missing_keys(report)
    rows = saved.get(f"{find_embedding_path(plain)}.weight", (own_rows,))[0]
    if rows != own_rows:
        missing |= _resize_tables(plain, rows)
    check_complete(plain, {name for name in missing if name not in saved}, str(folder))
    return plain


def _resize_tables(model: Any, rows: int) -> set[str]:
    """Give the model's tables so many rows, in place; names those whose new rows nothing has decided yet."""
    before = {name: value.shape for name, value in model.state_dict().items()}
    model.resize_token_embeddings(rows, mean_resizing=False)
    changed = {name for name, value in model.state_dict().items() if value.shape != before[name]}
    return changed - set(model.all_tied_weights_keys)


def attach_adapter(base: Any, folder: Path) -> Any:
    """`base` with the adapter and the head that lie in `folder`, in evaluation mode.

    Raises:
        ModelError: the adapter has no weights for some of the layers that it says it changes.
    """
    with (
        warnings.catch_warnings(record=True) as told,
        silence_logs(),
        torch.random.fork_rng(devices=[]),
    ):
        warnings.simplefilter("always")
        model = import_peft().PeftModel.from_pretrained(base, folder).eval()
    absent = [str(one.message) for one in told if "missing adapter keys" in str(one.message)]
    if absent:
        raise ModelError(
            f"its weights do not fit its base: {absent[0][:200]}",
            where=str(folder),
            expected="weights for every layer that the adapter changes",
            fix=f"see which base it was trained on, and name that in {ADAPTER_CONFIG}",
        )
    return model
