"""Tokenizers of fairseq's checkpoints: the ids are those of the original segmenter and the dictionary."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from tokenizers.models import BPE
from transformers import AutoTokenizer, CamembertTokenizer, RobertaTokenizer, XLMRobertaTokenizer
from transformers.convert_slow_tokenizer import CamembertConverter, XLMRobertaConverter

from fairseq_files import SENTENCES, UNSEEN, load_sentencepiece, train_sentencepiece, write_dictionary_of
from headstart.data.fairseq.dictionary import Dictionary, read_dictionary
from headstart.data.text_corpus import TextList
from headstart.data.token_blocks import build_token_blocks
from headstart.errors import HeadstartError, MissingExtraError, ModelError
from headstart.models.fairseq.tokenizer import build_tokenizer

ODD = (
    "",
    "  two  spaces ",
    "a\tb\nc",
    "مرحبا chat",
    "\u202bchat\u202c",
    "e\u0301crit",
    "\x00\x01a",
    "chat " * 3000,
)


def _make_sentencepiece(folder: Path, kind: str, lines: tuple[str, ...], **options: Any) -> Dictionary:
    model = train_sentencepiece(kind, **options)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    processor = load_sentencepiece(model)
    write_dictionary_of([processor.encode(line, out_type=str) for line in lines], folder / "dict.txt")
    return read_dictionary(folder / "dict.txt")


def _make_whole(folder: Path, shift: int = 3) -> Dictionary:
    """A unigram model and a dictionary of all its pieces, as XLM-R's."""
    model = train_sentencepiece("unigram")
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    processor = load_sentencepiece(model)
    pieces = [processor.id_to_piece(i) for i in range(shift, len(processor))]
    (folder / "dict.txt").write_text("".join(f"{p} 1\n" for p in pieces), encoding="utf-8")
    return read_dictionary(folder / "dict.txt")


def _reload(tokenizer: Any, folder: Path) -> Any:
    """The tokenizer as transformers alone finds it, after it was saved twice."""
    tokenizer.save_pretrained(folder / "once")
    AutoTokenizer.from_pretrained(folder / "once").save_pretrained(folder / "twice")
    return AutoTokenizer.from_pretrained(folder / "twice")


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids)


def _list_expected(folder: Path, dictionary: Dictionary, text: str) -> list[int]:
    processor = load_sentencepiece((folder / "sentencepiece.bpe.model").read_bytes())
    return [dictionary.find(piece) for piece in processor.encode(text, out_type=str)]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_pieces_that_no_line_has_are_unknown_and_do_not_change_the_others(tmp_path: Path, kind: str) -> None:
    dictionary = _make_sentencepiece(tmp_path, kind, (*SENTENCES[:3], UNSEEN[2]))
    tokenizer = _reload(build_tokenizer(tmp_path, dictionary), tmp_path)
    lost = 0
    for text in (*SENTENCES, *UNSEEN, *ODD):
        ids = _encode(tokenizer, text)
        assert ids == _list_expected(tmp_path, dictionary, text), text
        assert all(0 <= i < len(dictionary) for i in ids)
        lost += ids.count(dictionary.unk)
    assert lost > 10  # the dictionary does lack pieces
    # Characters that the model has not seen have their row where the data had the same run of them.
    assert dictionary.find("§") in _encode(tokenizer, "un § beau")
    assert dictionary.unk in _encode(tokenizer, "un §§§ beau")
    assert len(tokenizer) == len(dictionary)


def test_byte_pieces_are_looked_up_as_well(tmp_path: Path) -> None:
    texts = (*SENTENCES, *UNSEEN)
    dictionary = _make_sentencepiece(tmp_path, "bpe", texts, size=350, byte_fallback=True)
    tokenizer = build_tokenizer(tmp_path, dictionary)
    for text in (*texts, "un 😀 chat"):
        assert _encode(tokenizer, text) == _list_expected(tmp_path, dictionary, text)


