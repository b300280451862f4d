"""Studies of language models that have answered, and people who judge: nothing is trained for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.analysis.judgements import Judge, Judgements
from headstart.config.study import Study
from headstart.records import RunRecord
from headstart.store.answer_columns import make_answer_columns
from headstart.store.prediction_writer import make_example_columns, write_table
from headstart.store.predictions import PREDICTIONS_FILE
from headstart.store.recomputed import compute_test_scores
from headstart.store.runs import RunStore

ARMS = ("base", "tuned")
#: Answers of an arm by prompt and seed.
Answer = Callable[[str, int, int], str]


def answer_apart(arm: str, prompt: int, seed: int) -> str:
    """Every arm, prompt and seed has an answer of its own."""
    return f"{'good' if arm == 'tuned' else 'poor'} answer {prompt} of {seed}"


def answer_alike(arm: str, prompt: int, seed: int) -> str:
    """The same in both arms on every third prompt."""
    return f"answer {prompt}" if prompt % 3 == 0 else answer_apart(arm, prompt, seed)


def write_answered_study(
    out: Path,
    *,
    prompts: int = 12,
    seeds: Sequence[int] = (0, 1, 2),
    answer: Answer = answer_apart,
    groups: np.ndarray | None = None,
    reference: str = "answer {}",
) -> RunStore:
    """A study of `base` and `tuned` that have answered the same prompts."""
    values: dict[str, Any] = {
        "data": {"path": "/a.jsonl"},
        "model": "m",
        "task": "instruction",
        "arms": {"base": {"method": "none"}, "tuned": {}},
        "control": "base",
        "seeds": list(seeds),
        "out": str(out),
    }
    store = RunStore(out)
    store.open_study(Study.model_validate(values))
    for arm in ARMS:
        for seed in seeds:
            record = _make_record(arm, seed)
            answers = [answer(arm, prompt, seed) for prompt in range(prompts)]
            _write_answers(store.get_run_folder(record.key), answers, groups, reference)
            predictions = store.read_predictions(record.key, "exact_match")
            assert predictions is not None
            scores = {"loss": 1.0} | compute_test_scores(predictions)
            store.write_record(record.model_copy(update={"test": scores}))
    return store


def _make_record(arm: str, seed: int) -> RunRecord:
    scores = {"loss": 1.0, "exact_match": 0.0, "token_f1": 0.0}
    return RunRecord(
        arm=arm,
        size="all",
        seed=seed,
        status="done",
        train_examples=8,
        best_epoch=1,
        valid=scores,
        test=scores,
    )


def _write_answers(folder: Path, answers: Sequence[str], groups: np.ndarray | None, reference: str) -> None:
    n_prompts = len(answers)
    columns = make_example_columns(list(range(n_prompts)), groups) | make_answer_columns(
        earlier=[""] * n_prompts,
        prompts=[f"question {i}?" for i in range(n_prompts)],
        references=[reference.format(i) for i in range(n_prompts)],
        answers=answers,
        stopped=[True] * n_prompts,
    )
    write_table(folder / PREDICTIONS_FILE, columns)


def read_rows(sheet: Path) -> list[dict[str, str]]:
    """What a judge sees."""
    return list(csv.DictReader(io.StringIO(sheet.read_text("utf-8-sig"), newline="")))


def fill_sheet(sheet: Path, copy: Path, choose: Callable[[Mapping[str, str]], str]) -> Path:
    """A judge's copy, with what the judge chooses of each row."""
    rows = read_rows(sheet)
    with copy.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"choice": choose(row)} for row in rows)
    return copy


def prefer_good(row: Mapping[str, str]) -> str:
    """The answer of the arm `tuned`, which calls itself good."""
    return "1" if "good" in row["answer_1"] else "2"


def build_judgements(**changes: Any) -> Judgements:
    """What one judge said of 40 prompts, clearly for the arm; changed as asked."""
    values: dict[str, Any] = {
        "source": "a.csv",
        "sheet": "abcdefghijkl",
        "arm": "lora",
        "control": "base",
        "size": "all",
        "prompts": 40,
        "wins": 24,
        "losses": 6,
        "ties": 10,
        "equal": 0,
        "unjudged": 0,
        "groups": None,
        "win_rate": 0.725,
        "low": 0.6,
        "high": 0.82,
        "p_sign": 0.0014,
        "verdict": "better",
        "judges": (Judge("a", 40, 0, 24, 6, 10, 15),),
        "agreements": (),
    }
    return Judgements(**values | changes)
