"""Tells models that are no RoBERTa by their keys and settings: BART, mBART, fairseq2 and others, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headstart.errors import ModelError

_EXPECTED: Final = "a RoBERTa, CamemBERT, GottBERT or XLM-R of fairseq"
#: How the names of other architectures begin, what these are, and where else they are.
_OTHERS: Final = (
    (
        "mbart",
        "mBART, which writes a text from a text",
        "transformers has mBART under its own ids on the hub",
    ),
    ("bart", "BART, which writes a text from a text", "transformers has BART under its own ids on the hub"),
    ("data2vec", "data2vec, whose heads predict vectors", "transformers has data2vec-text on the hub"),
)


def refuse_fairseq2(content: Mapping[Any, Any], where: str) -> None:
    """Refuse what fairseq2 writes, which shares nothing with fairseq but the name.

    Raises:
        ModelError: it is fairseq2's.
    """
    model = content.get("model")
    keys = [
        key for part in (content, model) if isinstance(part, dict) for key in part if isinstance(key, str)
    ]
    if any(key in ("fs2", "model_key") or "encoder_frontend." in key for key in keys):
        raise ModelError(
            "a checkpoint of fairseq2, whose models are not those of fairseq",
            where=where,
            expected=_EXPECTED,
            fix="export it with fairseq2's own converter to Hugging Face",
        )


def refuse_other_models(content: Mapping[Any, Any], arch: str, where: str) -> None:
    """Refuse models of fairseq's that are no encoders of RoBERTa's kind.

    Raises:
        ModelError: it is another one; names it.
    """
    model = content.get("model")
    keys = [key for key in model if isinstance(key, str)] if isinstance(model, dict) else []
    found = next(((told, fix) for start, told, fix in _OTHERS if arch.startswith(start)), None)
    if found is None and not any(".encoder_attn." in key for key in keys):
        return
    told, fix = found or (f"an encoder with a decoder ({ascii(arch)[1:-1][:60] or 'no name'})", None)
    raise ModelError(f"a checkpoint of {told}", where=where, expected=_EXPECTED, fix=fix)
