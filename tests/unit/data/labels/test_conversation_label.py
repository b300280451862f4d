"""Conversations have no label beside them."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.config.study import Data
from headstart.data.corpus import PARTS, Part, Row
from headstart.data.labels.conversation_label import ConversationLabel
from headstart.errors import DataError

PAIRS = Data(path="a", prompt="q", response="r")
MESSAGES = Data(path="a", messages="m")
KIND = ConversationLabel()


def test_columns_are_prompt_and_response_or_the_messages() -> None:
    assert KIND.list_columns(PAIRS) == ("q", "r")
    assert KIND.list_columns(MESSAGES) == ("m",)


def test_text_is_the_conversation_and_the_label_is_none() -> None:
    cells = {"q": "how?", "r": "so", "label": "x"}
    assert KIND.read_text(cells, PAIRS, "f:2") == ("user", "how?", "assistant", "so")
    assert KIND.read_label(cells, PAIRS, "f:2") is None


def test_what_is_no_conversation_is_refused() -> None:
    with pytest.raises(DataError, match="no column 'q'"):
        KIND.read_text({"r": "so"}, PAIRS, "f:2")


def test_there_is_nothing_to_name_to_tell_apart_to_check_or_to_count() -> None:
    conversation = Row(0, "f:2", ("user", "a", "assistant", "b"), None)
    rows: dict[Part, list[Row]] = {part: [conversation, conversation] for part in PARTS}
    assert KIND.collect_names(rows, PAIRS) == ()
    assert KIND.make_key(conversation, PAIRS) == ()
    labels = KIND.encode(rows["train"], (), PAIRS)
    assert (labels.tolist(), labels.dtype) == ([0, 0], np.dtype(np.int64))
    KIND.check_learnable(labels, ())
    assert list(KIND.find_doubts(labels, ())) == []
    assert KIND.summarise(dict.fromkeys(PARTS, labels), ()).to_dict() == {}
