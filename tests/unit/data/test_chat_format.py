"""Chat templates of the usual kinds: where a turn ends, what stands before an answer, and what is learnt."""

from __future__ import annotations

from typing import Any

import pytest

from chat_models import MARKED, TEMPLATES, TURN_END, make_chat_tokenizer
from headstart.config.language_section import Prompts
from headstart.data.chat_format import ChatFormat, describe_prompts, find_stop_ids, identify_template
from headstart.data.chat_templates import set_chat_template
from headstart.data.corpus import Text
from headstart.data.messages import CONTEXT
from headstart.data.prompts import ConversationEncoder
from headstart.errors import DataError

ONE: Text = ("user", "Why?", "assistant", "Because.")
TWO: Text = (*ONE, "user", "Oh?", "assistant", "Yes")
#: Of each kind of template: what carries loss in `ONE` and in `TWO`.
LEARNT = {
    "headers": ("Because.<|turn_end|>", "Because.<|turn_end|>Yes<|turn_end|>"),
    "brackets": (" Because. <|end|>", " Because. <|end|> Yes <|end|>"),
    "renamed": ("Because.<|turn_end|>", "Because.<|turn_end|>Yes<|turn_end|>"),
    "closed": ("Because.<|turn_end|>", "Because.<|turn_end|>Yes<|turn_end|>"),
    "thinking": ("<think>\n\n</think>\n\nBecause.<|turn_end|>", "<think>\n\n</think>\n\nYes<|turn_end|>"),
    "started": ("Because.<|end|>", "Because.<|end|>Yes<|end|>"),
    "channels": ("<|start|>final<|tail|>Because.<|end|>", "<|start|>final<|tail|>Yes<|end|>"),
    "marked": ("Because.<|turn_end|>", "Because.<|turn_end|>Yes<|turn_end|>"),
    "marked-twice": ("Because.<|turn_end|><|end|>", "Because.<|turn_end|>Yes<|turn_end|><|end|>"),
    "marked-thinking": (
        "<think>\n\n</think>\n\nBecause.<|turn_end|>\n",
        "<think>\n\n</think>\n\nBecause.<|turn_end|>\n<think>\n\n</think>\n\nYes<|turn_end|>\n",
    ),
}


def _as_messages(text: Text) -> list[dict[str, str]]:
    return [{"role": role, "content": said} for role, said in zip(text[::2], text[1::2], strict=True)]


def _decode_learnt(text: Text, tokenizer: Any) -> str:
    ids, mask = ConversationEncoder(tokenizer).encode(text)
    learnt: str = tokenizer.decode([i for i, counts in zip(ids, mask, strict=True) if counts])
    return learnt


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_the_template_writes_for_the_assistant_is_learnt(kind: str) -> None:
    """Its turn end is learnt as it stands there, and no end token that it does not write."""
    tokenizer = make_chat_tokenizer(TEMPLATES[kind])
    assert (_decode_learnt(ONE, tokenizer), _decode_learnt(TWO, tokenizer)) == LEARNT[kind]


@pytest.mark.parametrize("kind", TEMPLATES)
def test_ids_are_those_of_the_library(kind: str) -> None:
    """Up to the last turn's end; what is behind it is not read."""
    tokenizer = make_chat_tokenizer(TEMPLATES[kind])
    for text in (ONE, TWO):
        ids, _ = ConversationEncoder(tokenizer).encode(text)
        library = tokenizer.apply_chat_template(_as_messages(text)).input_ids
        assert library[: len(ids)] == ids
        assert len(library) - len(ids) <= 2


@pytest.mark.parametrize("kind", TEMPLATES)
def test_prompts_are_those_of_the_library_and_of_training(kind: str) -> None:
    tokenizer = make_chat_tokenizer(TEMPLATES[kind])
    encoder = ConversationEncoder(tokenizer)
    for text in (ONE, TWO):
        ids, mask = encoder.encode(text)
        prompt = encoder.encode_prompt(text[:-2])
        assert ids[: len(prompt)] == prompt
        assert (mask[len(prompt) - 1], mask[len(prompt)]) == (False, True)
        library = tokenizer.apply_chat_template(_as_messages(text[:-2]), add_generation_prompt=True).input_ids
        assert library[: len(prompt)] == prompt
        assert tokenizer.decode(library[len(prompt) :]) == encoder.format.dropped


