"""`KEY=VALUE` beside a study file, and LoRA's settings on one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import run_to_end
from headstart.config.inline import parse_lora
from headstart.config.load import load_study
from headstart.config.study import Lora
from odd_values import ODD_TEXTS, texts, values, write_yaml

KEYS = (
    "seeds",
    "data.path",
    "arms",
    "arms.random.lora.r",
    "training.epochs",
    "training.steps",
    "out",
    "tune",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that loads."""
    file = tmp_path_factory.mktemp("overrides") / "study.yaml"
    file.write_text("data: {path: a.csv}\nmodel: m\ntraining: {epochs: 2}\n", encoding="utf-8")
    return file


def words(keys: tuple[str, ...]) -> st.SearchStrategy[str]:
    """`key=value` of a key that there is, or of none."""
    key = st.one_of(st.sampled_from(keys), st.sampled_from(keys).map(lambda one: f"{one}.x"), texts())
    value = st.one_of(values().map(write_yaml), texts(), st.sampled_from(ODD_TEXTS))
    return st.one_of(st.tuples(key, value).map("=".join), texts())


@given(overrides=st.lists(words(KEYS), max_size=3))
def test_overrides(study: Path, overrides: list[str]) -> None:
    run_to_end(load_study, study, overrides, folder=study.parent)


@given(st.lists(words(tuple(Lora.model_fields)), min_size=1, max_size=4).map(",".join))
def test_lora_on_one_line(text: str) -> None:
    run_to_end(parse_lora, text)
