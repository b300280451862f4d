"""Accounts for every key of a fairseq checkpoint's weights: renamed, split, dropped or refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from headstart.errors import ModelError
from headstart.models.fairseq.pickle_values import TensorRef
from headstart.wording import format_count, format_names

_BODY: Final = "encoder.sentence_encoder."
_LM_HEAD: Final = "encoder.lm_head."
_HEADS: Final = "classification_heads."
#: Names of earlier versions of fairseq (`upgrade_state_dict_named` of its modules), and what they are now.
_RENAMED: Final = (
    (re.compile(r"^decoder\."), "encoder."),
    (re.compile(r"\.emb_layer_norm\."), ".layernorm_embedding."),
    (re.compile(r"(\.layers\.\d+)\.layer_norms\.0\."), r"\1.self_attn_layer_norm."),
    (re.compile(r"(\.layers\.\d+)\.layer_norms\.1\."), r"\1.final_layer_norm."),
)
#: Buffers that hold nothing of what was learnt.
_DROPPED: Final = re.compile(r"(^|\.)(version|_float_tensor)$")
_FUSED: Final = re.compile(r"^(.*\.self_attn\.)in_proj_(weight|bias)$")
_KNOWN_BODY: Final = re.compile(
    r"embed_(tokens|positions)\.weight|(layernorm_embedding|layer_norm)\.(weight|bias)"
    r"|layers\.\d{1,4}\.(self_attn\.(q|k|v|out)_proj|fc1|fc2|self_attn_layer_norm|final_layer_norm)\.(weight|bias)"
)
_KNOWN_LM_HEAD: Final = re.compile(r"weight|bias|(dense|layer_norm)\.(weight|bias)")
#: Keys of networks that transformers' RoBERTa is not, and what these are called.
_OTHERS: Final = (
    (re.compile(r"\.self_attn\.bias_[kv]$"), "biases for keys and values (add_bias_kv)"),
    (re.compile(r"\.quant_noise\.|\.weight_fake_quant|\.activation_post_process"), "quant noise"),
    (re.compile(r"\.segment_embeddings\."), "embeddings of segments"),
    (re.compile(r"_ema$|\.regression_head\."), "heads of data2vec"),
)


@dataclass(frozen=True)
class FairseqKeys:
    """The tensors of a checkpoint by the names of fairseq 0.12, without the prefix of their part.

    `heads` are by their own names; `version` is the buffer of that name; `dropped` are keys of the file.
    """

    body: Mapping[str, TensorRef]
    lm_head: Mapping[str, TensorRef]
    heads: Mapping[str, Mapping[str, TensorRef]]
    version: TensorRef | None
    dropped: tuple[str, ...]

    @property
    def layers(self) -> int:
        """Layers that have weights, numbered from 0 on."""
        return len({name.split(".")[1] for name in self.body if name.startswith("layers.")})


def read_keys(model: Any, where: str) -> FairseqKeys:
    """The weights in a checkpoint's `model`.

    Raises:
        ModelError: something in it is no tensor, is there under two names, or is none of a RoBERTa's weights.
    """
    if not isinstance(model, dict) or not model:
        raise ModelError(
            "no weights: model is not in it", where=where, expected="a checkpoint of fairseq's own"
        )
    wrong = [
        key for key, value in model.items() if not isinstance(key, str) or not isinstance(value, TensorRef)
    ]
    if wrong:
        raise ModelError(f"model holds something other than tensors: {ascii(wrong[0])[:80]}", where=where)
    dropped = tuple(key for key in model if _DROPPED.search(key))
    names = _split_fused(
        _rename({key: value for key, value in model.items() if key not in dropped}, where), where
    )
    version = next((model[key] for key in dropped if key.endswith("sentence_encoder.version")), None)
    keys = FairseqKeys(_take(names, _BODY), _take(names, _LM_HEAD), _take_heads(names), version, dropped)
    _refuse_unknown(names, keys, where)
    return keys


def _rename(model: Mapping[str, TensorRef], where: str) -> dict[str, TensorRef]:
    renamed: dict[str, TensorRef] = {}
    for key, value in model.items():
        name = key
        for pattern, new in _RENAMED:
            name = pattern.sub(new, name)
        if name in renamed:
            raise ModelError(f"{_show(name)} is there under two names", where=where)
        renamed[name] = value
    return renamed


def _split_fused(model: Mapping[str, TensorRef], where: str) -> dict[str, TensorRef]:
    """Queries, keys and values of their own, which lay one below the other in one table."""
    split: dict[str, TensorRef] = {}
    for name, value in model.items():
        found = _FUSED.match(name)
        rows = value.shape[0] if value.shape else 0
        if found is None:
            parts = {name: value}
        elif rows % 3:
            raise ModelError(f"{_show(name)} has {rows} rows", where=where, expected="as many for q, k and v")
        else:
            parts = {f"{found[1]}{p}_proj.{found[2]}": _cut(value, i, rows // 3) for i, p in enumerate("qkv")}
        twice = set(parts) & set(split)
        if twice:
            raise ModelError(f"{_show(min(twice))} is there twice, once fused", where=where)
        split |= parts
    return split


def _cut(tensor: TensorRef, part: int, rows: int) -> TensorRef:
    offset = tensor.offset + part * rows * tensor.strides[0]
    return replace(tensor, offset=offset, shape=(rows, *tensor.shape[1:]))


def _take(names: Mapping[str, TensorRef], prefix: str) -> dict[str, TensorRef]:
    return {name.removeprefix(prefix): value for name, value in names.items() if name.startswith(prefix)}


def _take_heads(names: Mapping[str, TensorRef]) -> dict[str, dict[str, TensorRef]]:
    heads: dict[str, dict[str, TensorRef]] = {}
    for name, value in _take(names, _HEADS).items():
        head, _, rest = name.partition(".")
        heads.setdefault(head, {})[rest] = value
    return heads


def _refuse_unknown(names: Mapping[str, TensorRef], keys: FairseqKeys, where: str) -> None:
    """Refuse what is no weight of a RoBERTa; a head's are looked at where it is taken."""
    for pattern, what in _OTHERS:
        found = next(filter(pattern.search, names), None)
        if found is not None:
            raise make_refusal(what, where, found)
    known: tuple[tuple[str, Mapping[str, Any], Callable[[str], Any]], ...] = (
        (_BODY, keys.body, _KNOWN_BODY.fullmatch),
        (_LM_HEAD, keys.lm_head, _KNOWN_LM_HEAD.fullmatch),
    )
    accounted = {prefix + name for prefix, part, fits in known for name in part if fits(name)}
    unknown = [name for name in names if name not in accounted and not name.startswith(_HEADS)]
    if unknown:
        raise ModelError(
            f"{format_count(len(unknown), 'key')} of its weights are unknown: "
            f"{format_names([_show(name) for name in unknown], 5)}",
            where=where,
            expected="the weights of fairseq's RoBERTa, and no others",
        )


def make_refusal(what: str, where: str, key: str | None = None) -> ModelError:
    """What is said of a network that transformers' RoBERTa cannot compute."""
    return ModelError(
        f"its network has {what}, which RoBERTa in transformers cannot have"
        + (f": {_show(key)}" if key else ""),
        where=where,
        expected="fairseq's RoBERTa, post-norm or pre-norm, with learnt positions",
    )


def _show(name: str) -> str:
    return ascii(name)[1:-1][:100]
