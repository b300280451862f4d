"""Every key that a study file may have, and values that it may well have; for tests that put others there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args

from hypothesis import strategies as st
from pydantic import BaseModel

from headstart.config.arm_section import Arm
from headstart.config.study import Study
from odd_values import values


def list_keys(section: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key that a section may hold, and those of the sections in it."""
    for name, field in section.model_fields.items():
        yield (*prefix, name)
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from list_keys(kind, (*prefix, name))


KEYS: Final = (
    *list_keys(Study),
    *list_keys(Arm, ("arms", "pretrained")),
    *list_keys(Arm, ("arms", "random")),
    ("arms", "words"),
)
#: Values that a key may well have, by the last part of its name.
NEAR: Final[dict[str, tuple[Any, ...]]] = {
    "task": ("classification", "multi-label", "regression", "instruction"),
    "method": ("full", "lora", "qlora", "probe", "linear-probe", "none", "prompt", "ia3"),
    "lora": ({}, {"r": 2, "target": ["query"]}),
    "text": ("text", ["text", "other"]),
    "label": ("label", "text", ["label", "other"]),
    "sizes": (["all"], [4, "all"], [8]),
    "seeds": (1, 3, [0, 7]),
    "tune": ({"learning_rate": [1e-4, 1e-3]}, {"learning_rate": [1e-4, 1e-3], "seeds": 2}),
    "max_length": (1, 2, 8, 64, 65, 512),
    "epochs": (1, 3, 10**6),
    "batch_size": (1, 8, 1000, 10**9),
    "learning_rate": (1e-3, 1e-30),
    "pack": ("auto", 1, 2, 10**6),
    "workers": (0, 1, "auto", 64),
    "device": ("cpu", "cuda", "cuda:9", "auto"),
    "precision": ("fp32", "bf16", "auto"),
    "target": (["query"], ["query", "value"], "all", ["nothing"]),
    "r": (1, 8, 10**6),
    "words": (None, {}),
}


def set_key(tree: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    """Put a value where the key leads, over what stands in the way."""
    for name in key[:-1]:
        if not isinstance(tree.get(name), dict):
            tree[name] = {}
        tree = tree[name]
    tree[key[-1]] = value


def near_values(key: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Values that may well be right for a key, and sometimes any."""
    return st.sampled_from(NEAR[key[-1]]) if key[-1] in NEAR else values()
