"""Chooses the head of a fairseq checkpoint that is taken along, and says which ones transformers can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from headstart.errors import ModelError
from headstart.models.fairseq.keys import FairseqKeys
from headstart.models.fairseq.pickle_values import TensorRef
from headstart.models.fairseq.settings import FairseqSettings
from headstart.wording import format_names

#: How the head of the masked language model is asked for, whatever heads for classification are called.
LM_HEAD: Final = "lm_head"
#: What may stand before the name of a head for classification, as it does in the checkpoint's keys.
_CLASSIFIERS: Final = "classification_heads."
_WEIGHTS: Final = frozenset({"dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias"})
_LM_WEIGHTS: Final = frozenset({"bias", "dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias"})
#: The activation that transformers' heads have: of a classifier, and of a masked language model.
_TANH, _GELU = "tanh", "gelu"


class Kind(StrEnum):
    """What stands behind the body."""

    CLASSIFIER = "classifier"
    MASKED_LM = "masked-lm"
    NONE = "none"


@dataclass(frozen=True)
class FairseqHead:
    """A head that is taken, by fairseq's name; `classes` are its outputs; `note` says why there is none."""

    kind: Kind
    name: str | None = None
    classes: int | None = None
    note: str | None = None


def describe_heads(keys: FairseqKeys) -> dict[str, int]:
    """The outputs of each head for classification, by name; 0 where that cannot be seen."""
    return {name: _count_classes(weights) for name, weights in keys.heads.items()}


def choose_head(keys: FairseqKeys, settings: FairseqSettings, wanted: str | None, where: str) -> FairseqHead:
    """The head that is `wanted`; else the only one for classification, else the masked language model's.

    Raises:
        ModelError: there is none of that name, there are several, or transformers cannot hold it.
    """
    name = _find_classifier(keys, wanted)
    if name is None and wanted not in (None, LM_HEAD):
        raise ModelError(f"no head {ascii(wanted)[:60]}", where=where, expected=f"one of {_name_heads(keys)}")
    if wanted is None and len(keys.heads) > 1:
        raise ModelError(
            f"it has {len(keys.heads)} heads for classification",
            where=where,
            expected="the one to take",
            fix=f"--head, with one of {_name_heads(keys)}",
        )
    if name is not None:
        return _check_classifier(name, keys, settings, where)
    return _take_lm_head(keys, settings, wanted is not None, where)


def _find_classifier(keys: FairseqKeys, wanted: str | None) -> str | None:
    """The name of the head for classification that is `wanted`, or else of the first; None where none is."""
    if wanted is None:
        return next(iter(keys.heads), None)
    names = () if wanted == LM_HEAD else (wanted, wanted.removeprefix(_CLASSIFIERS))
    return next((name for name in names if name in keys.heads), None)


def _name_heads(keys: FairseqKeys) -> str:
    heads = [f"{_CLASSIFIERS if name == LM_HEAD else ''}{name}" for name in keys.heads]
    names = [ascii(name)[1:-1] for name in heads] + ([LM_HEAD] if keys.lm_head else [])
    return format_names(names, 10) if names else "none: it has no heads"


def _check_classifier(name: str, keys: FairseqKeys, settings: FairseqSettings, where: str) -> FairseqHead:
    weights = keys.heads[name]
    if settings.normalizes_spectrally or any("weight_orig" in key for key in weights):
        raise _refuse(name, "spectral normalisation (spectral_norm_classification_head)", where)
    if set(weights) != _WEIGHTS:
        raise _refuse(name, f"the weights {format_names(sorted(map(_show, weights)), 6)}", where)
    if settings.pooler_activation != _TANH:
        raise _refuse(
            name, f"the activation {_show(settings.pooler_activation)} (pooler_activation_fn)", where
        )
    inner = weights["dense.weight"].shape[:1]
    width = keys.body["embed_tokens.weight"].shape[1:]
    if inner != width:
        raise _refuse(name, f"an inner width of {list(inner)} in a network {list(width)} wide", where)
    classes = _count_classes(weights)
    if not classes:
        raise _refuse(name, "no outputs", where)
    return FairseqHead(Kind.CLASSIFIER, name, classes)


def _refuse(name: str, what: str, where: str) -> ModelError:
    return ModelError(
        f"the head {_show(name)} has {what}, which transformers' RobertaClassificationHead cannot have",
        where=where,
        expected="one layer as wide as the network, tanh, and one layer for the classes",
        fix=f"--head {LM_HEAD} takes the body with the head of its masked language model",
    )


def _take_lm_head(keys: FairseqKeys, settings: FairseqSettings, is_wanted: bool, where: str) -> FairseqHead:
    missing = _LM_WEIGHTS - set(keys.lm_head)
    if not keys.lm_head or missing:
        note = (
            "no lm_head in it"
            if not keys.lm_head
            else f"its lm_head lacks {format_names(sorted(missing), 5)}"
        )
    elif settings.activation != _GELU:
        note = f"its lm_head computes by {_show(settings.activation)}, and that of transformers by {_GELU}"
    else:
        return FairseqHead(Kind.MASKED_LM, LM_HEAD)
    if is_wanted:
        raise ModelError(note, where=where, fix=f"without --head {LM_HEAD} the body is written by itself")
    return FairseqHead(Kind.NONE, note=f"{note}: the body is written by itself")


def _count_classes(weights: Mapping[str, TensorRef]) -> int:
    tensor = weights.get("out_proj.weight") or weights.get("out_proj.weight_orig")
    return tensor.shape[0] if tensor is not None and tensor.shape else 0


def _show(name: str) -> str:
    return ascii(name)[1:-1][:60]
