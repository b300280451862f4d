"""The pretraining file as frozen types: corpus, tokenizer, model, masking and training; reads no file."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from headstart.config.limits import (
    LARGEST_SEED,
    MOST_EPOCHS,
    MOST_IN_BATCH,
    MOST_STEPS,
    MOST_TOKENS,
)
from headstart.config.section import Section
from headstart.config.trackers import Trackers
from headstart.config.training_checks import Betas, check_length

_Name = Annotated[str, Field(min_length=1)]
_Size = Annotated[int, Field(ge=1, le=MOST_TOKENS)]
#: A network of more would take minutes to build, whatever its width.
MOST_LAYERS: Final = 1000
PretrainingTask = Literal["masked-lm", "causal-lm"]


class PretrainingData(Section):
    """Where the text is, and what of it is kept for validation."""

    train: _Name | Annotated[tuple[_Name, ...], Field(min_length=1)] = Field(
        description="Files, folders or patterns of text: txt, JSON Lines, Parquet, CSV; compressed too."
    )
    valid: _Name | Annotated[tuple[_Name, ...], Field(min_length=1)] | None = Field(
        default=None, description="Validation text; a share of `train` where absent."
    )
    valid_share: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Share of documents used for validation where `valid` is absent.",
    )
    text: _Name = Field(default="text", description="Column or key of the text, in formats that have such.")
    document: Literal["line", "blank-line", "file"] = Field(
        default="line", description="What a document of a text file is."
    )

    @property
    def train_paths(self) -> tuple[str, ...]:
        """The paths of `train`, one or several."""
        return (self.train,) if isinstance(self.train, str) else self.train

    @property
    def valid_paths(self) -> tuple[str, ...]:
        """The paths of `valid`; none where a share is held out."""
        return (self.valid,) if isinstance(self.valid, str) else self.valid or ()


class TokenizerTraining(Section):
    """A tokenizer that is trained on the corpus."""

    train: Literal["unigram", "bpe"] = Field(default="unigram", description="Kind of tokenizer to train.")
    size: int = Field(default=32_000, ge=8, le=1_000_000, description="Tokens, special ones included.")


class ModelSizes(Section):
    """Sizes in place of the configuration's own."""

    layers: Annotated[int, Field(ge=1, le=MOST_LAYERS)] | None = Field(default=None, description="Layers.")
    width: _Size | None = Field(default=None, description="Width of a hidden state.")
    heads: _Size | None = Field(default=None, description="Attention heads of a layer.")
    feed_forward: _Size | None = Field(default=None, description="Width of the feed-forward part.")
    positions: _Size | None = Field(default=None, description="Positions, those of padding included.")
    dropout: float | None = Field(
        default=None, ge=0, lt=1, description="Dropout of hidden states and of attention."
    )


class Masking(Section):
    """What is masked of a block, for masked-lm: drawn anew each time that a block comes."""

    share: float = Field(default=0.15, gt=0, lt=1, description="Share of tokens that are predicted.")
    replace: tuple[float, float, float] = Field(
        default=(0.8, 0.1, 0.1),
        description="Of those, the shares that become the mask token, a random token, and stay.",
    )
    whole_words: bool = Field(default=False, description="Choose whole words.")

    @field_validator("replace")
    @classmethod
    def _check_replace(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) < 0 or abs(sum(value) - 1) > 1e-6:
            raise ValueError(f"three shares that add up to 1 expected, got {list(value)}")
        return value


