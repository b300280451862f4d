"""The schema of study files, as jsonschema reads it, and the table of keys in docs/study-file.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from docs_blocks import ROOT, list_all_blocks
from headstart.commands.demo import load_demo
from headstart.commands.schema import schema

#: Sections of the schema, by the heading of the first column of their tables in docs/study-file.md.
SECTIONS: Final = {
    "key": "Study",
    "key of `data`": "Data",
    "key of `data.split`": "Split",
    "key of an arm": "Arm",
    "key of `init`": "PartialStart",
    "key of `adapt`": "Adapt",
    "key of `lora`": "Lora",
    "key of `probe`": "Probe",
    "key of `training`": "Training",
    "key of `tune`": "Tune",
    "key of `select`": "Select",
    "key of `execution`": "ExecutionSettings",
    "key of `parallel`": "Parallel",
    "key of `prompts`": "Prompts",
    "key of `generation`": "Generation",
}
#: A cell that is one value in YAML, such as `3` or 16.
VALUE: Final = re.compile(r"`([^`]+)`|(\d[\d.e-]*)")


def list_keys(section: str) -> dict[str, Any]:
    whole = schema()
    keys: dict[str, Any] = (whole if section == "Study" else whole["$defs"][section])["properties"]
    return keys


def read_table(heading: str) -> dict[str, list[str]]:
    """The rows of the table in docs/study-file.md that begins with `heading`: cells by key."""
    lines = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    return dict(read_rows(lines[start + 2 :]))


def read_rows(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    for line in lines:
        if not line.startswith("|"):
            return
        key, *cells = (cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        yield key.strip("`"), cells


def test_it_takes_the_demos_study() -> None:
    Draft202012Validator.check_schema(schema())
    study = load_demo().model_dump(mode="json", exclude_unset=True)
    assert list(Draft202012Validator(schema()).iter_errors(study)) == []


@pytest.mark.parametrize("wrong", [{"seed": 3}, {"training": {"batch_size": 0}}, {"task": "guessing"}])
def test_it_refuses_what_a_study_would(wrong: dict[str, Any]) -> None:
    study = load_demo().model_dump(mode="json", exclude_unset=True) | wrong
    assert list(Draft202012Validator(schema()).iter_errors(study))


def test_it_says_which_dialect_it_is_written_in_and_what_it_is_called() -> None:
    assert schema()["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema()["$id"] == "urn:headstart:study"


@pytest.mark.parametrize("section", SECTIONS.values())
def test_every_key_has_a_description(section: str) -> None:
    keys = list_keys(section)
    assert [key for key, value in keys.items() if len(value.get("description", "").split()) < 3] == []


def test_no_section_is_forgotten() -> None:
    sections = {name for name, value in schema()["$defs"].items() if "properties" in value}
    assert sections == set(SECTIONS.values()) - {"Study"}
    assert "description" in list_keys("Study")["arms"]["properties"]["words"]


@pytest.mark.parametrize(("heading", "section"), SECTIONS.items())
def test_the_documentation_has_every_key_and_its_default(heading: str, section: str) -> None:
    keys, table = list_keys(section), read_table(heading)
    assert set(table) == set(keys)
    for key, (_, default, _) in table.items():
        found = VALUE.fullmatch(default)
        if found:
            assert YAML(typ="safe").load(found[1] or found[2]) == keys[key]["default"], key
        if default == "needed":
            assert "default" not in keys[key], key


def list_documented_files() -> Iterator[Any]:
    """Every study file of the documentation, every part of one, and every pretraining file."""
    for block in list_all_blocks():
        values = YAML(typ="safe").load(block.text) if block.language == "yaml" else None
        if isinstance(values, dict):
            yield pytest.param(values, id=str(block))


@pytest.mark.parametrize("given", [*list_documented_files()])
def test_it_takes_every_file_of_the_documentation(given: dict[str, Any]) -> None:
    is_pretraining = "tokenizer" in given
    parts = {} if is_pretraining else {"data": {"path": "reviews.csv"}, "model": "asset:minilm"}
    validator = Draft202012Validator(schema(pretraining=is_pretraining))
    assert list(validator.iter_errors({**parts, **given})) == []


@pytest.mark.parametrize("words", [None, False, {"method": "bag-of-words"}])
def test_it_lets_the_bag_of_words_be_taken_out(words: object) -> None:
    study = {"data": {"path": "reviews.csv"}, "model": "asset:minilm", "arms": {"words": words}}
    assert list(Draft202012Validator(schema()).iter_errors(study)) == []
