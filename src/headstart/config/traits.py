"""What is known of methods and tasks without torch, by name: registered here in a line each.

The objects that do the work lie in `headstart.methods` and `headstart.tasks`, one file each; `implementation`
says where, and is imported when the object is first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic_core import PydanticCustomError

TaskName = str
MethodName = str
#: What stands in a task's label column: one class, a set of labels, a number, or nothing, for texts that are
#: conversations of which the answers are learnt.
LabelKind = Literal["class", "label-set", "number", "conversation"]
#: What a method leaves in a model's folder: a whole model, an adapter or a probe beside its base, a bag of
#: words, or nothing.
Artifact = Literal["model", "adapter", "probe", "words", "nothing"]


@dataclass(frozen=True)
class MethodTraits:
    """A tuning method.

    Attributes:
        learning_rate: the one that suits it where a study names none.
        section: the arm's section that holds its settings.
        has_steps: it trains a network step by step, so that its memory and time are worth planning.
        queue: its place among packs; quick ones (higher) fill the gap while the last pack ends.
        is_tiny: a step costs what calling its operators costs, so that many train as one.
        has_checkpoint: it starts from a model, pretrained or random; else it reads texts alone, and none of
            `training`.
        freezes_base: it trains none of the body's own weights: runs from one checkpoint may share them.
        needs_pretrained: it cannot start from random weights.
        artifact: what it saves of a pretrained arm; a random arm's base is nowhere else, and is saved whole.
        cheaper: the method to turn to where memory does not hold this one.
        label_kinds: those of the tasks that it can learn.
        extra: the extra of ours that installs what it needs.
    """

    name: str
    implementation: str
    learning_rate: float = 0.0
    section: str | None = None
    has_steps: bool = True
    queue: int = 0
    is_tiny: bool = False
    has_checkpoint: bool = True
    freezes_base: bool = True
    needs_pretrained: bool = False
    artifact: Artifact = "model"
    cheaper: str | None = None
    label_kinds: tuple[LabelKind, ...] = ("class", "label-set", "number", "conversation")
    extra: str | None = None

    @property
    def is_tunable(self) -> bool:
        """Whether a grid can be tried: what takes no learning rate would do the same at each point."""
        return self.has_checkpoint and self.learning_rate > 0


@dataclass(frozen=True)
class TaskTraits:
    """A task.

    Attributes:
        metrics: the first is the default for choosing the best epoch.
        labels: what its label column holds.
        auto_class: the class of transformers that makes its models.
        problem_type: what such a model's configuration calls the task.
        pipeline: the hub's word for what its models do.
        tells_metrics: whether its test metrics are those that `store.recomputed` makes of its predictions, so
            that a record is held to them.
    """

    name: str
    implementation: str
    metrics: tuple[str, ...]
    labels: LabelKind
    auto_class: str = "AutoModelForSequenceClassification"
    problem_type: str | None = None
    pipeline: str = "text-classification"
    tells_metrics: bool = False

    @property
    def has_classes(self) -> bool:
        """Whether labels have names, and models an output for each."""
        return self.labels in ("class", "label-set")

    @property
    def generates(self) -> bool:
        """Whether models write answers to prompts."""
        return self.labels == "conversation"


METHODS: Final[dict[str, MethodTraits]] = {}
TASKS: Final[dict[str, TaskTraits]] = {}


def register_method(traits: MethodTraits) -> None:
    """Make a method known by its name, in study files too."""
    METHODS[traits.name] = traits


def register_task(traits: TaskTraits) -> None:
    """Make a task known by its name, in study files too."""
    TASKS[traits.name] = traits


def get_method_traits(name: str) -> MethodTraits:
    """What is known of the method."""
    return METHODS[name]


def get_task_traits(name: str) -> TaskTraits:
    """What is known of the task."""
    return TASKS[name]


def check_method(name: str) -> str:
    """`name`, of a method that is known; for pydantic.

    Raises:
        PydanticCustomError: it is none.
    """
    return _check_known(name, METHODS)


def check_task(name: str) -> str:
    """`name`, of a task that is known; for pydantic.

    Raises:
        PydanticCustomError: it is none.
    """
    return _check_known(name, TASKS)


def _check_known(name: str, known: dict[str, Any]) -> str:
    if name not in known:
        expected = " or ".join(filter(None, (", ".join(map(repr, list(known)[:-1])), repr(list(known)[-1]))))
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return name


def list_methods(schema: dict[str, Any]) -> None:
    """Name the methods in a JSON schema."""
    schema["enum"] = list(METHODS)


def list_tasks(schema: dict[str, Any]) -> None:
    """Name the tasks in a JSON schema."""
    schema["enum"] = list(TASKS)


_LABELLED: Final[tuple[LabelKind, ...]] = ("class", "label-set", "number")

register_method(MethodTraits("full", "headstart.methods.full:FULL", 3e-5, freezes_base=False, cheaper="lora"))
register_method(
    MethodTraits(
        "lora",
        "headstart.methods.lora:LORA",
        2e-4,
        section="lora",
        artifact="adapter",
        cheaper="qlora",
        extra="lora",
    )
)
register_method(
    MethodTraits(
        "qlora",
        "headstart.methods.qlora:QLORA",
        2e-4,
        section="lora",
        needs_pretrained=True,
        artifact="adapter",
        extra="qlora",
    )
)
register_method(
    MethodTraits(
        "probe",
        "headstart.methods.probe:PROBE",
        1e-3,
        section="probe",
        has_steps=False,
        queue=1,
        is_tiny=True,
        artifact="probe",
        label_kinds=_LABELLED,
    )
)
register_method(
    MethodTraits(
        "peft",
        "headstart.methods.peft:PEFT",
        2e-4,
        section="peft",
        artifact="adapter",
        cheaper="qlora",
        extra="lora",
    )
)
register_method(
    MethodTraits(
        "none",
        "headstart.methods.none:NONE",
        has_steps=False,
        queue=1,
        artifact="nothing",
        label_kinds=("conversation",),
    )
)
register_method(
    MethodTraits(
        "bag-of-words",
        "headstart.methods.bag_of_words:BAG_OF_WORDS",
        has_steps=False,
        queue=2,
        has_checkpoint=False,
        artifact="words",
        label_kinds=_LABELLED,
    )
)

register_task(
    TaskTraits(
        "classification",
        "headstart.tasks.classification:CLASSIFICATION",
        ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "loss"),
        "class",
        problem_type="single_label_classification",
        tells_metrics=True,
    )
)
register_task(
    TaskTraits(
        "multi-label",
        "headstart.tasks.multi_label:MULTI_LABEL",
        ("macro_f1", "micro_f1", "exact_match", "loss"),
        "label-set",
        problem_type="multi_label_classification",
        tells_metrics=True,
    )
)
register_task(
    TaskTraits(
        "regression",
        "headstart.tasks.regression:REGRESSION",
        ("pearson", "spearman", "rmse", "mae", "loss"),
        "number",
        problem_type="regression",
        tells_metrics=True,
    )
)
register_task(
    TaskTraits(
        "instruction",
        "headstart.tasks.instruction:INSTRUCTION",
        ("loss", "perplexity", "token_accuracy"),
        "conversation",
        auto_class="AutoModelForCausalLM",
        pipeline="text-generation",
        tells_metrics=True,
    )
)
