"""Checks what lies in a checkpoint's folder before transformers is asked for its configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from headstart.errors import ModelError
from headstart.models.weight_files import is_pointer

ADAPTER_CONFIG: Final = "adapter_config.json"
#: Files larger than this are weights, which are looked at when they are loaded.
_SMALL: Final = 1000
#: How a path begins that is no hub id; parts that a hub id has at most.
_PATHS: Final = ("./", "../", "~", ".\\", "..\\")
_HUB_PARTS: Final = 2
_EXPECTED: Final = "a folder with config.json, weights and tokenizer, a hub id, or asset:minilm"


def check_folder(location: str) -> None:
    """See that a folder is there, and that no file of it is a pointer of git-lfs; hub ids are passed over.

    Raises:
        ModelError: a path leads to no folder; or a file is a pointer, other than of weights, which a run with
            random weights does not need.
    """
    folder = Path(location)
    if not folder.is_dir():
        refuse_absent(location)
        _refuse_file(location)
        return
    for file in sorted(folder.iterdir()):
        is_small = file.is_file() and file.stat().st_size < _SMALL
        if is_small and file.suffix not in (".safetensors", ".bin") and is_pointer(file):
            raise ModelError(
                f"{file.name} is a pointer of git-lfs, not the file itself",
                where=location,
                fix="run `git lfs pull` there, or download the file",
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
        fix=f"name {base} itself, or merge both first: headstart export --merge {name} -o WHOLE",
    )


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """What PEFT notes of an adapter.

    Raises:
        ModelError: its file cannot be read.
    """
    try:
        return dict(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{ADAPTER_CONFIG} cannot be read", where=str(folder), expected="PEFT's file"
        ) from error


def read_json_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is none, which others refuse in their own words."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
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
        f"its weights are quantised already ({getattr(method, 'value', method)})",
        where=name,
        expected="weights in float32, float16 or bfloat16",
        fix="name the checkpoint that was quantised; method: qlora puts it into four bits itself",
    )
