"""Reads and writes the rule by which seeds were added to a study."""

from __future__ import annotations

from pathlib import Path

from headstart.errors import DamagedFileError
from headstart.files import write_text
from headstart.records import StoppingRule
from headstart.store.json_files import read_json, read_versioned, validate
from headstart.store.layout import StudyLayout
from headstart.store.schema import check_schema


def write_stopping_rule(layout: StudyLayout, rule: StoppingRule) -> None:
    """Note that seeds are added until contrasts are known, and by which rule."""
    write_text(layout.stopping_rule_file, rule.model_dump_json(indent=1) + "\n")


def read_stopping_rule(layout: StudyLayout) -> StoppingRule | None:
    """The rule by which seeds were added to the study, if it was.

    Where its file cannot be read, the one that the results tell of.

    Raises:
        DamagedFileError: neither can be read.
        OutputError: it is of another version.
    """
    check_schema(layout.out)
    file = layout.stopping_rule_file
    if not file.exists():
        return None
    try:
        return read_versioned(StoppingRule, file, layout.out)
    except DamagedFileError as error:
        if rule := _find_noted_rule(layout.out / "results.json"):
            return rule
        raise error


def _find_noted_rule(results: Path) -> StoppingRule | None:
    try:
        values = read_json(results).get("stopping_rule")
        return validate(StoppingRule, values, results) if isinstance(values, dict) else None
    except DamagedFileError:
        return None
