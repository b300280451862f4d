"""What all parts of the study file share: frozen; an unknown key is an error, and so is true as a number."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """One part of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truths(cls, value: Any, info: ValidationInfo) -> Any:
        """True and false are no numbers, though Python counts them as 1 and 0."""
        inside = value if isinstance(value, list | tuple) else (value,)
        found = next((one for one in inside if isinstance(one, bool)), None)
        if found is not None and _takes_numbers(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError(f"a number expected, got {str(found).lower()}")
        return value


def wrap_string(value: Any) -> Any:
    """One string as a tuple of it, for keys that take one or several."""
    return (value,) if isinstance(value, str) else value


def _takes_numbers(kind: Any) -> bool:
    """Whether a type holds numbers, in whatever it is wrapped."""
    return kind in (int, float) or any(map(_takes_numbers, get_args(kind)))