def test_a_whole_dictionary_gets_a_fast_tokenizer(tmp_path: Path) -> None:
    dictionary = _make_whole(tmp_path)
    tokenizer = _reload(build_tokenizer(tmp_path, dictionary), tmp_path)
    assert tokenizer.is_fast
    assert len(tokenizer) == len(dictionary)
    processor = load_sentencepiece((tmp_path / "sentencepiece.bpe.model").read_bytes())
    for text in (*SENTENCES, *UNSEEN, *ODD):
        ids = _encode(tokenizer, text)
        assert ids == _list_expected(tmp_path, dictionary, text), text
        # The pieces of XLM-R: what SentencePiece says, and one more.
        assert ids == [i + 1 if i else dictionary.unk for i in processor.encode(text)]


def _list_scores(folder: Path) -> list[tuple[str, float]]:
    processor = load_sentencepiece((folder / "sentencepiece.bpe.model").read_bytes())
    return [(processor.id_to_piece(i), processor.get_score(i)) for i in range(len(processor))]


def test_whole_dictionaries_have_the_ids_of_transformers_own_tokenizers(tmp_path: Path) -> None:
    dictionary = _make_whole(tmp_path)
    pieces = _list_scores(tmp_path)
    peer = XLMRobertaTokenizer(**XLMRobertaConverter.convert_from_spm(vocab=pieces))
    tokenizer = build_tokenizer(tmp_path, dictionary)
    lines = (tmp_path / "dict.txt").read_text(encoding="utf-8")
    flags = "".join(f"{symbol} 999 #fairseq:overwrite\n" for symbol in ("<unk>", "<s>", "</s>"))
    (tmp_path / "dict.txt").write_text(flags + lines, encoding="utf-8")
    other = build_tokenizer(tmp_path, read_dictionary(tmp_path / "dict.txt"))
    other_peer = CamembertTokenizer(**CamembertConverter.convert_from_spm(vocab=pieces))
    for text in (*SENTENCES, "un  beau <mask> !"):
        assert tokenizer(text, text).input_ids == peer(text, text).input_ids
        assert other(text, text).input_ids == other_peer(text, text).input_ids
    assert (len(tokenizer), len(other)) == (len(peer), len(other_peer))


def test_a_whole_dictionary_that_overwrites_special_symbols_is_camemberts(tmp_path: Path) -> None:
    _make_whole(tmp_path)
    lines = (tmp_path / "dict.txt").read_text(encoding="utf-8")
    flags = "".join(f"{symbol} 999 #fairseq:overwrite\n" for symbol in ("<unk>", "<s>", "</s>"))
    (tmp_path / "dict.txt").write_text(flags + lines, encoding="utf-8")
    dictionary = read_dictionary(tmp_path / "dict.txt")
    tokenizer = _reload(build_tokenizer(tmp_path, dictionary), tmp_path)
    assert tokenizer("le chat", "dort").input_ids == [
        *(5, *_list_expected(tmp_path, dictionary, "le chat"), 6, 6),
        *(*_list_expected(tmp_path, dictionary, "dort"), 6),
    ]
    assert (tokenizer.unk_token_id, tokenizer.pad_token_id) == (3, 1)
    assert len(tokenizer) == len(dictionary)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.sampled_from(SENTENCES), st.text(max_size=20)), max_size=4).map(" ".join))
