"""What `params` and `explain lora` tell of a model, as typed numbers: counts none, and needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headstart.config.study import Lora
from headstart.models.accounting.breakdown import ParameterBreakdown
from headstart.models.accounting.heads import Head
from headstart.records import SCHEMA_VERSION
from headstart.shown import Shown

#: Bytes of a weight that trains, in float32: itself, its gradient, and AdamW's two moments.
TRAINED_BYTES = 16
Bits = Literal[4, 16, 32]
#: Bytes of a weight that is not quantised, by the bits in which a model is kept.
PLAIN_BYTES: Mapping[Bits, int] = {4: 4, 16: 2, 32: 4}


@dataclass(frozen=True)
class TargetCount:
    """How many layers a role gives adapters to, and the weights of these."""

    layers: int
    weights: int


@dataclass(frozen=True)
class LoraCount:
    """What LoRA adds to a model and what it lets train.

    `layers` are the paths of layers with an adapter, `adapters` the weights of all adapters, and `as_sum` the
    sum behind these, such as `24 x 16 x (1,024 + 3,072)`. `head` counts what trains whole beside adapters,
    `biases` those that train by `settings.bias`. `by_rank`, `by_target` and `by_bias` are what other settings
    would give, all else as asked: weights of adapters, or biases.
    """

    settings: Lora
    layers: tuple[str, ...]
    adapters: int
    as_sum: str
    head: int
    biases: int
    by_rank: Mapping[int, int]
    by_target: Mapping[str, TargetCount]
    by_bias: Mapping[str, int]

    @property
    def trainable(self) -> int:
        """All that trains."""
        return self.adapters + self.head + self.biases

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The last parts of the layers' paths, each once."""
        return tuple(dict.fromkeys(path.rpartition(".")[2] for path in self.layers))

    @property
    def file_bytes(self) -> int:
        """The adapter's file, which holds what trains, in float32."""
        return self.count_file_bytes(self.adapters)

    def count_file_bytes(self, adapters: int) -> int:
        """The file of as many weights of adapters, with all else that trains."""
        return 4 * (adapters + self.head + self.biases)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "settings": self.settings.model_dump(mode="json")
            | {"alpha": self.settings.alpha_in_force, "scale": self.settings.scale},
            "layers": list(self.layers),
            "adapters": self.adapters,
            "as_sum": self.as_sum,
            "head": self.head,
            "biases": self.biases,
            "trainable": self.trainable,
            "file_bytes": self.file_bytes,
            "ranks": {str(rank): weights for rank, weights in self.by_rank.items()},
            "targets": {role: count.weights for role, count in self.by_target.items()},
            "bias": dict(self.by_bias),
        }


@dataclass(frozen=True, repr=False)
class ModelSize(Shown, view="headstart.report.views.models:MODEL_SIZE"):
    """A model's parameters by part, and the memory that its weights take.

    `full` is everything, `counted` what `omit` left; `weight_bytes` are those of the full model's weights
    in `bits`, of which `quantised` weights lie in four.
    """

    name: str
    family: str
    head: Head
    full: ParameterBreakdown
    counted: ParameterBreakdown
    omitted: tuple[str, ...]
    bits: Bits
    quantised: int
    weight_bytes: int
    lora: LoraCount | None = None

    @property
    def total(self) -> int:
        """Parameters of the parts that were not left out."""
        return self.counted.total

    @property
    def trainable(self) -> int:
        """Those of them that train: all in full tuning, adapters and head with LoRA."""
        return self.lora.trainable if self.lora else self.total

    @property
    def full_training_bytes(self) -> int:
        """Weights, gradients and moments in full tuning; activations are not in it."""
        return TRAINED_BYTES * self.full.total

    @property
    def training_bytes(self) -> int:
        """Weights, gradients and moments while it trains as asked; activations are not in it."""
        if self.lora is None:
            return self.full_training_bytes
        # What trains beside adapters is among the model's own weights, which are counted once. In four bits
        # it is not, for only linear layers of the body are.
        beside = self.lora.head + self.lora.biases
        return self.weight_bytes + TRAINED_BYTES * self.lora.trainable - self._plain_bytes * beside

    @property
    def _plain_bytes(self) -> int:
        """Bytes of a weight that is kept in no four bits."""
        return PLAIN_BYTES[self.bits]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        legend = self.counted.legend
        values: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "model": self.name,
            "family": self.family,
            "head": self.head.value,
            "symbols": {symbol: value for symbol, value, _ in legend},
            "meanings": {symbol: meaning for symbol, _, meaning in legend},
            "parts": [part.to_dict() for part in self.counted.parts],
            "omitted": list(self.omitted),
            "total": self.total,
            "trainable": self.trainable,
            "as_sum": self.counted.as_sum,
            "memory": {
                "bits": self.bits,
                "quantised": self.quantised,
                "weight_bytes": self.weight_bytes,
                "training_bytes": self.training_bytes,
                "full_training_bytes": self.full_training_bytes,
            },
        }
        return values | ({"lora": self.lora.to_dict()} if self.lora else {})


@dataclass(frozen=True)
class LoraScale:
    """What an adapter's update is multiplied by with this alpha: plain, and rank-stabilised."""

    alpha: int
    plain: float
    rank_stabilised: float


@dataclass(frozen=True, repr=False)
class LoraExplanation(Shown, view="headstart.report.views.models:EXPLANATION"):
    """What LoRA's settings do to a model, with its base in 32 bits and, as QLoRA keeps it, in four.

    `is_example`: the model is an example, for the user named none.
    """

    lora: LoraCount
    size: ModelSize
    qlora_size: ModelSize
    is_example: bool

    @property
    def task_type(self) -> str:
        """PEFT's name for what the adapter is for."""
        return "CAUSAL_LM" if self.size.head is Head.CAUSAL_LM else "SEQ_CLS"

    @property
    def scales(self) -> tuple[LoraScale, ...]:
        """Those of half the rank as alpha, the rank, twice and four times the rank."""
        rank = self.lora.settings.r
        alphas = dict.fromkeys((rank // 2 or 1, rank, 2 * rank, 4 * rank))
        return tuple(
            LoraScale(alpha, self._scale(alpha, False), self._scale(alpha, True)) for alpha in alphas
        )

    def _scale(self, alpha: int, is_rank_stabilised: bool) -> float:
        update = {"alpha": alpha, "rslora": is_rank_stabilised}
        return self.lora.settings.model_copy(update=update).scale

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`: those of the model, and under `explained` what the page adds."""
        explained = {
            "is_example": self.is_example,
            "task_type": self.task_type,
            "layers": {role: count.layers for role, count in self.lora.by_target.items()},
            "scales": {
                str(scale.alpha): {"scale": scale.plain, "rslora": scale.rank_stabilised}
                for scale in self.scales
            },
            "qlora_bytes": self.qlora_size.training_bytes,
        }
        return self.size.to_dict() | {"explained": explained}
