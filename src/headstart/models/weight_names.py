"""Finds by which names a folder's weights are read, where a wrapper or a tied table has changed them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from safetensors import safe_open
from transformers import PreTrainedModel

from headstart.models.weight_files import find_weight_files, unpickling_errors

#: What torch.compile puts before the names of what it wraps, wherever that is.
_COMPILED: Final = "_orig_mod."
#: What DistributedDataParallel and DataParallel put before all names.
_PARALLEL: Final = "module."
#: Ends of the names that language-model heads give their table of tokens.
_TABLE_ENDS: Final = ("head.weight", "decoder.weight", "projector.weight", "embed_out.weight")


def find_renaming(folder: Path, config: Any = None) -> dict[str, str]:
    """The library's `key_mapping` for the weights in `folder`: patterns of names, and what stands for them.

    Args:
        config: the model's configuration, by which a head's table is known as that of the tokens too.
    """
    names = list_weight_names(folder)
    renaming = _find_wrappers(names)
    if config is not None:
        renaming |= _find_tied_table({unwrap_name(name) for name in names}, config)
    return renaming


def list_weight_names(folder: Path) -> frozenset[str]:
    """The names of all weights in a folder's files, which are whole."""
    return frozenset(name for file in find_weight_files(folder) for name in read_weight_shapes(file))


def read_weight_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights in one file, by name; nothing is loaded."""
    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt") as stream:
            return {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118
    if not zipfile.is_zipfile(file):  # of an age when nothing wrapped a model
        return {}
    with unpickling_errors(file):
        values = torch.load(file, map_location="meta", mmap=True, weights_only=True)
    tensors = values if isinstance(values, Mapping) else {}
    return {str(name): tuple(value.shape) for name, value in tensors.items() if torch.is_tensor(value)}


def _find_wrappers(names: Collection[str]) -> dict[str, str]:
    renaming = {}
    if any(_COMPILED in name for name in names):
        renaming[re.escape(_COMPILED)] = ""
    if _is_parallel(names):
        renaming[f"^{re.escape(_PARALLEL)}"] = ""
    return renaming


def _is_parallel(names: Collection[str]) -> bool:
    """Whether every name has the prefix: then it is a wrapper's, and no part of a model."""
    return bool(names) and all(name.replace(_COMPILED, "").startswith(_PARALLEL) for name in names)


def unwrap_name(name: str) -> str:
    """A weight's name without what wrappers put into it."""
    return name.replace(_COMPILED, "").removeprefix(_PARALLEL)


def _find_tied_table(names: Collection[str], config: Any) -> dict[str, str]:
    """From the head's name to the embedding's, where they are one table, saved by the head's alone."""
    heads = [name for name in names if name.endswith(_TABLE_ENDS)]
    tied = _list_tied_names(config) if heads else {}
    return {
        f"^{re.escape(head)}$": tied[head]
        for head in heads
        # Bodies saved by themselves have names without the first part.
        if head in tied and not any(f".{tied[head]}".endswith(f".{name}") for name in names)
    }


def _list_tied_names(config: Any) -> dict[str, str]:
    """By the names that are left out, those that are saved, of the network that was saved."""
    made = getattr(transformers, (getattr(config, "architectures", None) or ("",))[0], None)
    # A folder may name anything that transformers has: only a model is called.
    if not (isinstance(made, type) and issubclass(made, PreTrainedModel)):
        return {}
    if not getattr(config, "tie_word_embeddings", False):
        return {}
    with torch.device("meta"):
        return dict(made(config).all_tied_weights_keys)