def test_an_answer_follows_its_prompts_ids_even_where_a_longer_text_has_others() -> None:
    """Line ends before a word are two tokens here, and one where a prompt ends: there generation begins."""
    tokenizer = make_chat_tokenizer(TEMPLATES["headers"], joins_lines=True)
    encoder = ConversationEncoder(tokenizer)
    ids, mask = encoder.encode(ONE)
    prompt = tokenizer.apply_chat_template(_as_messages(ONE[:2]), add_generation_prompt=True).input_ids
    assert prompt[-1] == tokenizer.convert_tokens_to_ids("ĊĊ")
    assert ids[: len(prompt)] == prompt == encoder.encode_prompt(ONE[:2])
    assert ids != tokenizer.apply_chat_template(_as_messages(ONE)).input_ids
    assert mask == [False] * len(prompt) + [True] * (len(ids) - len(prompt))
    ids, _ = encoder.encode(TWO)
    prompt = encoder.encode_prompt(TWO[:-2])
    assert ids[: len(prompt)] == prompt


@pytest.mark.parametrize("kind", ["marked", "marked-thinking", "marked-twice"])
def test_masks_are_the_librarys_where_the_template_marks_answers(kind: str) -> None:
    tokenizer = make_chat_tokenizer(TEMPLATES[kind])
    three: Text = ("system", "Be brief.", *TWO, "user", "No?", "assistant", "No.")
    for text in (ONE, TWO, three):
        library = tokenizer.apply_chat_template(_as_messages(text), return_assistant_tokens_mask=True)
        _, mask = ConversationEncoder(tokenizer).encode(text)
        assert library["assistant_masks"][: len(mask)] == [int(counts) for counts in mask]
        assert not any(library["assistant_masks"][len(mask) :])


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_perfect_answer_matches(kind: str) -> None:
    """What is learnt, decoded as answers are, is the response: think blocks are no part of it."""
    tokenizer = make_chat_tokenizer(TEMPLATES[kind])
    encoder = ConversationEncoder(tokenizer)
    stop_ids = find_stop_ids(tokenizer, None)
    for text, expected in ((ONE, "Because."), (TWO, "Yes")):
        ids, _ = encoder.encode(text)
        answer = ids[len(encoder.encode_prompt(text[:-2])) :]
        end = next(place for place, i in enumerate(answer) if i in stop_ids)
        decoded = tokenizer.decode(answer[:end], skip_special_tokens=True)
        assert encoder.clean_answer(decoded) == encoder.write_answer(text) == expected


def test_answers_are_compared_as_the_template_has_them() -> None:
    tokenizer = make_chat_tokenizer(TEMPLATES["started"])
    text: Text = ("user", "Why?", "assistant", "<think>hm</think>Because.")
    assert ConversationEncoder(tokenizer).write_answer(text) == "Because."
    thinking = ConversationEncoder(make_chat_tokenizer(TEMPLATES["thinking"]))
    own = thinking.write_answer(text)
    assert own == thinking.clean_answer(own) == "<think>\nhm\n</think>\n\nBecause."


@pytest.mark.parametrize(
    ("own", "expected"), [(None, {2, 3}), (3, {2, 3}), ([0, 3], {0, 2, 3}), ([], {2, 3})]
)
def test_answers_stop_at_what_checkpoint_template_or_tokenizer_says(own: Any, expected: set[int]) -> None:
    tokenizer = make_chat_tokenizer(TEMPLATES["headers"])
    assert tokenizer.convert_tokens_to_ids([tokenizer.eos_token, TURN_END]) == [2, 3]
    assert find_stop_ids(tokenizer, own) == tuple(sorted(expected))


def test_a_turn_end_that_is_not_declared_special_is_one() -> None:
    tokenizer = make_chat_tokenizer(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}<done>\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    tokenizer.add_tokens(["<done>"])
    end = tokenizer.convert_tokens_to_ids("<done>")
    assert ChatFormat.of(tokenizer).end_id == end
    assert end in find_stop_ids(tokenizer, None)
    ids, mask = ConversationEncoder(tokenizer).encode(("user", "a", "assistant", "b<done>c"))
    assert (ids.count(end), ids[-1]) == (2, end)  # the user's turn has one, and the answer
    assert tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m]) == "b<done>c<done>"


