"""What all that goes to disk about runs has in common: frozen types with a schema version."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

#: Of run records, `results.json`, the stopping rule and what commands print with `--json`.
SCHEMA_VERSION: Final = 2


def _restore_numbers(values: Any) -> Any:
    """Figures that have no number are written as null: JSON has no other way. A perplexity without one is
    infinite."""
    if not isinstance(values, dict):
        return values
    without = {name: math.inf if name == "perplexity" else math.nan for name in values}
    return {name: without[name] if value is None else value for name, value in values.items()}


#: Values by metric.
Scores = Annotated[dict[str, float], BeforeValidator(_restore_numbers)]


class Record(BaseModel):
    """Base of all that is written: frozen, unknown keys kept out."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class StudyWarning(Record):
    """A warning about the data or a study: a short kind and a sentence."""

    kind: str
    message: str
