"""Names a base's own weights beside an adapter, so that transformers loads both by one path.

Beside a `config.json`, which has the names of the labels, transformers takes an adapter for one in the folder
of a whole model: it wants weights there, and never asks where the base is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from headstart.files import write_text
from headstart.models.adapter_folders import read_adapter_shapes
from headstart.models.checkpoint_files import read_adapter_config
from headstart.models.hub import find_cached_folder
from headstart.models.weight_files import find_weight_files
from headstart.models.weight_names import read_weight_shapes
from headstart.store.model_use import INDEX_FILE

#: What transformers gives an adapter's layers of what is saved. It drops others, DoRA's magnitudes say, and
#: the model computes something else.
_LOADED: Final = re.compile(r"\.(lora_[AB]\.weight|lora_embedding_[AB]|ia3_l)$")
_TYPES: Final = ("LORA", "IA3")


def write_base_index(folder: Path, location: str) -> None:
    """Name the weights of the base at `location` in an adapter's folder, where transformers can use them.

    It cannot where the adapter holds more than it loads; a base in pickles is left out too.
    """
    base = Path(location) if Path(location).is_dir() else find_cached_folder(location)
    files = find_weight_files(base) if base is not None else ()
    is_safe = bool(files) and all(file.suffix == ".safetensors" and file.is_file() for file in files)
    if not is_safe or not _is_loaded_whole(folder):
        return
    shapes = {file: read_weight_shapes(file) for file in files}
    if _has_other_head(folder, shapes.values()):
        return
    names = {name: str(file.absolute()) for file, of_file in shapes.items() for name in of_file}
    size = sum(file.stat().st_size for file in files)
    index = {"metadata": {"total_size": size}, "weight_map": names}
    write_text(folder / INDEX_FILE, json.dumps(index, indent=1) + "\n")


def _has_other_head(folder: Path, shapes: Iterable[Mapping[str, tuple[int, ...]]]) -> bool:
    """Whether the base has weights of a size that the adapter replaced, as a head of fewer classes."""
    saved = read_adapter_shapes(folder)
    return any(saved.get(name, shape) != shape for of_file in shapes for name, shape in of_file.items())


def _is_loaded_whole(folder: Path) -> bool:
    """Whether transformers gives all that the adapter in `folder` saved to the layers that it makes of it."""
    config = read_adapter_config(folder)
    modules = tuple(f"{name}." for name in config.get("modules_to_save") or ())
    names = read_adapter_shapes(folder)
    return config.get("peft_type") in _TYPES and all(
        _LOADED.search(name) or name.startswith(modules) for name in names
    )
