"""The study file's `training` and `tune` as frozen types: one run's settings, and grids of them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from headstart.config.limits import (
    MOST_EPOCHS,
    MOST_GRID_POINTS,
    MOST_IN_BATCH,
    MOST_STEPS,
    MOST_TOKENS,
)
from headstart.config.rates import RateGrids, Rates
from headstart.config.section import Section
from headstart.config.seed_lists import FIRST_TUNING_SEED, TuningSeeds
from headstart.config.training_checks import Betas, check_length
from headstart.config.traits import MethodName

#: What `tune` can try values of, outermost first; keys of `Training`.
TUNABLE: Final = ("learning_rate", "weight_decay")
#: Limits that `training` and `tune` share.
WeightDecay = Annotated[float, Field(ge=0)]
_Grid = tuple[float, ...] | dict[MethodName, tuple[float, ...]] | None


class Training(Section):
    """One tuning run's settings. An arm may set some of them for itself."""

    batch_size: int = Field(default=16, ge=1, le=MOST_IN_BATCH, description="Texts in one forward pass.")
    accumulation: int = Field(
        default=1, ge=1, le=MOST_IN_BATCH, description="Batches accumulated per optimiser step."
    )
    epochs: int = Field(default=3, ge=1, le=MOST_EPOCHS, description="Passes over the training examples.")
    steps: int | None = Field(
        default=None, ge=1, le=MOST_STEPS, description="Optimiser steps, in place of epochs."
    )
    learning_rate: Rates | None = Field(
        default=None,
        description="Peak learning rate: one for all methods, or by method, such as {full: 3e-5, "
        "lora: 2e-4}; default: by method.",
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="How the rate falls after the warm-up."
    )
    warmup: float = Field(
        default=0.06, ge=0, le=MOST_STEPS, description="Below 1: share of all steps; else a count."
    )
    weight_decay: WeightDecay = Field(
        default=0.01, description="AdamW's weight decay; not applied to biases and norms."
    )
    betas: Betas = Field(default=(0.9, 0.98), description="AdamW's (RoBERTa's values).")
    epsilon: float = Field(default=1e-6, gt=0, description="AdamW's (RoBERTa's value).")
    clip: float = Field(default=1.0, ge=0, description="Maximum gradient norm of a run; 0: no clipping.")
    patience: int | None = Field(
        default=None,
        ge=1,
        le=MOST_EPOCHS,
        description="Early stopping: epochs without a better valid metric; default: off.",
    )
    max_length: int | None = Field(
        default=None,
        ge=4,
        le=MOST_TOKENS,
        description="Maximum tokens per text; default: 256, or the model's limit if lower.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Recompute activations in the backward pass: same results, less memory, more time.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp64"] = Field(
        default="auto", description="auto: bf16 where the hardware multiplies in it, else fp32."
    )

    _check_length = model_validator(mode="after")(check_length)

    @property
    def peak_rate(self) -> float:
        """The peak learning rate, of settings in which an arm's is settled; 0 where its method has none."""
        assert not isinstance(self.learning_rate, dict)
        return self.learning_rate or 0.0

    def override(self, other: Training) -> Training:
        """These settings with those that `other` sets explicitly."""
        chosen = {name: getattr(other, name) for name in other.model_fields_set}
        kept = {name: getattr(self, name) for name in self.model_fields_set - chosen.keys()}
        if chosen.get("steps") is not None:
            kept.pop("epochs", None)
        elif "epochs" in chosen:
            kept.pop("steps", None)
        return Training(**kept, **chosen)


class Tune(Section):
    """The hyperparameter grid of an arm; its best point on valid represents the arm."""

    learning_rate: RateGrids | None = Field(
        default=None,
        description="Peak learning rates to try: a list for all methods, or a list by method.",
    )
    weight_decay: tuple[WeightDecay, ...] | None = Field(default=None, description="Weight decays to try.")
    seeds: TuningSeeds = Field(
        default=(FIRST_TUNING_SEED, FIRST_TUNING_SEED + 1),
        description="Seeds that only choose the grid point: a count, or a list; shared: use "
        "the study's own seeds.",
    )

    @field_validator("seeds")
    @classmethod
    def _check_unique_seeds(cls, value: tuple[int, ...] | str) -> tuple[int, ...] | str:
        if value == ():
            raise ValueError("at least one expected, got an empty list")
        if len(set(value)) < len(value) and value != "shared":
            raise ValueError(f"each at most once expected, got {list(value)}")
        return value

    @field_validator(*TUNABLE)
    @classmethod
    def _check_unique(cls, value: _Grid) -> _Grid:
        for numbers in value.values() if isinstance(value, dict) else (value,):
            if numbers == ():
                raise ValueError("at least one expected, got an empty list")
            # A value names its runs' folder with six digits.
            if numbers and len({f"{number:g}" for number in numbers}) < len(numbers):
                raise ValueError(f"each at most once expected, got {list(numbers)}")
        return value

    @model_validator(mode="after")
    def _check_any_axis(self) -> Tune:
        if all(getattr(self, name) is None for name in TUNABLE):
            raise ValueError(f"{' or '.join(TUNABLE)} expected, or both, got neither")
        return self

    @model_validator(mode="after")
    def _check_points(self) -> Tune:
        """Before anything multiplies them out."""
        rates = self.learning_rate
        most_rates = max(map(len, rates.values())) if isinstance(rates, dict) else len(rates or (0,))
        points = most_rates * len(self.weight_decay or (0,))
        if points > MOST_GRID_POINTS:
            raise ValueError(f"{points:,} grid points, at most {MOST_GRID_POINTS:,} expected")
        return self

    def select(self, method: MethodName) -> Tune | None:
        """The grid of an arm of this method; None where it tries nothing."""
        if not isinstance(self.learning_rate, dict):
            return self
        grid = self.model_copy(update={"learning_rate": self.learning_rate.get(method)})
        return grid if grid.axes else None

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """The values to try by key, outermost first, of a grid that is an arm's."""
        assert not isinstance(self.learning_rate, dict)
        return {name: values for name in TUNABLE if (values := getattr(self, name)) is not None}
