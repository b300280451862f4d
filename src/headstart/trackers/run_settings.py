"""A run's settings as services take them: one flat table of numbers, words and truths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headstart.config.arm_settings import name_checkpoint
from headstart.config.runs import Run
from headstart.config.traits import get_method_traits
from headstart.store.flat_keys import flatten_keys

Setting = bool | int | float | str


def list_settings(run: Run) -> dict[str, Setting]:
    """What tells the run from others, and how it trains: `arm`, `seed`, `learning_rate`, `lora.r`...

    A checkpoint's folder is named, not where it lies. What reads no training settings has none.
    """
    settings: dict[str, Setting] = {"arm": run.arm, "method": run.method, "size": str(run.size)}
    settings |= {"seed": run.seed, "for_tuning": run.for_tuning}
    if get_method_traits(run.method).has_checkpoint:
        settings |= {"model": name_checkpoint(run.checkpoint), "pretrained": run.pretrained}
        settings |= {"start": run.start.format_value()} if run.start else {}
        settings |= dict(_list_set(run.training.model_dump(mode="json")))
    sections = {"lora": run.lora, "probe": run.probe}
    for name, section in sections.items():
        settings |= dict(_list_set(section.model_dump(mode="json"), f"{name}.")) if section else {}
    if run.lora:
        settings["lora.alpha"] = float(run.lora.alpha_in_force)
    return settings | dict(_list_set(run.peft or {}, "peft."))


def _list_set(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Setting]]:
    for key, value in flatten_keys(values, prefix).items():
        if value is not None:
            yield key, value if isinstance(value, Setting) else str(value)
