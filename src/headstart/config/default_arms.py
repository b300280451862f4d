"""Arms that a study file need not name: its default ones, and the bag of words that joins any."""

from __future__ import annotations

from typing import Any, Final

from headstart.config.traits import TASKS

BAG_OF_WORDS_ARM: Final = "words"


def make_default_arms() -> dict[str, Any]:
    """The arms of a study that names none, as plain values."""
    return {"pretrained": {}, "random": {"init": "random"}}


def add_words_arm(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with the bag-of-words arm added, unless its arms settle the matter."""
    arms = value.get("arms")
    arms = make_default_arms() if arms is None else arms
    if not isinstance(arms, dict) or not arms:
        return value
    taken_out = BAG_OF_WORDS_ARM in arms and arms[BAG_OF_WORDS_ARM] in (None, False)
    # `words: null` alone takes the words out of the arms that a study has by default.
    kept = {
        name: arm for name, arm in arms.items() if not (name == BAG_OF_WORDS_ARM and taken_out)
    } or make_default_arms()
    task = TASKS.get(str(value.get("task")))
    taken_out = taken_out or (task is not None and task.generates)
    if not (taken_out or _is_pair(value.get("data")) or any(map(is_bag_of_words, kept.values()))):
        kept.setdefault(BAG_OF_WORDS_ARM, {"method": "bag-of-words"})
    return {**value, "arms": kept}


def _is_pair(data: Any) -> bool:
    text = data.get("text") if isinstance(data, dict) else getattr(data, "text", None)
    return text is not None and not isinstance(text, str)


def is_bag_of_words(arm: Any) -> bool:
    """Whether it is one: typed, or as the file has it."""
    method = arm.get("method") if isinstance(arm, dict) else getattr(arm, "method", None)
    return bool(method == "bag-of-words")
