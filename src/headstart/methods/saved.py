"""Opens saved models, ours and other people's: whole ones, and adapters or probes with their base."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from headstart.config.traits import METHODS, TASKS, TaskName, get_task_traits
from headstart.data.assets import is_asset
from headstart.device import Precision
from headstart.errors import ModelError
from headstart.methods import load_method
from headstart.methods.linear_probe import PROBE_FILE, has_own_encoder, load_probed_model
from headstart.methods.load_adapters import load_adapter
from headstart.methods.peft_types import check_last_token
from headstart.models.adapter_folders import is_adapter, read_base_name, read_saved_config
from headstart.models.checkpoint_files import read_adapter_config
from headstart.models.checkpoints import Checkpoint, resolve_location
from headstart.models.initialise import load_plain_model
from headstart.models.known_base import check_same_base
from headstart.store.model_notes import ModelNotes

#: PEFT's word for adapters of models that generate.
_CAUSAL: Final = "CAUSAL_LM"
#: Its word for adapters of classifiers, and how the library names these.
_LABELLING: Final = "SEQ_CLS"
_LABELLER: Final = "ForSequenceClassification"


def identify_task(folder: Path, notes: ModelNotes) -> tuple[TaskName, tuple[str, ...]]:
    """What a model was tuned for, by our notes or else by its configuration, and the names of its classes.

    Raises:
        ModelError: its configuration cannot be read.
    """
    config = read_saved_config(str(folder), str(folder))
    task = notes.task if notes.task in TASKS else _guess_adapted_task(folder) or _guess_task(config)
    assert task is not None
    has_classes = get_task_traits(task).has_classes
    return task, _read_class_names(folder, config) if has_classes else ()


def _read_class_names(folder: Path, config: Any) -> tuple[str, ...]:
    names = config.id2label
    if sorted(names) != list(range(len(names))) or len(set(names.values())) < len(names):
        raise ModelError(
            f"its class names are not unique: {str(names)[:80]}",
            where=f"{folder}/config.json",
            expected="id2label with a unique name for each class, numbered from 0",
            fix="correct id2label there",
        )
    return tuple(names[i] for i in range(len(names)))


def refuse_other_task(folder: Path, notes: ModelNotes, config: Any) -> None:
    """See that a model is not one that was tuned to label: its body makes words, but poor ones.

    Args:
        config: its own, or its base's.

    Raises:
        ModelError: it is.
    """
    kind = read_adapter_config(folder).get("task_type") if is_adapter(folder) else None
    kind = kind or (getattr(config, "architectures", None) or [""])[0]
    is_labeller = notes.task in TASKS and not get_task_traits(notes.task).generates
    if is_labeller or kind == _LABELLING or kind.endswith(_LABELLER):
        raise ModelError(
            "this model labels texts, it does not generate answers",
            where=str(folder),
            fix="use `headstart predict`",
        )


def _guess_adapted_task(folder: Path) -> TaskName | None:
    """The task of an adapter of which PEFT notes that it generates; of others the configuration decides."""
    if not is_adapter(folder) or read_adapter_config(folder).get("task_type") != _CAUSAL:
        return None
    return next(name for name, traits in TASKS.items() if traits.generates)


def _guess_task(config: Any) -> TaskName:
    """The first task that calls itself as the configuration does, or that has such outputs."""
    for name, traits in TASKS.items():
        if traits.problem_type is not None and traits.problem_type == config.problem_type:
            return name
    labels = "class" if config.num_labels > 1 else "number"
    return next(name for name, traits in TASKS.items() if traits.labels == labels)


def load_saved_model(
    folder: Path, notes: ModelNotes, checkpoint: Checkpoint, precision: Precision | None
) -> Any:
    """The model in `folder`, on the CPU: a whole one, or an adapter or probe with its base.

    Args:
        notes: what Headstart noted beside the weights.
        checkpoint: the folder, opened: its configuration has the padding token of its tokenizer.
        precision: of products with a base in four bits; None to have such a base in full precision.

    Raises:
        ModelError: its weights cannot be loaded, or the base of an adapter or probe is gone, or another.
    """
    base = notes.pinned_base or ""
    if (folder / PROBE_FILE).is_file():
        if base and not has_own_encoder(folder):
            check_same_base(notes.base_files, resolve_location(base), folder)
        return load_probed_model(folder, base, checkpoint.config)
    if not is_adapter(folder):
        return load_plain_model(checkpoint)
    method = load_method(notes.method) if notes.method in METHODS else None
    four_bits = method.choose_quantised_dtype(precision) if method is not None and precision else None
    name = base if is_asset(base) or notes.base_revision else None
    check_same_base(notes.base_files, resolve_location(name or read_base_name(folder)), folder)
    model = load_adapter(folder, checkpoint.config, name, checkpoint.task, four_bits)
    if not checkpoint.is_causal:
        check_last_token(model, str(folder))
    return model