def test_any_text_has_the_ids_of_sentencepiece(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder, dictionary, tokenizer = _prepare(tmp_path_factory)
    assert _encode(tokenizer, text) == _list_expected(folder, dictionary, text)


_PREPARED: list[tuple[Path, Dictionary, Any]] = []


def _prepare(factory: pytest.TempPathFactory) -> tuple[Path, Dictionary, Any]:
    if not _PREPARED:
        folder = factory.mktemp("pieces")
        dictionary = _make_sentencepiece(folder, "bpe", (*SENTENCES[:4], *UNSEEN[:1]))
        _PREPARED.append((folder, dictionary, build_tokenizer(folder, dictionary)))
    return _PREPARED[0]


def test_template_mask_and_limit_are_saved(tmp_path: Path) -> None:
    dictionary = _make_sentencepiece(tmp_path, "bpe", SENTENCES)
    tokenizer = build_tokenizer(tmp_path, dictionary)
    tokenizer.model_max_length = 16
    tokenizer = _reload(tokenizer, tmp_path)
    first, second = (_list_expected(tmp_path, dictionary, text) for text in SENTENCES[:2])
    assert tokenizer(SENTENCES[0]).input_ids == [0, *first, 2]
    assert tokenizer(SENTENCES[0], SENTENCES[1]).input_ids == [0, *first, 2, 2, *second, 2]
    assert tokenizer(SENTENCES[0], truncation=True).input_ids == [*[0, *first, 2][:15], 2]
    assert tokenizer.mask_token_id == len(dictionary) - 1
    assert dictionary.mask in tokenizer("le <mask> dort").input_ids


def _make_gpt2(folder: Path) -> dict[str, int]:
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(SENTENCES, vocab_size=300, show_progress=False)
    trained.save_model(str(folder))
    numbers: dict[str, int] = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").rename(folder / "encoder.json")
    (folder / "merges.txt").rename(folder / "vocab.bpe")
    return numbers


def test_gpt2_numbers_are_symbols(tmp_path: Path) -> None:
    numbers = _make_gpt2(tmp_path)
    order = sorted(numbers.values(), key=lambda number: (number * 7919) % 1009)
    (tmp_path / "dict.txt").write_text("".join(f"{n} 1\n" for n in order) + "madeupword0000 0\n")
    dictionary = read_dictionary(tmp_path / "dict.txt")
    tokenizer = _reload(build_tokenizer(tmp_path, dictionary), tmp_path)
    peer = RobertaTokenizer(vocab=numbers, merges=_read_pairs(tmp_path / "vocab.bpe"))
    for text in (*SENTENCES, *UNSEEN, *ODD, "it's 😀 <s>"):
        expected = [dictionary.find(str(n)) for n in _encode(peer, text)]
        assert _encode(tokenizer, text) == expected, text
    assert tokenizer.is_fast
    assert len(tokenizer) == len(dictionary)
    assert tokenizer.decode(tokenizer(SENTENCES[2]).input_ids, skip_special_tokens=True) == SENTENCES[2]


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [(first, second) for first, second in (line.split(" ") for line in lines)]


def test_a_dictionary_that_lacks_gpt2s_tokens_is_refused(tmp_path: Path) -> None:
    numbers = _make_gpt2(tmp_path)
    (tmp_path / "dict.txt").write_text("".join(f"{n} 1\n" for n in [*numbers.values()][:-40]))
    with pytest.raises(ModelError, match=r"dict\.txt lacks 40 of the 300 tokens"):
        build_tokenizer(tmp_path, read_dictionary(tmp_path / "dict.txt"))
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\nq q\n")
    with pytest.raises(ModelError, match="not a merge of tokens"):
        build_tokenizer(tmp_path, read_dictionary(tmp_path / "dict.txt"))


MERGES = (("c", "h"), ("ch", "a"), ("cha", "t</w>"), ("l", "e</w>"), ("d", "o"), ("do", "r"))


def test_fastbpe_pieces_go_on_and_absent_ones_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "bpe.codes").write_text("".join(f"{a} {b} 9\n" for a, b in MERGES))
    peer = _make_bpe(MERGES)
    texts = ("le chat dort", "chats le d", "dorer  la\tcha", "x", "")
    write_dictionary_of([_divide(peer, text) for text in texts[:2]], tmp_path / "dict.txt")
    dictionary = read_dictionary(tmp_path / "dict.txt")
    tokenizer = _reload(build_tokenizer(tmp_path, dictionary), tmp_path)
    for text in texts:
        assert _encode(tokenizer, text) == [dictionary.find(p) for p in _divide(peer, text)], text
    assert dictionary.unk in _encode(tokenizer, texts[2])
    assert _encode(tokenizer, "chats") == [
        dictionary.find("cha@@"),
        dictionary.find("t@@"),
        dictionary.find("s"),
    ]
    assert tokenizer("le", "le").input_ids == [0, dictionary.find("le"), 2, 2, dictionary.find("le"), 2]
    assert (len(tokenizer), tokenizer.mask_token_id) == (len(dictionary), len(dictionary) - 1)


