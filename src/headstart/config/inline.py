"""Reads LoRA's settings written on one line, as a command has them; refuses keys that a study lacks."""

from __future__ import annotations

from typing import get_args

from pydantic import ValidationError

from headstart.config.problems import describe_unknown, describe_value
from headstart.config.study import Lora, LoraRole
from headstart.errors import HeadstartError
from headstart.wording import shorten_repr


def parse_lora(text: str) -> Lora:
    """The settings in `r=16,alpha=32,target=query,value`: a word without `=` goes on with the target.

    Raises:
        HeadstartError: an unknown key, or a value that it does not take.
    """
    values = _split_settings(text)
    settings: dict[str, object] = {key: words[0] for key, words in values.items()}
    if "target" in values and values["target"][0] not in get_args(LoraRole):
        settings["target"] = tuple(values["target"])
    try:
        return Lora.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = f"{first['loc'][0]}: " if first["loc"] else ""
        raise _make_error(f"{key}{describe_value(first)}") from error


def _split_settings(text: str) -> dict[str, list[str]]:
    """The words of each key."""
    values: dict[str, list[str]] = {}
    for word in text.split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals and list(values)[-1:] == ["target"]:
            values["target"].append(name)
        elif not equals:
            raise _make_error(f"{shorten_repr(name)} is not key=value")
        elif name not in Lora.model_fields:
            shown = name if name.isidentifier() else shorten_repr(name)
            raise _make_error(f"{shown}: {describe_unknown(name, list(Lora.model_fields))}")
        elif name in values:
            raise _make_error(f"{name}: given twice")
        else:
            values[name] = [value]
    return values


def _make_error(got: str) -> HeadstartError:
    keys = ", ".join(Lora.model_fields)
    return HeadstartError(
        got, where="--lora", expected=f"some of {keys}", fix="write it like r=16,target=query_key_value"
    )
