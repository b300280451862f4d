"""The key `differs_in`: names of settings in which arms may differ from their control."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator

#: Of the section `training`, and the grid of an arm with the seeds that choose from it.
Setting = Literal[
    "batch_size",
    "accumulation",
    "epochs",
    "steps",
    "learning_rate",
    "schedule",
    "warmup",
    "weight_decay",
    "betas",
    "epsilon",
    "clip",
    "patience",
    "max_length",
    "gradient_checkpointing",
    "precision",
    "tune",
    "tune.seeds",
]
_PREFIX: Final = "training."


def _read_names(value: Any) -> Any:
    """One name, or several; `training.epochs` is `epochs`, as in messages."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        return names
    return [name.removeprefix(_PREFIX) if isinstance(name, str) else name for name in names]


DiffersIn = Annotated[
    tuple[Setting, ...], BeforeValidator(_read_names, json_schema_input_type=Setting | list[Setting])
]
