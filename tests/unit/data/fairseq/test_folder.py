"""A folder of binarised data as a study's source: texts, pairs, labels and numbers, part by part."""

from __future__ import annotations

from pathlib import Path

import pytest

import headstart
from fairseq_files import (
    SENTENCES,
    load_sentencepiece,
    train_sentencepiece,
    write_dictionary_of,
    write_mapped,
)
from headstart.config.study import Study
from headstart.data.fairseq.decoding import UNKNOWN_CHARACTER, choose_join
from headstart.data.fairseq.dictionary import Dictionary, make_dictionary, read_dictionary
from headstart.data.fairseq.folder import open_binarised_folder, open_index
from headstart.data.sources import read_parts
from headstart.errors import DataError
from headstart.models.fairseq.tokenizer import build_tokenizer

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
LABELS = ["-1", "1"]


def _binarise(folder: Path, column: str, lines: dict[str, list[list[str]]]) -> None:
    """Write a column as fairseq-preprocess does: the dictionary is that of the training lines."""
    write_dictionary_of(lines["train"], folder / column / "dict.txt")
    dictionary = read_dictionary(folder / column / "dict.txt")
    for part, rows in lines.items():
        ids = [[*map(dictionary.find, pieces), dictionary.eos] for pieces in rows]
        write_mapped(folder / column / part, ids)


def _make_folder(folder: Path) -> Path:
    """Texts in pieces, with what the training texts lack in the test's."""
    model = train_sentencepiece("bpe")
    processor = load_sentencepiece(model)
    texts = {"train": SENTENCES[:6], "valid": SENTENCES[:2], "test": (*SENTENCES[2:4], "le 4 chat")}
    pieces = {part: [processor.encode(t, out_type=str) for t in rows] for part, rows in texts.items()}
    _binarise(folder, "input0", pieces)
    _binarise(folder, "label", {part: [[LABELS[i % 2]] for i in range(len(r))] for part, r in texts.items()})
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    return folder


def test_parts_hold_the_texts_and_the_labels(tmp_path: Path) -> None:
    parts = {name: list(rows) for name, rows in open_binarised_folder(_make_folder(tmp_path)).items()}
    assert [cells["text"] for _, cells in parts["train"]] == [*SENTENCES[:6]]
    assert [cells["label"] for _, cells in parts["train"]] == LABELS * 3
    assert parts["test"][2][0] == f"{tmp_path}/input0/test.idx row 3"
    assert parts["test"][2][1]["text"] == f"le {UNKNOWN_CHARACTER} chat"


def test_decoded_texts_have_the_binarised_ids_again(tmp_path: Path) -> None:
    dictionary = read_dictionary(_make_folder(tmp_path) / "input0" / "dict.txt")
    tokenizer = build_tokenizer(tmp_path, dictionary)
    model = load_sentencepiece((tmp_path / "sentencepiece.bpe.model").read_bytes())
    for (_, cells), text in zip(
        open_binarised_folder(tmp_path)["test"], (*SENTENCES[2:4], "le 4 chat"), strict=True
    ):
        expected = [dictionary.find(piece) for piece in model.encode(text, out_type=str)]
        assert tokenizer(cells["text"], add_special_tokens=False).input_ids == expected


def test_a_study_reads_it_and_init_writes_the_study(tmp_path: Path) -> None:
    folder = _make_folder(tmp_path / "bin")
    study = Study.model_validate({"data": {"fairseq": str(folder)}, "model": "asset:minilm"})
    parts = read_parts(study.data, study.task)
    assert {part: len(read.rows) for part, read in parts.items()} == {"train": 6, "valid": 2, "test": 3}
    draft = headstart.init(folder, tmp_path / "study.yaml")
    assert draft.guess.parts == ("train", "valid", "test")
    loaded = headstart.load_study(tmp_path / "study.yaml")
    assert loaded.data.fairseq == str(folder)


