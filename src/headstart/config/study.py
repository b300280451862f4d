"""The study file as frozen types: every key, its default and its limits; knows nothing of files' contents."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from headstart.config.rates import RateGrids, Rates
from headstart.config.traits import (
    METHODS,
    TASKS,
    MethodName,
    TaskName,
    check_method,
    check_task,
    get_method_traits,
    get_task_traits,
    list_methods,
    list_tasks,
)

_Method = Annotated[MethodName, AfterValidator(check_method), Field(json_schema_extra=list_methods)]
_Task = Annotated[TaskName, AfterValidator(check_task), Field(json_schema_extra=list_tasks)]
Size = int | Literal["all"]

BAG_OF_WORDS_ARM: Final = "words"
#: Values of `data.group` that name no column: one finds it, the other takes equal texts alone.
AUTO_GROUP, IDENTICAL_GROUP = "auto", "identical"
#: What `tune` can try values of, outermost first; keys of `Training`.
TUNABLE: Final = ("learning_rate", "weight_decay")
#: The first of the seeds that a count of `tune.seeds` stands for: far from a study's own, which grow from 0.
FIRST_TUNING_SEED: Final = 1000
#: No dot, which parts the keys of an override.
_ARM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


#: Limits that `training` and `tune` share.
WeightDecay = Annotated[float, Field(ge=0)]
#: The scale of an adapter times the root of its rank, where a study names no alpha: 2 at r = 16.
_SCALE_TIMES_ROOT: Final = 8
#: Layers that get an adapter, by what they do in a block.
LoraRole = Literal["attention", "mlp", "all"]
#: Biases that train beside adapters.
LoraBias = Literal["none", "lora_only", "all"]


#: Whether each seed learns from the same texts, where it learns from all.
TrainingTexts = Literal["fixed", "folds", "bootstrap"]


class Section(BaseModel):
    """What all parts of a study share: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Split(Section):
    """How texts are divided where the study names no file for a part."""

    valid: float = Field(default=0.1, gt=0, lt=1, description="Share of the texts that go to validation.")
    test: float = Field(default=0.2, gt=0, lt=1, description="Share of the texts that go to the test.")
    seed: int = Field(default=0, ge=0, description="Seed of the division; one division serves all runs.")
    group: str | None = Field(
        default=None, description="Column that keeps rows together: no group stands in two parts."
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Split:
        if self.valid + self.test >= 1:
            raise ValueError(f"valid + test is {self.valid + self.test:g}; below 1 expected")
        return self


class Data(Section):
    """Where labelled texts come from: files, one file to be split, a hub data set, or an asset."""

    train: str | None = Field(default=None, description="File or folder of training texts.")
    valid: str | None = Field(default=None, description="Validation texts; split off `train` where absent.")
    test: str | None = Field(default=None, description="Test texts; split off `train` where absent.")
    path: str | None = Field(default=None, description="One file or folder, to be split into three.")
    hub: str | None = Field(default=None, description="Data-set id on the Hugging Face hub, or its folder.")
    subset: str | None = Field(default=None, description="Configuration name of the hub data set.")
    revision: str | None = Field(default=None, description="Commit or tag of the hub data set.")
    asset: str | None = Field(default=None, description="Package-index data set, such as rotten-tomatoes.")
    text: str | tuple[str, str] = Field(default="text", description="Text column, or two for a pair.")
    label: str | tuple[str, ...] = Field(
        default="label", description="Label column; for multi-label also a list of 0/1 columns."
    )
    prompt: str | Annotated[tuple[str, ...], Field(min_length=2)] = Field(
        default="prompt",
        description="Column of prompts, for task instruction; of several, such as [instruction, input], "
        "those that hold something are joined by a blank line.",
    )
    response: str = Field(default="response", description="Column of responses, for task instruction.")
    messages: str | None = Field(
        default=None,
        description="Column of lists of messages, {role, content} or {from, value}, in place of prompt and "
        "response.",
    )
    skip_invalid: bool = Field(
        default=False,
        description="Leave out rows whose text or label cannot be read, and count them; by default they are "
        "an error.",
    )
    separator: str = Field(default=",", description="Between the cells of a CSV file; one character.")
    label_separator: str = Field(
        default="|", min_length=1, description="Between the labels of one multi-label cell."
    )
    label_names: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        default=None,
        description="Names of the places where multi-label cells are lists of 0 and 1; numbers where absent.",
    )
    group: Annotated[str, Field(min_length=1)] | None = Field(
        default=AUTO_GROUP,
        description="Column of what test texts have in common, over which intervals are taken; auto: that of "
        "split.group, or one named group; identical: no column, equal texts alone; null: each by itself.",
    )
    split: Split = Split()
    training_texts: TrainingTexts = Field(
        default="fixed",
        description="Of size all: fixed, the same for every seed; folds, each seed leaves out another part; "
        "bootstrap, each seed draws as many with replacement.",
    )
    folds: int = Field(default=5, ge=2, description="Parts of which training_texts: folds leaves out one.")

    @field_validator("separator")
    @classmethod
    def _check_separator(cls, value: str) -> str:
        separator = value.replace("\\t", "\t")
        if len(separator) != 1 or separator in '"\r\n':
            raise ValueError(f"one character expected, no quotation mark or line end, got {value!r}")
        return separator

    @model_validator(mode="after")
    def _check_one_source(self) -> Data:
        given = [k for k in ("train", "path", "hub", "asset") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(
                f"one of train, path, hub, asset expected, got {' and '.join(given) or 'none of them'}"
            )
        if given != ["train"] and (self.valid or self.test):
            raise ValueError(f"valid and test go with train, not with {given[0]}")
        if given != ["hub"] and (self.subset or self.revision):
            raise ValueError(f"subset and revision go with hub, not with {given[0]}")
        return self

    @model_validator(mode="after")
    def _check_label_names(self) -> Data:
        if self.label_names is not None and len(set(self.label_names)) < max(len(self.label_names), 1):
            raise ValueError("label_names: at least one name expected, and each once")
        if self.label_names is not None and not isinstance(self.label, str):
            raise ValueError("label_names goes with one label column: a list of columns names the labels")
        return self

    @property
    def is_pair(self) -> bool:
        """Whether each example holds two texts."""
        return not isinstance(self.text, str)


class Training(Section):
    """One tuning run's settings. An arm may set some of them for itself."""

    batch_size: int = Field(default=16, ge=1, description="Texts in one forward pass.")
    accumulation: int = Field(default=1, ge=1, description="Batches whose gradients make one step.")
    epochs: int = Field(default=3, ge=1, description="Passes over the training texts.")
    steps: int | None = Field(default=None, ge=1, description="Optimiser steps, in place of epochs.")
    learning_rate: Rates | None = Field(
        default=None,
        description="Peak learning rate: one for all methods, or by method, such as {full: 3e-5, "
        "lora: 2e-4}; what suits the method where absent.",
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="How the rate falls after the warm-up."
    )
    warmup: float = Field(default=0.06, ge=0, description="Below 1: share of all steps; else a count.")
    weight_decay: WeightDecay = Field(default=0.01, description="AdamW's; not on biases and norms.")
    betas: tuple[float, float] = Field(default=(0.9, 0.98), description="AdamW's (RoBERTa's values).")
    epsilon: float = Field(default=1e-6, gt=0, description="AdamW's (RoBERTa's value).")
    clip: float = Field(default=1.0, ge=0, description="Largest norm of a run's gradient; 0 for none.")
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Epochs without a better valid metric that end a run; none by default.",
    )
    max_length: int | None = Field(
        default=None, ge=4, description="Most tokens of a text; 256, or what the model takes if less."
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Compute activations again in the backward pass: same numbers, less memory, more time.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp64"] = Field(
        default="auto", description="auto: bf16 where the hardware multiplies in it, else fp32."
    )

    @field_validator("betas")
    @classmethod
    def _check_betas(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in value):
            raise ValueError(f"two numbers from 0 up to, not including, 1 expected, got {list(value)}")
        return value

    @model_validator(mode="after")
    def _check_epochs_or_steps(self) -> Training:
        if self.steps is not None and "epochs" in self.model_fields_set:
            raise ValueError("epochs and steps both set; one of them expected")
        return self

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


