"""Tables of scores and items, results of other libraries, judges' sheets: what `compare` and `power` read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import check_shown, own_folder, print_as_people_see, run_to_end
from headstart.analysis.power_questions import Assumptions, Question
from headstart.commands.compare_sources import compare_sources
from headstart.commands.judge import judge_pairs, judge_read
from headstart.commands.power import analyse_power
from headstart.report.comparison import render_comparison, render_comparison_latex, render_comparison_markdown
from headstart.report.power import render_power
from judged_studies import fill_sheet, prefer_good, write_answered_study
from odd_values import mutated_bytes, numbers, texts, values, write_json
from others_results import (
    make_log,
    write_eval_log,
    write_json_log,
    write_lighteval,
    write_lm_eval,
    write_zstandard_log,
)


def tables() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of scores that may well be right, with some odd cells."""
    near = {
        "arm": st.one_of(st.sampled_from(("random", "tuned", "words")), texts()),
        "seed": st.one_of(st.integers(0, 3), numbers(), texts()),
    }
    score = st.one_of(
        st.floats(0, 1), st.sampled_from((0, 1, 50, 99.5, "81.5", "1e400")), numbers(), values()
    )
    more = {"size": st.one_of(st.sampled_from(("all", 10, "20")), values()), "accuracy": score, "loss": score}
    more |= {"item": st.one_of(st.integers(0, 4), values()), "group": st.one_of(st.integers(0, 1), values())}
    row = st.fixed_dictionaries(near | {"accuracy": score})
    odd = st.fixed_dictionaries({}, optional=near | more)
    whole = st.lists(st.fixed_dictionaries(near | {"accuracy": st.floats(0, 1)}), max_size=8)
    return st.one_of(whole, st.lists(row, max_size=8), st.lists(st.one_of(row, odd), max_size=6))


def options() -> st.SearchStrategy[dict[str, Any]]:
    """What `compare` may be told."""
    return st.fixed_dictionaries(
        {},
        optional={
            "metric": st.one_of(st.sampled_from(("accuracy", "loss")), texts()),
            "control": st.one_of(st.sampled_from(("random", "tuned")), texts()),
            "margin": numbers(),
            "lower_is_better": st.booleans(),
            "shared_items": st.booleans(),
            "task": texts(),
        },
    )


def compare_and_show(sources: list[str], said: dict[str, Any], folder: Path) -> None:
    """Compare, and see that nothing shown is what a terminal obeys."""
    found = run_to_end(compare_sources, sources, folder=folder, **said)
    if found is not None:
        check_shown(print_as_people_see(render_comparison(found)))
        run_to_end(render_comparison_markdown, found)
        run_to_end(render_comparison_latex, found)
        run_to_end(found.to_dict)


@given(tables(), options())
def test_tables(rows: list[dict[str, Any]], said: dict[str, Any]) -> None:
    with own_folder() as folder:
        file = folder / "scores.jsonl"
        file.write_text("\n".join(map(write_json, rows)), encoding="utf-8")
        compare_and_show([str(file)], said, folder)
        question = Question(said.get("margin"), 100, None, None, None)
        run_to_end(
            analyse_power, file, question, Assumptions(80.0, None, 50.0, 1.0), metric=said.get("metric")
        )


def counts() -> st.SearchStrategy[int | None]:
    """Whole numbers as the command line gives them, or none."""
    return st.one_of(st.none(), st.integers(2, 2000), st.sampled_from((0, -1, 10**18, 10**400)))


def shares() -> st.SearchStrategy[float]:
    """Percent and points as the command line gives them."""
    return st.one_of(st.floats(0.1, 60), st.floats())


@given(
    st.builds(Question, shares(), counts(), counts(), counts(), shares()),
    st.builds(Assumptions, *[shares()] * 4),
)
def test_questions_of_power(question: Question, assumptions: Assumptions) -> None:
    found = run_to_end(analyse_power, None, question, assumptions)
    if found is not None:
        check_shown(print_as_people_see(render_power(found)))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """A file of each format of other libraries: its name and content."""
    folder = tmp_path_factory.mktemp("others")
    log = make_log("m", [{"a": 1, "b": 0, "c": "C"}, {"a": 1, "b": 1, "c": "I"}])
    files = [
        write_lm_eval(folder / "lm", [1.0, 0.0, 1.0]),
        write_json_log(folder / "log.json", log),
        write_eval_log(folder / "log.eval", log),
        write_zstandard_log(folder / "packed.eval", log),
        write_lighteval(folder / "details_task_2024-11-05T13-31-45.123456.parquet", [{"acc": 1}, {"acc": 0}]),
    ]
    return [(file.name, file.read_bytes()) for file in files]


@given(data=st.data(), said=options())
def test_results_of_others(
    others: list[tuple[str, bytes]], data: st.DataObject, said: dict[str, Any]
) -> None:
    name, whole = data.draw(st.sampled_from(others))
    with own_folder() as folder:
        for arm in ("one", "two"):
            (folder / arm).mkdir()
            (folder / arm / name).write_bytes(data.draw(mutated_bytes(whole)) if arm == "two" else whole)
        compare_and_show([str(folder / "one" / name), str(folder / "two" / name)], said, folder)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A study that was judged, and a sheet that came back."""
    folder = tmp_path_factory.mktemp("judged")
    write_answered_study(folder / "out", prompts=4, seeds=(0, 1))
    judge_pairs(folder / "out", folder / "sheet.csv", arm="tuned")
    filled = fill_sheet(folder / "sheet.csv", folder / "filled.csv", prefer_good)
    return folder / "out", filled.read_bytes()


@given(data=st.data())
def test_judges_sheets(judged: tuple[Path, bytes], data: st.DataObject) -> None:
    out, whole = judged
    with own_folder() as folder:
        (folder / "sheet.csv").write_bytes(data.draw(mutated_bytes(whole)))
        found = run_to_end(judge_read, out, [folder / "sheet.csv"], folder=folder)
        if found is not None:
            run_to_end(found.to_dict)
