"""Reads an adapter's folder, ours or somebody's: where its base is, its outputs, its rows of tokens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from headstart.data.assets import fetch_model, is_asset
from headstart.errors import ModelError
from headstart.models.checkpoint_files import ADAPTER_CONFIG, check_folder, read_adapter_config
from headstart.models.library import model_errors, read_config, silence_logs
from headstart.models.weight_files import check_weight_file
from headstart.models.weight_names import read_weight_shapes
from headstart.os_faults import check_lookup

_ADAPTER_WEIGHTS: Final = ("adapter_model.safetensors", "adapter_model.bin")
#: Of a folder with a tokenizer one of them is there.
_TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
#: What PEFT puts into the names of weights that it saves whole.
_WRAPPERS: Final = re.compile(r"\.(modules_to_save|base_layer|token_adapter|default)(?=\.)")
_PREFIX: Final = re.compile(r"^base_model\.(model\.)?")
#: What the library's families call the last layer of a classifier.
_HEADS: Final = re.compile(r"(^|\.)(classifier|score|out_proj|summary|logits_proj)\.weight$")


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter and not a whole model."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_base_name(folder: Path) -> str:
    """The base that PEFT notes of an adapter: a folder or a hub id.

    Raises:
        ModelError: it notes none.
    """
    base = read_adapter_config(folder).get("base_model_name_or_path")
    if not base or not isinstance(base, str):
        raise ModelError(f"{ADAPTER_CONFIG} names no base model", where=str(folder), expected="PEFT's file")
    return str(base)


def find_config_source(location: str) -> str:
    """Where a saved model's configuration lies: beside it, or with the base of an adapter that has none.

    Raises:
        ModelError: a file of the folder, or of the base, cannot be given to transformers.
    """
    check_folder(location)
    folder = Path(location)
    return location if (folder / "config.json").is_file() or not is_adapter(folder) else _find_base(folder)


def find_tokenizer_source(location: str) -> str:
    """Where a saved model's tokenizer lies: beside it, or with the base of an adapter that has none."""
    folder = Path(location)
    has_own = any((folder / name).is_file() for name in _TOKENIZER_FILES)
    return location if has_own or not is_adapter(folder) else _find_base(folder)


def _find_base(folder: Path) -> str:
    base = read_base_name(folder)
    check_lookup(base)
    if is_adapter(Path(base)):
        raise ModelError(
            f"its base {base} is an adapter too",
            where=str(folder),
            expected="an adapter of a whole model",
            fix="merge the base first: merge_and_unload of PEFT",
        )
    if is_asset(base):
        return str(fetch_model(base))
    if (Path(base).is_absolute() or base.startswith(".")) and not Path(base).is_dir():
        raise make_base_error(f"its base {base} is missing", folder)
    check_folder(base)
    return base


def make_base_error(what: str, folder: Path) -> ModelError:
    """What is said of an adapter that has no base, or one that cannot be used."""
    return ModelError(
        what,
        where=str(folder),
        expected="the checkpoint that the adapter was trained on",
        fix=f"put it back, or name it as base_model_name_or_path in {ADAPTER_CONFIG}",
    )


def name_source(name: str, location: str, source: str) -> str:
    """What a message calls the folder or hub id in which a saved model's configuration lies."""
    return name if source == location else f"{source}, the base of {name}"


def read_saved_config(location: str, name: str) -> Any:
    """The configuration of a saved model; of an adapter without one its base's, with the head's outputs.

    Raises:
        ModelError: none can be read.
    """
    source = find_config_source(location)
    outputs = None if source == location else _count_outputs(Path(location))
    with model_errors(name_source(name, location, source)), silence_logs():
        config = read_config(source)
        if outputs is None or outputs == config.num_labels:
            return config
        return read_config(source, num_labels=outputs)


def read_adapter_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of what an adapter saved, by the names that a model before it is adapted has for it.

    Raises:
        ModelError: its file is absent, cut, or a pointer.
    """
    file = next((folder / name for name in _ADAPTER_WEIGHTS if (folder / name).is_file()), None)
    if file is None:
        raise ModelError(
            "the adapter's weights are missing", where=str(folder), expected=" or ".join(_ADAPTER_WEIGHTS)
        )
    check_weight_file(file)
    shapes = read_weight_shapes(file)
    return {strip_peft_name(name): shape for name, shape in shapes.items() if ".original_module." not in name}


def strip_peft_name(name: str) -> str:
    """What PEFT calls a weight, as a model before it is adapted does, or would."""
    return _WRAPPERS.sub("", _PREFIX.sub("", name))


def _count_outputs(folder: Path) -> int | None:
    """Outputs of the classifier that an adapter saved; None where it saved none."""
    shapes = read_adapter_shapes(folder)
    return next((shape[0] for name, shape in shapes.items() if _HEADS.search(name) and shape), None)


def find_saved_rows(location: str, table: str | None) -> int | None:
    """Rows of the embedding that an adapter saved whole; None where it leaves that of its base.

    Args:
        table: what the model calls it, where its family says so.
    """
    if table is None or not is_adapter(Path(location)):
        return None
    shape = read_adapter_shapes(Path(location)).get(f"{table}.weight")
    return shape[0] if shape else None
