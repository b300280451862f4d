"""Reads LoRA's settings written on one line, as a command has them; refuses keys that a study lacks."""

from __future__ import annotations

from typing import get_args

from pydantic import ValidationError

from headstart.config.study import Lora, LoraRole
from headstart.errors import HeadstartError


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
        first = error.errors()[0]
        raise _make_error(f"{first['loc'][0]}: {first['msg']}") from error


def _split_settings(text: str) -> dict[str, list[str]]:
    """The words of each key."""
    values: dict[str, list[str]] = {}
    for word in text.split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if equals:
            values[name] = [value]
        elif list(values)[-1:] == ["target"]:
            values["target"].append(name)
        else:
            raise _make_error(f"{name!r} is no key=value")
    return values


def _make_error(got: str) -> HeadstartError:
    keys = ", ".join(Lora.model_fields)
    return HeadstartError(
        got, where="--lora", expected=f"some of {keys}", fix="write it like r=16,target=query_key_value"
    )
