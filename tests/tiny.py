"""Tiny random models and token sets that tests share: no files, no downloads, float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from headstart.config.runs import Run
from headstart.config.study import Training
from headstart.config.traits import TaskName, get_task_traits
from headstart.data.corpus import Part
from headstart.data.tokenise import Tokens
from headstart.engine.member import Member, PackContext, TokenisedExamples
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.stack import stack
from headstart.engine.train import train
from headstart.engine.weights import Weights
from headstart.events import EpochDone, Event, StepDone
from headstart.records import EpochPoint
from headstart.tasks import load_task

torch.set_num_threads(1)  # products this small gain nothing from threads, and lose on a busy machine
VOCABULARY = 50
PAD = 1
_PROBLEMS = {
    "classification": "single_label_classification",
    "multi-label": "multi_label_classification",
    "regression": "regression",
}
_BODY = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "bos_token_id": 2, "eos_token_id": 3}
_SHAPE = _BODY | {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
_RELATIVE = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False}
#: What models with fewer key heads than query heads have.
GROUPED = _SHAPE | {"num_key_value_heads": 1}


def _two(p: float) -> dict[str, float]:
    """What most families call their dropout."""
    return {"hidden_dropout_prob": p, "attention_probs_dropout_prob": p}


#: By name, the model type and, for a share of dropout, the configuration.
FAMILIES: dict[str, tuple[str, Callable[[float], dict[str, Any]]]] = {
    "bert": ("bert", lambda p: _SHAPE | _two(p)),
    "roberta": ("roberta", lambda p: _SHAPE | _two(p)),
    "camembert": ("camembert", lambda p: _SHAPE | _two(p)),
    "xlm-roberta": ("xlm-roberta", lambda p: _SHAPE | _two(p)),
    "distilbert": (
        "distilbert",
        lambda p: (
            _BODY
            | {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 40}
            | {"dropout": p, "attention_dropout": p, "seq_classif_dropout": p}
        ),
    ),
    "electra": ("electra", lambda p: _SHAPE | _two(p) | {"embedding_size": 16}),
    "albert": ("albert", lambda p: _SHAPE | _two(p) | {"embedding_size": 16, "classifier_dropout_prob": p}),
    "deberta-v2": (
        "deberta-v2",
        lambda p: (
            _SHAPE
            | _two(p)
            | _RELATIVE
            | {"share_att_key": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm"}
        ),
    ),
    "deberta-v2, keys of its own": (
        "deberta-v2",
        lambda p: _SHAPE | _two(p) | _RELATIVE | {"share_att_key": False},
    ),
    "modernbert": (
        "modernbert",
        lambda p: (
            _SHAPE
            | {"cls_token_id": 2, "sep_token_id": 3, "global_attn_every_n_layers": 2, "local_attention": 8}
            | {"attention_dropout": p, "embedding_dropout": p, "mlp_dropout": p, "classifier_dropout": p}
        ),
    ),
    "mpnet": ("mpnet", lambda p: _SHAPE | _two(p)),
    "gpt2": (
        "gpt2",
        lambda p: (
            _BODY
            | {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 40}
            | {"resid_pdrop": p, "embd_pdrop": p, "attn_pdrop": p}
        ),
    ),
    "bloom": (
        "bloom",
        lambda p: (
            _BODY
            | {"hidden_size": 32, "n_layer": 2, "n_head": 2, "hidden_dropout": p, "attention_dropout": p}
        ),
    ),
    "llama": ("llama", lambda p: GROUPED | {"attention_dropout": p}),
    "qwen2": ("qwen2", lambda p: GROUPED | {"attention_dropout": p}),
    "qwen3": ("qwen3", lambda p: GROUPED | {"attention_dropout": p, "head_dim": 16}),
}


#: Those that have a test of their own, and are not tried in everything.
_OTHERS: dict[str, tuple[str, Callable[[float], dict[str, Any]]]] = {
    "bart": (
        "bart",
        lambda p: (
            _BODY
            | {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "max_position_embeddings": 40}
            | {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_start_token_id": 3}
            | {"encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "forced_eos_token_id": 3, "dropout": p}
        ),
    ),
    "t5": (
        "t5",
        lambda p: (
            _BODY
            | {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
            | {"decoder_start_token_id": 1, "dropout_rate": p}
        ),
    ),
    "opt": (
        "opt",
        lambda p: (
            _BODY
            | {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 48}
            | {"max_position_embeddings": 40, "word_embed_proj_dim": 32, "dropout": p}
        ),
    ),
}


def make_tiny_config(family: str, dropout: float = 0.0, **more: Any) -> Any:
    """The configuration of a family's tiny model."""
    kind, values = (FAMILIES | _OTHERS)[family]
    return AutoConfig.for_model(kind, **(values(dropout) | more))


