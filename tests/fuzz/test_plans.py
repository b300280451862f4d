"""Study files that load, planned with a tiny model in this process; nothing is written by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing import check_shown, is_unlimited, own_folder, print_as_people_see, run_to_end
from headstart.commands.plan import plan
from headstart.config.load import load_study
from headstart.report.plan import render_plan
from odd_values import texts, values, write_yaml
from study_keys import KEYS, NEAR, near_values, set_key

ROWS = [{"text": f"a film {i}", "other": "who is", "label": ("bad", "good")[i % 2]} for i in range(24)]
USUAL = tuple(key for key in KEYS if key[-1] in NEAR)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two classes."""
    file = tmp_path_factory.mktemp("plans") / "a.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    return file


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """What a study says beside its data and model: mostly what it may."""
    tree: dict[str, Any] = {"arms": {"pretrained": {}, "random": {"init": "random"}}, "seeds": 1}
    for key in draw(st.lists(st.sampled_from(USUAL), max_size=3)):
        set_key(tree, key, draw(near_values(key)))
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=1)):
        set_key(tree, key, draw(values()))
    if draw(st.integers(0, 4)) == 0:
        set_key(tree, ("arms", draw(texts())), {})
    return tree


def plan_and_show(file: Path, folder: Path) -> None:
    """Plan a study that loads; what is shown of it is obeyed by no terminal."""
    study = run_to_end(load_study, file, folder=folder)
    if study is None:
        return
    planned = run_to_end(plan, study, folder=folder)
    if planned is not None:
        check_shown(print_as_people_see(render_plan(planned)))
        json.dumps(run_to_end(planned.to_dict), allow_nan=False)


@settings(max_examples=100 if is_unlimited() else 15)
@given(tree=studies())
def test_plans(tiny_model: Path, data: Path, tree: dict[str, Any]) -> None:
    with own_folder() as folder:
        base: dict[str, Any] = {"data": {"path": str(data)}, "model": str(tiny_model), "device": "cpu"}
        whole = {"out": str(folder / "out")} | base | tree
        if isinstance(whole["data"], dict):
            whole["data"] = base["data"] | whole["data"]
        file = folder / "study.yaml"
        text = "\n".join(f"{write_yaml(key)}: {write_yaml(value)}" for key, value in whole.items())
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        plan_and_show(file, folder)
