"""A language model that computes logits at chosen places alone, and the losses of what is predicted there.

Shapes: B blocks of T tokens, K places, V vocabulary.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from headstart.config.pretraining import PretrainingTask
from headstart.engine.losses import compute_token_losses, fix_shapes

#: What each task's models are in transformers.
LIBRARIES: Final[dict[PretrainingTask, Any]] = {
    "masked-lm": AutoModelForMaskedLM,
    "causal-lm": AutoModelForCausalLM,
}
#: A place or token that is not predicted.
IGNORED = -100


class LanguageModel(nn.Module):
    """A model of transformers whose head sees the hidden states of some places only.

    A hook between body and head takes the rows that are asked for: each row's logits depend on its hidden
    state alone, so those that are computed are the very ones. The head of a masked-language model costs more
    than a small body, and 85% of its rows would be thrown away.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._places: torch.Tensor | None = None
        self._more = {"use_cache": False} if getattr(model.config, "use_cache", None) is not None else {}
        model.base_model.register_forward_hook(self._select_places)

    def _select_places(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        if self._places is not None:
            hidden = output[0].flatten(0, 1).index_select(0, self._places)
            output["last_hidden_state"] = hidden.unsqueeze(0)
        return output

    def forward(
        self,
        input_ids: torch.Tensor,
        places: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits [K, V] at `places` [K] of the flattened batch, or [B*T, V] at all of them."""
        self._places = places
        more = self._more if attention_mask is None else {**self._more, "attention_mask": attention_mask}
        logits: torch.Tensor = self.model(input_ids=input_ids, **more).logits
        self._places = None
        return logits.flatten(0, -2)


def sum_losses(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The cross-entropies of logits [K, V] with labels [K], summed; those of `IGNORED` are none.

    Of a large vocabulary a part is in a wide format at a time, in the backward pass too.
    """
    with fix_shapes():
        return compute_token_losses(logits.unsqueeze(0), labels.unsqueeze(0)).sum()