class PretrainingSteps(Section):
    """How the model is trained."""

    block: int = Field(default=256, ge=2, le=MOST_TOKENS, description="Tokens of a block.")
    batch_size: int = Field(default=32, ge=1, le=MOST_IN_BATCH, description="Blocks in one forward pass.")
    accumulation: int = Field(
        default=1, ge=1, le=MOST_IN_BATCH, description="Batches accumulated per optimiser step."
    )
    epochs: float = Field(default=1, gt=0, le=MOST_EPOCHS, description="Passes over the training blocks.")
    steps: int | None = Field(
        default=None, ge=1, le=MOST_STEPS, description="Optimiser steps, in place of epochs."
    )
    optimiser: Literal["adamw", "muon"] = Field(
        default="adamw", description="muon: matrices of the layers by Muon, the rest by AdamW."
    )
    learning_rate: float = Field(default=5e-4, gt=0, lt=10, description="Peak learning rate.")
    schedule: Literal["linear", "cosine", "wsd", "constant"] = Field(
        default="linear",
        description="How the rate falls after the warm-up; wsd: it stays, then falls to 0 over `decay`.",
    )
    warmup: float = Field(
        default=0.06, ge=0, le=MOST_STEPS, description="Below 1: share of all steps; else a count."
    )
    decay: float = Field(
        default=0.2, ge=0, le=MOST_STEPS, description="For wsd: steps of the fall, as `warmup`."
    )
    weight_decay: float = Field(
        default=0.01, ge=0, description="Decoupled weight decay; not applied to biases and norms."
    )
    betas: Betas = Field(default=(0.9, 0.98), description="AdamW's (RoBERTa's values).")
    epsilon: float = Field(default=1e-6, gt=0, description="AdamW's (RoBERTa's value).")
    momentum: float = Field(default=0.95, ge=0, lt=1, description="Muon's.")
    clip: float = Field(default=1.0, ge=0, description="Maximum gradient norm; 0: no clipping.")
    precision: Literal["auto", "fp32", "bf16", "pure-bf16", "fp64"] = Field(
        default="auto",
        description="auto: bf16 where the hardware multiplies in it, else fp32; pure-bf16: norms and "
        "residual sums in bf16 too. Weights and moments are float32 in all.",
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto", description="torch.compile; auto: on a GPU. Falls back to eager, and says why."
    )

    graph: Literal["auto", "off"] = Field(
        default="auto", description="Steps as CUDA graphs; auto: on a GPU. Falls back, and says why."
    )

    _check_length = model_validator(mode="after")(check_length)

    @property
    def step_blocks(self) -> int:
        """Blocks of one optimiser step."""
        return self.batch_size * self.accumulation


class PretrainingSettings(Section):
    """What the loop needs to know: a pretraining file without its sources of text, tokenizer and model."""

    task: PretrainingTask = Field(default="masked-lm", description="What is predicted.")
    masking: Masking = Field(default=Masking(), description="What is masked; for masked-lm.")
    training: PretrainingSteps = Field(default=PretrainingSteps(), description="Training settings.")
    seed: int = Field(
        default=0, ge=0, le=LARGEST_SEED, description="Decides weights, order, masks and dropout."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where it trains.")
    eval_every: int | None = Field(
        default=None, ge=1, le=MOST_STEPS, description="Steps between validations; default: ten in all."
    )
    save_every: int | None = Field(
        default=None,
        ge=1,
        le=MOST_STEPS,
        description="Steps between saved states; default: one a minute, in at most 5% of the time.",
    )
    trackers: Trackers = Field(default=("tensorboard",), description="What shows the curves; as in a study.")


class Pretraining(PretrainingSettings):
    """A pretraining file."""

    data: PretrainingData = Field(description="Where the text is.")
    tokenizer: _Name | TokenizerTraining | None = Field(
        default=None,
        description="Folder or hub id, or {train: unigram | bpe, size: N}; default: the model's own, "
        "for a preset a new one.",
    )
    model: _Name = Field(
        default="roberta-small",
        description="Preset roberta-small or bloom-small, or the folder or hub id of a checkpoint.",
    )
    sizes: ModelSizes = Field(default=ModelSizes(), description="Sizes in place of the model's own.")
    init: Literal["random", "pretrained"] = Field(
        default="random", description="Random weights, or those of the checkpoint."
    )
    out: str = Field(default="runs/pretraining", min_length=1, description="Output folder.")

    @property
    def is_preset(self) -> bool:
        """Whether the model is one of ours."""
        return self.model in PRESETS

    @model_validator(mode="after")
    def _check_parts(self) -> Pretraining:
        problems = list(_find_problems(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self


#: The presets, and the task that each is for.
PRESETS: dict[str, PretrainingTask] = {"roberta-small": "masked-lm", "bloom-small": "causal-lm"}


def _find_problems(settings: Pretraining) -> list[str]:
    """What does not go together, each with its key."""
    found = []
    steps, warmup = settings.training.steps, settings.training.warmup
    if steps is not None and warmup > steps:
        found.append(
            f"training.warmup: {warmup:,g} steps, of {steps:,} in all: the rate would never reach its peak; "
            "a share below 1, or fewer steps expected"
        )
    if settings.is_preset and PRESETS[settings.model] != settings.task:
        found.append(f"model: {settings.model} is for {PRESETS[settings.model]}, not for {settings.task}")
    if settings.is_preset and settings.init == "pretrained":
        found.append(f"init: pretrained weights need a checkpoint; {settings.model} is a preset without any")
    if settings.init == "pretrained":
        changed = settings.sizes.model_dump(exclude_none=True, exclude={"dropout"})
        if changed:
            found.append(
                f"sizes: {', '.join(changed)} set, but pretrained weights have the checkpoint's sizes"
            )
        if settings.tokenizer is not None:
            found.append("tokenizer: pretrained weights go with the checkpoint's own tokenizer; leave it out")
    return found
