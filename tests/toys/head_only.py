"""A toy method in one file: the head trains on a frozen body."""

from __future__ import annotations

from typing import Any

from headstart.config.traits import MethodTraits
from headstart.methods.base import TrainedMethod
from headstart.methods.lora import identify_frozen_weights
from headstart.prepared import PreparedRun


class HeadOnly(TrainedMethod):
    """All that lies outside the body trains."""

    name = "head-only"

    def adapt_model(self, model: Any, prepared: PreparedRun, rank: int = 0) -> Any:
        """With its body frozen."""
        model.base_model.requires_grad_(False)
        return model

    def identify_base(self, prepared: PreparedRun) -> object:
        """Members of a pack share the frozen body."""
        return identify_frozen_weights(prepared)


HEAD_ONLY = HeadOnly()
TRAITS = MethodTraits("head-only", "toys.head_only:HEAD_ONLY", 1e-2)
