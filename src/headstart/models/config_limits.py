"""Checks what a configuration says before transformers builds from it: kinds of values, counts, code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from headstart.errors import ModelError

#: What is built one by one, and its largest count: the library would build for hours and fill memory, even
#: where weights take none. The largest models known have some hundred layers, and some hundred experts each.
_COUNTS: Final = (
    (re.compile(r"(^|_)layers?$|(^|_)blocks?$|_hidden_groups$"), 4096),
    (re.compile(r"(^|_)experts$"), 8192),
    (re.compile(r"(^|_)heads?$"), 65536),
    (re.compile(r"^num_labels$"), 1_000_000),
    # No table has more rows or columns: an index of one would need another format.
    (re.compile(r"(^|_)(size|dim|embeddings|positions|length)$|^d_model$|^n_embd$"), 2**31 - 1),
)
#: Keys of numbers that must be one or more, under all the names that families have for them.
_POSITIVE: Final = frozenset(
    {
        *("hidden_size", "d_model", "n_embd", "dim", "embedding_size", "vocab_size"),
        *("num_attention_heads", "n_head", "n_heads", "num_heads", "num_key_value_heads"),
        *("max_position_embeddings", "n_positions"),
    }
)
#: Layers times experts.
_MOST_EXPERTS: Final = 200_000
#: How layers compute: names of the library's own, or of code that it would fetch from the hub.
_KERNELS: Final = re.compile(r"^_?(attn|experts)_implementation(_internal)?$|^kernel_config$|^use_kernels$")
_FORMATS: Final = ("dtype", "torch_dtype")
#: torch's names, which are known without it: `init` reads configurations too, and starts without torch.
_NUMBERS: Final = re.compile(
    r"(torch\.)?(b?float(16|32|64)|float(8_\w+|4_\w+)?|half|double|u?int(8|16|32|64))|auto"
)
_TOKENS: Final = ("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id")


def check_config(config: Mapping[str, Any], file: Path) -> None:
    """See that transformers can be asked for what a `config.json` says, parts within parts included.

    Raises:
        ModelError: a value is of another kind than any family's, larger than what can be built, or names
            code that is not the library's; names file and key.
    """
    for path, part in _list_parts(config, ""):
        for key, value in part.items():
            _check_value(key, value, f"{path}{key}", file)
        _check_experts(part, file)
    _check_names(config, file)


def _list_parts(config: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The configuration, and those of its parts, with how their keys are written."""
    yield path, config
    for key, value in config.items():
        if isinstance(value, dict) and key.endswith("config"):
            yield from _list_parts(value, f"{path}{key}.")


def _check_value(key: str, value: Any, name: str, file: Path) -> None:
    if _KERNELS.match(key):
        _refuse_kernels(value, name, file)
    if key in _FORMATS:
        _check_format(value, name, file)
    if key in _TOKENS:
        _check_token(value, name, file)
    if isinstance(value, int) and not isinstance(value, bool):
        _check_number(key, value, name, file)


def _check_number(key: str, value: int, name: str, file: Path) -> None:
    if key in _POSITIVE and value < 1:
        raise _make_error(file, f"{name} is {value}", "1 or more")
    most = next((most for pattern, most in _COUNTS if pattern.search(key)), None)
    if most is not None and value > most:
        raise _make_error(file, f"{name} is {value:,}", f"at most {most:,}")


def _check_experts(part: Mapping[str, Any], file: Path) -> None:
    counts = {key: value for key, value in part.items() if isinstance(value, int)}
    layers = [(k, v) for k, v in counts.items() if _COUNTS[0][0].search(k)]
    experts = [(k, v) for k, v in counts.items() if _COUNTS[1][0].search(k)]
    for (key, count), (other, each) in ((a, b) for a in layers for b in experts):
        if count * each > _MOST_EXPERTS:
            got = f"{key} {count:,} times {other} {each:,} is {count * each:,}"
            raise _make_error(file, got, f"at most {_MOST_EXPERTS:,}")


def _check_format(value: Any, name: str, file: Path) -> None:
    is_known = value is None or _NUMBERS.fullmatch(str(value))
    if not isinstance(value, dict) and not is_known:
        raise _make_error(file, f"{name} is {value!r}", "a number format of torch, such as float32")


def _check_token(value: Any, name: str, file: Path) -> None:
    ids = value if isinstance(value, list) and name.endswith("eos_token_id") else [value]
    if not all(one is None or (isinstance(one, int) and not isinstance(one, bool)) for one in ids):
        raise _make_error(file, f"{name} is {str(value)[:80]!r}", "a whole number, or null")


def _refuse_kernels(value: Any, name: str, file: Path) -> None:
    """A name with a slash is a repository of the hub: its code would be fetched and run."""
    names = list(value.values()) if isinstance(value, dict) else [value]
    foreign = [one for one in names if one is True or isinstance(one, dict) or "/" in str(one)]
    if foreign:
        raise ModelError(
            f"{name} is {str(foreign[0])[:80]!r}: code from the hub, which Headstart never runs",
            where=str(file),
            expected="eager or sdpa",
            fix="remove the key",
        )


def _check_names(config: Mapping[str, Any], file: Path) -> None:
    kinds: tuple[tuple[str, type, str], ...] = (
        ("model_type", str, "the name of a family"),
        ("architectures", list, "a list of names"),
        ("id2label", dict, "an object of names by number"),
        ("label2id", dict, "an object of numbers by name"),
        ("auto_map", dict, "an object of names"),
    )
    for key, kind, expected in kinds:
        value = config.get(key)
        if value is not None and not isinstance(value, kind):
            raise _make_error(file, f"{key} is {str(value)[:80]!r}", expected)
    if not all(isinstance(name, str) for name in config.get("architectures") or ()):
        raise _make_error(file, "architectures contains something other than text", "a list of names")
    if not all(isinstance(name, str | int | float) for name in (config.get("id2label") or {}).values()):
        raise _make_error(file, "id2label contains something other than a name", "a name for each class")


def check_tokenizer_config(config: Mapping[str, Any], file: Path) -> None:
    """See that a `tokenizer_config.json` or `special_tokens_map.json` says what transformers can read.

    Raises:
        ModelError: a value is of another kind; names file and key.
    """
    limit = config.get("model_max_length")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float)):
        raise _make_error(file, f"model_max_length is {str(limit)[:80]!r}", "a number of tokens")
    for key, value in config.items():
        if key.endswith("_token") and not key.startswith(("add_", "use_")):
            _check_special(key, value, file)
    template = config.get("chat_template")
    if template is not None and not isinstance(template, str | list | dict):
        raise _make_error(file, f"chat_template is {template!r}", "a template, or a list of them by name")


def _check_special(key: str, value: Any, file: Path) -> None:
    content = value.get("content") if isinstance(value, dict) else value
    if content is not None and not isinstance(content, str | bool):
        raise _make_error(file, f"{key} is {str(value)[:80]!r}", "a token's text")


def check_token_ids(config: Mapping[str, Any], file: Path) -> None:
    """See that a `generation_config.json` names tokens by whole numbers.

    Raises:
        ModelError: it does not; names file and key.
    """
    for key in _TOKENS:
        _check_token(config.get(key), key, file)


def _make_error(file: Path, got: str, expected: str) -> ModelError:
    return ModelError(got, where=str(file), expected=expected, fix=f"correct {file.name}")
