"""Whatever a study calls its arms, sizes, seeds and grid points: every path of it lies below its folder."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fuzzing import own_folder, run_to_end
from headstart.config.runs import expand_runs
from headstart.config.study import Study
from headstart.data.assets import fetch_data, fetch_model
from headstart.errors import HeadstartError
from headstart.store.layout import StudyLayout
from odd_values import ODD_TEXTS, texts

NAMES = (
    *ODD_TEXTS,
    "..",
    ".",
    "a/b",
    "a\\b",
    "/a",
    "C:",
    "a b ",
    "a.",
    "-",
    "_",
    "a" * 200,
    "A",
    "con",
    "a\0",
)


def names() -> st.SearchStrategy[str]:
    """Names of arms as files may hold them: nearly right ones, and others."""
    near = st.text("aA0-_./\\ ", min_size=1, max_size=6)
    return st.one_of(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True), near, st.sampled_from(NAMES)
    )


def rates() -> st.SearchStrategy[list[float]]:
    """Learning rates to try."""
    return st.lists(st.floats(0, 10, exclude_min=True, exclude_max=True), min_size=1, max_size=2)


@given(
    st.dictionaries(names(), st.just({}), min_size=1, max_size=3),
    st.one_of(st.just("all"), st.integers(2, 10**9)),
    st.integers(0, 10**9),
    st.one_of(st.none(), rates()),
)
def test_paths_of_a_study(arms: dict[str, Any], size: Any, seed: int, grid: list[float] | None) -> None:
    values = {
        "data": {"path": "a.csv"},
        "model": "m",
        "arms": {**arms, "words": None},
        "control": next(iter(arms)),
    }
    tune = {} if grid is None else {"tune": {"learning_rate": grid, "seeds": "shared"}}
    with own_folder() as folder:
        out = folder / "out"
        try:
            study = Study.model_validate(values | {"sizes": [size], "seeds": [seed], "out": str(out)} | tune)
        except ValidationError:
            return
        layout = StudyLayout(out)
        for run in run_to_end(expand_runs, study) or ():
            for path in (
                layout.record_file(run.key),
                layout.get_state_folder(run.key),
                layout.run_model_folder(run.key),
                layout.get_curves_folder(run.key),
                layout.get_arm_model_folder(run.arm) / "model",
            ):
                assert os.path.normpath(path) == str(path)
                assert path.is_relative_to(out)
                path.parent.mkdir(parents=True, exist_ok=True)  # no part of it is too long, or taken
                assert path.parent.resolve().is_relative_to(out.resolve())


@given(texts())
def test_names_of_assets(name: str) -> None:
    """None but those that stand in the source: nothing is fetched for others."""
    if name not in ("minilm", "rotten-tomatoes"):
        for fetch in (fetch_model, lambda one: list(fetch_data(one))):
            try:
                fetch(name)
            except HeadstartError:
                continue
            raise AssertionError(name)
