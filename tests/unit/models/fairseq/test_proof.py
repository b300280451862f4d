"""Tokenizers held against binarised data: the right one has all ids again, another is found out."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from fairseq_files import (
    SENTENCES,
    UNSEEN,
    load_sentencepiece,
    train_sentencepiece,
    write_dictionary_of,
    write_mapped,
)
from fairseq_networks import WORDS, make_settings, make_state, write_folder, write_lines
from headstart import import_fairseq
from headstart.data.fairseq.dictionary import read_dictionary
from headstart.errors import ModelError
from headstart.models.fairseq.proof import prove_ids
from headstart.models.fairseq.tokenizer import build_tokenizer


def _binarise(folder: Path) -> None:
    model = train_sentencepiece("bpe")
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    processor = load_sentencepiece(model)
    lines = [processor.encode(text, out_type=str) for text in (*SENTENCES, *UNSEEN)]
    write_dictionary_of(lines[:6], folder / "input0" / "dict.txt")
    dictionary = read_dictionary(folder / "input0" / "dict.txt")
    rows = [[*map(dictionary.find, line), 2] for line in lines]
    write_mapped(folder / "input0" / "train", rows[:6])
    write_mapped(folder / "input0" / "test", rows[6:])


def test_the_datas_own_tokenizer_gives_every_id_again(tmp_path: Path) -> None:
    _binarise(tmp_path)
    dictionary = read_dictionary(tmp_path / "input0" / "dict.txt")
    proven = prove_ids(build_tokenizer(tmp_path, dictionary), dictionary, tmp_path, tmp_path)
    # Of eleven texts five hold a piece that the dictionary lacks.
    assert (proven.texts, proven.equal, proven.first) == (6, 6, None)
    assert str(proven) == "all 6 binarised texts get the ids that fairseq gave them"


def test_another_tokenizer_is_found_out(tmp_path: Path) -> None:
    _binarise(tmp_path)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(train_sentencepiece("unigram"))
    dictionary = read_dictionary(tmp_path / "input0" / "dict.txt")
    proven = prove_ids(build_tokenizer(tmp_path, dictionary), dictionary, tmp_path, tmp_path)
    assert proven.equal < proven.texts == 6
    assert str(proven).endswith(f"the first other: {tmp_path}/input0/train.idx row 1")


@pytest.mark.parametrize("codes", ["own", "another's"])
def test_an_import_says_so_and_refuses_another_tokenizer(tmp_path: Path, codes: str) -> None:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings))
    merges = [f"w {digit}</w> 1" for digit in range(10)] if codes == "own" else ["x y 1"]
    (folder / "bpe.codes").write_text("".join(f"{line}\n" for line in merges))
    data = tmp_path / "bin"
    write_lines(data / "input0" / "dict.txt", WORDS)
    write_mapped(data / "input0" / "train", [[4, 5, 2], [9, 2], [7, 3, 2]])
    (data / "label").mkdir()
    if codes == "own":
        imported = import_fairseq(folder, tmp_path / "out", data=data)
        assert "all 2 binarised texts get the ids that fairseq gave them" in imported.notes
        assert AutoTokenizer.from_pretrained(tmp_path / "out")("w0 w5").input_ids == [0, 4, 9, 2]
        return
    with pytest.raises(ModelError, match="its tokenizer is not that of the data: 0 of 2 binarised texts"):
        import_fairseq(folder, tmp_path / "out", data=data)
    assert not (tmp_path / "out").exists()
