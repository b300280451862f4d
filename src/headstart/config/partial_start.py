"""The study file's partial starts as types: which part of the model's checkpoint an arm takes, and how."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_serializer,
    model_validator,
)

from headstart.config.section import Section
from headstart.wording import join_names, shorten_repr

#: What pydantic puts into the location of an error, for what was given in place of the other.
NAMED, PARTIAL = "named-start", "partial-start"
#: The first so many layers.
_FIRST: Final = re.compile(r"(?:first )?([1-9][0-9]{0,3}) layers?")
_PARTS: Final = ("embeddings", "layers", "norms")
#: Words for starts that are no checkpoint's name.
NAMED_STARTS: Final = ("pretrained", "random", "adapted")
#: Sections of a start, by words that somebody may write in their place.
_SECTIONS: Final = {
    "keep": "{keep: embeddings}",
    **dict.fromkeys(("shuffle", "shuffled", "matrices"), "{shuffle: matrices}"),
    "svd": "{embeddings: svd}",
}


def _check_part(name: Any) -> str:
    """A part's name as it is kept: `3 layers`, whatever else it was called."""
    if isinstance(name, str) and (found := _FIRST.fullmatch(name.strip())):
        return f"{found[1]} layer{'' if found[1] == '1' else 's'}"
    if name not in _PARTS:
        raise ValueError(
            f"embeddings, norms, layers, or so many layers (3 layers) expected, got {shorten_repr(name)}"
            f"{_suggest_part(name)}"
        )
    return str(name)


def _suggest_part(name: Any) -> str:
    """The part that was probably meant, for the end of a message; empty where none is near."""
    if isinstance(name, int) and not isinstance(name, bool) and _FIRST.fullmatch(f"{name} layers"):
        return f"; did you mean '{name} layers'?"
    close = difflib.get_close_matches(str(name).strip().lower(), _PARTS, n=1, cutoff=0.75)
    return f"; did you mean {close[0]!r}?" if close else ""


def _wrap_part(value: Any) -> Any:
    """One part as a tuple of it; what is no part is left to the part's own message."""
    return value if isinstance(value, list | tuple) else (value,)


_Part = Annotated[str, BeforeValidator(_check_part)]


class PartialStart(Section):
    """A start that takes a part of the model's checkpoint; all else is what a random arm draws.

    One of `keep`, `shuffle` and `embeddings` is set.
    """

    keep: Annotated[
        tuple[_Part, ...], BeforeValidator(_wrap_part, json_schema_input_type=_Part | list[_Part])
    ] = Field(
        default=(),
        description="Parts of the checkpoint that stay, the rest at random: embeddings, norms, layers (all), "
        "or the first ones, such as 3 layers.",
    )
    shuffle: Literal["matrices"] | None = Field(
        default=None,
        description="matrices: each weight matrix of the checkpoint with its entries in random order.",
    )
    embeddings: Literal["svd"] | None = Field(
        default=None,
        description="svd: word embeddings from co-occurrences in the training examples; all else at random.",
    )

    @model_validator(mode="after")
    def _check_one(self) -> PartialStart:
        if (bool(self.keep), self.shuffle is not None, self.embeddings is not None).count(True) != 1:
            raise ValueError("one of keep, shuffle and embeddings expected, such as {keep: embeddings}")
        if len(set(self.keep)) < len(self.keep):
            raise ValueError(f"keep: each part once expected, got {', '.join(self.keep)}")
        if sum("layer" in part for part in self.keep) > 1:
            raise ValueError(f"keep: layers once expected, got {' and '.join(self.keep)}")
        return self

    @model_serializer
    def _dump_set(self) -> dict[str, Any]:
        """As a study file has it: what is set alone, of one part its name."""
        if self.keep:
            return {"keep": self.keep[0] if len(self.keep) == 1 else list(self.keep)}
        return {"shuffle": self.shuffle} if self.shuffle else {"embeddings": self.embeddings}

    @cached_property
    def first_layers(self) -> int | Literal["all"]:
        """How many layers are kept, from the first one."""
        for part in self.keep:
            if "layer" in part:
                return "all" if part == "layers" else int(part.split()[0])
        return 0

    def format_value(self) -> str:
        """As a study file has it in a line: `{keep: [embeddings, 3 layers]}`."""
        if self.keep:
            parts = ", ".join(self.keep)
            return f"{{keep: {parts if len(self.keep) == 1 else f'[{parts}]'}}}"
        return "{shuffle: matrices}" if self.shuffle else "{embeddings: svd}"

    def __str__(self) -> str:
        """As tables name it: `embeddings and 3 layers`, `shuffled matrices`, `SVD embeddings`."""
        if self.keep:
            return join_names(["all layers" if part == "layers" else part for part in self.keep])
        return "shuffled matrices" if self.shuffle else "SVD embeddings"

    def __repr_args__(self) -> Any:
        yield from self._dump_set().items()


def _choose_tag(value: Any) -> str:
    return PARTIAL if isinstance(value, Mapping | PartialStart) else NAMED


def _check_name(value: Any) -> Any:
    """A start's name as it is, unless it is a word of this file in the wrong place.

    No checkpoint of the hub is called so, and a folder of that name has become an absolute path before.
    """
    if isinstance(value, list):
        raise ValueError(
            f"a name or a section expected, such as {{keep: [embeddings]}}, got {shorten_repr(value)}"
        )
    if isinstance(value, str) and (meant := _find_meant(value)):
        raise ValueError(f"no start is called {value!r}; did you mean {meant}?")
    return value


def _find_meant(value: str) -> str | None:
    """What somebody meant who wrote a part's name, or a start's in other letters; None for other names."""
    word = value.strip().lower()
    if word in NAMED_STARTS:
        return None if value == word else word
    is_part = word in _PARTS or _FIRST.fullmatch(word)
    return f"{{keep: {word}}}" if is_part else _SECTIONS.get(word)


_Name = Annotated[str, Field(min_length=1), BeforeValidator(_check_name)]
#: Where an arm starts: a name, or a part of the model's checkpoint.
Init = Annotated[
    Annotated[_Name, Tag(NAMED)] | Annotated[PartialStart, Tag(PARTIAL)],
    Discriminator(_choose_tag),
]


def format_start(init: str | PartialStart) -> str:
    """Where an arm starts, as a study file has it in a line."""
    return init if isinstance(init, str) else init.format_value()
