"""fairseq's RoBERTa by its own formulas, as an oracle, and checkpoints of it as fairseq saves them.

The formulas are those of fairseq 0.12, in `modules` transformer_layer.py and learned_positional_embedding.py,
`models/transformer/transformer_encoder.py` and `models/roberta/model.py`. Shapes: B texts, T tokens, D wide.
"""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F

State = dict[str, torch.Tensor]
PAD = 1
LAYERS, WIDTH, INNER, HEADS, POSITIONS = 2, 16, 24, 4, 12
WORDS = tuple(f"w{i}" for i in range(20))
#: fairseq's four special symbols, the words, and <mask>.
ROWS = 4 + len(WORDS) + 1
IDS = torch.tensor([[0, 5, 6, 7, 8, 9, 2], [0, 10, 11, 2, 1, 1, 1]])
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "gelu_accurate": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: x.clamp(min=0),
    "relu_squared": lambda x: x.clamp(min=0) ** 2,
    "tanh": torch.tanh,
    "linear": lambda x: x,
}
BODY = "encoder.sentence_encoder."


def make_settings(**changes: Any) -> Namespace:
    """The `args` of a small checkpoint."""
    values: dict[str, Any] = {
        "arch": "roberta",
        "task": "masked_lm",
        "encoder_layers": LAYERS,
        "encoder_embed_dim": WIDTH,
        "encoder_ffn_embed_dim": INNER,
        "encoder_attention_heads": HEADS,
        "max_positions": POSITIONS,
        "activation_fn": "gelu",
        "pooler_activation_fn": "tanh",
        "dropout": 0.2,
        "attention_dropout": 0.3,
        "pooler_dropout": 0.4,
        "encoder_normalize_before": False,
        "layernorm_embedding": True,
        "untie_weights_roberta": False,
    }
    return Namespace(**(values | changes))