def _make_bpe(merges: tuple[tuple[str, str], ...]) -> Tokenizer:
    letters = [f"{chr(i)}{end}" for i in range(97, 123) for end in ("", "</w>")]
    vocabulary = {token: i for i, token in enumerate([*letters, *(a + b for a, b in merges)])}
    return Tokenizer(BPE(vocabulary, list(merges), end_of_word_suffix="</w>"))


def _divide(peer: Tokenizer, text: str) -> list[str]:
    """The pieces as fastBPE writes them."""
    pieces = [token for word in text.split() for token in peer.encode(word).tokens]
    return [p.removesuffix("</w>") if p.endswith("</w>") else f"{p}@@" for p in pieces]


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        ((), None, "no files of a tokenizer"),
        (("bpe.codes",), "gpt2", "no files of a gpt2 tokenizer"),
        (("bpe.codes", "x.model"), None, "files of several tokenizers"),
        ((), "characters", "a tokenizer of kind characters"),
        ((), "hf_byte_bpe", "a tokenizer of kind hf_byte_bpe"),
        (("x.model",), None, "cannot be read|no pieces"),
        (("bpe.codes",), None, "not a merge: 'junk'"),
    ],
)
def test_what_cannot_be_seen_is_asked_for(
    tmp_path: Path, names: tuple[str, ...], kind: str | None, message: str
) -> None:
    for name in names:
        (tmp_path / name).write_text("junk\n")
    (tmp_path / "dict.txt").write_text("a 1\n")
    with pytest.raises(HeadstartError, match=message):
        build_tokenizer(tmp_path, read_dictionary(tmp_path / "dict.txt"), kind=kind)


def test_pieces_that_need_sentencepiece_say_so_where_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dictionary = _make_sentencepiece(tmp_path, "bpe", SENTENCES[:3])
    monkeypatch.setattr("headstart.models.fairseq.sentencepiece_pieces.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="needs the package 'sentencepiece'") as caught:
        build_tokenizer(tmp_path, dictionary)
    assert "sentencepiece.bpe.model" in str(caught.value)
    assert build_tokenizer(tmp_path, _make_whole(tmp_path)).is_fast


def _check_blocks(tokenizer: Any, words: list[list[str]], folder: Path) -> None:
    """The blocks of documents have the tokenizer's own ids, and words begin where the pieces say."""
    assert not tokenizer.is_fast
    documents = [" ".join(words) for words in words]
    blocks = build_token_blocks(TextList(documents), tokenizer, block=4, folder=folder, workers=2)
    rows = [tokenizer(document, split_special_tokens=True).input_ids for document in documents]
    ids, starts = list(chain(*rows)), list[bool]()
    for document in words:
        # The first piece of a word begins it; an absent one may.
        pieces = [list(enumerate(_encode(tokenizer, word))) for word in document]
        starts += [True, *(i == 0 or p == tokenizer.unk_token_id for i, p in chain(*pieces)), True]
    kept = len(blocks) * 4
    assert len(ids) - kept < 4
    assert blocks.tokens.ravel().tolist() == ids[:kept]
    assert blocks.word_starts.ravel().tolist() == starts[:kept]
    assert 0 < blocks.n_bytes <= sum(len(document.encode()) for document in documents)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_pieces_of_python_become_blocks_for_pretraining(tmp_path: Path, kind: str) -> None:
    dictionary = _make_sentencepiece(tmp_path, kind, SENTENCES[:3])
    tokenizer = _reload(build_tokenizer(tmp_path, dictionary), tmp_path)
    words = [sentence.split(" ") for sentence in SENTENCES]
    _check_blocks(tokenizer, words, tmp_path / "cache")


def test_pieces_of_fastbpe_become_blocks_for_pretraining(tmp_path: Path) -> None:
    (tmp_path / "bpe.codes").write_text("".join(f"{a} {b} 9\n" for a, b in MERGES))
    peer, texts = _make_bpe(MERGES), ("le chats dort", "chats le d", "dor chats cha </s> le")
    write_dictionary_of([_divide(peer, text) for text in texts[:2]], tmp_path / "dict.txt")
    tokenizer = _reload(build_tokenizer(tmp_path, read_dictionary(tmp_path / "dict.txt")), tmp_path)
    _check_blocks(tokenizer, [text.split(" ") for text in texts[:2]], tmp_path / "cache")