def make_tiny_model(
    family: str = "bert", task: TaskName = "classification", seed: int = 0, dropout: float = 0.0
) -> Any:
    """A random classification model with 3 outputs (1 for regression), float64, training mode."""
    outputs = 1 if task == "regression" else 3
    config = make_tiny_config(family, dropout, num_labels=outputs, problem_type=_PROBLEMS[task])
    torch.manual_seed(seed)
    return AutoModelForSequenceClassification.from_config(config).double().train()


def make_tiny_tokens(count: int, seed: int = 0) -> Tokens:
    """`count` random texts of 3 to 20 tokens."""
    draws = np.random.default_rng(seed)
    lengths = draws.integers(3, 20, count)
    ids = draws.integers(4, VOCABULARY, lengths.sum()).astype(np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]), None, 0)


def make_tiny_labels(count: int, task: TaskName, seed: int = 0) -> np.ndarray:
    """Random labels for `task`, as `Examples.labels`."""
    draws = np.random.default_rng(seed + 1)
    if task == "classification":
        return draws.integers(0, 3, count)
    if task == "multi-label":
        return (draws.random((count, 3)) < 0.4).astype(np.float32)
    return draws.normal(size=count).astype(np.float32)


def make_tiny_context(
    task: TaskName = "classification", texts: int = 60, curves: tuple[Part, ...] = ("valid",)
) -> PackContext:
    """A setting with `texts` training examples and 10 in each other part, on the CPU in float64."""
    sizes: dict[Part, int] = {"train": texts, "valid": 10, "test": 10}
    parts = {
        part: TokenisedExamples(make_tiny_tokens(count, i), make_tiny_labels(count, task, i))
        for i, (part, count) in enumerate(sizes.items())
    }
    return PackContext(
        task=load_task(task),
        outputs=1 if task == "regression" else 3,
        pad_id=PAD,
        metric=get_task_traits(task).metrics[0],
        curves=curves,
        parts=parts,
        device=torch.device("cpu"),
        precision="fp64",
    )


def make_tiny_run(seed: int = 0, **training: Any) -> Run:
    """A run with the given training settings over batch size 6 and rate 1e-3."""
    settings = Training(**{"batch_size": 6, "learning_rate": 1e-3, **training})
    return Run("arm", "all", seed, "full", "tiny", True, settings)


def make_tiny_weights(models: Sequence[Any]) -> Weights:
    """The models' weights, for the model itself or a stack of them."""
    module = stack(models) if len(models) > 1 else models[0]
    return Weights(module, find_decaying_parameters(models[0]))


def train_members(
    runs: Sequence[Run],
    models: Sequence[Any],
    context: PackContext | None = None,
    heard: EventRecorder | None = None,
    index: Sequence[np.ndarray] | None = None,
) -> tuple[list[Member], Weights]:
    """The runs' members, trained to the end as one, each on the texts of its `index`, or on all."""
    context = context or make_tiny_context()
    index = index or [np.arange(len(context.parts["train"].tokens))] * len(runs)
    members = [Member(run, member_index) for run, member_index in zip(runs, index, strict=True)]
    weights = make_tiny_weights(models)
    train(members, weights, context, heard or EventRecorder())
    return members, weights


def max_difference(first: torch.Tensor | None, second: torch.Tensor | None) -> float:
    """The largest difference of two tensors."""
    assert first is not None
    assert second is not None
    return float((first - second).abs().max().detach())


class EventRecorder:
    """Takes the engine's events and remembers them, in order and by kind."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.points: list[EpochPoint] = []
        self.best: list[EpochPoint] = []

    def __call__(self, event: Event) -> None:
        """Remember a step's loss and rate, or an epoch's point and which was best so far."""
        self.events.append(event)
        if isinstance(event, StepDone):
            self.losses.append(event.loss)
            self.rates.append(event.learning_rate)
        elif isinstance(event, EpochDone):
            self.points.append(event.epoch)
            self.best.append(event.best)

    def steps_of(self, run: Run) -> list[tuple[int, float]]:
        """The number and the loss of each step of a run."""
        steps = [event for event in self.events if isinstance(event, StepDone)]
        return [(event.step, event.loss) for event in steps if event.run is run]
