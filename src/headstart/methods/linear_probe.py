"""A linear probe: one linear layer on standardised features of a frozen encoder, which it never trains.

Alain & Bengio 2016, "Understanding intermediate layers using linear classifier probes". The encoder runs once
for each text; what trains reads rows of the table of features.

Shapes: B texts, N texts in all, T tokens, D width, C classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput

from headstart.engine.affine import FixedAffine
from headstart.errors import ModelError
from headstart.models.checkpoints import resolve_location
from headstart.models.initialise import check_complete, is_head, list_missing_keys
from headstart.models.library import get_first_line, load_network, silence_logs

PROBE_FILE = "probe.safetensors"
Pooling = Literal["cls", "mean"]
#: Smallest deviation to divide by, so that nearly constant features are not amplified.
_MIN_DEVIATION = 1e-6


class FeatureExtractor(nn.Module):
    """The body of a classification model; its `logits` are the features [B, D] of each text.

    `cls` takes the token that the family's own head reads: the first, or in causal families the last.
    """

    def __init__(self, model: Any, pooling: Pooling) -> None:
        super().__init__()
        self.body, self.pooling, self.config = model.base_model, pooling, model.config
        self._reads_last = hasattr(model, "score")  # what transformers calls the head of causal families

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **inputs: Any) -> Any:
        """Features [B, D] of texts [B, T], padded on the right."""
        states = self.body(input_ids=input_ids, attention_mask=attention_mask, **inputs)[0]
        return SequenceClassifierOutput(logits=self._pool(states, attention_mask))

    def _pool(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.pooling == "mean":
            weights = mask.unsqueeze(-1).to(states.dtype)
            return (states * weights).sum(1) / weights.sum(1)
        last = mask.sum(1) - 1 if self._reads_last else torch.zeros_like(mask[:, 0])
        return states[torch.arange(len(states), device=states.device), last]


class LinearHead(nn.Module):
    """Standardised features [B, D] to logits [B, C]; begins at zero, for the loss has one minimum."""

    def __init__(self, shift: torch.Tensor, factor: torch.Tensor, outputs: int) -> None:
        super().__init__()
        self.rescale = FixedAffine(factor, shift)
        self.classifier = nn.Linear(len(shift), outputs)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.rescale(features))
        return logits


class FeatureProbe(nn.Module):
    """What trains: rows [B, 1] of a frozen table of features [N, D] in, logits [B, C] out.

    It takes row numbers in place of token ids, so that the training loop of other models can train it.

    Args:
        rows: of the texts that the run learns from: their mean and deviation standardise all.
    """

    def __init__(self, table: torch.Tensor, rows: torch.Tensor, outputs: int) -> None:
        super().__init__()
        self.table = nn.Embedding(len(table), table.shape[1], _weight=table, _freeze=True)
        features = table[rows]
        deviation = features.std(0, correction=0).clamp_min(_MIN_DEVIATION)
        self.linear = LinearHead(features.mean(0), 1 / deviation, outputs)

    def get_input_embeddings(self) -> nn.Module:
        """The table, as a model's."""
        return self.table

    def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
        return SequenceClassifierOutput(logits=self.linear(self.table(input_ids[:, 0])))


class ProbedModel(nn.Module):
    """Encoder and probe as one classification model: token ids in, logits out."""

    def __init__(self, encoder: FeatureExtractor, linear: LinearHead) -> None:
        super().__init__()
        self.encoder, self.linear, self.config = encoder, linear, encoder.config

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **inputs: Any) -> Any:
        """Logits [B, C] of texts [B, T]."""
        features = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **inputs).logits
        return SequenceClassifierOutput(logits=self.linear(features.to(self.linear.classifier.weight.dtype)))


def save_head(linear: LinearHead, pooling: Pooling, folder: Path) -> None:
    """Write weights and constants of a probe to `folder`, in float32."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {**linear.state_dict(), **dict(linear.rescale.named_buffers())}
    kept = {name: value.detach().cpu().float().contiguous() for name, value in tensors.items()}
    save_file(kept, folder / PROBE_FILE, metadata={"pooling": pooling})


def load_head(folder: Path) -> tuple[LinearHead, Pooling]:
    """The probe that `save_head` wrote.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with safe_open(folder / PROBE_FILE, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            pooling: Any = file.metadata()["pooling"]
        linear = LinearHead(tensors.pop("shift"), tensors.pop("factor"), len(tensors["classifier.bias"]))
        linear.load_state_dict(tensors)
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise ModelError(f"{PROBE_FILE} cannot be read: {error}", where=str(folder)) from error
    return linear, pooling


def has_own_encoder(folder: Path) -> bool:
    """Whether a probe's folder has its encoder's weights, which are then not those of a checkpoint."""
    return any(folder.glob("model*.safetensors"))


def load_probed_model(folder: Path, base: str, config: Any) -> ProbedModel:
    """Encoder and probe of a saved folder: the encoder's own weights there, or those of checkpoint `base`.

    Args:
        config: the folder's, with the padding token of its tokenizer.

    Raises:
        ModelError: the probe or its encoder cannot be read.
    """
    linear, pooling = load_head(folder)
    location = str(folder) if has_own_encoder(folder) else resolve_location(base)
    try:
        with silence_logs(), torch.random.fork_rng(devices=[]):
            model, report = load_network(
                AutoModelForSequenceClassification,
                location,
                config=config,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"its encoder {location} cannot be used: {get_first_line(error)}",
            where=str(folder),
            expected="the checkpoint that the probe was trained on",
        ) from error
    body = {name for name in list_missing_keys(report) if not is_head(name, model)}
    check_complete(model.base_model, body, location)
    return ProbedModel(FeatureExtractor(model, pooling), linear).eval()