def _check_seed_count(count: int) -> int:
    if count < 1:
        raise ValueError(f"at least 1 seed expected, got {count}")
    return count


def _expand_tuning_seeds(value: Any) -> Any:
    """A count n stands for n seeds from `FIRST_TUNING_SEED`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return tuple(range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + _check_seed_count(value)))
    if isinstance(value, str) and value != "shared":
        raise ValueError(f"a count, a list of seeds, or shared expected, got {value!r}")
    return value


_Grid = tuple[float, ...] | dict[MethodName, tuple[float, ...]] | None
TuningSeeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...] | Literal["shared"],
    BeforeValidator(_expand_tuning_seeds, json_schema_input_type=int | list[int] | Literal["shared"]),
]


class Tune(Section):
    """The hyperparameter grid of an arm; its best point on valid represents the arm."""

    learning_rate: RateGrids | None = Field(
        default=None,
        description="Peak learning rates to try: a list for all methods, or a list by method.",
    )
    weight_decay: tuple[WeightDecay, ...] | None = Field(default=None, description="Weight decays to try.")
    seeds: TuningSeeds = Field(
        default=(FIRST_TUNING_SEED, FIRST_TUNING_SEED + 1),
        description="Seeds that choose the grid point and judge nothing: a count, or a list; shared: the "
        "study's own seeds choose.",
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


class Lora(Section):
    """Low-rank adapters: W x + scale B A x with W frozen (Hu et al. 2021, "LoRA", section 4.1)."""

    r: int = Field(default=16, ge=1, description="Rank: rows of A, columns of B.")
    alpha: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="The update is scaled by alpha / r; 8 sqrt(r), rounded, where absent: 32 at r = 16.",
    )
    dropout: float = Field(default=0.05, ge=0, lt=1, description="On what A reads.")
    target: LoraRole | tuple[str, ...] | None = Field(
        default=None,
        description="Layers with an adapter: a role, or names; by default what PEFT chooses for the model.",
    )
    bias: LoraBias = Field(
        default="none", description="Biases that train too: none, all, or those of layers with an adapter."
    )
    rslora: bool = Field(
        default=False,
        description="Scale by alpha / sqrt(r) (Kalajdzievski 2023, rank-stabilised LoRA); alpha is then 8 "
        "where absent.",
    )

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

    init: str = Field(
        default="pretrained",
        min_length=1,
        description="pretrained, random, or any checkpoint (folder, hub id, asset:name).",
    )
    method: _Method = Field(default="full", description="How it is tuned.")
    training: Training = Field(default=Training(), description="Settings that differ from the study's.")
    tune: Tune | None = Field(default=None, description="The arm's own grid, in place of the study's.")
    lora: Lora | None = Field(default=None, description="Settings of the methods lora and qlora.")
    probe: Probe | None = Field(default=None, description="Settings of the method probe.")
    peft: dict[str, Any] | None = Field(
        default=None, description="Any configuration of PEFT's, for the method peft: peft_type and its keys."
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


class Prompts(Section):
    """How a causal model reads prompts and responses, and what of them it learns."""

    template: str = Field(
        default="auto",
        min_length=1,
        description="human: `<human>: ...` and `<assistant>: ...`; chat: the tokenizer's own chat template; "
        "auto: chat where the tokenizer has one, else human; else the path of a Jinja template.",
    )
    loss: Literal["response", "all"] = Field(
        default="response", description="Tokens in the loss: the responses with their end tokens, or all."
    )
    packing: bool = Field(
        default=False, description="Short texts of a batch share a row, and do not see each other."
    )


class Generation(Section):
    """How prompts of valid and test are answered at the selected epoch: greedily."""

    max_new_tokens: int = Field(default=64, ge=1, description="Most tokens of an answer.")
    texts: int = Field(
        default=100, ge=0, description="Prompts of a part that are answered and compared; 0: none."
    )


class Select(Section):
    """How each run's best epoch is chosen."""

    metric: str | None = Field(default=None, description="A metric of the task; its first where absent.")
    on: Literal["valid"] = Field(default="valid", description="Never the test texts.")


