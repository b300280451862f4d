"""Whole studies of partial starts: they train in one pack, have a worth in labels, and are saved whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from headstart.cli import main
from headstart.config.load import load_study
from headstart.config.runs import expand_runs
from headstart.methods.base import build_base_model
from headstart.methods.corpus_embeddings import load_corpus_vectors
from headstart.training.grouping import group_runs
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]

PARTS: dict[str, Any] = {
    "pretrained": {},
    "lower": {"init": {"keep": ["embeddings", "1 layer"]}},
    "shuffled": {"init": {"shuffle": "matrices"}},
    "svd": {"init": {"embeddings": "svd"}},
    "random": {"init": "random"},
    "words": None,
}


def _read_results(folder: Path) -> Any:
    return json.loads((folder / "out" / "results.json").read_text("utf-8"))


def test_all_starts_share_a_pack_and_have_a_worth(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_in(tmp_path, arms=PARTS, seeds=2, sizes=[8, 16], control="random")
    prepared = prepare_study(load_study(study), expand_runs(load_study(study)))
    (group,) = group_runs([prepared.select(run) for run in expand_runs(prepared.study)])
    assert len(group.runs) == 20
    assert main(["run", str(study)]) == 0
    assert "computing word embeddings from" in capsys.readouterr().err
    worth = {(row["arm"], row["size"]) for row in _read_results(tmp_path)["label_worth"]}
    assert worth == {(arm, size) for arm in ("pretrained", "lower", "shuffled", "svd") for size in (8, 16)}
    saved = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "models" / "lower")
    card = (tmp_path / "out" / "models" / "lower" / "README.md").read_text("utf-8")
    assert "(embeddings and 1 layer of its weights, the rest random)" in card
    assert sum(p.numel() for p in saved.parameters()) > 0

    assert main(["run", str(study)]) == 0  # nothing is left to do
    changed = study_in(tmp_path, "changed.yaml", arms=PARTS | {"lower": {"init": {"keep": "norms"}}})
    assert main(["run", str(changed), "seeds=2", "sizes=[8, 16]", "control=random"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "arms.lower.init was {keep: [embeddings, 1 layer]}, is {keep: norms}" in said


def test_texts_of_single_words_have_no_vectors(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_in(tmp_path, arms={"svd": PARTS["svd"], "words": None})
    rows = [{"text": text, "label": label} for text, label in (("good", "yes"), ("bad", "no"))]
    (tmp_path / "reviews" / "train.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), "utf-8"
    )
    for part in ("valid", "test"):
        (tmp_path / "reviews" / f"{part}.jsonl").write_text('{"text": "good bad", "label": "no"}\n', "utf-8")
    assert main(["run", str(study)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "error: arms.svd.init: no two tokens of the training examples stand near each other" in said
    assert "Traceback" not in said


def test_vectors_are_of_training_texts_alone_and_of_no_seed(study_in: StudyFile, tmp_path: Path) -> None:
    study = load_study(
        study_in(tmp_path, arms={"svd": PARTS["svd"], "words": None}, seeds=2, sizes=[8, "all"])
    )
    prepared = prepare_study(study, expand_runs(study))
    first, *others = [prepared.select(run) for run in expand_runs(study)]
    ids, vectors = load_corpus_vectors(first)
    seen = set(first.tokens["train"].input_ids.tolist())
    assert set(ids.tolist()) <= seen - set(first.checkpoint.tokenizer.all_special_ids)
    for other in others:
        assert all((a == b).all() for a, b in zip((ids, vectors), load_corpus_vectors(other), strict=True))
    tables = [build_base_model(run).get_input_embeddings().weight for run in (first, *others)]  # type: ignore[operator]
    unseen = [i for i in range(len(tables[0])) if i not in set(ids.tolist())]
    assert not torch.equal(tables[0][unseen], tables[-1][unseen])


@pytest.mark.parametrize("method", ["lora", "probe"])
def test_what_trains_over_a_partial_start_is_saved_with_its_base(
    study_in: StudyFile, tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {"part": {"init": {"keep": "embeddings"}, "method": method}, "words": None}
    study = study_in(tmp_path, arms=arms)
    assert main(["run", str(study)]) == 0
    folder = tmp_path / "out" / "models" / "part"
    weights = load_file(folder / "model.safetensors")
    loaded = load_study(study)
    (run,) = expand_runs(loaded)
    base = dict(build_base_model(prepare_study(loaded, [run]).select(run)).named_parameters())
    name = "embeddings.position_embeddings.weight"
    mine = next(value for key, value in weights.items() if key.endswith(name))
    assert torch.equal(mine, base[f"bert.{name}"])
    assert "random but for its embeddings" in " ".join(capsys.readouterr().err.split())


def test_a_part_that_is_not_there_is_refused_before_anything_trains(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("plan", "run"):
        study = study_in(tmp_path, arms={"deep": {"init": {"keep": "9 layers"}}, "words": None})
        assert main([command, str(study)]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "arms.deep.init" in said
        assert "it has 2 layers, not 9" in said
        assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_plan_names_each_start(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_in(tmp_path, arms=PARTS)
    assert main(["plan", str(study)]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("embeddings and 1 layer", "shuffled matrices", "SVD embeddings"))
