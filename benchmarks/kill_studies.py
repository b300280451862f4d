"""The tiny studies that `kills.py` kills: random models of two layers, invented texts, nothing downloaded."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

GOOD, BAD = ("good", "great", "fine", "joy", "warm"), ("bad", "awful", "poor", "pain", "cold")
PLAIN = ("film", "plot", "cast", "scene", "fast", "slow", "the", "a", "is", "was", "and", "but")
WORDS = (*GOOD, *BAD, *PLAIN)
BERT_NAMES, GPT_NAMES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), ("<pad>", "<unk>", "<eos>")
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}

_TWO: Final = {"pretrained": {}, "random": {"init": "random"}}
_LORA: Final = {"lora": {"method": "lora"}, "random": {"init": "random"}}
_GRID: Final = {"learning_rate": [1e-3, 5e-3]}
_ASKED: Final = {
    "task": "instruction",
    "model": "gpt",
    "generation": {"max_new_tokens": 4, "texts": 8},
    "samples": ["good film"],
}

#: What differs between the studies, as in a study file. None is long enough for `auto` to time steps: timing
#: comes out another way each time, and two folders that were placed otherwise need not be equal.
STUDIES: Final[dict[str, dict[str, Any]]] = {
    "full-w0": {"arms": _TWO, "workers": 0, "pack": "auto"},
    "full-w0-pack2": {"arms": _TWO, "workers": 0, "pack": 2},
    "sizes-w0-pack3": {"arms": _TWO, "workers": 0, "pack": 3, "sizes": [40, "all"], "seeds": 1},
    "pair-w0-pack2": {"arms": _TWO, "seeds": 1, "workers": 0, "pack": 2},
    "pair-w1-pack2": {"arms": _TWO, "seeds": 1, "workers": 1, "pack": 2},
    "tune-w0-pack2": {"arms": _TWO, "seeds": 1, "workers": 0, "pack": 2, "tune": _GRID},
    "lora-w0-pack2": {"arms": _LORA, "workers": 0, "pack": 2, "confounded": True},
    "instruction-w0": {**_ASKED, "arms": _TWO, "seeds": 1, "workers": 0},
    "full-w1-pack2": {"arms": _TWO, "workers": 1, "pack": 2},
    "full-w2": {"arms": _TWO, "workers": 2, "pack": 1},
    "full-auto": {"arms": _TWO, "seeds": 1, "workers": "auto", "pack": "auto"},
    "tune-w1-pack2": {"arms": _TWO, "workers": 1, "pack": 2, "tune": _GRID},
    "tune-w2": {"arms": _TWO, "workers": 2, "pack": 1, "tune": _GRID},
    "lora-w1-pack2": {"arms": _LORA, "workers": 1, "pack": 2, "confounded": True},
    "instruction-w1-pack2": {**_ASKED, "arms": _TWO, "workers": 1, "pack": 2},
    "instruction-w2": {
        **_ASKED,
        "arms": {**_TWO, **_LORA},
        "control": "random",
        "workers": 2,
        "pack": 1,
        "confounded": True,
    },
}


def write_fixtures(folder: Path) -> None:
    """Two checkpoints and a file of texts, the same for each call."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_texts(folder / "data.jsonl")
    _write_bert(folder / "bert")
    _write_gpt(folder / "gpt")


def write_study(name: str, fixtures: Path, folder: Path, device: str) -> Path:
    """The study file, with paths into `fixtures`."""
    own = {"model": "bert", "seeds": 2, **STUDIES[name]}
    training = {"batch_size": 8, "epochs": 4, "learning_rate": 5e-3, "max_length": 32, "precision": "fp32"}
    if "tune" in own:
        del training["learning_rate"]
    own |= {"model": str(fixtures / own["model"]), "data": {"path": str(fixtures / "data.jsonl")}}
    path = folder / "study.yaml"
    path.write_text(json.dumps({**own, "training": training, "device": device}), "utf-8")  # JSON is YAML
    return path


def _write_texts(path: Path) -> None:
    draw = random.Random(0)
    rows = []
    for _ in range(160):
        label = draw.choice(("neg", "pos"))
        own = GOOD if label == "pos" else BAD
        text = " ".join(
            draw.choice(own if draw.random() < 0.3 else WORDS) for _ in range(draw.randint(4, 14))
        )
        rows.append({"text": text, "label": label, "prompt": text, "response": own[0]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _make_tokenizer(names: tuple[str, ...]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate((*names, *WORDS))}, unk_token=names[1]))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return backend


def _write_bert(folder: Path) -> None:
    import torch
    from tokenizers import processors
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    backend, kinds = _make_tokenizer(BERT_NAMES), ("pad", "unk", "cls", "sep", "mask")
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    named = {f"{kind}_token": name for kind, name in zip(kinds, BERT_NAMES, strict=True)}
    PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **named).save_pretrained(folder)
    torch.manual_seed(0)
    rows = len(WORDS) + len(BERT_NAMES)
    BertForMaskedLM(
        BertConfig(vocab_size=rows, max_position_embeddings=64, pad_token_id=0, **SHAPE)
    ).save_pretrained(folder)


def _write_gpt(folder: Path) -> None:
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

    backend = _make_tokenizer(GPT_NAMES)
    named = {f"{kind}_token": name for kind, name in zip(("pad", "unk", "eos"), GPT_NAMES, strict=True)}
    PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **named).save_pretrained(folder)
    torch.manual_seed(0)
    ids = {"bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0}
    config = GPTNeoXConfig(vocab_size=len(WORDS) + len(GPT_NAMES), max_position_embeddings=64, **ids, **SHAPE)
    GPTNeoXForCausalLM(config).save_pretrained(folder)
