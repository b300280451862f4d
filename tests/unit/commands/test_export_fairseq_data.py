"""A study's data as fairseq's binarised folder: what is written is read again, and by fairseq's own rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairseq_files import SENTENCES, load_sentencepiece, train_sentencepiece, write_dictionary_of
from headstart.cli import main
from headstart.commands.export_fairseq_data import export_fairseq_data
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.data.checks import load_corpus
from headstart.data.corpus import PARTS
from headstart.data.fairseq.binarised import read_binarised
from headstart.data.fairseq.dictionary import read_dictionary
from headstart.data.formats import read_cells
from headstart.data.tables import add_columns, check_formats
from headstart.errors import DataError, HeadstartError, ModelError, OutputError
from headstart.models.fairseq.tokenizer import build_tokenizer


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with the tokenizer of a fairseq checkpoint."""
    folder = tmp_path / "fairseq"
    folder.mkdir()
    content = train_sentencepiece("bpe")
    (folder / "sentencepiece.bpe.model").write_bytes(content)
    processor = load_sentencepiece(content)
    write_dictionary_of([processor.encode(text, out_type=str) for text in SENTENCES], folder / "dict.txt")
    build_tokenizer(folder, read_dictionary(folder / "dict.txt")).save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    return tmp_path / "model"


def _make_study(folder: Path, model: Path, labels: tuple[object, ...], **data: object) -> Study:
    for part, texts in (("train", SENTENCES), ("valid", SENTENCES[:4]), ("test", SENTENCES[4:])):
        rows = [{"text": t, "other": t[:9].strip(), "label": labels[i % 2]} for i, t in enumerate(texts)]
        (folder / f"{part}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    task = "regression" if isinstance(labels[0], float) else "classification"
    return load_study({"data": {"path": str(folder), **data}, "model": str(model), "task": task})


@pytest.mark.parametrize(
    ("labels", "data"),
    [
        (("good", "bad"), {}),
        ((0.5, -1.25), {}),
        (("a", "b"), {"text": ["text", "other"]}),
    ],
)
def test_what_is_written_is_the_same_study(
    tmp_path: Path, model: Path, labels: tuple[object, ...], data: dict[str, object]
) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    study = _make_study(texts, model, labels, **data)
    exported = export_fairseq_data(study, tmp_path / "bin")
    assert exported.examples == {"train": 8, "valid": 4, "test": 4}
    assert exported.unknown == 0
    columns = {"text": ["input0", "input1"]} if data else {}
    again = load_study(
        {"data": {"fairseq": str(tmp_path / "bin"), **columns}, "model": str(model), "task": study.task}
    )
    written, read = load_corpus(study), load_corpus(again)
    assert read.label_names == written.label_names
    for part in PARTS:
        assert list(read.parts[part].texts) == list(written.parts[part].texts)
        assert read.parts[part].labels.tolist() == written.parts[part].labels.tolist()


def test_ids_are_those_of_the_model_and_end_with_its_mark(tmp_path: Path, model: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    export_fairseq_data(_make_study(texts, model, ("x", "y")), tmp_path / "bin")
    dictionary = read_dictionary(tmp_path / "bin" / "input0" / "dict.txt")
    assert dictionary == read_dictionary(tmp_path / "fairseq" / "dict.txt")
    processor = load_sentencepiece((tmp_path / "fairseq" / "sentencepiece.bpe.model").read_bytes())
    for row, text in zip(read_binarised(tmp_path / "bin" / "input0" / "train"), SENTENCES, strict=True):
        assert row.tolist() == [*map(dictionary.find, processor.encode(text, out_type=str)), 2]
    labels = (tmp_path / "bin" / "label" / "dict.txt").read_text().splitlines()
    assert labels == ["x 4", "y 4", "madeupword0000 0", "madeupword0001 0"]
    with pytest.raises(OutputError, match="already exists"):
        export_fairseq_data(_make_study(texts, model, ("x", "y")), tmp_path / "bin")


def test_what_fairseq_has_no_form_for_is_refused(tmp_path: Path, model: Path, tiny_model: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    with pytest.raises(HeadstartError, match="has a space in it"):
        export_fairseq_data(_make_study(texts, model, ("very good", "bad")), tmp_path / "bin")
    with pytest.raises(ModelError, match="its first tokens are"):
        export_fairseq_data(_make_study(texts, tiny_model, ("good", "bad")), tmp_path / "bin")
    assert not (tmp_path / "bin").exists()


def test_force_replaces_an_empty_folder_or_another_model(tmp_path: Path, model: Path) -> None:
    texts, target = tmp_path / "texts", tmp_path / "bin"
    texts.mkdir()
    target.mkdir()
    with pytest.raises(HeadstartError, match="has a space in it"):
        export_fairseq_data(_make_study(texts, model, ("very good", "bad")), target, force=True)
    assert list(target.iterdir()) == []
    (target / "config.json").write_text("{}")
    study = _make_study(texts, model, ("x", "y"))
    export_fairseq_data(study, target, force=True)
    assert sorted(entry.name for entry in target.iterdir()) == ["input0", "label"]
    with pytest.raises(OutputError, match="is the model's own folder"):
        export_fairseq_data(study, model, force=True)


def test_the_command_takes_a_study_file(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    _make_study(texts, model, ("x", "y"))
    study = tmp_path / "study.yaml"
    study.write_text(f"data: {{path: {texts}}}\nmodel: {model}\n")
    target = tmp_path / "bin"
    assert main(["export", str(study), "--fairseq", str(target), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["examples"] == {"train": 8, "valid": 4, "test": 4}
    assert (written["path"], written["unknown"]) == (str(target), 0)
    assert main(["export", str(study), "--fairseq", str(target)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert main(["init", str(target), "-o", str(tmp_path / "again.yaml")]) == 0
    assert load_study(tmp_path / "again.yaml").data.fairseq == str(target)


def test_predict_labels_binarised_texts(tmp_path: Path, model: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    export_fairseq_data(_make_study(texts, model, ("x", "y")), tmp_path / "bin")
    index = tmp_path / "bin" / "input0" / "test.idx"
    for name in ("out.csv", "out.tsv", "out.jsonl"):
        count = add_columns(index, tmp_path / name, lambda rows: [{"n": i} for i, _ in enumerate(rows)], list)
        assert count == 4
        cells = [row for _, row in read_cells(tmp_path / name)]
        assert [row["text"] for row in cells] == [*SENTENCES[4:]]
        assert [(row["label"], str(row["n"])) for row in cells] == [(c, str(i)) for i, c in enumerate("xyxy")]
    with pytest.raises(DataError, match=r"output out\.parquet for input test\.idx"):
        check_formats(index, tmp_path / "out.parquet")
