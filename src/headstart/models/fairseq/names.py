"""Names of weights in fairseq's RoBERTa and in the families of transformers that compute the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LAYER: Final = re.compile(r"layers\.(\d+)\.(.+)\.(weight|bias)")
#: Of a layer, by fairseq's names; its two norms lie elsewhere in each family.
_INNER: Final = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
}


@dataclass(frozen=True)
class Layout:
    """How a family names what fairseq names otherwise; `final_norm` is the norm behind the last layer."""

    prefix: str
    attention_norm: str
    output_norm: str
    final_norm: str | None
    embedding_norm: bool


_POST: Final = Layout("roberta.", "attention.output.LayerNorm", "output.LayerNorm", None, True)
#: By `model_type`. Pre-norm without a norm behind the embeddings is what XLM-R XL has, whatever its size.
LAYOUTS: Final[Mapping[str, Layout]] = {
    "roberta": _POST,
    "camembert": _POST,
    "xlm-roberta": _POST,
    "roberta-prelayernorm": Layout(
        "roberta_prelayernorm.", "attention.LayerNorm", "intermediate.LayerNorm", "LayerNorm", True
    ),
    "xlm-roberta-xl": Layout(
        "roberta.", "attention.self_attn_layer_norm", "LayerNorm", "encoder.LayerNorm", False
    ),
}


def name_body(name: str, layout: Layout) -> str | None:
    """The name in transformers of a weight of the body, behind the prefix; None where the family has none."""
    stem, _, kind = name.rpartition(".")
    plain = {
        "embed_tokens": "embeddings.word_embeddings",
        "embed_positions": "embeddings.position_embeddings",
        "layernorm_embedding": "embeddings.LayerNorm" if layout.embedding_norm else None,
        "layer_norm": layout.final_norm,
    }
    if stem in plain:
        new = plain[stem]
        return None if new is None else f"{new}.{kind}"
    found = _LAYER.fullmatch(name)
    if found is None:
        return None
    norms = {"self_attn_layer_norm": layout.attention_norm, "final_layer_norm": layout.output_norm}
    inner = (_INNER | norms).get(found[2])
    return None if inner is None else f"encoder.layer.{found[1]}.{inner}.{kind}"
