"""A file is labelled with a saved model: same format out, own columns kept, predictions added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from headstart.commands.predict import open_predictor, predict
from headstart.data import long_texts
from headstart.errors import DataError, ModelError
from headstart.training.network_predictor import NetworkPredictor
from tiny_checkpoints import make_tokenizer, write_checkpoint

TEXTS = ["good film", 'a "bad" story, and dull', "warm"]


def saved(
    folder: Path, tiny_model: Path, problem: str, names: list[str], notes: dict[str, Any] | None = None
) -> Path:
    """A model with a drawn head for these labels."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny_model,
        num_labels=len(names),
        problem_type=problem,
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
        ignore_mismatched_sizes=True,
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    if notes is not None:
        (folder / "headstart.json").write_text(json.dumps(notes), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    return saved(folder, tiny_model, "single_label_classification", ["bad", "so so", "good"])


def probabilities(model: Path, text: str) -> list[float]:
    """What transformers gives for the text by itself."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForSequenceClassification.from_pretrained(model).eval()
    with torch.inference_mode():
        by_class: list[float] = network(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].tolist()
    return by_class


def labelled(model: Path, folder: Path, texts: list[str] = TEXTS) -> list[dict[str, Any]]:
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)))
    assert predict(model, source, folder / "out.jsonl", force=True) == len(texts)
    return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]


def test_probabilities_are_those_of_transformers(classifier: Path, tmp_path: Path) -> None:
    rows = labelled(classifier, tmp_path)
    for text, row in zip(TEXTS, rows, strict=True):
        assert [row[f"p_{name}"] for name in ("bad", "so so", "good")] == pytest.approx(
            probabilities(classifier, text), abs=2e-2
        )


def test_special_tokens_in_a_text_are_text(classifier: Path) -> None:
    """As the library has it where it is told so: nothing in a text parts or ends it."""
    text = "good film [SEP] bad [PAD] story"
    tokenizer = AutoTokenizer.from_pretrained(classifier)
    network = AutoModelForSequenceClassification.from_pretrained(classifier).eval()
    with torch.inference_mode():
        logits = network(**tokenizer(text, return_tensors="pt", split_special_tokens=True)).logits[0]
    (row,) = open_predictor(classifier).predict([text])
    found = [row[f"p_{name}"] for name in ("bad", "so so", "good")]
    assert found == pytest.approx(logits.softmax(-1).tolist(), abs=2e-2)
    assert found != pytest.approx(probabilities(classifier, text), abs=4e-2)


def test_rows_keep_their_order_and_columns(classifier: Path, tmp_path: Path) -> None:
    rows = labelled(classifier, tmp_path)
    assert [(row["id"], row["text"]) for row in rows] == list(enumerate(TEXTS))
    assert list(rows[0]) == ["id", "text", "predicted", "p_bad", "p_so so", "p_good"]
    assert all(row["predicted"] in ("bad", "so so", "good") for row in rows)


def test_csv_comes_back_as_csv(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('text,n\n"good, ""very""\nfilm",07\nbad,\n', encoding="utf-8")
    assert predict(classifier, tmp_path / "in.csv", tmp_path / "out.csv") == 2
    written = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert written.startswith('text,n,predicted,p_bad,p_so so,p_good\n"good, ""very""\nfilm",07,')
    assert written.splitlines()[3].startswith("bad,,")


def test_tsv_keeps_bare_quotation_marks(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_text('n\ttext\n1\t"good film\n', encoding="utf-8")
    predict(classifier, tmp_path / "in.tsv", tmp_path / "out.tsv")
    header, line = (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "n\ttext\tpredicted\tp_bad\tp_so so\tp_good"
    assert line.startswith('1\t"good film\t')


def test_parquet_keeps_its_types(classifier: Path, tmp_path: Path) -> None:
    table = pa.table({"text": TEXTS, "n": pa.array([1, 2, None], pa.int16())})
    pq.write_table(table, tmp_path / "in.parquet")
    assert predict(classifier, tmp_path / "in.parquet", tmp_path / "out.parquet") == 3
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(["text", "n"]).equals(table)
    assert found.schema.field("p_so so").type == pa.float64()


def test_text_by_itself_gets_the_same_answer(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = labelled(classifier, tmp_path)
    monkeypatch.setattr("headstart.data.tables.CHUNK", 1)
    alone = labelled(classifier, tmp_path)
    assert [row["p_good"] for row in alone] == pytest.approx([row["p_good"] for row in together], abs=2e-2)


def test_notes_name_the_columns_and_the_limit(tiny_model: Path, tmp_path: Path) -> None:
    notes = {"text": ["a", "b"], "max_length": 7}
    model = saved(tmp_path / "m", tiny_model, "single_label_classification", ["n", "y"], notes)
    labeller = open_predictor(model)
    assert isinstance(labeller, NetworkPredictor)
    assert (labeller.text, labeller.max_length) == (("a", "b"), 7)
    (tmp_path / "in.jsonl").write_text('{"a": "good", "b": "bad"}\n', encoding="utf-8")
    assert predict(model, tmp_path / "in.jsonl", tmp_path / "out.jsonl") == 1


def test_column_may_be_named(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("body\ngood\n", encoding="utf-8")
    assert predict(classifier, tmp_path / "in.csv", tmp_path / "out.csv", text="body") == 1


def test_several_labels_are_joined_in_a_table(tiny_model: Path, tmp_path: Path) -> None:
    model = saved(tmp_path / "m", tiny_model, "multi_label_classification", ["a", "b", "c"])
    (tmp_path / "in.csv").write_text("text\ngood\n", encoding="utf-8")
    predict(model, tmp_path / "in.csv", tmp_path / "out.csv")
    header, line = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    cells = dict(zip(header.split(","), line.split(","), strict=True))
    expected = [name for name in "abc" if float(cells[f"p_{name}"]) > 0.5]
    assert cells["predicted"] == "|".join(expected)


def test_several_labels_are_a_list_in_json(tiny_model: Path, tmp_path: Path) -> None:
    model = saved(tmp_path / "m", tiny_model, "multi_label_classification", ["a", "b", "c"])
    (row,) = labelled(model, tmp_path, ["good"])
    assert row["predicted"] == [name for name in "abc" if row[f"p_{name}"] > 0.5]


@pytest.mark.parametrize(
    ("cells", "names"), [("int", [2, 10]), ("bool", [False, True]), ("text", ["2", "10"])]
)
def test_labels_are_what_they_were_in_the_studys_data(
    tiny_model: Path, tmp_path: Path, cells: str, names: list[Any]
) -> None:
    for problem in ("single_label_classification", "multi_label_classification"):
        notes = {"label_cells": cells}
        model = saved(tmp_path / problem, tiny_model, problem, list(map(str, names)), notes)
        rows = labelled(model, tmp_path)
        found = [row["predicted"] for row in rows]
        values = [value for of_row in found for value in of_row] if problem.startswith("multi") else found
        assert {(type(value), value) for value in values} <= {(type(name), name) for name in names}
        assert [key for key in rows[0] if key.startswith("p_")] == [f"p_{name}" for name in names]


def test_regression_gives_a_number(tiny_model: Path, tmp_path: Path) -> None:
    (row,) = labelled(saved(tmp_path / "m", tiny_model, "regression", ["LABEL_0"]), tmp_path, ["good"])
    assert list(row) == ["id", "text", "predicted"]
    assert isinstance(row["predicted"], float)


def test_model_without_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no saved model \(no config\.json\)"):
        open_predictor(tmp_path)
    with pytest.raises(ModelError, match="no saved model: no such folder"):
        open_predictor(tmp_path / "nope")


def test_unreadable_notes_are_named(tiny_model: Path, tmp_path: Path) -> None:
    model = saved(tmp_path / "m", tiny_model, "single_label_classification", ["n", "y"])
    (model / "headstart.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"headstart\.json cannot be read"):
        open_predictor(model)


def test_late_mistake_leaves_no_output(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.data.tables.CHUNK", 1)
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"text": ""}\n', encoding="utf-8")
    with pytest.raises(DataError, match="empty text"):
        predict(classifier, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_empty_file_is_labelled_as_it_is(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("", encoding="utf-8")
    assert predict(classifier, tmp_path / "in.jsonl", tmp_path / "out.jsonl") == 0


@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("tsv", "\t")])
def test_table_without_rows_keeps_its_header_and_gets_the_columns(
    suffix: str, mark: str, classifier: Path, tmp_path: Path
) -> None:
    (tmp_path / f"in.{suffix}").write_text(f"id{mark}text\n", encoding="utf-8")
    assert predict(classifier, tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}") == 0
    written = (tmp_path / f"out.{suffix}").read_text(encoding="utf-8")
    assert written == mark.join(["id", "text", "predicted", "p_bad", "p_so so", "p_good"]) + "\n"


def test_table_without_rows_is_refused_for_a_column_that_is_there(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,predicted\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.csv:1: column 'predicted' already exists"):
        predict(classifier, tmp_path / "in.csv", tmp_path / "out.csv")
    (tmp_path / "in.csv").write_text("", encoding="utf-8")
    assert predict(classifier, tmp_path / "in.csv", tmp_path / "out.csv") == 0
    assert (tmp_path / "out.csv").read_bytes() == b""


def test_numbers_are_those_of_float32(tiny_model: Path, tmp_path: Path) -> None:
    """bfloat16, which a device may have for its own, keeps three digits of a number."""
    model = saved(tmp_path / "m", tiny_model, "regression", ["value"])
    network = AutoModelForSequenceClassification.from_pretrained(model).eval()
    batch = AutoTokenizer.from_pretrained(model)("good film", return_tensors="pt")
    with torch.inference_mode():
        expected = float(network(**batch).logits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headstart.training.network_predictor.choose_precision", lambda *_: "bf16")
        (row,) = open_predictor(model).predict(["good film"])
    assert row["predicted"] == pytest.approx(expected, abs=1e-6)


def test_rows_with_keys_of_their_own_are_written_whole(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a", "x": 1}\n{"text": "b", "y": [2]}\n', encoding="utf-8")
    predict(classifier, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [list(row)[:2] for row in rows] == [["text", "x"], ["text", "y"]]


def test_column_there_in_a_later_row_is_refused(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": "b", "predicted": 1}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.jsonl:2: column 'predicted' already exists"):
        predict(classifier, tmp_path / "in.jsonl", tmp_path / "out.jsonl")


def test_a_model_of_others_that_names_no_padding_is_read(tmp_path: Path) -> None:
    """Saved by others without `pad_token_id`: transformers refuses such a batch."""
    folder = write_checkpoint(tmp_path / "m", "llama", tokenizer=make_tokenizer(pad=None))
    texts = ["a bad film", "the story was good and the music lovely", "dull"]
    lines = [json.dumps({"text": text}) for text in texts]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert predict(folder, tmp_path / "in.jsonl", tmp_path / "out.jsonl") == 3
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    for text, row in zip(texts, rows, strict=True):
        with torch.no_grad():
            expected = network(**make_tokenizer()([text], return_tensors="pt")).logits.softmax(-1)[0]
        found = [row["p_LABEL_0"], row["p_LABEL_1"]]
        # On processors with bf16, products are rounded to 8 bits.
        torch.testing.assert_close(torch.tensor(found), expected, rtol=0, atol=2e-2)


@pytest.mark.parametrize("names", [{"0": "a", "1": "a", "2": "b"}, {"1": "a", "2": "b", "3": "c"}])
def test_classes_that_cannot_be_told_apart_are_refused(names: dict[str, str], tmp_path: Path) -> None:
    """Two of one name would have one column."""
    folder = write_checkpoint(tmp_path, "bert", num_labels=3)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"id2label": names}))
    with pytest.raises(ModelError, match="class names are not unique"):
        open_predictor(folder)


def test_model_of_pairs_takes_two_columns(tiny_model: Path, tmp_path: Path) -> None:
    """One column alone would be labelled without a word, as no example of the study was."""
    names = ["bad", "good"]
    model = saved(
        tmp_path / "pairs", tiny_model, "single_label_classification", names, {"text": ["first", "second"]}
    )
    with pytest.raises(DataError, match=r"'p' for a model that takes pairs \(first, second\)"):
        open_predictor(model, "p")
    assert open_predictor(model, "p, q").text == ("p", "q")
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"p": "good film", "q": "warm"}) + "\n")
    predict(model, source, tmp_path / "out.jsonl", text="p,q")
    (row,) = open_predictor(model).predict([("good film", "warm")])
    assert json.loads((tmp_path / "out.jsonl").read_text())["p_good"] == pytest.approx(row["p_good"])


def test_comma_may_be_in_a_name(tiny_model: Path, tmp_path: Path) -> None:
    names = ["bad", "good"]
    model = saved(tmp_path / "m", tiny_model, "single_label_classification", names, {"text": "text"})
    assert open_predictor(model, "text, short").text == "text, short"


def test_a_text_too_long_to_be_encoded_whole_is_named(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_texts, "LONG", 100)
    monkeypatch.setattr(long_texts, "MOST_WHOLE", 1000)
    with pytest.raises(
        DataError, match=r"in\.jsonl:2: 2,000 characters, beginning with 'xxx[\s\S]*fix: shorten the text"
    ):
        labelled(classifier, tmp_path, ["good film", "x" * 2000])
    assert not (tmp_path / "out.jsonl").exists()
