"""Tells by what a saved model's folder can be used: transformers, `headstart export`, or Headstart alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from headstart.files import find_file_fault
from headstart.json_text import parse_json

#: Beside an adapter it names the weights of its base, so that transformers loads the folder as it stands.
INDEX_FILE: Final = "model.safetensors.index.json"
_ADAPTER_FILE: Final = "adapter_config.json"
#: PEFT's types that are a prompt, and no change of weights.
_PROMPTS: Final = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "ADAPTION_PROMPT", "CARTRIDGE")

#: `transformers` loads the folder; `export` makes one that it loads; `headstart` alone reads it.
ModelUse = Literal["transformers", "export", "headstart"]


def find_model_use(folder: Path) -> ModelUse:
    """What the saved model in `folder` can be used by, as its files tell."""
    adapter = _read_object(folder / _ADAPTER_FILE)
    if adapter is None:
        is_whole = any(folder.glob("model*.safetensors")) and not (folder / "probe.safetensors").is_file()
        return "transformers" if is_whole else "headstart"
    if (folder / INDEX_FILE).is_file():
        return "transformers"
    return "headstart" if adapter.get("peft_type") in _PROMPTS else "export"


def _read_object(file: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is none."""
    try:
        value = parse_json(file.read_bytes()) if file.is_file() and find_file_fault(file) is None else None
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
