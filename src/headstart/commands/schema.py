"""Gives the JSON schemas of study files and of pretraining files, for editors."""

from __future__ import annotations

from typing import Any, Final

from headstart.config.pretraining import Pretraining
from headstart.config.study import Study

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: A name and no address: nothing is fetched from it, and it stays from version to version.
_ID: Final = "urn:headstart:study"


def schema(*, pretraining: bool = False) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of study files, with a description of every key.

    Args:
        pretraining: that of pretraining files instead.

    Example:
        headstart.schema()["properties"]["seeds"]
    """
    if pretraining:
        return {"$schema": _DIALECT, "$id": "urn:headstart:pretraining", **Pretraining.model_json_schema()}
    return {"$schema": _DIALECT, "$id": _ID, **Study.model_json_schema()}
