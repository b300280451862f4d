"""The study file's `adapt`: how arms of `init: adapted` are first pretrained on the study's own texts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from headstart.config.limits import MOST_EPOCHS, MOST_IN_BATCH, MOST_STEPS, MOST_TOKENS
from headstart.config.section import Section, wrap_string
from headstart.config.training_checks import check_length
from headstart.wording import format_count

_Name = Annotated[str, Field(min_length=1)]


_Names = Annotated[
    tuple[_Name, ...], BeforeValidator(wrap_string, json_schema_input_type=_Name | list[_Name])
]


class Adapt(Section):
    """Pretraining on the task's own texts (Gururangan et al. 2020, "Don't stop pretraining", section 4)."""

    epochs: float = Field(default=10, gt=0, le=MOST_EPOCHS, description="Passes over the texts.")
    steps: int | None = Field(
        default=None, ge=1, le=MOST_STEPS, description="Optimiser steps, in place of epochs."
    )
    learning_rate: float = Field(default=1e-4, gt=0, lt=10, description="Peak learning rate.")
    batch_size: int = Field(default=32, ge=1, le=MOST_IN_BATCH, description="Blocks of tokens in a step.")
    block: int = Field(
        default=128, ge=2, le=MOST_TOKENS, description="Tokens of a block, as far as the model takes so many."
    )
    mask_share: float = Field(
        default=0.15, gt=0, lt=1, description="Share of tokens to predict, of models that are not causal."
    )
    text: _Names = Field(
        default=(),
        description="Files with more unlabelled text, a document a line or row; none of valid or test.",
    )

    _check_length = model_validator(mode="after")(check_length)

    @property
    def length(self) -> str:
        """How long it trains, in words: `2 epochs`, `50 steps`."""
        if self.steps is not None:
            return format_count(self.steps, "step")
        return f"{self.epochs:g} epoch{'' if self.epochs == 1 else 's'}"
