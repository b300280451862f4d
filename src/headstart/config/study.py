"""The study file as frozen types: every key, its default and its limits; knows nothing of files' contents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from headstart.config.adapt_section import Adapt
from headstart.config.arm_section import Arm, Lora, LoraBias, LoraRole, Probe
from headstart.config.data_section import AUTO_GROUP, IDENTICAL_GROUP, Data, Split
from headstart.config.default_arms import BAG_OF_WORDS_ARM, add_words_arm, make_default_arms
from headstart.config.differences import DiffersIn
from headstart.config.language_section import Generation, Prompts
from headstart.config.limits import MOST_ARMS, MOST_IN_PACK, MOST_SAMPLES, MOST_TEXTS, MOST_WORKERS
from headstart.config.parallel import Parallel, ParallelKind, wrap_kind
from headstart.config.section import Section
from headstart.config.seed_lists import Seeds
from headstart.config.sizes import Size, Sizes
from headstart.config.study_checks import find_problems
from headstart.config.trackers import Trackers
from headstart.config.training_section import Training, Tune
from headstart.config.traits import TaskName, check_task, get_method_traits, get_task_traits, list_tasks
from headstart.shown import load_object

# Types of these sections are imported from here, wherever they lie.
__all__ = [
    "AUTO_GROUP",
    "BAG_OF_WORDS_ARM",
    "IDENTICAL_GROUP",
    "Arm",
    "Data",
    "ExecutionSettings",
    "Lora",
    "LoraBias",
    "LoraRole",
    "Probe",
    "Section",
    "Select",
    "Split",
    "Study",
    "Training",
    "Tune",
    "make_default_arms",
]

_Task = Annotated[TaskName, AfterValidator(check_task), Field(json_schema_extra=list_tasks)]
#: File systems take 255 bytes, of which some are for names of files that are being written.
_ARM_LENGTH = 200
_WORDS_DESCRIPTION = "The bag of words, which is added by default; null takes it out."
#: No dot, which parts the keys of an override.
_ARM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Select(Section):
    """How each run's best epoch is chosen."""

    metric: str | None = Field(default=None, description="A metric of the task; default: its first.")
    on: Literal["valid"] = Field(default="valid", description="Part that selects the epoch; never test.")


class ExecutionSettings(Section):
    """How a GPU makes the steps. Nothing of it changes results beyond rounding; a CPU reads none of it."""

    compile: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="torch.compile of the step on a GPU; auto: where enough training is left to pay off.",
    )
    graph: Literal["auto", "off"] = Field(
        default="auto",
        description="CUDA graphs of the step; auto: on a GPU, where the model's code can be captured.",
    )


def _refuse_mps(value: Any) -> Any:
    """Apple's GPUs have a name that people try: a list of what is valid would leave them wondering."""
    if value == "mps":
        raise ValueError("auto, cpu or cuda expected, got 'mps'; Apple's GPUs are not supported: set cpu")
    return value


def _check_count(value: int | str, expected: str, least: int, most: int) -> int | str:
    if isinstance(value, int) and value < least:
        raise ValueError(f"{expected} expected, got {value}")
    if isinstance(value, int) and value > most:
        raise ValueError(f"at most {most:,} expected, got {value}")
    return value


def _allow_null_words(schema: dict[str, Any]) -> None:
    """In the JSON schema of `arms`, null or false for the bag of words, which is taken out before typing."""
    arm = schema["additionalProperties"]
    words = {"anyOf": [arm, {"type": "null"}, {"const": False}]}
    schema["properties"] = {BAG_OF_WORDS_ARM: {**words, "description": _WORDS_DESCRIPTION}}


