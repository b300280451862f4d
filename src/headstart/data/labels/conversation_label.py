"""No label beside the example: its text is a conversation, of which the answers are learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headstart.config.study import Data
from headstart.data.conversations import list_prompt_columns, list_unread, read_conversation
from headstart.data.corpus import Row, Text
from headstart.data.labels.base import LabelKey, LabelType


class ConversationLabel(LabelType):
    """Labels are zeros [N], int64, which nothing reads."""

    def list_columns(self, data: Data) -> tuple[str, ...]:
        """Prompt and response, or the lists of messages."""
        columns = (*list_prompt_columns(data), data.response)
        return columns if data.messages is None else (data.messages,)

    def read_text(self, cells: Mapping[str, Any], data: Data, where: str) -> Text:
        """The conversation."""
        return read_conversation(cells, data, where)

    def list_unread(self, cells: Mapping[str, Any], data: Data) -> Sequence[str]:
        """Columns beside the prompt's, and keys of messages, that are often part of what is asked."""
        return list_unread(cells, data)

    def read_label(self, cells: Mapping[str, Any], data: Data, where: str) -> object:
        """Nothing."""
        return None

    def encode(self, rows: Sequence[Row], names: Sequence[str], data: Data) -> np.ndarray:
        """Zeros."""
        return np.zeros(len(rows), np.int64)

    def make_key(self, row: Row, data: Data) -> LabelKey:
        """All are equal."""
        return ()
