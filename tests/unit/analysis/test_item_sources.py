"""Which files make which arm, and by which task and metric; what is not clear is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.analysis.item_sources import NamedPath, choose_metric, describe_tasks, open_item_files
from headstart.errors import HeadstartError
from others_results import (
    DATE,
    make_log,
    make_sample,
    write_eval_log,
    write_json_log,
    write_lighteval,
    write_lm_eval,
    write_samples,
)


def paths(*given: Path | str) -> list[NamedPath]:
    return [NamedPath.parse(str(path)) for path in given]


def test_a_path_may_have_a_name_before_it(tmp_path: Path) -> None:
    assert NamedPath.parse("tuned=runs/a.csv") == NamedPath(Path("runs/a.csv"), "tuned")
    assert NamedPath.parse("runs/a.csv") == NamedPath(Path("runs/a.csv"))
    there = tmp_path / "lr=1e-5"
    there.mkdir()
    assert NamedPath.parse(str(there)) == NamedPath(there)


def test_a_folder_of_models_holds_an_arm_for_each(tmp_path: Path) -> None:
    write_lm_eval(tmp_path / "big", [1.0, 0.0])
    write_lm_eval(tmp_path / "small", [0.0, 0.0])
    (tmp_path / ".cache").mkdir()
    write_lm_eval(tmp_path / ".cache" / "hidden", [0.0, 0.0])
    assert list(open_item_files(paths(tmp_path), None)) == ["big", "small"]


def test_logs_of_inspect_are_called_by_their_model(tmp_path: Path) -> None:
    write_eval_log(tmp_path / "1.eval", make_log("openai/gpt-4", [{1: "C", 2: "I"}]))
    write_json_log(tmp_path / "2.json", make_log("ollama/llama3.1", [{1: "C", 2: "C"}]))
    assert list(open_item_files(paths(tmp_path), None)) == ["openai/gpt-4", "ollama/llama3.1"]


def test_a_given_name_is_the_arms(tmp_path: Path) -> None:
    first = write_eval_log(tmp_path / "1.eval", make_log("m", [{1: "C", 2: "I"}]))
    second = write_eval_log(tmp_path / "2.eval", make_log("m", [{1: "C", 2: "I"}]))
    assert list(open_item_files(paths(f"old={first}", f"new={second}"), None)) == ["old", "new"]
    with pytest.raises(HeadstartError, match=rf"another arm is called 'm'[\s\S]*fix: NAME={second}"):
        open_item_files(paths(first, second), None)


def test_a_table_of_several_arms_has_no_one_name(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text("arm,item,correct\na,1,1\nb,1,0\n", encoding="utf-8")
    assert list(open_item_files(paths(file), None)) == ["a", "b"]
    with pytest.raises(HeadstartError, match=r"x=.*holds arms a, b"):
        open_item_files(paths(f"x={file}"), None)


def test_one_arm_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"one arm: m[\s\S]*at least two arms"):
        open_item_files(paths(write_lm_eval(tmp_path / "m", [1.0])), None)


def test_what_is_not_there_or_holds_no_items_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"nowhere: no such file or folder"):
        open_item_files(paths(tmp_path / "nowhere"), None)
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    with pytest.raises(HeadstartError, match=r"contains no items[\s\S]*Inspect[\s\S]*lm-evaluation-harness"):
        open_item_files(paths(tmp_path), None)


def test_a_task_has_to_be_named_where_there_are_several(tmp_path: Path) -> None:
    for model in ("a", "b"):
        write_lm_eval(tmp_path / model, [1.0, 0.0], task="arc_easy")
        write_lm_eval(tmp_path / model, [1.0, 0.0], task="gsm8k")
    with pytest.raises(HeadstartError, match=r"a has 2 tasks[\s\S]*one of arc_easy, gsm8k[\s\S]*--task NAME"):
        open_item_files(paths(tmp_path), None)
    with pytest.raises(HeadstartError, match="a has no task 'mmlu'"):
        open_item_files(paths(tmp_path), "mmlu")
    chosen = open_item_files(paths(tmp_path), "gsm8k")
    assert [file.task for files in chosen.values() for file in files] == ["gsm8k", "gsm8k"]


def test_two_runs_of_one_task_are_refused(tmp_path: Path) -> None:
    write_lm_eval(tmp_path / "a", [1.0, 0.0])
    later = write_lm_eval(tmp_path / "a", [1.0, 0.0], date="2025-01-01T00-00-00.000000")
    write_lm_eval(tmp_path / "b", [1.0, 0.0])
    with pytest.raises(
        HeadstartError, match=r"a has 2 files of arc_easy: samples_arc_easy_2024[\s\S]*fix: name the file"
    ):
        open_item_files(paths(tmp_path), None)
    assert list(open_item_files(paths(later, tmp_path / "b"), None)) == ["a", "b"]


def test_tables_of_one_arm_may_hold_a_seed_each(tmp_path: Path) -> None:
    for seed in (0, 1):
        text = f"arm,seed,item,correct\na,{seed},1,1\nb,{seed},1,0\n"
        (tmp_path / f"seed{seed}.csv").write_text(text, encoding="utf-8")
    assert [len(files) for files in open_item_files(paths(tmp_path), None).values()] == [2, 2]


def test_tasks_that_differ_are_said(tmp_path: Path) -> None:
    scores = [{"em": 1.0}, {"em": 0.0}]
    first = write_lighteval(tmp_path / "a" / f"details_gsm8k|0_{DATE}.parquet", scores)
    second = write_lighteval(tmp_path / "b" / f"details_gsm8k|5_{DATE}.parquet", scores)
    chosen = open_item_files(paths(f"zero={first}", f"five={second}"), None)
    assert list(describe_tasks(chosen)) == ["Tasks differ: zero gsm8k|0; five gsm8k|5."]


def test_a_metric_has_to_be_named_where_arms_share_several(tmp_path: Path) -> None:
    write_lm_eval(tmp_path / "a", [1.0, 0.0])
    write_lm_eval(tmp_path / "b", [1.0, 0.0])
    chosen = open_item_files(paths(tmp_path), None)
    with pytest.raises(
        HeadstartError, match=r"metrics acc, acc_norm[\s\S]*expected: one[\s\S]*--metric NAME"
    ):
        choose_metric(chosen, None)
    assert choose_metric(chosen, "acc_norm") == "acc_norm"
    with pytest.raises(HeadstartError, match=r"a has no metric 'f1'[\s\S]*one of acc, acc_norm"):
        choose_metric(chosen, "f1")


def test_a_metric_that_one_arm_lacks_is_refused(tmp_path: Path) -> None:
    write_samples(tmp_path / "a" / f"samples_t_{DATE}.jsonl", [make_sample(0, {"acc": 1.0})])
    write_samples(tmp_path / "b" / f"samples_t_{DATE}.jsonl", [make_sample(0, {"em": 1.0})])
    chosen = open_item_files(paths(tmp_path), None)
    with pytest.raises(HeadstartError, match=r"no metric common to all arms[\s\S]*a: acc; b: em"):
        choose_metric(chosen, None)
    with pytest.raises(HeadstartError, match=r"b has no metric 'acc'[\s\S]*one of em"):
        choose_metric(chosen, "acc")


def test_columns_of_words_are_no_metrics(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text("arm,item,prompt,correct\na,1,what?,1\nb,1,what?,0\n", encoding="utf-8")
    assert choose_metric(open_item_files(paths(file), None), None) == "correct"