class Study(Section):
    """One question, asked of data by arms over seeds: the whole study file."""

    question: str = Field(default="", description="What the study asks, in words.")
    task: _Task = Field(default="classification", description="What to learn from a text.")
    data: Data = Field(description="Where the texts and labels are, and which columns hold them.")
    model: str = Field(min_length=1, description="Checkpoint: folder, hub id, id@revision, or asset:name.")
    arms: dict[str, Arm] = Field(
        default_factory=lambda: make_default_arms(),
        description="Arms to compare, by name; `words: null` removes the bag of words.",
        json_schema_extra=_allow_null_words,
    )
    control: str | None = Field(
        default=None, description="Arm that the others are compared with; default: `random` if there is one."
    )
    differs_in: DiffersIn = Field(
        default=(),
        description="Settings in which arms may differ from the control besides `init` and `method`.",
    )
    confounded: bool = Field(
        default=False,
        description="Deprecated: allows every difference; list the intended ones in differs_in.",
    )
    seeds: Seeds = Field(
        default=(0, 1, 2),
        description="Seeds that every arm is trained with: a count (3: seeds 0, 1 and 2), or a list.",
    )
    sizes: Sizes = Field(default=("all",), description="Training examples, counted over all labels, or all.")
    training: Training = Field(default=Training(), description="Training settings of all arms.")
    tune: Tune | None = Field(
        default=None, description="Settings that each arm tries; each gets its own best, chosen on valid."
    )
    adapt: Adapt = Field(
        default=Adapt(),
        description="How arms with init: adapted are first pretrained, on all training examples "
        "without their labels.",
    )
    prompts: Prompts = Field(
        default=Prompts(), description="How prompts are written and what is learnt; for task instruction."
    )
    generation: Generation = Field(
        default=Generation(),
        description="How many prompts are answered after training; for task instruction.",
    )
    samples: tuple[str, ...] = Field(
        default=(),
        max_length=MOST_SAMPLES,
        description="Prompts answered before and after training; for task instruction.",
    )
    select: Select = Field(default=Select(), description="How the best epoch of each run is chosen.")
    margin: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Largest difference in the metric that does not matter: points for "
        "shares, else its own unit. Set it before there are results.",
    )
    curves: tuple[Literal["valid", "test"], ...] = Field(
        default=("valid",), description="Parts evaluated after each epoch; test only on request."
    )
    trackers: Trackers = Field(
        default=("tensorboard",),
        description="What shows each run's curves: tensorboard, mlflow, wandb, trackio, each with settings "
        "or without; [] for none.",
    )
    workers: int | Literal["auto"] = Field(
        default="auto",
        description="Processes that train at the same time; auto: one per GPU; on a CPU "
        "chosen by a short probe.",
    )
    pack: int | Literal["auto"] = Field(
        default="auto",
        description="Maximum runs that train together; auto: chosen by a short probe; 1: one at a time.",
    )
    parallel: Annotated[
        Parallel | None,
        BeforeValidator(wrap_kind, json_schema_input_type=Parallel | ParallelKind | None),
    ] = Field(
        default=None,
        description="One model on several devices: ddp or fsdp, or a section with kind, processes and "
        "timeout; null: each model on one.",
    )
    vocabulary: Literal["used", "full"] = Field(
        default="used",
        description="used: embedding rows that no text of the study uses are kept out of training, exactly; "
        "full: they stay in.",
    )
    device: Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(_refuse_mps)] = Field(
        default="auto", description="Where runs train; auto: on CUDA's GPUs where there are any, else a CPU."
    )
    execution: ExecutionSettings = Field(
        default=ExecutionSettings(),
        description="How a GPU computes the steps; results do not depend on it.",
    )
    report: bool = Field(
        default=True, description="Write the results as a page, report/index.html, when the study ends."
    )
    out: str = Field(default="runs/study", min_length=1, description="Output folder of the study.")

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        """What tells it from others."""
        yield from (("out", self.out), ("task", self.task), ("model", self.model))
        yield from (("arms", list(self.arms)), ("sizes", self.sizes), ("seeds", self.seeds))

    def __str__(self) -> str:
        """As a study file, with what was set and without defaults."""
        text: str = load_object("headstart.config.load:outline_study")(self)
        return text

    @model_validator(mode="before")
    @classmethod
    def _add_bag_of_words(cls, value: Any) -> Any:
        return add_words_arm(value) if isinstance(value, dict) else value

    @field_validator("arms")
    @classmethod
    def _check_arm_names(cls, value: dict[str, Arm]) -> dict[str, Arm]:
        bad = [name for name in value if not _ARM_NAME.fullmatch(name)]
        if bad:
            raise ValueError(f"arm name {bad[0]!r}: letters, digits, '_' and '-' expected")
        longest = max(value, key=len, default="")
        if len(longest) > _ARM_LENGTH:
            long = f"{longest[:20]!r}... has {len(longest)} characters"
            raise ValueError(f"arm name {long}: {_ARM_LENGTH} at most expected, for it names a folder")
        if not value:
            raise ValueError("at least one arm expected")
        if len(value) > MOST_ARMS:
            raise ValueError(f"{len(value):,} arms, at most {MOST_ARMS:,} expected")
        return value

    @field_validator("seeds", "sizes", "curves")
    @classmethod
    def _check_unique(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value:
            raise ValueError("at least one expected, got an empty list")
        if len(set(value)) < len(value):
            raise ValueError(f"each at most once expected, got {list(value)}")
        return value

    @field_validator("sizes")
    @classmethod
    def _check_sizes(cls, value: tuple[Size, ...]) -> tuple[Size, ...]:
        wrong = [size for size in value if size != "all" and not 2 <= size <= MOST_TEXTS]
        if wrong:
            raise ValueError(f"2 to {MOST_TEXTS:,} training examples expected, got {wrong[0]}")
        return value

    @field_validator("pack")
    @classmethod
    def _check_pack(cls, value: int | str) -> int | str:
        return _check_count(value, "'auto', or 1 or more", 1, MOST_IN_PACK)

    @field_validator("workers")
    @classmethod
    def _check_workers(cls, value: int | str) -> int | str:
        return _check_count(value, "'auto', 0 (train in this process) or more", 0, MOST_WORKERS)

    @model_validator(mode="after")
    def _check_parts(self) -> Study:
        problems = list(find_problems(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def metric(self) -> str:
        """The metric that chooses each run's epoch and leads the tables."""
        return self.select.metric or get_task_traits(self.task).metrics[0]

    @property
    def control_arm(self) -> str | None:
        """The arm that the others are compared with, or None where there is no other."""
        if self.control:
            return self.control
        neural = [name for name, arm in self.arms.items() if get_method_traits(arm.method).has_checkpoint]
        at_random = [name for name in neural if self.arms[name].init == "random"]
        others = at_random or [name for name in self.arms if name not in neural]
        return others[0] if others and len(self.arms) > 1 else None
