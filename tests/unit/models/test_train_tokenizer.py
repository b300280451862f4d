"""Tokenizers are trained by SentencePiece and by byte-pair encoding, the same from the same documents."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer, BloomConfig, PreTrainedTokenizerFast, RobertaConfig

from headstart.data.text_corpus import TextList
from headstart.data.token_blocks import build_token_blocks
from headstart.errors import DataError, MissingExtraError
from headstart.models import train_unigram
from headstart.models.train_tokenizer import TokenizerKind, train_tokenizer

_SYLLABLES = ("la", "ro", "mi", "ten", "ça", "é", "bou", "quin", "des", "vo", "lu", "gra")


def _make_documents(count: int = 300, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(_SYLLABLES, rng.integers(1, 4))) for _ in range(200)]
    return [" ".join(rng.choice(words, 12)).capitalize() + "." for _ in range(count)]


_DOCUMENTS = _make_documents()
_TEXTS = [*_DOCUMENTS[:5], "Été  à la ﬁn…", "</s> n'est rien <mask>", "日本 \N{GRINNING FACE}", ""]
_SIZES: dict[TokenizerKind, int] = {"unigram": 120, "bpe": 400}


@pytest.fixture(params=["unigram", "bpe"])
def kind(request: pytest.FixtureRequest) -> TokenizerKind:
    if request.param == "unigram":
        pytest.importorskip("sentencepiece")
    kind: TokenizerKind = request.param
    return kind


def _train(kind: TokenizerKind, causal: bool = False, seed: int = 0) -> PreTrainedTokenizerFast:
    return train_tokenizer(_make_documents(seed=seed), kind, _SIZES[kind], causal=causal)


def test_special_tokens_are_robertas(kind: TokenizerKind) -> None:
    tokenizer = _train(kind)
    size = _SIZES[kind]
    assert len(tokenizer) == size
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    assert tokenizer.convert_tokens_to_ids(names) == [0, 1, 2, 3, size - 1]
    assert (tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.pad_token_id) == (0, 0, 1)
    assert (tokenizer.eos_token_id, tokenizer.sep_token_id, tokenizer.unk_token_id) == (2, 2, 3)
    assert tokenizer.mask_token_id == size - 1
    own = tokenizer("mila", add_special_tokens=False)["input_ids"]
    assert tokenizer("mila")["input_ids"] == [0, *own, 2]
    assert tokenizer("mila", "mila")["input_ids"] == [0, *own, 2, 2, *own, 2]
    assert size - 1 in tokenizer("la <mask> ro")["input_ids"]


def test_special_tokens_of_causal_models_are_blooms(kind: TokenizerKind) -> None:
    tokenizer = _train(kind, causal=True)
    assert len(tokenizer) == _SIZES[kind]
    assert tokenizer.convert_tokens_to_ids(["<unk>", "<s>", "</s>", "<pad>"]) == [0, 1, 2, 3]
    assert tokenizer.mask_token_id is None
    ids = tokenizer("mila")["input_ids"]
    assert not set(ids) & {1, 2, 3}
    blocks = build_token_blocks(TextList(["mila"] * 9), tokenizer, block=len(ids) + 1)
    assert blocks.tokens.tolist() == [[*ids, 2]] * 9


def test_texts_come_back(kind: TokenizerKind) -> None:
    tokenizer = _train(kind)
    for text in _DOCUMENTS[:20]:
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True).strip() == text
    if kind == "bpe":  # it knows every byte
        ids = tokenizer(" 日本 \x00 \N{GRINNING FACE}")["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids[1:-1]) == " 日本 \x00 \N{GRINNING FACE}"


def test_pieces_are_those_of_sentencepiece() -> None:
    """The fast tokenizer cuts as SentencePiece itself, whose own model it was made of."""
    sentencepiece = pytest.importorskip("sentencepiece")
    tokenizer = _train("unigram")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_DOCUMENTS), model_writer=model, vocab_size=119, minloglevel=3,
        bos_id=0, pad_id=1, eos_id=2, unk_id=3, num_threads=16,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    assert [processor.id_to_piece(i) for i in range(119)] == tokenizer.convert_ids_to_tokens(range(119))
    for text in [*_make_documents(50, seed=5), "Été  à la ﬁn…", " 日本la "]:
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == processor.encode(text)


def _read_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_the_same_documents_give_the_same_files_and_others_others(
    kind: TokenizerKind, tmp_path: Path
) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        _train(kind, seed=seed).save_pretrained(tmp_path / name)
    one, two, three = (_read_files(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert one["tokenizer.json"] != three["tokenizer.json"]


def test_another_process_gives_the_same_file(kind: TokenizerKind) -> None:
    """Hash tables of a library may be ordered otherwise in each process."""
    script = (
        "import sys, hashlib\n"
        "from headstart.models.train_tokenizer import train_tokenizer\n"
        f"tokenizer = train_tokenizer({_DOCUMENTS!r}, {kind!r}, {_SIZES[kind]})\n"
        "sys.stdout.write(tokenizer.backend_tokenizer.to_str())\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out == _train(kind).backend_tokenizer.to_str()


@pytest.mark.parametrize("causal", [False, True])
def test_a_saved_tokenizer_gives_the_same_ids(kind: TokenizerKind, causal: bool, tmp_path: Path) -> None:
    tokenizer = _train(kind, causal)
    tokenizer.save_pretrained(tmp_path)
    config = BloomConfig() if causal else RobertaConfig()
    for beside in (False, True):  # the library may take a class by the model's type
        if beside:
            config.save_pretrained(tmp_path)
        loaded = AutoTokenizer.from_pretrained(tmp_path)
        assert loaded(_TEXTS)["input_ids"] == tokenizer(_TEXTS)["input_ids"]
        assert loaded.all_special_ids == tokenizer.all_special_ids
        assert loaded.model_input_names == ["input_ids", "attention_mask"]


def test_a_vocabulary_larger_than_the_corpus_supports_is_refused_with_the_largest(
    kind: TokenizerKind,
) -> None:
    with pytest.raises(DataError, match="20,000 tokens is more than this corpus supports") as caught:
        train_tokenizer(_DOCUMENTS, kind, 20_000)
    most = int(str(caught.value.expected).split()[0].replace(",", ""))
    assert caught.value.fix == f"tokenizer.size: {most}, or more text"
    assert len(train_tokenizer(_DOCUMENTS, kind, most)) == most
    with pytest.raises(DataError, match="more than this corpus supports"):
        train_tokenizer(_DOCUMENTS, kind, most + 1)


def test_a_vocabulary_too_small_for_characters_is_refused(kind: TokenizerKind) -> None:
    with pytest.raises(DataError, match="a vocabulary of 9 tokens") as caught:
        train_tokenizer(_DOCUMENTS, kind, 9)
    assert "at least " in str(caught.value.expected)


def test_a_corpus_without_documents_is_refused(kind: TokenizerKind) -> None:
    with pytest.raises(DataError, match="no documents"):
        train_tokenizer([], kind, 300)


def test_of_a_very_large_corpus_a_share_is_learnt_from_whatever_its_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_unigram, "_MOST_CHARACTERS", 5_000)

    def repeat() -> Iterator[str]:
        yield from _make_documents(2000)

    sample = train_unigram._sample_documents(repeat())
    assert 2_000 < sum(map(len, sample)) <= 5_000
    assert sorted(train_unigram._sample_documents(reversed(list(repeat())))) == sorted(sample)


def test_without_sentencepiece_extra_and_other_kind_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_unigram, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        _train("unigram")
    assert "training a unigram tokenizer needs the package 'sentencepiece'" in caught.value.got
    assert caught.value.fix is not None
    assert caught.value.fix.endswith("'.[sentencepiece]'; or set tokenizer.train: bpe, which needs no extra")