def test_second_texts_are_a_pair(tmp_path: Path) -> None:
    words = [["a", "b"], ["b"], ["a"]]
    for column in ("input0", "input1"):
        _binarise(tmp_path, column, {"train": words, "test": words[:1]})
    _binarise(tmp_path, "label", {"train": [["x"], ["y"], ["x"]], "test": [["y"]]})
    rows = list(open_binarised_folder(tmp_path)["train"])
    assert rows[0][1] == {"input0": "a b", "input1": "a b", "label": "x"}
    data = {"fairseq": str(tmp_path), "text": ["input0", "input1"]}
    study = Study.model_validate({"data": data, "model": "asset:minilm"})
    assert read_parts(study.data, study.task)["test"].rows[0].text == ("a b", "a b")
    single = Study.model_validate({"data": {"fairseq": str(tmp_path)}, "model": "asset:minilm"})
    with pytest.raises(DataError, match="input0, input1"):
        read_parts(single.data, single.task)


def test_numbers_to_predict_are_lines_of_text(tmp_path: Path) -> None:
    _binarise(tmp_path, "input0", {"train": [["a"], ["b"]]})
    (tmp_path / "label").mkdir()
    (tmp_path / "label" / "train.label").write_text("0.25\n-1.5\n")
    rows = list(open_binarised_folder(tmp_path)["train"])
    assert [cells["label"] for _, cells in rows] == ["0.25", "-1.5"]


def test_pieces_of_a_part_are_read_one_after_the_other(tmp_path: Path) -> None:
    words = [["a"], ["b"]]
    _binarise(tmp_path, "input0", {"train": words, "train1": words[:1]})
    _binarise(tmp_path, "label", {"train": [["x"], ["y"]], "train1": [["y"]]})
    assert [c["text"] + c["label"] for _, c in open_binarised_folder(tmp_path)["train"]] == ["ax", "by", "ay"]


def test_a_piece_that_is_lost_is_missed_and_those_after_it_are_not_passed_over(tmp_path: Path) -> None:
    for column in ("input0", "label"):
        _binarise(tmp_path, column, {part: [["a"]] for part in ("train", "train1", "train2", "valid")})
        for suffix in ("idx", "bin"):
            (tmp_path / column / f"train1.{suffix}").unlink()
    with pytest.raises(DataError, match=r"input0/train1\.idx: no such file"):
        list(open_binarised_folder(tmp_path)["train"])


def test_an_index_alone_is_a_file_of_texts(tmp_path: Path) -> None:
    _binarise(tmp_path, "data", {"train": [["a", "b"]]})
    assert [*open_index(tmp_path / "data" / "train.idx")] == [
        (f"{tmp_path}/data/train.idx row 1", {"text": "a b"})
    ]


def test_a_dictionary_is_read_once_for_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_folder(tmp_path)
    read = list[Path]()

    def note(path: Path, **options: bool) -> Dictionary:
        read.append(path)
        return read_dictionary(path, **options)

    parts = open_binarised_folder(tmp_path)
    monkeypatch.setattr("headstart.data.fairseq.folder.read_dictionary", note)
    assert [len(list(rows)) for rows in parts.values()] == [6, 2, 3]
    assert read.count(tmp_path / "input0" / "dict.txt") == 1


def test_what_does_not_belong_together_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no binarised data"):
        open_binarised_folder(tmp_path)
    _binarise(tmp_path, "input0", {"train": [["a"], ["b"]]})
    _binarise(tmp_path, "label", {"train": [["x"]]})
    with pytest.raises(DataError, match="label has 1 rows of part train"):
        list(open_binarised_folder(tmp_path)["train"])
    write_mapped(tmp_path / "label" / "train", [[4, 4, 2], [4, 2]])
    with pytest.raises(DataError, match="2 labels"):
        list(open_binarised_folder(tmp_path)["train"])
    write_mapped(tmp_path / "input0" / "train", [[4, 99, 2]])
    with pytest.raises(DataError, match="id 99, and the dictionary has 9 symbols"):
        list(open_binarised_folder(tmp_path)["train"])


def _break(file: Path) -> None:
    """Have a link that leads nowhere in a file's place."""
    file.unlink()
    file.symlink_to("nowhere")


