"""Checks that sections with settings of training share: AdamW's betas, and a length in epochs or steps."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from headstart.config.section import Section

_Timed = TypeVar("_Timed", bound=Section)


def _check_betas(value: tuple[float, float]) -> tuple[float, float]:
    if not all(0 <= beta < 1 for beta in value):
        raise ValueError(f"two numbers from 0 up to, not including, 1 expected, got {list(value)}")
    return value


#: AdamW's two decay rates.
Betas = Annotated[tuple[float, float], AfterValidator(_check_betas)]


def check_length(section: _Timed) -> _Timed:
    """See that a section with `epochs` and `steps` sets one of them: a validator of its class."""
    given: Any = section
    if given.steps is not None and "epochs" in section.model_fields_set:
        raise ValueError("epochs and steps both set; one of them expected")
    return section
