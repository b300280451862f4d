"""The rule by which seeds were added is read back, from the results where its file is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import DamagedFileError
from headstart.records import SCHEMA_VERSION, StoppingRule
from headstart.store.layout import StudyLayout
from headstart.store.records import write_json
from headstart.store.stopping_rules import read_stopping_rule, write_stopping_rule


def test_stopping_rule_is_read_back(tmp_path: Path) -> None:
    layout, rule = StudyLayout(tmp_path), StoppingRule(metric="accuracy", width=1.5, most_seeds=9)
    assert read_stopping_rule(layout) is None
    write_stopping_rule(layout, rule)
    assert read_stopping_rule(layout) == rule


def test_stopping_rule_without_a_sequence_is_of_signs(tmp_path: Path) -> None:
    """As it was written before there were two."""
    layout = StudyLayout(tmp_path)
    rule = {"schema_version": SCHEMA_VERSION, "metric": "accuracy", "width": 1.5, "most_seeds": 9}
    write_json(layout.stopping_rule_file, rule)
    assert read_stopping_rule(layout) == StoppingRule(
        metric="accuracy", width=1.5, most_seeds=9, sequence="signs"
    )


def test_stopping_rule_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    layout.stopping_rule_file.write_text("{}", encoding="utf-8")
    with pytest.raises(DamagedFileError, match="has no schema_version") as caught:
        read_stopping_rule(layout)
    assert caught.value.where == str(layout.stopping_rule_file)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 2}'])
def test_a_damaged_rule_is_taken_from_the_results(tmp_path: Path, content: bytes) -> None:
    layout, rule = StudyLayout(tmp_path), StoppingRule(metric="accuracy", width=1.5, most_seeds=9)
    layout.stopping_rule_file.write_bytes(content)
    with pytest.raises(DamagedFileError):
        read_stopping_rule(layout)
    write_json(tmp_path / "results.json", {"schema_version": 2, "stopping_rule": rule.model_dump()})
    assert read_stopping_rule(layout) == rule
