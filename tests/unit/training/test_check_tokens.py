"""What a tokenizer makes of the texts is checked before anything trains: unknown words, ids without a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main
from headstart.commands.predict import predict
from headstart.errors import ModelError
from plans import plan_study
from tiny_checkpoints import make_tokenizer, write_checkpoint

StudyFile = Callable[..., Path]
ARMS = {"random": {"init": "random"}, "words": None}


def _replace(folder: Path, old: str, new: str) -> None:
    for file in folder.glob("*.jsonl"):
        file.write_text(file.read_text("utf-8").replace(old, new), encoding="utf-8")


def test_a_tokenizer_of_another_language_is_refused(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_checkpoint(tmp_path / "m", "bert", tokenizer=make_tokenizer())
    file = study_file(model=str(model), arms=ARMS)
    data = tmp_path / "reviews"
    for part in data.glob("*.jsonl"):
        rows = [json.loads(line) for line in part.read_text("utf-8").splitlines()]
        lines = [json.dumps(row | {"text": row["text"][::-1].replace("a", "ä")}) for row in rows]
        part.write_text("\n".join(lines), encoding="utf-8")
    code, text = plan_study(file, capsys)
    assert code == 2
    assert "its tokenizer does not know 100% of the words, such as" in text


def test_a_noticeable_share_of_unknown_words_is_said(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_checkpoint(tmp_path / "m", "bert", tokenizer=make_tokenizer())
    file = study_file(model=str(model), arms=ARMS)
    assert "tokenizer does not know" not in plan_study(file, capsys)[1]
    _replace(tmp_path / "reviews", "and", "und")
    code, text = plan_study(file, capsys)
    assert code == 0
    assert "of the words, such as 'und'" in text


def _add_words(*words: str) -> Any:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(list(words))
    return tokenizer


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_token_without_a_row_is_refused_before_anything_trains(
    command: str, study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_checkpoint(
        tmp_path / "m", "bert", tokenizer=_add_words("und"), vocab_size=len(make_tokenizer())
    )
    file = study_file(model=str(model), arms=ARMS)
    _replace(tmp_path / "reviews", "and", "und")
    assert main([command, str(file)]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert f"is for what its tokenizer makes of the texts: und ({len(make_tokenizer())})" in text
    assert not (tmp_path / "out").exists()


def test_a_token_without_a_row_that_no_text_has_is_said_and_refused_later(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_checkpoint(
        tmp_path / "m", "bert", tokenizer=_add_words("und"), vocab_size=len(make_tokenizer())
    )
    file = study_file(model=str(model), arms=ARMS)
    code, text = plan_study(file, capsys)
    assert code == 0
    assert "1 of its tokens, such as und, have no row in its embedding" in text
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "good und bad"}\n', encoding="utf-8")
    with pytest.raises(ModelError, match="und"):
        predict(model, source, tmp_path / "labelled.jsonl")


def test_token_types_that_the_model_has_no_row_for_are_refused(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tokenizers import processors

    tokenizer = make_tokenizer(model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B:1 </s>:1", special_tokens=[("</s>", 3)]
    )
    folder = tmp_path / "m"
    model = write_checkpoint(folder, "roberta", tokenizer=tokenizer, pad_token_id=1, type_vocab_size=1)
    file = study_file(model=str(model), arms=ARMS)
    assert plan_study(file, capsys)[0] == 0
    parts = {name: str(tmp_path / "reviews" / f"{name}.jsonl") for name in ("train", "valid", "test")}
    data = parts | {"text": ["text", "other"]}
    pairs = study_file(name="pairs.yaml", model=str(model), arms=ARMS, data=data)
    for part in (tmp_path / "reviews").glob("*.jsonl"):
        rows = [json.loads(line) for line in part.read_text("utf-8").splitlines()]
        part.write_text("\n".join(json.dumps(r | {"other": "a film"}) for r in rows), encoding="utf-8")
    code, text = plan_study(pairs, capsys)
    assert code == 2
    assert "its tokenizer gives token types up to 1, and the model knows 1" in text
    assert "model_input_names" in text


def _end_texts(pad: str | None = "<pad>") -> Any:
    from tokenizers.processors import TemplateProcessing

    tokenizer = make_tokenizer(pad)
    end = TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 3)])
    tokenizer.backend_tokenizer.post_processor = end
    return tokenizer


@pytest.mark.parametrize("family", ["bart", "t5"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_tokenizer, "puts no end token, </s>, after 60 texts"),
        (lambda: _end_texts(None), "pads with </s>, the end token"),
        (_end_texts, None),
    ],
)
def test_classifiers_that_read_the_end_token_have_one_in_each_text(
    family: str,
    make: Callable[[], Any],
    message: str | None,
    study_file: StudyFile,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The library's error comes when training begins, and where padding is the end token there is none."""
    model = write_checkpoint(tmp_path / "m", family, tokenizer=make())
    code, text = plan_study(study_file(model=str(model), arms=ARMS), capsys)
    assert (code, message is None or message in text) == (0 if message is None else 2, True)


@pytest.mark.parametrize(
    ("family", "pooling", "message"),
    [
        ("t5", "mean", "the body of a t5 cannot run on texts alone"),
        ("bart", "cls", "no token of a bart represents a text"),
        ("bart", "mean", None),
    ],
)
def test_probes_of_encoder_decoders(
    family: str,
    pooling: str,
    message: str | None,
    study_file: StudyFile,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = write_checkpoint(tmp_path / "m", family, tokenizer=_end_texts())
    arms = {"probe": {"method": "probe", "probe": {"pooling": pooling}}, "words": None}
    code, text = plan_study(study_file(model=str(model), arms=arms), capsys)
    assert (code, message is None or message in text) == (0 if message is None else 2, True)
