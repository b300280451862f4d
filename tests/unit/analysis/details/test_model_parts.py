"""Parts of a study's models: those that `headstart params` counts by walking modules too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import headstart
from headstart.analysis.details.model_parts import find_model_parts
from report_studies import write_report_study


@pytest.mark.parametrize("kind", ["tiny_model", "tiny_roberta", "tiny_bloom"])
def test_parts_are_those_of_params(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    model = request.getfixturevalue(kind)
    size = headstart.params(model)
    findings = headstart.load(write_report_study(tmp_path, seeds=1, n_parameters=size.total)).findings
    (found,) = find_model_parts(findings, lambda arm: model)
    assert found.arms == ("pretrained", "random")
    assert found.breakdown.parts == size.full.parts
    assert found.breakdown.as_sum == size.full.as_sum


def test_what_formulas_do_not_give_just_so_is_not_told(
    tmp_path: Path, tiny_model: Path, make_folder: Callable[[str], Path]
) -> None:
    findings = headstart.load(write_report_study(tmp_path, seeds=1, n_parameters=1000)).findings
    assert find_model_parts(findings, lambda arm: tiny_model) == ()
    for text in ("{}", "[1]", "{", '{"model_type": "bert"}', '{"model_type": "bert", "hidden_size": "x"}'):
        folder = make_folder(text)
        assert find_model_parts(findings, dict.fromkeys(findings.study.arms, folder).__getitem__) == ()


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        (tmp_path / "config.json").write_text(text)
        return tmp_path

    return make
