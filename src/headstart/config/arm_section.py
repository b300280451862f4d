"""The study file's arms as frozen types: a start, a method, and what each sets for itself."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from headstart.config.partial_start import Init
from headstart.config.section import Section
from headstart.config.training_section import Training, Tune
from headstart.config.traits import METHODS, MethodName, check_method, list_methods

_Method = Annotated[MethodName, AfterValidator(check_method), Field(json_schema_extra=list_methods)]
#: The scale of an adapter times the root of its rank, where a study names no alpha: 2 at r = 16.
_SCALE_TIMES_ROOT: Final = 8
#: Layers that get an adapter, by what they do in a block.
LoraRole = Literal["attention", "mlp", "all"]
#: Biases that train beside adapters.
LoraBias = Literal["none", "lora_only", "all"]


class Lora(Section):
    """Low-rank adapters: W x + scale B A x with W frozen (Hu et al. 2021, "LoRA", section 4.1)."""

    r: int = Field(default=16, ge=1, description="Rank: rows of A, columns of B.")
    alpha: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="The update is scaled by alpha / r; 8 sqrt(r), rounded, where absent: 32 at r = 16.",
    )
    dropout: float = Field(default=0.05, ge=0, lt=1, description="Dropout on the input of A.")
    target: LoraRole | tuple[str, ...] | None = Field(
        default=None,
        description="Layers with an adapter: a role, or names; by default what PEFT chooses for the model.",
    )
    bias: LoraBias = Field(
        default="none", description="Biases to train as well: none, all, or those of layers with an adapter."
    )
    rslora: bool = Field(
        default=False,
        description="Scale by alpha / sqrt(r) (Kalajdzievski 2023, rank-stabilised LoRA); alpha is then 8 "
        "where absent.",
    )

    @field_validator("target")
    @classmethod
    def _check_target(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(value, tuple) and not (value and all(value)):
            raise ValueError(f"attention, mlp, all or names of layers expected, got {list(value)}")
        return value

    @property
    def alpha_in_force(self) -> float:
        """`alpha`, or where none is set what gives rank 16 scale 2, and all ranks updates of like size."""
        if self.alpha is not None:
            return self.alpha
        # A whole number: what reads PEFT's files may expect one.
        return _SCALE_TIMES_ROOT if self.rslora else round(_SCALE_TIMES_ROOT * math.sqrt(self.r))

    @property
    def scale(self) -> float:
        """What B A x is multiplied by."""
        return self.alpha_in_force / (math.sqrt(self.r) if self.rslora else self.r)

    @property
    def stabilised_scale(self) -> float:
        """The scale times the root of r, with which the size of the update goes whatever the rank."""
        return self.scale * math.sqrt(self.r)


class Probe(Section):
    """A linear classifier on the frozen encoder's features."""

    pooling: Literal["cls", "mean"] = Field(
        default="mean",
        description="A text's features: its first token's, or the mean over its tokens.",
    )


class Arm(Section):
    """An initialisation and a tuning method, with what it sets for itself."""

    init: Init = Field(
        default="pretrained",
        description="pretrained, random, adapted (pretrained further on the training examples), "
        "any checkpoint (folder, hub id, asset:name), or a part of the model's.",
    )
    method: _Method = Field(
        default="full",
        description="What is trained: all weights (full), an adapter, a probe, or nothing (none).",
    )
    training: Training = Field(default=Training(), description="Settings that differ from the study's.")
    tune: Tune | None = Field(default=None, description="The arm's own grid, in place of the study's.")
    lora: Lora | None = Field(default=None, description="Settings of the methods lora and qlora.")
    probe: Probe | None = Field(default=None, description="Settings of the method probe.")
    peft: dict[str, Any] | None = Field(
        default=None, description="Any PEFT configuration, for method peft: peft_type and its keys."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_method_section(cls, value: Any) -> Any:
        """The method's own section, with its defaults where the arm leaves it out."""
        if not isinstance(value, dict):
            return value
        method = value.get("method", "full")
        own_section = METHODS[method].section if isinstance(method, str) and method in METHODS else None
        # PEFT's section has no default: its type has to be named.
        defaults: dict[str, Any] = {own_section: {}} if own_section in ("lora", "probe") else {}
        sections = {traits.section for traits in METHODS.values()}
        return defaults | {key: v for key, v in value.items() if key not in sections or v is not None}

    @model_validator(mode="after")
    def _check_sections(self) -> Arm:
        for name in dict.fromkeys(traits.section for traits in METHODS.values() if traits.section):
            methods = [traits.name for traits in METHODS.values() if traits.section == name]
            if getattr(self, name) is not None and self.method not in methods:
                raise ValueError(f"{name} goes with method: {' or '.join(methods)}, not with {self.method}")
        if self.method == "peft" and "peft_type" not in (self.peft or {}):
            raise ValueError(
                "method peft needs a section peft with peft_type, such as peft: {peft_type: IA3}"
            )
        return self
