"""The Python interface on a study that ran: printed, in a notebook, as data frames, read without torch."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headstart
from headstart.cli import main
from headstart.shown import Shown

FUNCTIONS = [name for name in headstart.__all__ if inspect.isfunction(getattr(headstart, name))]
WITHOUT_TORCH = """
import sys, headstart
results = headstart.load({out!r})
text = [str(results), repr(results), results._repr_html_(), str(results.compare())]
text.append(str(headstart.power_measured({out!r})))
frames = [results.frame(name) for name in ("runs", "curves", "contrasts")]
assert all(text) and all(len(frame) for frame in frames)
sys.exit(bool({{"torch", "transformers"}} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, study_in: Callable[..., Path]) -> headstart.Study:
    """Two arms and a bag of words with two seeds, of a question that a page must not obey."""
    folder = tmp_path_factory.mktemp("python")
    arms = {"pretrained": {}, "random": {"init": "random"}}
    file = study_in(folder, arms=arms, seeds=2, question="<b>good</b> & [red]bad[/red]?")
    return headstart.load_study(file)


@pytest.fixture(scope="module")
def plan(study: headstart.Study) -> headstart.Plan:
    """Made before anything is trained."""
    return headstart.plan(study)


@pytest.fixture(scope="module")
def results(study: headstart.Study, plan: headstart.Plan) -> headstart.Results:
    return headstart.run(study)


def test_what_is_printed_is_a_screen(plan: headstart.Plan, results: headstart.Results) -> None:
    shown: list[Shown] = [plan, results, results.findings, results.compare()]
    for one in shown:
        assert len(str(one).split("\n")) <= 40
        assert max(len(line) for line in str(one).split("\n")) <= 100
        assert "\x1b" not in str(one)
        assert len(repr(one)) < 200
        assert "\n" not in repr(one)
    assert "starts from" in str(plan)
    assert "each seed" in str(results)
    assert "vs random" in str(results.compare())
    assert len(repr(plan.runs)) < 60 * len(plan.runs)
    assert len(repr(results.records)) < 400 * len(results.records)


def test_it_says_what_the_command_line_says(
    results: headstart.Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["compare", str(results.out), "--all"]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.rstrip().split("\n")]
    assert results.compare().to_text(width=80).split("\n") == printed


def test_in_a_notebook_it_is_small_html_that_obeys_nothing(
    plan: headstart.Plan, results: headstart.Results
) -> None:
    for one in (plan, results, results.compare()):
        html = one._repr_html_()
        assert "<table>" in html
        assert "<script" not in html
        assert len(html) < 60_000  # with figures
    assert "&lt;b&gt;good&lt;/b&gt; &amp; [red]bad[/red]?" in results._repr_html_()


def test_frames_hold_what_json_holds(plan: headstart.Plan, results: headstart.Results) -> None:
    planned = plan.frame()
    assert planned["key"].tolist() == [run["key"] for run in plan.to_dict()["runs"]]
    assert set(planned["state"]) == {"to train"}
    assert set(headstart.plan(results.study).frame()["state"]) == {"done"}
    assert plan.frame("costs")["arm"].tolist() == ["pretrained", "random", "words"]
    runs = results.frame().set_index("key")
    for run in results.to_dict()["runs"]:
        key = "/".join(map(str, (run["arm"], run["size"], run["seed"])))
        assert runs.loc[key, "test_accuracy"] == run["test"]["accuracy"]
    comparison = results.compare()
    scores = comparison.frame("scores").set_index(["arm", "seed"])["accuracy"]
    assert scores["random", 1] == runs.loc["random/all/1", "test_accuracy"]
    assert len(comparison.frame()) == len(comparison.contrasts) == 2
    assert len(comparison.frame("seeds")) == 4


def test_load_gives_what_run_gave_without_torch(results: headstart.Results) -> None:
    loaded = headstart.load(results.out)
    assert json.dumps(loaded.to_dict()) == json.dumps(results.to_dict())
    assert json.loads(json.dumps(loaded.to_dict())) == json.loads(
        (results.out / "results.json").read_text(encoding="utf-8")
    )
    code = WITHOUT_TORCH.format(out=str(results.out))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_data_and_model_are_not_needed(results: headstart.Results, tmp_path: Path) -> None:
    (tmp_path / "moved").symlink_to(results.out)  # its study file names data that may be gone
    data = Path(str(results.study.data.train))
    data.rename(data.with_suffix(".gone"))
    try:
        assert headstart.load(tmp_path / "moved").compare().contrasts == results.compare().contrasts
    finally:
        data.with_suffix(".gone").rename(data)


def test_a_study_prints_as_a_study_file(study: headstart.Study, tmp_path: Path) -> None:
    assert len(repr(study)) < 400
    some: list[dict[str, Any]] = [{}, {"arms": {"words": None, "full": {}}}, {"training": {"epochs": 5}}]
    for changes in some:
        one = headstart.Study(**({"data": {"path": "/a.csv"}, "model": "/m"} | changes))
        (tmp_path / "study.yaml").write_text(str(one), encoding="utf-8")
        read = headstart.load_study(tmp_path / "study.yaml")
        assert read.model_copy(update={"out": one.out}) == one
        assert len(str(one).split("\n")) < 20


def test_names_are_complete() -> None:
    assert set(headstart.__all__) < set(dir(headstart))
    assert headstart.__version__
    with pytest.raises(AttributeError, match="nothing"):
        _ = headstart.nothing
    for name in FUNCTIONS:
        returned = inspect.signature(getattr(headstart, name), eval_str=False).return_annotation
        for word in str(returned).replace("[", " ").replace("]", " ").split():
            assert word in {
                "int",
                "None",
                "str",
                "list",
                "dict",
                "str,",
                "Any",
                "nn.Module",
                "|",
                *headstart.__all__,
            }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_an_example_whose_calls_fit(name: str) -> None:
    text = inspect.getdoc(getattr(headstart, name)) or ""
    _, _, example = text.partition("Example:\n")
    assert example, f"headstart.{name} has no example"
    body = textwrap.dedent(example.split("\n\n")[0])
    calls = [node for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Call)]
    called = set[str]()
    for call in calls:
        function: Any = call.func
        if isinstance(function, ast.Attribute) and ast.unparse(function.value) == "headstart":
            called.add(function.attr)
            words = {keyword.arg: None for keyword in call.keywords if keyword.arg}
            inspect.signature(getattr(headstart, function.attr)).bind(*call.args, **words)
    assert called & {name, "load"}
