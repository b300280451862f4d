"""Sample files of lm-evaluation-harness: documents, filters, older layouts, and what is there twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart.analysis.item_files.lm_eval import LM_EVAL
from headstart.errors import DataError
from others_results import DATE, make_sample, write_lm_eval, write_samples


def test_a_document_is_known_by_its_hash_and_scored_by_its_metrics(tmp_path: Path) -> None:
    file = write_lm_eval(tmp_path / "org__model", [1.0, 0.0])
    assert LM_EVAL.recognises(file)
    items = LM_EVAL.read(file)
    assert (items.arm, items.task, items.has_seeds) == ("org__model", "arc_easy", False)
    assert [dict(row.values) for row in items.rows] == [
        {"acc": 1.0, "acc_norm": 0.0},
        {"acc": 0.0, "acc_norm": 1.0},
    ]
    assert [row.item for row in items.rows] == [make_sample(i, {})["doc_hash"] for i in range(2)]


def test_results_are_no_samples(tmp_path: Path) -> None:
    write_lm_eval(tmp_path / "m", [1.0])
    assert not LM_EVAL.recognises(tmp_path / "m" / f"results_{DATE}.json")


def test_task_names_may_hold_underscores(tmp_path: Path) -> None:
    file = write_lm_eval(tmp_path / "m", [1.0], task="mmlu_college_biology")
    assert LM_EVAL.read(file).task == "mmlu_college_biology"


def test_several_filters_are_metrics_of_one_document(tmp_path: Path) -> None:
    samples = [
        make_sample(i, {"exact_match": float(name == "flexible-extract")}, name=name)
        for name in ("strict-match", "flexible-extract")
        for i in range(2)
    ]
    items = LM_EVAL.read(write_samples(tmp_path / "m" / f"samples_gsm8k_{DATE}.jsonl", samples))
    assert [dict(row.values) for row in items.rows] == [
        {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0}
    ] * 2


def test_documents_of_equal_content_are_two_items_of_one_group(tmp_path: Path) -> None:
    samples = [make_sample(i, {"acc": 1.0}, question="the same") for i in (1, 0)]
    first, second = LM_EVAL.read(write_samples(tmp_path / f"samples_t_{DATE}.jsonl", samples)).rows
    assert first.item == f"{second.item}#2"
    assert first.group == second.group


def test_an_array_without_hashes_or_list_of_metrics_is_read(tmp_path: Path) -> None:
    """As versions before 0.4.3 wrote it."""
    later = ("filter", "metrics", "doc_hash", "prompt_hash", "target_hash")
    samples = [
        {name: value for name, value in make_sample(i, {"acc": float(i)}).items() if name not in later}
        for i in range(2)
    ]
    file = tmp_path / "pretrained__gpt2_arc_easy.jsonl"
    file.write_text(json.dumps(samples, indent=2), encoding="utf-8")
    assert LM_EVAL.recognises(file)
    items = LM_EVAL.read(file)
    assert [(row.item, dict(row.values)) for row in items.rows] == [
        ("doc 0", {"acc": 0.0}),
        ("doc 1", {"acc": 1.0}),
    ]
    assert items.task is None


def test_two_runs_in_one_file_are_refused(tmp_path: Path) -> None:
    samples = [make_sample(0, {"acc": 1.0}), make_sample(0, {"acc": 0.0})]
    file = write_samples(tmp_path / f"samples_t_{DATE}.jsonl", samples)
    with pytest.raises(DataError, match=r"jsonl:2: document 0 appears twice, first at .*jsonl:1"):
        LM_EVAL.read(file)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    file = write_lm_eval(tmp_path / "m", [1.0, 0.0])
    file.write_text(file.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(DataError, match=r"jsonl:2: not JSON"):
        LM_EVAL.read(file)
