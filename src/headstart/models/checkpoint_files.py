"""Checks what lies in a checkpoint's folder before transformers is asked for its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from headstart.errors import ModelError
from headstart.files import find_file_fault
from headstart.json_text import parse_json
from headstart.models.adapter_limits import check_adapter_config
from headstart.models.config_limits import check_config, check_token_ids, check_tokenizer_config
from headstart.models.pretraining_folders import refuse_pretraining_folder
from headstart.models.strict_json import read_strict_json, refuse_irregular
from headstart.models.weight_files import WEIGHTS, is_pointer

ADAPTER_CONFIG: Final = "adapter_config.json"
#: Files larger than this are weights, which are looked at when they are loaded.
_SMALL: Final = 1000
#: How a path begins that is no hub id; parts that a hub id has at most.
_PATHS: Final = ("./", "../", "~", ".\\", "..\\")
_HUB_PARTS: Final = 2
_EXPECTED: Final = "a folder with config.json, weights and tokenizer, a hub id, or asset:minilm"
#: What transformers and PEFT open, whatever lies there: such a name must be a file's.
_TOKENIZER: Final = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model")
_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any], Path], None] | None]] = {
    "config.json": check_config,
    "tokenizer_config.json": check_tokenizer_config,
    "special_tokens_map.json": check_tokenizer_config,
    "generation_config.json": check_token_ids,
    "added_tokens.json": None,
    ADAPTER_CONFIG: check_adapter_config,
}
_NAMES: Final = frozenset({*WEIGHTS, *_TOKENIZER, *_CHECKS, "headstart.json", "chat_template.jinja"})
#: Ends of the names of files that decide what a checkpoint computes, which are read to tell it from others.
_DECIDING: Final = frozenset(
    {
        *(".json", ".txt", ".model", ".tiktoken", ".codes", ".spm", ".bpe", ".vocab", ".jinja"),
        *(".safetensors", ".bin"),
    }
)
#: Bytes of a tokenizer's file; the largest known have some 40 MB.
_LARGEST_TOKENIZER: Final = 500 << 20


def check_folder(location: str) -> None:
    """See that a folder is there, and that its files can be given to transformers; hub ids are passed over.

    No weights are read.

    Raises:
        ModelError: a path leads to no folder, or to a pretraining's; a file is a pipe, a device or a broken
            link; a configuration is none, or says what cannot be built; a file is a pointer of git-lfs, other
            than of weights, which a run with random weights does not need.
    """
    folder = Path(location)
    if not folder.is_dir():
        refuse_absent(location)
        _refuse_file(location)
        return
    refuse_pretraining_folder(folder)
    for file in _list_files(location, folder):
        _check_file(file)
    for name, check in _CHECKS.items():
        if (folder / name).is_file():
            values = read_strict_json(folder / name)
            if check is not None:
                check(values, folder / name)


def _list_files(location: str, folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise ModelError(
            f"no usable checkpoint: the folder cannot be read: {error.strerror}",
            where=location,
            expected=_EXPECTED,
        ) from error


def _check_file(file: Path) -> None:
    if file.name in _NAMES or (file.suffix in _DECIDING and not file.is_dir()):
        refuse_irregular(file)
    size = file.stat().st_size if file.is_file() else 0
    if 0 < size < _SMALL and file.suffix not in (".safetensors", ".bin") and is_pointer(file):
        raise ModelError(
            f"{file.name} is a Git LFS pointer, not the file itself",
            where=str(file.parent),
            fix="run `git lfs pull` there, or download the file",
        )
    if file.name in _TOKENIZER and size > _LARGEST_TOKENIZER:
        raise ModelError(
            f"{file.name} has {size:,} bytes",
            where=str(file.parent),
            expected=f"a tokenizer's file, of at most {_LARGEST_TOKENIZER:,} bytes",
        )


def refuse_absent(location: str) -> None:
    """Refuse what can only be a path, for no hub id looks so, where nothing is there.

    Raises:
        ModelError: nothing is there.
    """
    path = Path(location)
    is_path = path.is_absolute() or location.startswith(_PATHS) or len(path.parts) > _HUB_PARTS
    if is_path and not path.exists():
        raise ModelError(
            "no usable checkpoint: no such folder",
            where=location,
            expected=_EXPECTED,
        )


def _refuse_file(location: str) -> None:
    if Path(location).is_file():
        raise ModelError("no usable checkpoint: a file, not a folder", where=location, expected=_EXPECTED)


def refuse_adapter(name: str, location: str) -> None:
    """Refuse a folder that holds an adapter: a run starts from a whole model.

    Raises:
        ModelError: it does; names the adapter's base and how both become one model.
    """
    file = Path(location) / ADAPTER_CONFIG
    if not file.is_file():
        return
    base = read_adapter_config(file.parent).get("base_model_name_or_path") or "a base that it does not name"
    raise ModelError(
        f"an adapter of {base}, not a whole model",
        where=name,
        expected="a checkpoint with its own weights",
        fix=f"name {base} itself, or merge both first: headstart export {name} -o WHOLE",
    )


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """What PEFT notes of an adapter.

    Raises:
        ModelError: its file cannot be read.
    """
    return read_strict_json(folder / ADAPTER_CONFIG)


def read_json_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is none, which others refuse in their own words."""
    if find_file_fault(file) is not None:
        return {}
    try:
        value = parse_json(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def refuse_quantised(name: str, config: Any) -> None:
    """Refuse a checkpoint whose weights lie in fewer bits already: no run can train or measure these.

    Raises:
        ModelError: they do; says what to name in its place.
    """
    quantised = getattr(config, "quantization_config", None)
    if quantised is None:
        return
    values = quantised if isinstance(quantised, dict) else quantised.to_dict()
    method = values.get("quant_method", "an unnamed method")
    raise ModelError(
        f"its weights are already quantised ({getattr(method, 'value', method)})",
        where=name,
        expected="weights in float32, float16 or bfloat16",
        fix="use the original checkpoint; method: qlora quantises it to 4 bits itself",
    )
