"""The schema of study files, as jsonschema reads it."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from headstart.commands.demo import load_demo
from headstart.commands.schema import schema


def test_it_takes_the_demos_study() -> None:
    Draft202012Validator.check_schema(schema())
    study = load_demo().model_dump(mode="json", exclude_unset=True)
    assert list(Draft202012Validator(schema()).iter_errors(study)) == []


@pytest.mark.parametrize("wrong", [{"seed": 3}, {"training": {"batch_size": 0}}, {"task": "guessing"}])
def test_it_refuses_what_a_study_would(wrong: dict[str, Any]) -> None:
    study = load_demo().model_dump(mode="json", exclude_unset=True) | wrong
    assert list(Draft202012Validator(schema()).iter_errors(study))
