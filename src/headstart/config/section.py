"""What all parts of the study file share: frozen, and an unknown key is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One part of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
