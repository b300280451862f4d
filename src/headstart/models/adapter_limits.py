"""Checks what a configuration of PEFT's asks for, before PEFT takes memory for it or imports code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from headstart.errors import ModelError

#: Sizes of what an adapter adds: PEFT makes it in memory before anything is compared. Wider than any layer.
_SIZES: Final = frozenset(
    {
        *("r", "rank", "init_r", "target_r", "num_virtual_tokens", "encoder_hidden_size", "token_dim"),
        *("num_layers", "adapter_len", "adapter_layers", "num_transformer_submodules", "oft_block_size"),
        *("boft_block_size", "boft_n_butterfly_factor", "block_size", "rank_ratio", "n_frequency_bands"),
    }
)
_MOST: Final = 65_536
#: Parts of layers by rank; layers to be copied, as pairs of numbers.
_PATTERNS: Final = ("rank_pattern", "alpha_pattern")
_MOST_LAYERS: Final = 4096
#: Names of modules that PEFT would import.
_IMPORTS: Final = ("megatron_config",)


def check_adapter_config(config: Mapping[str, Any], file: Path) -> None:
    """See that an `adapter_config.json` can be given to PEFT.

    Raises:
        ModelError: it cannot; names file and key.
    """
    for got, expected in list_faults(config):
        raise ModelError(got, where=str(file), expected=expected, fix=f"correct {file.name}")


def list_faults(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What in a configuration of PEFT's cannot be done, and what is expected in its place."""
    sizes = {key: value for key, value in config.items() if key in _SIZES}
    for name in _PATTERNS:
        pattern = config.get(name)
        sizes |= {f"{name}.{key}": v for key, v in pattern.items()} if isinstance(pattern, Mapping) else {}
    for key, value in sizes.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{key} is {str(value)[:80]!r}", "a number"
        elif not value <= _MOST:
            yield f"{key} is {value:,}", f"at most {_MOST:,}"
    for key in _IMPORTS:
        if config.get(key) is not None:
            yield f"{key} makes PEFT import a package that it names, which is not supported", f"no {key}"
    yield from _check_copies(config.get("layer_replication"))


def _check_copies(pairs: Any) -> Iterator[tuple[str, str]]:
    if pairs is None:
        return
    are_pairs = isinstance(pairs, list | tuple) and all(_is_pair(pair) for pair in pairs)
    if not are_pairs or sum(end - start for start, end in pairs) > _MOST_LAYERS:
        yield (
            f"layer_replication is {str(pairs)[:80]}",
            f"pairs of numbers, of {_MOST_LAYERS:,} layers at most",
        )


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(end, int) for end in pair)