def make_state(
    settings: Namespace, heads: Mapping[str, int] | None = None, *, inner: int = WIDTH, seed: int = 0
) -> State:
    """Random weights by the names of fairseq 0.12, in its order."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw) * 0.3

    def linear(name: str, rows: int, columns: int) -> State:
        return {f"{name}.weight": normal(rows, columns), f"{name}.bias": normal(rows)}

    def norm(name: str) -> State:
        return {f"{name}.weight": 1 + normal(WIDTH), f"{name}.bias": normal(WIDTH)}

    state = {f"{BODY}version": torch.tensor([3.0]), f"{BODY}embed_tokens.weight": normal(ROWS, WIDTH)}
    state[f"{BODY}embed_positions.weight"] = normal(POSITIONS + PAD + 1, WIDTH)
    if settings.layernorm_embedding:
        state |= norm(f"{BODY}layernorm_embedding")
    for i in range(LAYERS):
        layer = f"{BODY}layers.{i}"
        for part in ("k", "v", "q", "out"):
            state |= linear(f"{layer}.self_attn.{part}_proj", WIDTH, WIDTH)
        state |= norm(f"{layer}.self_attn_layer_norm") | linear(f"{layer}.fc1", INNER, WIDTH)
        state |= linear(f"{layer}.fc2", WIDTH, INNER) | norm(f"{layer}.final_layer_norm")
    if settings.encoder_normalize_before:
        state |= norm(f"{BODY}layer_norm")
    table = normal(ROWS, WIDTH) if settings.untie_weights_roberta else state[f"{BODY}embed_tokens.weight"]
    state |= {"encoder.lm_head.weight": table, "encoder.lm_head.bias": normal(ROWS)}
    state |= linear("encoder.lm_head.dense", WIDTH, WIDTH) | norm("encoder.lm_head.layer_norm")
    for name, classes in (heads or {}).items():
        state |= linear(f"classification_heads.{name}.dense", inner, WIDTH)
        state |= linear(f"classification_heads.{name}.out_proj", classes, inner)
    return state


def _apply(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _norm(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-5)


def _attend(state: State, name: str, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
    texts, length, _ = x.shape
    q, k, v = (
        _apply(state, f"{name}.{part}_proj", x).view(texts, length, HEADS, -1).transpose(1, 2)
        for part in "qkv"
    )
    scores = (q * (WIDTH // HEADS) ** -0.5) @ k.transpose(2, 3)
    weights = scores.masked_fill(padding[:, None, None, :], -math.inf).softmax(-1)
    return _apply(state, f"{name}.out_proj", (weights @ v).transpose(1, 2).reshape(texts, length, -1))


def compute_features(state: State, settings: Namespace, ids: torch.Tensor) -> torch.Tensor:
    """What the encoder gives, [B, T, D], without dropout."""
    padding, before = ids == PAD, settings.encoder_normalize_before
    positions = torch.cumsum((~padding).long(), 1) * (~padding).long() + PAD
    x = state[f"{BODY}embed_tokens.weight"][ids] + state[f"{BODY}embed_positions.weight"][positions]
    if settings.layernorm_embedding:
        x = _norm(state, f"{BODY}layernorm_embedding", x)
    x = x * (~padding).unsqueeze(-1)
    for i in range(LAYERS):
        layer = f"{BODY}layers.{i}"
        kept, inner = x, f"{layer}.self_attn_layer_norm"
        x = kept + _attend(state, f"{layer}.self_attn", _norm(state, inner, x) if before else x, padding)
        x = x if before else _norm(state, inner, x)
        kept, outer = x, f"{layer}.final_layer_norm"
        hidden = _apply(state, f"{layer}.fc1", _norm(state, outer, x) if before else x)
        x = kept + _apply(state, f"{layer}.fc2", ACTIVATIONS[settings.activation_fn](hidden))
        x = x if before else _norm(state, outer, x)
    return _norm(state, f"{BODY}layer_norm", x) if before else x


def compute_lm_logits(state: State, settings: Namespace, ids: torch.Tensor) -> torch.Tensor:
    """Of the masked language model, [B, T, rows]."""
    x = _apply(state, "encoder.lm_head.dense", compute_features(state, settings, ids))
    x = _norm(state, "encoder.lm_head.layer_norm", ACTIVATIONS[settings.activation_fn](x))
    return x @ state["encoder.lm_head.weight"].T + state["encoder.lm_head.bias"]


def compute_class_logits(state: State, settings: Namespace, name: str, ids: torch.Tensor) -> torch.Tensor:
    """Of a head for classification, [B, classes]."""
    x = compute_features(state, settings, ids)[:, 0]
    x = ACTIVATIONS[settings.pooler_activation_fn](_apply(state, f"classification_heads.{name}.dense", x))
    return _apply(state, f"classification_heads.{name}.out_proj", x)


def make_checkpoint(settings: Any, state: Any, *, key: str = "args") -> dict[str, Any]:
    """What `fairseq-train` saves, an optimiser's state included."""
    other = {"cfg": "args", "args": "cfg"}[key]
    optimiser = {"state": {0: {"step": 3, "exp_avg": torch.zeros(7)}}, "param_groups": []}
    history = {"criterion_name": "MaskedLmLoss", "optimizer_name": "FairseqAdam", "num_updates": 3}
    return {
        key: settings,
        other: None,
        "model": state,
        "optimizer_history": [history | {"lr_scheduler_state": {"best": 1.5}}],
        "extra_state": {"train_iterator": {"epoch": 2}},
        "last_optimizer_state": optimiser,
    }


def write_folder(
    folder: Path,
    settings: Namespace,
    state: State,
    *,
    name: str = "model.pt",
    old: bool = False,
    content: Any = None,
) -> Path:
    """A folder with a checkpoint and its dictionary; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = make_checkpoint(settings, state) if content is None else content
    torch.save(whole, folder / name, _use_new_zipfile_serialization=not old)
    write_lines(folder / "dict.txt", WORDS)
    return folder


def write_lines(file: Path, symbols: tuple[str, ...]) -> None:
    """A dictionary as fairseq writes it, without its special symbols."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{symbol} 5\n" for symbol in symbols), encoding="utf-8")


@contextmanager
def foreign_module(path: str, **classes: type) -> Iterator[None]:
    """A module that is there while a file is written, and gone when it is read, as OmegaConf is."""
    parts = path.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    for name in names:
        sys.modules[name] = ModuleType(name)
    for name, kind in classes.items():
        kind.__module__, kind.__qualname__, kind.__name__ = path, name, name
        setattr(sys.modules[path], name, kind)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
