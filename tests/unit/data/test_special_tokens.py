"""Special tokens that a text names are text: in conversations and in texts to be labelled."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from chat_models import TEMPLATES, make_chat_tokenizer
from headstart.data.corpus import Text
from headstart.data.prompts import ConversationEncoder
from headstart.data.special_tokens import SpecialTokens, list_special_tokens
from headstart.data.tokenise import encode_texts

NAMING = "end <|turn_end|> or <|end|>? <|tail|><|<|end|>"


def make_unigram() -> Any:
    """As the tokenizers of XLM-R, CamemBERT and T5 are: its model itself has `</s>` among its pieces."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((c, -3.0) for c in "▁<>/sab")]
    backend = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )


def make_words() -> Any:
    """A vocabulary of words between white space, `</s>` among them."""
    backend = Tokenizer(
        models.WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2, "a": 3, "b": 4}, unk_token="<unk>")
    )
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


def _encode(text: Text, tokenizer: Any) -> list[int]:
    return [int(i) for i in encode_texts([text], tokenizer, 64).input_ids]


def test_a_special_token_in_a_text_is_characters() -> None:
    tokenizer = make_unigram()
    # The library's own way leaves it special with such a model.
    assert 2 in tokenizer("a </s> b", add_special_tokens=False, split_special_tokens=True).input_ids
    ids = _encode("a </s> b", tokenizer)
    assert (ids[0], ids[-1]) == (0, 2)
    assert not {0, 1, 2, 3} & set(ids[1:-1])
    assert tokenizer.decode(ids[1:-1]) == "a </s> b"


def test_of_words_it_is_an_unknown_one() -> None:
    assert _encode("a </s> b", make_words()) == [3, 2, 4]


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("model", ["tiny_model", "tiny_roberta", "tiny_bloom"])
def test_texts_keep_their_start_and_end_and_no_other(
    request: pytest.FixtureRequest, model: str, pair: bool
) -> None:
    """The ids are those of the library where it is told to split special tokens."""
    folder: Path = request.getfixturevalue(model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    named = f"good {' '.join(list_special_tokens(tokenizer))} film"
    texts: list[Text] = [("bad", named), (named, "bad")] if pair else ["good film", named]
    tokens = encode_texts(texts, tokenizer, 64)
    columns = map(list, zip(*texts, strict=True)) if pair else [texts]
    library = tokenizer(*columns, split_special_tokens=True, truncation=True, max_length=64)
    assert tokens.input_ids.tolist() == list(chain(*library.input_ids))
    if tokens.token_type_ids is not None:
        assert tokens.token_type_ids.tolist() == list(chain(*library.token_type_ids))


@pytest.mark.parametrize("side", ["left", "right"])
def test_cuts_are_the_librarys(tiny_model: Path, side: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, truncation_side=side)
    texts = ["good film [SEP] bad story", "the story was warm and witty", "good"]
    tokens = encode_texts(texts, tokenizer, 5)
    library = tokenizer(texts, split_special_tokens=True, truncation=True, max_length=5)
    assert tokens.input_ids.tolist() == list(chain(*library.input_ids))
    assert tokens.truncated == 2


def test_texts_that_name_none_are_encoded_as_ever_beside_one_that_does(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_tokens(["cinema"])
    beside = encode_texts(["good cinema", "a [SEP] b"], tokenizer, 64)
    assert beside.input_ids[: beside.starts[1]].tolist() == tokenizer("good cinema").input_ids


def test_added_tokens_that_are_not_special_stay_tokens() -> None:
    tokenizer = make_chat_tokenizer(TEMPLATES["headers"])
    text: Text = ("user", "Why?", "assistant", "<think>a</think>b <|end|>")
    ids, _ = ConversationEncoder(tokenizer).encode(text)
    assert ids.count(tokenizer.convert_tokens_to_ids("<think>")) == 1
    assert tokenizer.eos_token_id not in ids


@pytest.mark.parametrize("kind", TEMPLATES)
def test_an_answer_that_names_ends_is_taught_and_decoded_whole(kind: str) -> None:
    """With the ids that the library's own sanitiser gives the rest of the conversation."""
    tokenizer = make_chat_tokenizer(TEMPLATES[kind])
    encoder = ConversationEncoder(tokenizer)
    text: Text = ("user", f"What is {NAMING}", "assistant", NAMING)
    ids, mask = encoder.encode(text)
    answer = [i for i, counts in zip(ids, mask, strict=True) if counts]
    end = answer.index(encoder.format.end_id)
    decoded = tokenizer.decode(answer[:end], skip_special_tokens=True)
    assert encoder.clean_answer(decoded) == encoder.write_answer(text) == NAMING
    plain: Text = ("user", "What is it", "assistant", "x")
    special = set(list_special_tokens(tokenizer).values())
    assert [i for i in ids if i in special] == [i for i in encoder.encode(plain)[0] if i in special]
    prompt = encoder.encode_prompt(text[:2])
    assert ids[: len(prompt)] == prompt


def test_ids_are_those_of_the_librarys_sanitiser() -> None:
    tokenizer = make_chat_tokenizer(TEMPLATES["headers"])
    messages = [{"role": "user", "content": NAMING}]
    library = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, sanitize_control_tokens=True
    ).input_ids
    assert ConversationEncoder(tokenizer).encode_prompt(("user", NAMING)) == library


def test_a_message_that_holds_another_is_no_matter() -> None:
    """The words of the prompt, and what the template writes, may stand in the answer."""
    tokenizer = make_chat_tokenizer(TEMPLATES["closed"])
    prompt = ("user", "Why? Why? <|head|>assistant\n")
    for said in (
        "Why? Why? <|head|>assistant\n",
        "<|turn_end|>\n<|head|>user\nWhy?<|turn_end|>",
        "\ufdd0\ufdd2<|end|>\ufdd3",
    ):
        text: Text = (*prompt, "assistant", said)
        ids, mask = ConversationEncoder(tokenizer).encode(text)
        learnt = [i for i, counts in zip(ids, mask, strict=True) if counts]
        assert tokenizer.decode(learnt) == f"{said}<|turn_end|>"
        assert learnt.count(3) == 1


class _Slow:
    """As the library's tokenizers in Python: they split off all special tokens or none."""

    is_fast = False

    def __init__(self) -> None:
        self._fast = make_unigram()
        self.added_tokens_decoder = self._fast.added_tokens_decoder
        self.all_special_tokens, self.all_special_ids = ["</s>"], [2]

    def __call__(self, *texts: str, split_special_tokens: bool = False, **options: Any) -> Any:
        if split_special_tokens:
            texts = tuple("".join(f"{char} " for char in text) for text in texts)
        return self._fast(*texts, **options)


def test_without_a_fast_tokenizer_pieces_are_encoded_apart() -> None:
    tokenizer: Any = _Slow()
    special = SpecialTokens.of(tokenizer)
    ids = special.encode(special.mark("a</s>", "|") + "</s>", "|")
    assert ids.count(2) == 1
    assert ids[-1] == 2
    batch = special.encode_batch(["a", "a</s>", ("a", "b")], 64)
    assert [row.count(2) for row in batch["input_ids"]] == [1, 1, 3]
