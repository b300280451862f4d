"""The kinds of label by name, a line each."""

from __future__ import annotations

from typing import Final

from headstart.config.traits import LabelKind, TaskName, get_task_traits
from headstart.data.labels.base import LabelType
from headstart.data.labels.class_label import ClassLabel
from headstart.data.labels.conversation_label import ConversationLabel
from headstart.data.labels.label_set import LabelSet
from headstart.data.labels.number_label import NumberLabel

LABEL_TYPES: Final[dict[LabelKind, LabelType]] = {
    "class": ClassLabel(),
    "label-set": LabelSet(),
    "number": NumberLabel(),
    "conversation": ConversationLabel(),
}


def get_label_type(task: TaskName) -> LabelType:
    """The kind of label that a task has."""
    return LABEL_TYPES[get_task_traits(task).labels]
