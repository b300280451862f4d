"""The user's experiment in miniature, on the research data beside the checkout; skipped without it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "data" / "books_fr").is_dir(), reason="no ../shared here"),
]


def test_french_reviews_train_from_a_half_precision_checkpoint(tmp_path: Path) -> None:
    import headstart

    books = SHARED / "data" / "books_fr"
    study = headstart.Study.model_validate(
        {
            "data": {part: str(books / f"{part}.jsonl") for part in ("train", "valid", "test")},
            "model": str(SHARED / "models" / "roberta-small-fr"),
            "seeds": 1,
            "sizes": [32],
            "training": {"batch_size": 8, "steps": 4, "max_length": 32},
            "workers": 0,
            "out": str(tmp_path / "out"),
        }
    )
    results = headstart.run(study)
    assert [record.status for record in results.records] == ["done"] * 3
    # 22,829,568 of the body, and a head of 512 x 512 + 512 and 2 x 512 + 2.
    parameters = results.records[0].parameters
    assert parameters is not None
    assert parameters.total == 22_829_568 + 262_656 + 1_026


def test_fairseqs_parallel_files_are_read() -> None:
    from headstart.config.study import Study
    from headstart.data.checks import load_corpus

    data = {part: str(SHARED / "fairseq" / part) for part in ("train", "valid", "test")}
    corpus = load_corpus(Study.model_validate({"data": {**data, "text": "review"}, "model": "none"}))
    assert corpus.label_names == ("-1", "1")
    assert [len(corpus.parts[part]) for part in ("train", "valid", "test")] == [300, 60, 100]
