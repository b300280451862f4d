"""LoRA's settings written on one line, as a command has them; refuses keys that the study file has not."""

from __future__ import annotations

from pydantic import ValidationError

from headstart.config.study import Lora
from headstart.errors import HeadstartError

_ROLES = ("attention", "mlp", "all")


def lora_from(text: str) -> Lora:
    """The settings in `r=16,alpha=32,target=query,value`: a word without `=` goes on with the target.

    Raises:
        HeadstartError: an unknown key, or a value that it does not take.
    """
    values: dict[str, list[str]] = {}
    for word in text.split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if equals:
            values[name] = [value]
        elif list(values)[-1:] == ["target"]:
            values["target"].append(name)
        else:
            raise _refused(f"{name!r} is no key=value")
    given: dict[str, object] = {key: found[0] for key, found in values.items()}
    if "target" in values and values["target"][0] not in _ROLES:
        given["target"] = tuple(values["target"])
    try:
        return Lora.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(f"{first['loc'][0]}: {first['msg']}") from error


def _refused(got: str) -> HeadstartError:
    keys = ", ".join(Lora.model_fields)
    return HeadstartError(
        got, where="--lora", expected=f"some of {keys}", fix="write it like r=16,target=query_key_value"
    )
