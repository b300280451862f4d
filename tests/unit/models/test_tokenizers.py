"""A folder without its tokenizer is refused, where transformers makes an empty one; so is half of one."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from headstart.errors import MissingExtraError, ModelError
from headstart.models.tokenizers import find_other_reading, read_tokenizer
from tiny_checkpoints import make_tokenizer, write_checkpoint


def _remove_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "llama", "qwen3", "deberta-v2", "albert"])
def test_a_folder_without_tokenizer_is_refused(family: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, family)
    _remove_tokenizer(folder)
    with pytest.raises(
        ModelError, match=r"no tokenizer, or one|its tokenizer cannot be read: Couldn't instantiate"
    ):
        read_tokenizer(str(folder), "model")


def test_a_tokenizer_of_words_is_read_as_it_was_saved(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "llama")
    assert read_tokenizer(str(folder), "model").get_vocab() == make_tokenizer().get_vocab()


def test_characters_need_no_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "canine"}', encoding="utf-8")
    assert read_tokenizer(str(tmp_path), "model")("ab").input_ids[1:-1] == [97, 98]


def test_a_byte_pair_vocabulary_without_merges_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "gpt2")
    _remove_tokenizer(folder)
    (folder / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "ab": 2}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"vocab.json without merges.txt"):
        read_tokenizer(str(folder), "model")


@pytest.mark.skipif(find_spec("sentencepiece") is not None, reason="it is installed")
def test_sentencepiece_is_named_where_it_is_needed(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "deberta-v2")
    _remove_tokenizer(folder)
    (folder / "spm.model").write_bytes(b"\n\x0e\n\x05<unk>")
    with pytest.raises(MissingExtraError) as caught:
        read_tokenizer(str(folder), "model")
    assert "model/spm.model needs the package 'sentencepiece'" in str(caught.value)
    assert "pip install -c constraints.txt '.[sentencepiece]'" in str(caught.value)


def test_a_tokenizer_that_is_code_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    _remove_tokenizer(folder)
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\nfilm\n", encoding="utf-8")
    settings = {"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ModelError, match="needs Python code of its own"):
        read_tokenizer(str(folder), "model")


@pytest.mark.parametrize(("family", "other"), [("qwen2", "a bad film"), ("llama", None), ("bert", None)])
def test_a_class_that_reads_the_file_in_another_way_is_found(
    family: str, other: str | None, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path, family)
    tokenizer = read_tokenizer(str(folder), "model")
    assert find_other_reading(str(folder), tokenizer, ["a bad film", "good"]) == other


def test_an_id_that_no_table_has_is_refused(tmp_path: Path) -> None:
    """Saving such a tokenizer would ask for gigabytes: for each id below it that no token has."""
    folder = write_checkpoint(tmp_path, "bert")
    file = folder / "tokenizer.json"
    whole = json.loads(file.read_text("utf-8"))
    word = next(iter(whole["model"]["vocab"]))
    whole["model"]["vocab"][word] = 4_000_000_000
    file.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(ModelError, match=r"^model: its tokenizer has a token with the id 4,000,000,000"):
        read_tokenizer(str(folder), "model")
