"""A section `adapt` that no arm reads is said; one that is not written, or is read, is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from headstart.config.load import dump_study, load_study
from headstart.methods.adaptation_note import describe_adaptation
from small_studies import make_study

ADAPTED = {"a": {"init": "adapted"}}


@pytest.mark.parametrize(
    ("changes", "is_said"),
    [
        ({"adapt": {"epochs": 2}}, True),
        ({"adapt": {"text": ["more.txt"]}}, True),
        ({}, False),
        ({"adapt": {"epochs": 2}, "arms": ADAPTED}, False),
        ({"adapt": {"epochs": 2}, "arms": {"a": {"init": "adapted", "method": "bag-of-words"}}}, True),
    ],
)
def test_a_section_that_no_arm_reads_is_said(tmp_path: Path, changes: dict[str, Any], is_said: bool) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(dump_study(make_study(tmp_path, **changes)), encoding="utf-8")
    said = list(describe_adaptation([], load_study(file), cast("Any", None)))
    assert [one.message.partition(",")[0] for one in said] == ["adapt: has no effect"] * is_said