class ExecutionSettings(Section):
    """How a GPU makes the steps. Nothing of it changes results beyond rounding; a CPU reads none of it."""

    compile: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="torch.compile of the step on a GPU; auto: where what is left to train outweighs it.",
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


def _expand_seed_count(value: Any) -> Any:
    """A count n stands for the seeds 0 to n-1."""
    if isinstance(value, int) and not isinstance(value, bool):
        return tuple(range(_check_seed_count(value)))
    return value


def _wrap_single(value: Any) -> Any:
    return (value,) if isinstance(value, int | str) else value


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    BeforeValidator(_expand_seed_count, json_schema_input_type=int | list[int]),
]
Sizes = Annotated[tuple[Size, ...], BeforeValidator(_wrap_single, json_schema_input_type=Size | list[Size])]


def _allow_null_words(schema: dict[str, Any]) -> None:
    """In the JSON schema of `arms`, null or false for the bag of words, which is taken out before typing."""
    arm = schema["additionalProperties"]
    schema["properties"] = {BAG_OF_WORDS_ARM: {"anyOf": [arm, {"type": "null"}, {"const": False}]}}


class Study(Section):
    """One question, asked of data by arms over seeds: the whole study file."""

    question: str = Field(default="", description="What the study asks, in words.")
    task: _Task = Field(default="classification", description="What is learnt from a text.")
    data: Data
    model: str = Field(min_length=1, description="Checkpoint: folder, hub id, or asset:name.")
    arms: dict[str, Arm] = Field(
        default_factory=lambda: make_default_arms(),
        description="What is compared, by name; `words: null` takes the bag of words out.",
        json_schema_extra=_allow_null_words,
    )
    control: str | None = Field(
        default=None, description="Arm that the others are compared with; `random` where there is one."
    )
    confounded: bool = Field(
        default=False, description="Allow arms that differ from the control in more than they claim."
    )
    seeds: Seeds = Field(default=(0, 1, 2), description="A count, or a list.")
    sizes: Sizes = Field(default=("all",), description="Training texts, counted over all labels, or all.")
    training: Training = Training()
    tune: Tune | None = Field(
        default=None, description="Settings that each arm tries; each gets its own best, chosen on valid."
    )
    prompts: Prompts = Field(default=Prompts(), description="For task instruction.")
    generation: Generation = Field(default=Generation(), description="For task instruction.")
    samples: tuple[str, ...] = Field(
        default=(), description="Prompts to be answered before training and after; for task instruction."
    )
    select: Select = Select()
    margin: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Differences of the metric within it are none that matter: points for shares, else in "
        "its unit. State it before there are results.",
    )
    curves: tuple[Literal["valid", "test"], ...] = Field(
        default=("valid",), description="What is measured after each epoch; the test only on request."
    )
    workers: int | Literal["auto"] = Field(
        default="auto",
        description="Processes that train at once; auto: one a GPU, and on a CPU as a short probe decides.",
    )
    pack: int | Literal["auto"] = Field(
        default="auto", description="Most runs that train as one; auto: a probe decides; 1: each by itself."
    )
    vocabulary: Literal["used", "full"] = Field(
        default="used",
        description="used: embedding rows that no text of the study uses are kept out of training, exactly; "
        "full: they stay in.",
    )
    device: Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(_refuse_mps)] = Field(
        default="auto", description="Where runs train; auto: on CUDA's GPUs where there are any, else a CPU."
    )
    execution: ExecutionSettings = ExecutionSettings()
    out: str = Field(default="runs/study", description="Folder for everything the study leaves.")

    @model_validator(mode="before")
    @classmethod
    def _add_bag_of_words(cls, value: Any) -> Any:
        return _add_words_arm(value) if isinstance(value, dict) else value

    @field_validator("arms")
    @classmethod
    def _check_arm_names(cls, value: dict[str, Arm]) -> dict[str, Arm]:
        bad = [name for name in value if not _ARM_NAME.fullmatch(name)]
        if bad:
            raise ValueError(f"arm name {bad[0]!r}: letters, digits, '_' and '-' expected")
        if not value:
            raise ValueError("at least one arm expected")
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
        small = [size for size in value if size != "all" and size < 2]
        if small:
            raise ValueError(f"at least 2 texts expected, got {small[0]}")
        return value

    @field_validator("pack")
    @classmethod
    def _check_pack(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError(f"'auto', or 1 or more expected, got {value}")
        return value

    @field_validator("workers")
    @classmethod
    def _check_workers(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 0:
            raise ValueError(f"'auto', 0 (train in this process) or more expected, got {value}")
        return value

    @model_validator(mode="after")
    def _check_parts(self) -> Study:
        problems = [problem for check in _CHECKS for problem in check(self)]
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


def make_default_arms() -> dict[str, Any]:
    """The arms of a study that names none, as plain values."""
    return {"pretrained": {}, "random": {"init": "random"}}


def _add_words_arm(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with the bag-of-words arm added, unless its arms settle the matter."""
    arms = value.get("arms")
    arms = make_default_arms() if arms is None else arms
    if not isinstance(arms, dict) or not arms:
        return value
    taken_out = BAG_OF_WORDS_ARM in arms and arms[BAG_OF_WORDS_ARM] in (None, False)
    # `words: null` alone takes the words out of the arms that a study has by default.
    kept = {
        name: arm for name, arm in arms.items() if not (name == BAG_OF_WORDS_ARM and taken_out)
    } or make_default_arms()
    task = TASKS.get(str(value.get("task")))
    taken_out = taken_out or (task is not None and task.generates)
    if not (taken_out or _is_pair(value.get("data")) or any(map(_is_bag_of_words, kept.values()))):
        kept.setdefault(BAG_OF_WORDS_ARM, {"method": "bag-of-words"})
    return {**value, "arms": kept}


def _is_pair(data: Any) -> bool:
    text = data.get("text") if isinstance(data, dict) else getattr(data, "text", None)
    return text is not None and not isinstance(text, str)


def _is_bag_of_words(arm: Any) -> bool:
    method = arm.get("method") if isinstance(arm, dict) else getattr(arm, "method", None)
    return bool(method == "bag-of-words")


# Each check gives its problems as `key: message`, a line each.


def _check_metric(study: Study) -> Iterator[str]:
    if study.metric not in get_task_traits(study.task).metrics:
        yield (
            f"select.metric: {study.metric!r} is no metric of {study.task}; "
            f"one of {', '.join(get_task_traits(study.task).metrics)} expected"
        )


def _check_control(study: Study) -> Iterator[str]:
    if study.control is not None and study.control not in study.arms:
        yield f"control: no arm is named {study.control!r}; the arms are {', '.join(study.arms)}"


def _check_labels(study: Study) -> Iterator[str]:
    if not isinstance(study.data.label, str) and study.task != "multi-label":
        yield f"data.label: a list of columns goes with task: multi-label, not with {study.task}"
    if study.data.label_names is not None and study.task != "multi-label":
        yield f"data.label_names: goes with task: multi-label, not with {study.task}"
    if study.data.is_pair and any(map(_is_bag_of_words, study.arms.values())):
        yield "arms: bag-of-words reads one text, and data.text names two columns"


def _check_tune(study: Study) -> Iterator[str]:
    for name, arm in study.arms.items():
        if not get_method_traits(arm.method).is_tunable:
            if arm.tune is not None:
                yield f"arms.{name}.tune: {_explain_untunable(arm)}; no grid expected"
            continue
        tune = arm.tune or study.tune
        grid = tune.select(arm.method) if tune else None
        for key in grid.axes if grid else ():
            if key in arm.training.model_fields_set and getattr(arm.training, key) is not None:
                yield (
                    f"arms.{name}.training.{key}: is set beside a grid that tries values of it; "
                    f"give the arm its own grid: arms.{name}.tune"
                )


def _check_rates_of_arms(study: Study) -> Iterator[str]:
    """An arm has one method: rates by method are the study's to give."""
    for name, arm in study.arms.items():
        for key, section in (("training", arm.training), ("tune", arm.tune)):
            if section is not None and isinstance(section.learning_rate, dict):
                what = "one rate" if key == "training" else "one list of rates"
                yield (
                    f"arms.{name}.{key}.learning_rate: {what} expected, for an arm has one method; rates by "
                    f"method are the study's: {key}.learning_rate"
                )


def _explain_untunable(arm: Arm) -> str:
    if _is_bag_of_words(arm):
        return "a bag of words chooses its own strength on valid"
    return f"method {arm.method} takes no learning rate"


def _check_tuning_seeds(study: Study) -> Iterator[str]:
    """A seed that chose a setting by its luck would be flattered by the same luck when it judges."""
    grids = {f"arms.{name}.tune": arm.tune for name, arm in study.arms.items()} | {"tune": study.tune}
    for key, grid in grids.items():
        both = sorted(set(grid.seeds) & set(study.seeds)) if grid and grid.seeds != "shared" else []
        if both:
            what = "seed" if len(both) == 1 else "seeds"
            yield (
                f"{key}.seeds: {what} {', '.join(map(str, both))} would choose the setting and judge it too; "
                "seeds that `seeds` has not expected, or shared"
            )


def _check_methods(study: Study) -> Iterator[str]:
    task = get_task_traits(study.task)
    for name, arm in study.arms.items():
        method = get_method_traits(arm.method)
        if method.needs_pretrained and arm.init == "random":
            yield (
                f"arms.{name}.init: {arm.method} cannot start from random weights; "
                "give a random arm method: lora, or full"
            )
        if task.labels not in method.label_kinds and task.generates:
            yield f"arms.{name}.method: {arm.method} gives classes, and task: {study.task} wants answers"
        elif task.labels not in method.label_kinds:
            known = ", ".join(one.name for one in TASKS.values() if one.labels in method.label_kinds)
            yield f"arms.{name}.method: {arm.method} goes with task: {known}; a head has to learn"


def _check_samples(study: Study) -> Iterator[str]:
    if study.samples and not get_task_traits(study.task).generates:
        known = ", ".join(traits.name for traits in TASKS.values() if traits.generates)
        yield f"samples: prompts go with task: {known}, not with {study.task}"


_CHECKS: Final = (
    _check_metric,
    _check_control,
    _check_labels,
    _check_rates_of_arms,
    _check_tune,
    _check_tuning_seeds,
    _check_methods,
    _check_samples,
)