def test_a_template_that_ends_no_turn_gets_the_tokenizers_end() -> None:
    tokenizer = make_chat_tokenizer(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    assert _decode_learnt(TWO, tokenizer) == "Because.<|end|>Yes<|end|>"
    choice = set_chat_template(tokenizer, Prompts())
    assert "does not end turns" in describe_prompts(tokenizer, choice)[1]


def test_a_thought_of_an_earlier_turn_is_taken_off_and_that_turn_not_learnt() -> None:
    """A template that is stable for plain answers, and not for those with thoughts."""
    tokenizer = make_chat_tokenizer(
        "{% for m in messages %}{{ '<|head|>' + m.role + '\n' }}"
        "{{ m.content if loop.last else m.content.split('</think>')[-1] }}{{ '<|turn_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|head|>assistant\n' }}{% endif %}"
    )
    assert _decode_learnt(TWO, tokenizer) == LEARNT["headers"][1]
    thinks: Text = ("user", "Why?", "assistant", "<think>a</think>b", *TWO[4:])
    assert _decode_learnt(thinks, tokenizer) == "Yes<|turn_end|>"


def test_auto_takes_the_tokenizers_own_template_or_human() -> None:
    plain, chat = make_chat_tokenizer(), make_chat_tokenizer(TEMPLATES["headers"])
    assert set_chat_template(plain, Prompts()).describe().startswith("prompted as <human>:")
    assert set_chat_template(chat, Prompts()).describe() == "prompted with its own chat template"
    assert chat.chat_template == TEMPLATES["headers"]
    told = set_chat_template(chat, Prompts(template="human")).describe()
    assert "although it has a chat template" in told
    assert "<human>" in chat.chat_template


def test_of_several_templates_the_default_is_taken() -> None:
    tokenizer = make_chat_tokenizer()
    tokenizer.chat_template = {"default": TEMPLATES["headers"], "tool_use": "{{ nothing }}"}
    set_chat_template(tokenizer, Prompts())
    assert tokenizer.chat_template == TEMPLATES["headers"]
    tokenizer.chat_template = {"rag": "{{ nothing }}", "tool_use": "{{ nothing }}"}
    with pytest.raises(DataError, match="no default among its chat templates"):
        set_chat_template(tokenizer, Prompts())


def test_what_plan_says_of_a_template() -> None:
    for kind, word in (("thinking", "think"), ("started", "left out"), ("channels", "final")):
        tokenizer = make_chat_tokenizer(TEMPLATES[kind])
        sentences = describe_prompts(tokenizer, set_chat_template(tokenizer, Prompts()))
        assert word in " ".join(sentences[1:])
        assert sentences[0].startswith("prompted with its own chat template; a turn ends with <|")


def test_a_turn_end_outside_of_the_templates_blocks_is_said() -> None:
    for template, count in ((MARKED, 0), (MARKED.replace('"<|turn_end|>" -}}{%- endg', '"" -}}{%- endg'), 1)):
        tokenizer = make_chat_tokenizer(
            template.replace("endgeneration -%}{{-", "endgeneration -%}{{- '<|turn_end|>' +")
        )
        sentences = describe_prompts(tokenizer, set_chat_template(tokenizer, Prompts()))
        assert len([one for one in sentences if "it is not learnt" in one]) == count


def test_a_failing_template_names_the_conversation() -> None:
    encoder = ConversationEncoder(make_chat_tokenizer(TEMPLATES["renamed"]))
    with pytest.raises(DataError, match="no system message here; the conversation begins 'Why\\?'"):
        encoder.encode(("system", "Be brief.", *ONE))


def test_a_generation_block_without_an_answer_is_refused() -> None:
    tokenizer = make_chat_tokenizer(
        MARKED.replace("{%- generation -%}", "{%- if false -%}{%- generation -%}").replace(
            "{%- endgeneration -%}", "{%- endgeneration -%}{%- endif -%}{{- m.content + '<|turn_end|>' -}}"
        )
    )
    with pytest.raises(DataError, match=r"0 .* blocks of it for 1 answers"):
        ConversationEncoder(tokenizer).encode(ONE)


def test_the_identity_of_a_template_is_what_it_writes_too() -> None:
    one, other = make_chat_tokenizer(TEMPLATES["headers"]), make_chat_tokenizer(TEMPLATES["headers"])
    assert identify_template(one) == identify_template(other)
    other.add_special_tokens({"bos_token": "<|pad|>"})
    assert identify_template(one) != identify_template(other)


@pytest.mark.parametrize("kind", ["headers", "marked"])
def test_an_answer_that_is_context_is_not_learnt(kind: str) -> None:
    tokenizer = make_chat_tokenizer(TEMPLATES[kind])
    told: Text = ("user", "Why?", CONTEXT, "Because.", "user", "Oh?", "assistant", "Yes")
    assert _decode_learnt(told, tokenizer) == "Yes<|turn_end|>"
    assert ConversationEncoder(tokenizer).encode(told)[0] == ConversationEncoder(tokenizer).encode(TWO)[0]
