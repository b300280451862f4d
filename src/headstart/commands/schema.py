"""Gives the JSON schema of study files, for editors."""

from __future__ import annotations

from typing import Any

from headstart.config.study import Study


def schema() -> dict[str, Any]:
    """The JSON schema of study files.

    Example:
        headstart.schema()["properties"]["seeds"]
    """
    return Study.model_json_schema()