@pytest.mark.parametrize("name", ["valid.idx", "test.idx", "train1.idx"])
@pytest.mark.parametrize("column", ["input0", "label"])
def test_a_part_whose_file_is_broken_is_not_passed_over(tmp_path: Path, column: str, name: str) -> None:
    """It would be split off train, or left out of it, without a word."""
    parts = {part: [["a"]] for part in ("train", "train1", "valid", "test")}
    for each in ("input0", "label"):
        _binarise(tmp_path, each, parts)
    _break(tmp_path / column / name)
    with pytest.raises(DataError, match=f"{column}/{name}: is a dangling link"):
        [list(rows) for rows in open_binarised_folder(tmp_path).values()]


def test_a_part_that_lost_its_texts_or_labels_is_not_passed_over(tmp_path: Path) -> None:
    for column in ("input0", "label"):
        _binarise(tmp_path, column, {"train": [["a"]], "valid": [["a"]], "test": [["a"]]})
    for suffix in ("idx", "bin"):
        (tmp_path / "input0" / f"valid.{suffix}").unlink()
        (tmp_path / "label" / f"test.{suffix}").unlink()
    parts = open_binarised_folder(tmp_path)
    with pytest.raises(DataError, match=r"input0/valid\.idx: no such file"):
        list(parts["valid"])
    with pytest.raises(DataError, match=r"label/test\.idx: no such file"):
        list(parts["test"])
    assert next(open_index(tmp_path / "input0" / "test.idx"))[1] == {"text": "a"}


@pytest.mark.parametrize("broken", ["input0/dict.txt", "label/dict.txt"])
def test_a_broken_dictionary_is_named(tmp_path: Path, broken: str) -> None:
    for column in ("input0", "label"):
        _binarise(tmp_path, column, {"train": [["a"]]})
    _break(tmp_path / broken)
    with pytest.raises(DataError, match=f"{broken}: is a dangling link"):
        list(open_binarised_folder(tmp_path)["train"])


def test_second_texts_that_cannot_be_read_are_not_passed_over(tmp_path: Path) -> None:
    for column in ("input0", "label"):
        _binarise(tmp_path, column, {"train": [["a"]]})
    (tmp_path / "input1").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"input1/dict\.txt: no such file"):
        list(open_binarised_folder(tmp_path)["train"])


@pytest.mark.parametrize(("label", "shown"), [(3, "<unk>"), (5, "madeupword0000"), (4, None)])
def test_labels_that_are_fairseqs_own_symbols_are_refused(
    tmp_path: Path, label: int, shown: str | None
) -> None:
    _binarise(tmp_path, "input0", {"train": [["a"]]})
    _binarise(tmp_path, "label", {"train": [["x"]]})
    write_mapped(tmp_path / "label" / "train", [[label, 2]])
    rows = open_binarised_folder(tmp_path)["train"]
    if shown is None:
        assert next(rows)[1]["label"] == "x"
        return
    with pytest.raises(DataError, match=f"the label is {shown}, a symbol of fairseq's own"):
        next(rows)


def test_each_kind_of_piece_is_joined_by_its_rule(tmp_path: Path) -> None:
    def join(words: list[str], pieces: list[str]) -> str:
        return choose_join(make_dictionary([*SPECIALS, *words]), (tmp_path,))(pieces)

    assert join(["▁a", "b"], ["▁a", "b", "▁a"]) == "ab a"
    assert join(["▁a", "<0xE2>"], ["▁a", "<0xE2>", "<0x82>", "<0xAC>", "▁a"]) == "a€ a"
    assert join(["a@@", "b"], ["a@@", "b", "b"]) == "ab b"
    assert join(["a", "b"], ["a", "b"]) == "a b"
    with pytest.raises(DataError, match=r"no encoder\.json"):
        join(["12", "7"], ["12"])
    (tmp_path / "encoder.json").write_text('{"Ġa": 12, "Ã©": 7}')
    assert join(["12", "7", "madeupword0000"], ["7", "12", UNKNOWN_CHARACTER, "7"]) == "é a\ue000é"
    with pytest.raises(DataError, match=r"no token has number 8, .* \(1 such numbers\)"):
        join(["12", "8", "7"], ["12"])
    (tmp_path / "encoder.json").write_text("[]")
    with pytest.raises(DataError, match="not an object of numbers"):
        join(["12", "7"], ["12"])
    _break(tmp_path / "encoder.json")
    with pytest.raises(DataError, match=r"encoder\.json: is a dangling link"):
        join(["12", "7"], ["12"])
